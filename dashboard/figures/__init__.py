"""Plotly figures made from records, a module for each page: one function per question that a figure answers."""
