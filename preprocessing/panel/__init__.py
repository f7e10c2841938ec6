"""The weekly table of a student: what is observed about it, and what is computed of that."""
