"""The data sheet of a domain (Gebru and others 2021): where its rows came from, what they hold and lack, how many, of
which periods, which columns are protected, what was left out, what they are for.

Made of what is kept. Of fewer than ten students nothing is told; a value of a student stands in none.
"""

from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from database.records import Batch, BatchRow
from database.store import RecordStore
from database.uploads import Upload, uploads_of
from database.withdrawal import WITHDRAWN
from jobs.erasures import erasures
from model.purpose import IntendedPurpose
from monitoring.performance import FEWEST_TOLD, tellable
from preprocessing.schema import DomainSchema, Feature, Target

ROWS_AT_ONCE = 5_000
UPLOADS_READ = 10_000
COMMON_SHARES = (0.05, 0.95)
"""Between which values most lie; whoever is farthest out is told by none of them."""
ENOUGH_FOR_MIDDLE = 100


@dataclass(frozen=True)
class SheetTime:
    """From `since` on uploads of the time; before `until` all that the rows are of."""

    since: datetime
    until: datetime


@dataclass
class _Seen:
    """What rows held, counted as they are read."""

    rows: int = 0
    labelled: int = 0
    records: set[str] = field(default_factory=set)
    students: set[str] = field(default_factory=set)
    groups: dict[str, set[str]] = field(default_factory=dict)
    periods: dict[str, set[str]] = field(default_factory=dict)
    period_rows: Counter[str] = field(default_factory=Counter)
    there: Counter[str] = field(default_factory=Counter)
    levels: dict[str, dict[str, set[str]]] = field(default_factory=dict)
    numbers: dict[str, "array[float]"] = field(default_factory=dict)

    def add(self, rows: Sequence[BatchRow], schema: DomainSchema) -> None:
        self.rows += len(rows)
        self.labelled += sum(bool(row.targets) for row in rows)
        self.records.update(row.record for row in rows)
        for row in rows:
            who = row.student or row.record
            self.students.add(who)
            self.groups.setdefault(row.group or "", set()).add(who)
            self.periods.setdefault(row.period or "", set()).add(who)
            self.period_rows[row.period or ""] += 1
        for column in _all(schema):
            self._add_column(column, rows)

    def _add_column(self, column: Feature | Target, rows: Sequence[BatchRow]) -> None:
        of_target = isinstance(column, Target)
        cells = [((row.targets if of_target else row.inputs).get(column.name), row) for row in rows]
        known = [(value, row) for value, row in cells if value is not None]
        self.there[column.name] += len(known)
        if isinstance(column, Feature) and column.protected and column.kind == "categorical":
            levels = self.levels.setdefault(column.name, {})
            for value, row in known:
                levels.setdefault(str(value), set()).add(row.student or row.record)
        if not column.levels:
            numbers = self.numbers.setdefault(column.name, array("f"))
            numbers.extend(float(value) for value, _ in known if isinstance(value, int | float))


def data_sheet(store: RecordStore, schema: DomainSchema, time: SheetTime, purpose: IntendedPurpose) -> str:
    """Of what was uploaded before the end of a time, in Markdown."""
    batches = sorted((one for one in store.batches(schema.name) if one.at < time.until), key=lambda one: one.at)
    seen = _Seen()
    for batch in batches:
        number = -1
        while page := store.batch_rows_after(batch.id, number, ROWS_AT_ONCE):
            seen.add(page, schema)
            number = page[-1].number
    uploads = [one for one in uploads_of(store, schema.name, limit=UPLOADS_READ) if one.at < time.until]
    parts: Mapping[str, Iterator[str]] = {
        "1 What the data is for": _purpose(schema, purpose),
        "2 What a row is, and how many": _rows(schema, seen),
        "3 Columns": _columns(schema, seen),
        "4 Protected columns": _protected(schema, seen),
        "5 Periods": _periods(schema, seen),
        "6 Where rows came from": _files(batches, uploads, time),
        "7 What was left out or taken back": _left_out(store, schema, uploads, time),
        "8 What is not known": _unknown(schema, seen),
    }
    lines = [f"# Data sheet: {schema.title or schema.name}", "", f"As of {time.until:%Y-%m-%d} (UTC).", ""]
    for heading, told in parts.items():
        lines += [f"## {heading}", "", *told, ""]
    return "\n".join(lines)


