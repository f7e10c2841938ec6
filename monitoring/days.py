"""Days of reports: of UTC, each from its midnight to the next."""

from datetime import UTC, date, datetime, time, timedelta

DAY = timedelta(days=1)


def midnight(day: date) -> datetime:
    """The start of a day, UTC.

    >>> midnight(date(2026, 3, 2)).isoformat()
    '2026-03-02T00:00:00+00:00'
    """
    return datetime.combine(day, time(), UTC)
