"""Use cases without pages; doubles stand at the network's edge only."""
