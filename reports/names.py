"""Under which names the store keeps what belongs to reports. Who only asks whether there is any loads nothing else."""

REPORT_SCHEDULE = "report schedule"
"""Kind of the documents that say when reports are due."""

REPORT_BLOBS = "report/"
"""How the names of the blobs with their contents begin."""
