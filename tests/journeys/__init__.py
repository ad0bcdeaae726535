"""A browser walks whole roads, from the outside, through the programs that `make run` starts."""
