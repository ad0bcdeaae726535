"""The driver of files: kinds, layouts, types and values, and what is made of files on the way."""
