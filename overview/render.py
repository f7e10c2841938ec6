"""Conditions and the feed as text for a terminal. Computes nothing."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from overview.describing import describe
from overview.happenings import Entry
from overview.records import Held
from preprocessing.schema import DomainSchema


def feed_lines(entries: Sequence[Entry], *, full: bool) -> Iterator[str]:
    """One line for each, the newest last; full: with all that there is to say, and under which id it is kept."""
    for one in reversed(entries):
        who = f" ({one.who})" if one.who else ""
        yield f"{_minute(one.at)} {one.domain or 'all':<12} {one.kind:<15} {one.sentence}{who}"
        if full:
            yield from (f"    {line}" for line in (*one.text.splitlines(), one.id) if line)


def condition_lines(found: Sequence[Held], schemas: Mapping[str, DomainSchema]) -> Iterator[str]:
    """What needs a person first, then what somebody has seen."""
    for one in sorted(found, key=lambda held: held.seen is not None):
        condition, told = one.condition, describe(one.condition, schemas)
        since = f" since {_minute(condition.since)}" if condition.since else ""
        yield f"{condition.id[:12]} {condition.domain or 'all':<12} {condition.kind}{since}: {told.sentence}"
        if one.seen is not None:
            why = f": {one.seen.note}" if one.seen.note else ""
            yield f"    seen by {one.seen.actor}, {_minute(one.seen.at)}{why}"


def _minute(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M")
