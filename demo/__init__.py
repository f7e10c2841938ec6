"""The invented institution of the first start: its students, its twelve weeks, its snapshot and its clock."""
