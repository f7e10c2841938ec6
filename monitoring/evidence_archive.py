"""The matched predictions of a domain's days as columns, kept, so that a look at how answers turned out reads no pair
twice.

A day is made again when its pairs may have changed (`PredictionLog.changes`) or it has more predictions than it had.
What is kept holds no more than the pairs do, and goes when one of them is withdrawn. It measures nothing.
"""

from base64 import b64decode, b64encode
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import cache
from typing import Any, NamedTuple
from zlib import compress, decompress

import numpy as np

from clock import new_id
from database.errors import Conflict
from database.layout import EPOCH, micros
from database.pairs import Learned
from database.read_only import ReadOnly
from database.records import Document
from database.store import MADE_OF_PAIRS, Changes, RecordStore
from monitoring.days import DAY, midnight
from monitoring.evidence import COLUMN_TYPES, EvidenceColumns, columns_of, join
from preprocessing.schema import DomainSchema, Target

PAIRS_AT_ONCE = 5_000
"""Pairs that are records at one time: some megabytes."""

PART_ROWS = 50_000
"""Pairs of one document: of the widest target it has some megabytes, where MongoDB allows 16."""


class Selection(NamedTuple):
    """Which predictions are looked at: those from `since` on and before `until`, the newest so many, of these
    groups."""

    since: datetime | None = None
    limit: int | None = None
    groups: Sequence[str] | None = None
    until: datetime | None = None

    def among(self, found: EvidenceColumns) -> EvidenceColumns:
        """Those of `found` that are looked at."""
        if self.since is not None:
            found = found.take(found.at >= micros(self.since))
        if self.until is not None:
            found = found.take(found.at < micros(self.until))
        if self.groups is not None:
            found = found.of_groups(self.groups)
        return found if self.limit is None else found.take(slice(max(0, found.n - self.limit), None))


class _Kept(NamedTuple):
    """The documents of one day, each the next part of its pairs; and whether they are what the pairs give, should the
    day have no more predictions than it had."""

    parts: Sequence[Document]
    fits: bool

    @property
    def rows(self) -> int:
        """How many predictions, with an outcome or without, the day had."""
        return int(self.parts[0].body["rows"])

    def columns(self) -> Iterator[EvidenceColumns]:
        for one in self.parts[: self.parts[0].body["parts"]]:
            yield _unpack(one.body)


class Seen(NamedTuple):
    """What is known of the pairs that were asked for. behind: how many days nobody has made yet."""

    found: EvidenceColumns
    behind: int = 0


