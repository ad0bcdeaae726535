"""Tables that become datasets."""
