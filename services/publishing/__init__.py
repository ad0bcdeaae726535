"""Publishing: tables of a connection become datasets of the portal, one by one or many at once."""
