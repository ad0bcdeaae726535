"""Limits: who may query, how many at once, how often; counted across processes."""
