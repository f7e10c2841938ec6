"""Which records of a school have stopped coming: seen at each close of a week, told until they come again.

That records are missing is a fault of data and no risk of anybody. It reads no events; whoever closes a week has them.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Literal

import msgspec
import numpy as np

from database.observed import WEEKS_KIND
from database.store import RecordStore
from preprocessing.panel.cells import Events
from preprocessing.panel.few import Calendar

CLOSED_KIND = "closed week"
"""Documents of what a close did; they name schools and nobody."""

Feed = Literal["attendance", "grades"]
FEEDS: tuple[Feed, ...] = ("attendance", "grades")
STALE_DAYS = 10
"""School days without a record of attendance after which nothing is said of a school's students: half of what four
weeks of attendance are made of."""
SILENT_AFTER: Mapping[Feed, int] = {"attendance": STALE_DAYS, "grades": 20}
"""School days without a record; marks come less often, and four weeks of them are what most columns look back on."""

LastDays = Mapping[str, date]
"""By school the last day with a record."""


class SilentFeed(msgspec.Struct, frozen=True, kw_only=True):
    """What has not come of a school. last: the last day with a record, None where the year has none; days: on how many
    days there was school since then, as of the look."""

    school: str
    feed: Feed
    last: date | None
    days: int

    @property
    def words(self) -> str:
        """
        >>> SilentFeed(school="North", feed="attendance", last=None, days=15).words
        'North: no attendance all year, 15 school days: nothing is said of its students'
        """
        since = f"since {self.last}" if self.last else "all year"
        left = "nothing is said of its students" if self.feed == "attendance" else "its students are known less well"
        return f"{self.school}: no {self.feed} {since}, {self.days} school days: {left}"


def silent_feeds(
    calendar: Calendar, seen: Mapping[Feed, LastDays], schools: Sequence[str], as_of: date
) -> tuple[SilentFeed, ...]:
    """By what is known at the end of a day. Schools that never had a mark give none: that is no fault."""
    found = []
    for feed in FEEDS:
        for school in sorted(schools):
            last = seen[feed].get(school)
            if last is None and feed != "attendance":
                continue
            days = calendar.school_days_between(last, as_of, school)
            if days >= SILENT_AFTER[feed]:
                found.append(SilentFeed(school=school, feed=feed, last=last, days=days))
    return tuple(found)


def last_days_of(events: Events) -> dict[Feed, dict[str, date]]:
    """By feed and school the last day with a record of anybody; of marks the last day of their week."""
    roster, start = events.roster, events.roster.year.start
    found: dict[Feed, dict[str, date]] = {feed: {} for feed in FEEDS}
    recorded = events.status != 0
    of_mark = roster.school[events.marks.student, events.marks.week]
    for place, school in enumerate(roster.schools):
        days = np.flatnonzero((recorded & (roster.school == place)[:, :, None]).any(axis=0).reshape(-1))
        if len(days):
            week, weekday = divmod(int(days[-1]), recorded.shape[2])
            found["attendance"][school] = start + timedelta(days=7 * week + weekday)
        if len(weeks := events.marks.week[of_mark == place]):
            found["grades"][school] = start + timedelta(days=7 * int(weeks.max()) + recorded.shape[2] - 1)
    return found


def later(first: Mapping[Feed, LastDays], second: Mapping[Feed, LastDays]) -> dict[Feed, dict[str, date]]:
    """The later day of each feed and school."""
    return {
        feed: {school: max(filter(None, (first[feed].get(school), second[feed].get(school))))
               for school in {**first[feed], **second[feed]}}
        for feed in FEEDS
    }  # fmt: skip


def silent_now(store: RecordStore, domain: str) -> tuple[SilentFeed, ...]:
    """What was silent at the last close, and has not come since."""
    state = store.document(WEEKS_KIND, domain)
    return () if state is None else silent_in(state.body)


def silent_at_close(store: RecordStore, domain: str, week: str) -> tuple[SilentFeed, ...]:
    """What was silent when a school week was closed last; nothing of one that was not, or by an older version."""
    kept = store.document(CLOSED_KIND, f"{domain}/{week}")
    return () if kept is None else silent_in(kept.body)


def silent_in(body: Mapping[str, Any]) -> tuple[SilentFeed, ...]:
    """What the state of a domain's weeks keeps of it; nothing in one of an older version."""
    return msgspec.convert(body.get("silent", ()), tuple[SilentFeed, ...])
