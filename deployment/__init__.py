"""Scripts and files that put Gradewatch on a host."""