class EvidenceArchive:
    """The pairs of one domain. learned: what models learned from; a model that is gone by now makes its days anew.

    Whoever finds a day missing or changed makes and keeps it, by compare-and-swap; of two writers either is right or is
    found out by its numbers, which were read before the pairs were.
    """

    def __init__(self, store: RecordStore, schema: DomainSchema, learned: Learned) -> None:
        self._store = store
        self._schema = schema
        self._learned = learned
        self._protected = [feature.name for feature in schema.features if feature.protected]
        self._known = cache(lambda version: learned(version) is not None)

    def matched(self, target: Target, asked: Selection = Selection()) -> EvidenceColumns:  # noqa: B008 (frozen)
        """What `PredictionLog.pairs` gives, by column."""
        return self.seen(target, asked).found

    def seen(self, target: Target, asked: Selection, most: int | None = None) -> Seen:
        """What is known of that, with days made now of so many predictions together at most, the newest first; of all
        by default."""
        start = midnight((EPOCH if asked.since is None else asked.since).astimezone(UTC).date())
        changes = self._store.changes(self._schema.name)
        kept = self._kept(target, start, changes)
        days: dict[date, list[EvidenceColumns]] = {}
        made, behind = 0, 0
        for day, rows in sorted(self._rows(start, kept).items(), reverse=True):
            there = kept.pop(day, None)
            if there is not None and there.fits and there.rows == rows:
                days[day] = list(there.columns())
            elif most is None or made + rows <= most:
                days[day] = [self._make(target, day, rows, changes.newest, there)]
                made += rows
            else:
                behind += 1
        found = join([part for day in sorted(days) for part in days[day]], target)
        return Seen(asked.among(found), behind)

    def _kept(self, target: Target, start: datetime, changes: Changes) -> dict[date, _Kept]:
        found: dict[date, list[Document]] = defaultdict(list)
        for one in self._store.documents(MADE_OF_PAIRS + target.name, domain=self._schema.name, since=start):
            found[one.at.date()].append(one)  # in the order of their names
        return {day: _Kept(parts, self._fits(parts, target, day, changes)) for day, parts in found.items()}

    def _fits(self, parts: Sequence[Document], target: Target, day: date, changes: Changes) -> bool:
        """Whether a day is kept whole, and nothing but new predictions came since it was made."""
        first = parts[0].body
        together = sum(one.body["made"] == first["made"] for one in parts[: first["parts"]])
        if together < first["parts"] or tuple(first["levels"]) != target.levels:
            return False
        if first.get("protected") != self._protected or first["columns"].keys() != COLUMN_TYPES.keys():
            return False  # or made before traits, or so many columns, were kept
        known = all(self._known(version) == known for version, known in first["models"].items())
        return known and changes.fit(day, first["newest"])

    def _rows(self, start: datetime, kept: Mapping[date, _Kept]) -> Mapping[date, int]:
        """How many predictions each day has. What was made of a day that fits had no more than there are now, so that
        as many as all days had are as many as each had."""
        if all(one.fits for one in kept.values()):
            rows = {day: one.rows for day, one in kept.items()}
            if self._store.count_predictions(self._schema.name, since=start) == sum(rows.values()):
                return rows
        return self._store.predictions_per_day(self._schema.name, start)

    def _make(self, target: Target, day: date, rows: int, newest: int, old: _Kept | None) -> EvidenceColumns:
        parts, pairs = [], []
        for page in self._store.pair_pages(
            self._schema.name, target.name, since=midnight(day), until=midnight(day + DAY)
        ):
            pairs += page
            if len(pairs) >= PAIRS_AT_ONCE:
                parts.append(columns_of(target, pairs, self._learned, self._protected))
                pairs = []
        parts.append(columns_of(target, pairs, self._learned, self._protected))
        found = join(parts[::-1], target)
        models = {model: self._known(model) for _, model in found.kinds}
        numbers: dict[str, Any] = {"rows": rows, "newest": newest, "levels": target.levels, "models": models}
        numbers |= {"protected": self._protected}
        self._keep(target, day, found, numbers, [] if old is None else old.parts)
        return found

    def _keep(
        self, target: Target, day: date, found: EvidenceColumns, numbers: Mapping[str, Any], old: Sequence[Document]
    ) -> None:
        revisions = {one.name: one.revision for one in old}
        starts = range(0, max(1, found.n), PART_ROWS)
        same = {**numbers, "made": new_id(), "parts": len(starts)}
        for number, start in enumerate(starts):
            name = f"{self._schema.name}/{day.isoformat()}/{number:06}"
            body = {**same, **_pack(found.take(slice(start, start + PART_ROWS)))}
            try:
                self._store.put_document(
                    Document(
                        kind=MADE_OF_PAIRS + target.name,
                        name=name,
                        revision=revisions.get(name, 0) + 1,
                        at=midnight(day),
                        domain=self._schema.name,
                        body=body,
                    )
                )
            except (Conflict, ReadOnly):
                return  # another keeps it just now, or nobody does; parts that do not belong together are found out


def _pack(found: EvidenceColumns) -> dict[str, Any]:
    columns = {name: b64encode(compress(getattr(found, name).tobytes(), level=1)).decode() for name in COLUMN_TYPES}
    return {"places": found.places, "kinds": found.kinds, "traits": found.traits, "columns": columns}


def _unpack(body: Mapping[str, Any]) -> EvidenceColumns:
    places = tuple((group, period) for group, period in body["places"])
    kinds = tuple((moment, model) for moment, model in body["kinds"])
    traits = tuple(tuple(one) for one in body["traits"])
    arrays: dict[str, Any] = {
        name: np.frombuffer(decompress(b64decode(body["columns"][name])), kind) for name, kind in COLUMN_TYPES.items()
    }
    arrays["shares"] = arrays["shares"].reshape(len(arrays["at"]), len(body["levels"]))
    return EvidenceColumns(places, kinds, traits, **arrays)
