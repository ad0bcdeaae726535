"""Launches, tokens and lifecycle of portals."""
