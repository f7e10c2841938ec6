"""Everything that happened, as one feed, newest first: what pages, commands and the service tell of it.

Here is which entries there are for whom; what an entry says, `overview.happenings` knows, for each kind of record.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from heapq import merge
from itertools import islice
from typing import NamedTuple, get_args

from access.roles import Principal
from database.records import Before
from database.store import RecordStore
from errors import Category, GradewatchError
from overview import happenings
from overview.happenings import Entry, EntryKind, Reading
from preprocessing.schema import DomainSchema

ENTRIES_OF_PAGE = 50
LAST_ID = "~"  # behind every id, in the order of databases


class Source(NamedTuple):
    """Entries of one kind of record. named: whether they say who did it."""

    read: Callable[[Reading], Iterator[Entry]]
    kinds: frozenset[EntryKind]
    named: bool = True


SOURCES = (
    Source(happenings.uploads, frozenset({"upload", "refusal"})),
    Source(happenings.models, frozenset({"model"}), named=False),
    Source(happenings.successions, frozenset({"champion"})),
    Source(happenings.warning_policies, frozenset({"policy"})),
    Source(happenings.change_reports, frozenset({"changes"}), named=False),
    Source(happenings.trials, frozenset({"trial"})),
    Source(happenings.decisions, frozenset({"decision"}), named=False),
    Source(happenings.drift_reports, frozenset({"drift"}), named=False),
    Source(happenings.alerts, frozenset({"alert"}), named=False),
    Source(happenings.cohort_reports, frozenset({"report"}), named=False),
    Source(happenings.events, frozenset({"acknowledgement", "withdrawal", "failure", "training", "other"})),
)


class FeedFilter(NamedTuple):
    """Which entries are asked for; what is empty asks for nothing. who: as `names.person` calls them."""

    domains: Collection[str] = ()
    kinds: Collection[EntryKind] = ()
    who: str = ""

    def fits(self, entry: Entry) -> bool:
        """Whether an entry of these domains is asked for."""
        return (not self.kinds or entry.kind in self.kinds) and (not self.who or entry.who == self.who)


ANYTHING = FeedFilter()


def read_feed(
    store: RecordStore,
    schemas: Mapping[str, DomainSchema],
    viewer: Principal,
    asked: FeedFilter = ANYTHING,
    *,
    before: Before | None = None,
    limit: int = ENTRIES_OF_PAGE,
) -> list[Entry]:
    """The newest entries that `viewer` may see, as many as `limit`. before: `at` and id of the last one of the page
    before. No more is read of any kind of record than a page of it and what the filter passes over."""
    domains = [name for name in schemas if name in (asked.domains or schemas) and viewer.may("see", name)]
    start = None if before is None else (before[0], LAST_ID)
    everywhere = not asked.domains and viewer.domains is None
    reading = Reading(store, schemas, viewer, domains, start, min(limit, ENTRIES_OF_PAGE), everywhere)
    sources = [one.read(reading) for one in SOURCES if _is_asked(one, asked)]
    entries = merge(*sources, key=lambda entry: entry.place, reverse=True)
    return list(islice((one for one in entries if asked.fits(one) and (before is None or one.place < before)), limit))


def _is_asked(source: Source, asked: FeedFilter) -> bool:
    return (source.named or not asked.who) and (not asked.kinds or not source.kinds.isdisjoint(asked.kinds))


class UnknownEntryKind(GradewatchError):
    """No kind of entry is called so; the message names those that there are."""

    category = Category.UNKNOWN


def kinds_named(names: Iterable[str]) -> list[EntryKind]:
    """The kinds of these names. Raises UnknownEntryKind."""
    known: dict[str, EntryKind] = {name: name for name in get_args(EntryKind)}
    wanted = list(names)
    if unknown := [name for name in wanted if name not in known]:
        raise UnknownEntryKind(f"no entry is of kind {unknown[0]!r:.80}; there are: {', '.join(known)}")
    return [known[name] for name in wanted]


def next_page(entries: Sequence[Entry], limit: int = ENTRIES_OF_PAGE) -> Before | None:
    """Where the page behind these begins; None where there is none."""
    return entries[-1].place if len(entries) == limit else None
