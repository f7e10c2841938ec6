"""Cohort reports: what is predicted for the students of a group in a period, as a record that is kept and rendered."""