def _purpose(schema: DomainSchema, purpose: IntendedPurpose) -> Iterator[str]:
    yield f"{schema.description or schema.title or schema.name}"
    yield ""
    yield str(purpose)


def _rows(schema: DomainSchema, seen: _Seen) -> Iterator[str]:
    what = [f"a student ({schema.student.name}, kept as a pseudonym)"] if schema.student else ["one record"]
    what += [f"in {' and '.join(schema.group)}"] if schema.group else []
    what += [f"of a {schema.period}"] if schema.period else []
    yield f"A row is about {' '.join(what)}."
    if schema.panel is not None:
        yield "Rows of weeks are made of events, which came in one by one and are not counted here."
    yield ""
    yield "| what | how many |"
    yield "|---|---|"
    yield f"| rows that came in | {seen.rows:,} |"
    yield f"| of them with an outcome | {seen.labelled:,} |"
    yield f"| records: a later row of a student, group and period replaces the earlier | {len(seen.records):,} |"
    yield f"| students | {_few(len(seen.students))} |"
    yield f"| groups | {len(seen.groups.keys() - {''}):,} |"


def _columns(schema: DomainSchema, seen: _Seen) -> Iterator[str]:
    yield "| column | what it is | kind | known at | rows with a value | missing | most values lie |"
    yield "|---|---|---|---|---|---|---|"
    for column in _all(schema):
        of_target = isinstance(column, Target)
        there, of = seen.there[column.name], seen.labelled if of_target else seen.rows
        missing = f"{1 - there / of:.1%}" if of else "no rows"
        known = "the outcome" if isinstance(column, Target) else column.known_at or schema.moments[0]
        about = (
            f"{column.description or '-'}{' (protected)' if isinstance(column, Feature) and column.protected else ''}"
        )
        cells = (column.name, about, _kind(column), known, f"{there:,}", missing, _middle(column.name, seen))
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _all(schema: DomainSchema) -> list[Feature | Target]:
    return [*schema.features, *schema.targets]


def _kind(column: Feature | Target) -> str:
    if column.levels:
        return f"one of {', '.join(column.levels)}"
    ends = [f"{end:g}" for end in (column.minimum, column.maximum) if end is not None]
    return (
        f"number{f' from {ends[0]} to {ends[1]}' if len(ends) > 1 else ''}{f' ({column.unit})' if column.unit else ''}"
    )


def _middle(name: str, seen: _Seen) -> str:
    values = seen.numbers.get(name)
    if values is None or len(values) < ENOUGH_FOR_MIDDLE:
        return "-"
    low, high = np.quantile(values, COMMON_SHARES)
    return f"{low:.4g} to {high:.4g}"


def _protected(schema: DomainSchema, seen: _Seen) -> Iterator[str]:
    """Students of each level, of which ten or more are there."""
    hidden = [one for one in schema.features if one.protected]
    yield (
        "No model sees these; how good and how fair answers were to each group stands in 04-performance.json."
        if hidden
        else "No column is declared protected: whether answers are as good for each group is not measured."
    )
    for column in hidden:
        found = sorted(seen.levels.get(column.name, {}).items())
        if not found:
            continue
        told = tellable([len(students) for _, students in found])
        yield ""
        yield f"| {column.name} | students |"
        yield "|---|---|"
        for (level, students), may in zip(found, told, strict=True):
            yield f"| {column.labels.get(level, level)} | {f'{len(students):,}' if may else 'not told'} |"


