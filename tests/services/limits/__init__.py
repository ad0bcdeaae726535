"""Limits that hold for all processes together."""
