"""Connectors, sources and datasets as functions, against a scripted portal."""
