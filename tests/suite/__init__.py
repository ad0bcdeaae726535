"""Behaviour that every driver shows, on real servers and files."""
