"""Published names and types."""
