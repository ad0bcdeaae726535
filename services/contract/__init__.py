"""What was published: the names and types under which a portal knows tables and columns."""
