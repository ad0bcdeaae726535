"""Connections: kept, tested, opened by keys, kept in step with the portal, and the log of calls to them."""
