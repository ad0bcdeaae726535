"""The portal's BI objects: connectors, sources and datasets, their rules, and what foreign endpoints offer."""
