"""Figures that the project promises, measured. Anyone can run them: `make bench`."""
