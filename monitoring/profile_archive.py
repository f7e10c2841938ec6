"""The archive of profiles: each batch and each UTC day of predictions summarised once, so that any window adds up.

A profile is made when a batch is stored, or when a day that is over is first asked about. Nothing is compared here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache, partial
from typing import Any, Literal, NamedTuple

import polars as pl

from clock import now
from database.errors import Conflict
from database.ingest import Intake, add_batch
from database.packed import PackedRows
from database.read_only import ReadOnly
from database.records import Batch, BatchKind, BatchRow, Cell, Document, Prediction
from database.store import RecordStore
from drift.column import PREDICTION, Column
from drift.profile import Profile, build_profile
from drift.records import NotComparable
from drift.statistics import EACH_ROW, EffectiveShare, EffectiveShares
from drift.stored import Grids, compacted, pack, unpack
from model.predictor import Predictor
from model.registry import NoChampion, Serving
from model.workspace import Workspace
from monitoring.days import DAY, midnight
from monitoring.profile_names import PROFILE_KIND, batch_name, day_name
from monitoring.row_findings import reference_of
from preprocessing.schema import DomainSchema
from preprocessing.validation.validate import frame_of

Source = Literal["predictions", "labeled", "unlabeled"]
FEWEST_KEPT = 20  # rows; a profile of fewer says nearly as much about each student as the rows do, and is not kept
LARGEST_DOCUMENT = 12_000_000  # characters of one document; MongoDB's limit is 16 MB
ROWS_OF_FRAME = 20_000  # of a batch that are read at once
WHOLE_DAY_ROWS = 20_000  # predictions of a day read at once; longer days are read hour by hour


@dataclass(frozen=True, eq=False)
class ArchivePart:
    """Rows of one UTC day (or of one batch, on its day), moment and period. load: gives their profile."""

    day: date
    moment: str
    period: str | None
    rows: int
    load: Callable[[], Profile]


class Standard(NamedTuple):
    """What the champions of one moment were trained on: each column as the first champion that has it saw it.

    predictor: that first champion. effective: effective sample size over rows, by column.
    """

    moment: str
    profile: Profile
    predictor: Predictor
    effective: EffectiveShares

    @property
    def importance(self) -> Mapping[str, float]:
        return self.predictor.manifest.importance


def standard_at(workspace: Workspace, schema: DomainSchema, moment: str) -> Standard | None:
    """The data of the champions that answer at `moment`, or else at the latest one before: labelled rows know all that
    was known earlier. None where there is no champion, or only of another schema that matters."""
    for earlier in reversed(schema.moments[: schema.moments.index(moment) + 1]):
        try:
            serving = workspace.champions.at(schema.name, earlier)
        except NoChampion:
            continue
        if found := _standard(schema, earlier, serving):
            return found
    return None


def _standard(schema: DomainSchema, moment: str, serving: Mapping[str, Serving]) -> Standard | None:
    predictors = [serving[target.name].predictor for target in schema.targets if target.name in serving]
    known: list[tuple[Profile, Predictor]] = []
    for one in predictors:
        with suppress(NotComparable):
            known.append((reference_of(one.manifest, Profile.from_bytes(one.profile), schema), one))
    if not known:
        return None
    columns: dict[str, Column] = {}
    effective: dict[str, EffectiveShare] = {}
    for profile, predictor in reversed(known):
        columns |= profile.columns
        effective |= {
            name: EffectiveShare(*predictor.manifest.effective_shares.get(name, EACH_ROW)) for name in profile.columns
        }
    return Standard(moment, replace(known[0][0], columns=dict(sorted(columns.items()))), known[0][1], effective)


class ProfileArchive:
    """The stored profiles of one domain, completed where they are missing or no longer fit.

    A stored profile is used when it was made with this schema, holds as many rows as the store has now (a prediction
    that was logged late, or erased, makes it stale), and was counted on the grids of the present champions. Otherwise
    it is made again from the rows and replaces the old one by compare-and-swap; of two writers, either's is right.
    """

    def __init__(self, workspace: Workspace, schema: DomainSchema) -> None:
        self._workspace = workspace
        self._store: RecordStore = workspace.store
        self._schema = schema
        self._grids: dict[str, Grids] = {}

    def parts(self, source: Source, since: date, until: date, *, exact: bool = False) -> list[ArchivePart]:
        """What there is of `source` from `since` to before `until`, by day.

        exact: read the rows again and keep every value, instead of using and keeping stored profiles.
        """
        start, end = midnight(since), midnight(until)
        kept = {} if exact else self._kept(start, end)
        if source == "predictions":
            days = self._days(since, until)
            return [part for day, count in days for part in self._day(day, count, kept, exact=exact)]
        batches = [one for one in self._store.batches(self._schema.name, source) if start <= one.at < end]
        ordered = sorted(batches, key=lambda one: (one.at, one.id))
        return [part for batch in ordered for part in self._batch(batch, kept.get(batch_name(batch)), exact=exact)]

    def keep_batch(self, batch: Batch, frames: Iterable[pl.DataFrame]) -> None:
        """Store the profile of a batch whose rows are at hand, typed."""
        name, cells = batch_name(batch), self._cells_of_batch(batch.kind, frames)
        self._keep(name, batch.at, batch.kind, cells, self._store.document(PROFILE_KIND, name))

    def left_out(self, source: BatchKind, days: Collection[date]) -> tuple[int, int]:
        """How many rows of the files of the batches of these days were left out as bad, and of how many."""
        here = [one for one in self._store.batches(self._schema.name, source) if one.at.astimezone(UTC).date() in days]
        skipped = sum(batch.skipped for batch in here)
        return skipped, skipped + sum(batch.rows for batch in here)

    # Days of predictions

    def _days(self, since: date, until: date) -> Iterator[tuple[date, int]]:
        """Every day with predictions, and how many: an empty stretch costs one question."""
        if since < until:
            yield from self._split(since, until, self._count(since, until))

    def _split(self, since: date, until: date, count: int) -> Iterator[tuple[date, int]]:
        days = (until - since).days
        if not count:
            return
        if days == 1:
            yield since, count
            return
        middle = since + DAY * (days // 2)
        early = self._count(since, middle)
        yield from self._split(since, middle, early)
        late = count - early  # a row that came between the two questions makes it wrong: then it is asked for
        yield from self._split(middle, until, late if late > 0 else self._count(middle, until))

    def _count(self, since: date, until: date) -> int:
        return self._store.count_predictions(self._schema.name, since=midnight(since), until=midnight(until))

    def _day(self, day: date, count: int, kept: Mapping[str, Document], *, exact: bool) -> list[ArchivePart]:
        if exact:
            return _live(day, self._cells_of_day(day, count, exact=True))
        document = kept.get(day_name(self._schema.name, day))
        if document and self._fits(document, count):
            return self._read(document, day, cache(lambda: self._cells_of_day(day, count)))
        cells = self._cells_of_day(day, count)
        if midnight(day + DAY) <= now():
            self._keep(day_name(self._schema.name, day), midnight(day), "predictions", cells, document)
        return _live(day, cells)

    def _cells_of_day(self, day: date, count: int, *, exact: bool = False) -> Cells:
        step = DAY if count <= WHOLE_DAY_ROWS else timedelta(hours=1)
        start, cells = midnight(day), Cells()
        while start < midnight(day + DAY):
            found = self._store.predictions(self._schema.name, since=start, until=start + step)
            for key, rows in _grouped(found, lambda one: (one.moment, one.period)).items():
                profile = profile_rows(self._schema, key[0], [row.inputs for row in rows], self._said(rows))
                cells.add(key, self._compacted(key[0], profile, exact=exact))
            start += step
        return cells

    def _said(self, rows: Sequence[Prediction]) -> dict[str, list[Cell]]:
        answers = [{answer.target: answer.value for answer in row.answers} for row in rows]
        names = [target.name for target in self._schema.targets]
        return {PREDICTION + name: [given.get(name) for given in answers] for name in names}

    # Batches

    def _batch(self, batch: Batch, document: Document | None, *, exact: bool) -> list[ArchivePart]:
        day = batch.at.astimezone(UTC).date()
        if exact:
            return _live(day, self._cells_of_batch(batch.kind, self._frames_of(batch), exact=True))
        again = cache(lambda: self._cells_of_batch(batch.kind, self._frames_of(batch)))
        if document and self._fits(document, batch.rows):
            return self._read(document, day, again)
        self._keep(batch_name(batch), batch.at, batch.kind, again(), document)
        return _live(day, again())

    def _frames_of(self, batch: Batch) -> Iterator[pl.DataFrame]:
        """The stored rows of a batch, some thousand at a time."""
        last = 0
        while rows := self._store.batch_rows_after(batch.id, last, ROWS_OF_FRAME):
            yield frame_of(rows, self._schema)
            last = rows[-1].number

    def _cells_of_batch(self, kind: str, frames: Iterable[pl.DataFrame], *, exact: bool = False) -> Cells:
        cells, targets = Cells(), self._schema.targets if kind == "labeled" else ()
        known = [target.name for target in targets]
        for frame in frames:
            for (moment, period), part in frame.group_by(["_moment", "_period"], maintain_order=True):
                profile = profile_frame(self._schema, str(moment), part, known)
                cells.add((str(moment), period), self._compacted(str(moment), profile, exact=exact))
        return cells

    # Documents

    def _compacted(self, moment: str, profile: Profile, *, exact: bool) -> Profile:
        return profile if exact else compacted(profile, self._grids_at(moment))

    def _grids_at(self, moment: str) -> Grids:
        if moment not in self._grids:
            standard = standard_at(self._workspace, self._schema, moment)
            self._grids[moment] = Grids(standard.profile if standard else None)
        return self._grids[moment]

    def _kept(self, since: datetime, until: datetime) -> dict[str, Document]:
        found = self._store.documents(PROFILE_KIND, domain=self._schema.name, since=since, until=until)
        return {document.name: document for document in found}

    def _fits(self, document: Document, rows: int) -> bool:
        body = document.body
        if (body["fingerprint"], body["rows"]) != (self._schema.fingerprint, rows):
            return False
        marks = [(part["moment"], name, mark) for part in body["parts"] for name, mark in part["grids"].items()]
        return all(self._grids_at(moment).mark(name) == mark for moment, name, mark in marks)

    def _read(self, document: Document, day: date, again: Callable[[], Cells]) -> list[ArchivePart]:
        """The parts of a document; `again` counts from the rows what was too small to keep."""
        return [self._part(day, part, again) for part in document.body["parts"]]

    def _part(self, day: date, part: Mapping[str, Any], again: Callable[[], Cells]) -> ArchivePart:
        moment, period = part["moment"], part["period"]

        def load() -> Profile:
            if part["profile"] is None:
                return again().profiles[moment, period]
            return unpack(part["profile"], part["grids"], self._grids_at(moment))

        return ArchivePart(day, moment, period, part["rows"], load)

    def _keep(self, name: str, at: datetime, source: str, cells: Cells, old: Document | None) -> None:
        rows = sum(profile.rows for profile in cells.profiles.values())
        if rows < FEWEST_KEPT:
            return
        parts = [self._packed(*key, profile) for key, profile in sorted(cells.profiles.items(), key=_in_order)]
        if sum(len(part["profile"] or "") for part in parts) > LARGEST_DOCUMENT:
            return  # continuous columns of a domain without a champion; its rows are read each time
        body = {"source": source, "fingerprint": self._schema.fingerprint, "rows": rows, "parts": parts}
        revision = old.revision + 1 if old else 1
        try:
            self._store.put_document(
                Document(kind=PROFILE_KIND, name=name, revision=revision, at=at, domain=self._schema.name, body=body)
            )
        except (Conflict, ReadOnly):
            return  # another process has just kept it, or nobody does; should it lack a row, the next reader notices

    def _packed(self, moment: str, period: str | None, profile: Profile) -> dict[str, Any]:
        text, grids = (None, {}) if profile.rows < FEWEST_KEPT else pack(profile, self._grids_at(moment))
        return {"moment": moment, "period": period, "rows": profile.rows, "grids": grids, "profile": text}


def store_batch(
    workspace: Workspace,
    schema: DomainSchema,
    rows: Sequence[BatchRow],
    kind: BatchKind,
    *,
    name: str,
    skipped: int = 0,
) -> tuple[Batch, bool]:
    """Store rows as a batch, and its profile with it; the batch, and whether it is new."""
    batch, new = add_batch(workspace.store, schema.name, rows, kind, name=name, skipped=skipped)
    if new:
        ProfileArchive(workspace, schema).keep_batch(batch, [frame_of(rows, schema)])
    return batch, new


def store_intake(
    workspace: Workspace,
    schema: DomainSchema,
    intake: Intake,
    *,
    name: str,
    progress: Callable[[float], None] = lambda _: None,
) -> tuple[Batch, bool]:
    """The same of a file that was read, in bounded memory. progress: hears which share of its rows is stored."""
    batch = intake.batch(name)
    new = workspace.store.add_batch(batch, packed=_told(intake, progress))
    if new:
        ProfileArchive(workspace, schema).keep_batch(batch, intake.frames())
    return batch, new


def _told(intake: Intake, progress: Callable[[float], None]) -> Iterator[PackedRows]:
    stored = 0
    for packed in intake.slices():
        yield packed
        stored += len(packed.record)
        progress(stored / max(1, intake.rows))


class Cells:
    """Profiles by (moment, period), filled a piece at a time."""

    def __init__(self) -> None:
        self.profiles: dict[tuple[str, str | None], Profile] = {}

    def add(self, key: tuple[str, str | None], profile: Profile) -> None:
        """Count `profile` with what is there."""
        self.profiles[key] = self.profiles[key] + profile if key in self.profiles else profile


def _live(day: date, cells: Cells) -> list[ArchivePart]:
    return [ArchivePart(day, *key, profile.rows, partial(_itself, profile)) for key, profile in cells.profiles.items()]


def _itself(profile: Profile) -> Profile:
    return profile


def _in_order(item: tuple[tuple[str, str | None], Profile]) -> tuple[str, str]:
    return item[0][0], item[0][1] or ""


def profile_rows(
    schema: DomainSchema, moment: str, inputs: Sequence[Mapping[str, Cell]], known: Mapping[str, Sequence[Cell]]
) -> Profile:
    """`profile_frame` of rows, and of the columns `known` of them."""
    columns: dict[str, Sequence[Cell]] = {
        f.name: [row.get(f.name) for row in inputs] for f in schema.features_at(moment)
    }
    numbers = _numbers(schema)
    frame = pl.DataFrame(
        [
            pl.Series(name, list(values), dtype=pl.Float64 if name in numbers else pl.String)
            for name, values in (columns | dict(known)).items()
        ]
    )
    return profile_frame(schema, moment, frame, list(known))


def profile_frame(schema: DomainSchema, moment: str, frame: pl.DataFrame, known: Sequence[str]) -> Profile:
    """The profile of typed rows as they are seen at `moment`: every feature of it, and the columns `known` (outcomes or
    predictions by name). A feature that no row has counts as missing; what is not known yet does not."""
    numbers, columns = _numbers(schema), []
    for name in [*(feature.name for feature in schema.features_at(moment)), *known]:
        kind = pl.Float64 if name in numbers else pl.String
        columns.append((pl.col(name) if name in frame.columns else pl.lit(None)).cast(kind).alias(name))
    profile = build_profile(frame.select(columns), schema)
    return replace(profile, columns={n: replace(c, missing=0) if n in known else c for n, c in profile.columns.items()})


def _numbers(schema: DomainSchema) -> set[str]:
    """The columns that hold numbers."""
    numbers = {feature.name for feature in schema.features if feature.kind == "numeric"}
    return numbers | {name for t in schema.targets if t.kind == "value" for name in (t.name, PREDICTION + t.name)}


def total(profiles: Iterable[Profile]) -> Profile:
    """All of them together, without outcomes and predictions that no row had. Raises ValueError for none."""
    merged: Profile | None = None
    for profile in profiles:
        merged = profile if merged is None else merged + profile
    if merged is None:
        raise ValueError("no profile to add up")
    return replace(merged, columns={n: c for n, c in merged.columns.items() if c.present or c.missing})


def _grouped(
    rows: Sequence[Any], key: Callable[[Any], tuple[str, str | None]]
) -> dict[tuple[str, str | None], list[Any]]:
    found: dict[tuple[str, str | None], list[Any]] = defaultdict(list)
    for row in rows:
        found[key(row)].append(row)
    return found
