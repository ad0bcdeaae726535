"""Door 3: the four endpoints that the portal calls for the connectors we host."""

from gateway.views import blueprint

__all__ = ["blueprint"]