def _periods(schema: DomainSchema, seen: _Seen) -> Iterator[str]:
    if schema.period is None:
        yield "Rows of this domain have no period."
        return
    order = {period: place for place, period in enumerate(schema.period_order)}
    found = sorted(seen.periods.items(), key=lambda one: (order.get(one[0], len(order)), one[0]))
    told = tellable([len(students) for _, students in found])
    yield f"| {schema.period} | rows | students |"
    yield "|---|---|---|"
    for (period, students), may in zip(found, told, strict=True):
        counts = (f"{seen.period_rows[period]:,}", f"{len(students):,}") if may else ("not told", "not told")
        yield f"| {period or 'not said'} | {' | '.join(counts)} |"


def _files(batches: Sequence[Batch], uploads: Sequence[Upload], time: SheetTime) -> Iterator[str]:
    """Uploads of the time one by one, those of before together."""
    sent = {one.batch: one for one in uploads if one.batch}
    before = [one for one in batches if one.at < time.since]
    if before:
        yield f"Before {time.since:%Y-%m-%d}: {len(before):,} files with {sum(one.rows for one in before):,} rows."
        yield ""
    inside = [one for one in batches if one.at >= time.since]
    if not inside:
        yield "In this time no file came in."
        return
    yield "| when (UTC) | file | outcome | sent by | rows | left out | known by |"
    yield "|---|---|---|---|---|---|---|"
    for one in inside:
        upload = sent.get(one.id)
        by = upload.actor if upload else "a command or connector"
        cells = (f"{one.at:%Y-%m-%d %H:%M}", one.name, "with" if one.kind == "labeled" else "without", by)
        yield "| " + " | ".join((*cells, f"{one.rows:,}", f"{one.skipped:,}", one.id[:12])) + " |"


def _left_out(store: RecordStore, schema: DomainSchema, uploads: Sequence[Upload], time: SheetTime) -> Iterator[str]:
    inside = [one for one in uploads if one.at >= time.since]
    refused = [one for one in inside if one.state == "refused"]
    rows = sum(one.left_out for one in inside)
    yield f"- {rows:,} rows were left out of files that were taken; {len(refused):,} files were refused."
    for one in (*refused, *(one for one in inside if one.left_out and one.state != "refused")):
        yield f"- {one.at:%Y-%m-%d} {one.name}: {'; '.join(one.reasons[:3]) or 'no reason is kept'}"
    gone = [one for one in erasures(store, schema.name) if one.done and time.since <= one.done < time.until]
    yield f"- {len(gone):,} students were erased, with {sum(one.rows for one in gone):,} rows."
    for event in _events(store, schema.name, time):
        yield f"- {event}"
    yield "- Columns that no domain declares, and columns of names, faces and voices, are never kept."


def _events(store: RecordStore, domain: str, time: SheetTime) -> Iterator[str]:
    """What was taken back in the time, oldest first."""
    found, before = list[str](), (time.until, "")
    while page := store.events(before=before, limit=1000):
        found += [
            f"{one.at:%Y-%m-%d}: {one.details.get('kind', 'an upload')} taken back: {one.details.get('reason', '-')}"
            for one in page
            if one.kind == WITHDRAWN and one.domain == domain and one.at >= time.since
        ]
        if page[-1].at < time.since:
            break
        before = (page[-1].at, page[-1].id)
    yield from reversed(found)


def _unknown(schema: DomainSchema, seen: _Seen) -> Iterator[str]:
    empty = [column.name for column in schema.features if seen.rows and not seen.there[column.name]]
    if empty:
        yield f"- No row has a value of: {', '.join(empty)}."
    yield "- Whether whoever is in no file differs from whoever is: nothing tells that here."
    yield "- Whether students or guardians were asked before a file was sent: the institution has to say."
    if seen.rows and seen.labelled < seen.rows:
        yield f"- What became of {1 - seen.labelled / seen.rows:.1%} of the rows: they came without an outcome."


def _few(count: int) -> str:
    return f"{count:,}" if count >= FEWEST_TOLD or not count else f"fewer than {FEWEST_TOLD}"
