"""Rows of cells to values of a schema, every problem at once: JSON bodies, files, tables."""
