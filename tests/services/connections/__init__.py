"""Connections: kept, tested, rotated and compared with the portal."""
