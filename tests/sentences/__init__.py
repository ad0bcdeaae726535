"""Codes and sentences: each code has one."""
