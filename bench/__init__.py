"""Measurements: how fast the product is, beside the limits of the databases and beside peers. Nothing here ships."""
