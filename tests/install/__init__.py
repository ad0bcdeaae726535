"""The installer's page and lifecycle events."""
