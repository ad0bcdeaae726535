"""Trino over its REST protocol."""
