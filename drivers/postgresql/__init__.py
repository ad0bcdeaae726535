"""PostgreSQL, read by COPY."""
