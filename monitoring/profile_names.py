"""Under which names the profiles of days and batches are kept, for whoever removes them and needs no tables."""

from datetime import date

from database.records import Batch

PROFILE_KIND = "profile"


def day_name(domain: str, day: date) -> str:
    """The document of a day's predictions."""
    return f"{domain}/predictions/{day.isoformat()}"


def batch_name(batch: Batch) -> str:
    """The document of a batch."""
    return f"{batch.domain}/batch/{batch.id}"
