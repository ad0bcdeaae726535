"""Tests mirror the tree; `suite/` holds the behaviour that every driver shows."""
