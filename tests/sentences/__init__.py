"""Sentences and the codes they stand for."""
