"""When something is due: at whole multiples of a span or daily at a time, UTC, and what was missed meanwhile.

It knows no clock of its own and starts nothing.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from errors import GradewatchError
from monitoring.days import midnight

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ONE_DAY, TICK = timedelta(days=1), timedelta(microseconds=1)


class BadSchedule(GradewatchError):
    """No schedule; the message says what to write."""


@dataclass(frozen=True)
class Schedule:
    """When something is due: at whole multiples of `every` (from 1970 on, UTC), or daily `at` a time (UTC)."""

    every: timedelta | None = None
    at: time | None = None

    def __post_init__(self) -> None:
        if (self.every is None) == (self.at is None):
            raise BadSchedule("say either how often (--every 1d) or at what time each day, UTC (--at 06:00)")
        if self.every is not None and self.every < timedelta(minutes=1):
            raise BadSchedule("look once a minute at most")

    def __str__(self) -> str:
        if self.at is not None:
            return f"daily at {self.at:%H:%M} UTC"
        assert self.every is not None  # noqa: S101 (either is given)
        days, rest = divmod(self.every, ONE_DAY)
        if rest or not days:
            return f"every {self.every / timedelta(hours=1):g} hours"
        return "daily" if days == 1 else f"every {days} days"

    def due(self, instant: datetime) -> datetime:
        """The latest scheduled time that is not after `instant`."""
        if self.every is not None:
            return EPOCH + (instant - EPOCH) // self.every * self.every
        assert self.at is not None  # noqa: S101 (either is given)
        today = datetime.combine(instant.astimezone(UTC).date(), self.at, tzinfo=UTC)
        return today if today <= instant else today - ONE_DAY

    def next(self, instant: datetime) -> datetime:
        """The first scheduled time after `instant`."""
        return self.due(instant) + (self.every or ONE_DAY)

    def missed(self, last: datetime, instant: datetime) -> list[datetime]:
        """The due times after `last` and before the newest at `instant`, oldest first.

        One a day, the latest: whole days are judged, and those before `last` have been.
        """
        found, slot = [], self.due(instant)
        while (slot := self.due(day_of(slot) - TICK)) >= day_of(last) + ONE_DAY:
            found.append(slot)
        return found[::-1]


def day_of(instant: datetime) -> datetime:
    """The beginning of the day (UTC) that `instant` is in."""
    return midnight(instant.astimezone(UTC).date())


def plan_schedule(every: timedelta | None, at: str | None) -> tuple[Schedule, int]:
    """The schedule and how many whole days lie between two due times (one at least); daily by default.

    at: "06:00". Raises BadSchedule.
    """
    if every and at:
        raise BadSchedule("say either how often (--every 1d) or at what time each day, UTC (--at 06:00)")
    if every and every > ONE_DAY and every % ONE_DAY:
        raise BadSchedule("whole days are judged: look every so many days, or several times a day")
    try:
        schedule = Schedule(at=time.fromisoformat(at)) if at else Schedule(every=every or ONE_DAY)
    except ValueError as error:
        raise BadSchedule(f"{at!r} is no time of a day; write 06:00") from error
    return schedule, max(1, (every or ONE_DAY) // ONE_DAY)
