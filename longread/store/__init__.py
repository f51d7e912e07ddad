"""Readings on disk: what was learned, kept and measured while a text was read."""
