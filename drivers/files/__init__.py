"""Files as tables, read by DuckDB."""
