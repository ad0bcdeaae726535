"""Drivers: spellings, egress, SQL, values, and each database on a real server."""
