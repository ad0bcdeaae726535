"""Documentation and code agree: citations, paths, links, commands, error tables and the map of modules."""
