"""Door 1: the portal introduces itself, by its installer page and by lifecycle events."""

from install.views import blueprint

__all__ = ["blueprint"]
