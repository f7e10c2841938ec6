"""Files of invented rows with a known truth: what `gradewatch sample` writes, and what is true of it."""

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np

from errors import GradewatchError
from preprocessing.excel import excel_bytes
from preprocessing.schema import DomainSchema
from preprocessing.stories import StoryName, story_of
from preprocessing.synthetic import Invented, frame_of_columns, invent, invented_periods

if TYPE_CHECKING:
    import polars as pl


class UnusableSampleFile(GradewatchError):
    """A file that invented rows cannot be written to."""


class StoryEffect(NamedTuple):
    """What a story did to a column, against the same rows without it: in how many rows its cells differ, how many it
    emptied, and the column's mean before and after (None of words)."""

    column: str
    rows: int
    emptied: int
    mean_before: float | None
    mean_after: float | None


class InventedRows(NamedTuple):
    """Invented rows, what the story says, and what it changed; nothing without one."""

    frame: "pl.DataFrame"
    says: str
    changes: tuple[StoryEffect, ...]


def sample(
    schema: DomainSchema, *, rows: int | None = None, students: int | None = None, seed: int, story: StoryName | None
) -> InventedRows:
    """`rows` invented rows of a domain, or those of so many `students`, each once in each period where the domain has
    periods: the newest four of its `period_order`, or half years.

    With a story, all that it does not touch is what the same seed gives without it. Raises StoryNotPossible.

    >>> from preprocessing.schema import load_domains
    >>> sample(load_domains()["course"], students=2, seed=1, story=None).frame["period"].to_list()[::2]
    ['2024-1', '2024-2', '2025-1', '2025-2']
    """
    told = story_of(story, schema) if story else None
    returning = students is not None and schema.period in schema.context_names
    height = (students or 0) * (len(invented_periods(schema)) if returning else 1) if rows is None else rows
    population = zlib.crc32(schema.name.encode())  # of the domain: another seed is other students of the same schools
    plain = invent(schema, height, seed, students=students, population=population)
    if told is None:
        return InventedRows(frame_of_columns(plain), "no drift was put in", ())
    changed = invent(schema, height, seed, students=students, story=told, population=population)
    moved = (_change(name, plain[name], column) for name, column in changed.items())
    return InventedRows(frame_of_columns(changed), told.says, tuple(one for one in moved if one.rows))


def write_sample(frame: "pl.DataFrame", output: Path | None) -> str | None:
    """The rows into a .csv, .parquet or .xlsx file; as CSV text where there is none. Raises UnusableSampleFile."""
    if output is None:
        return frame.write_csv()
    output.parent.mkdir(parents=True, exist_ok=True)
    kind = output.suffix.casefold()
    if kind == ".parquet":
        frame.write_parquet(output)
    elif kind == ".xlsx":
        output.write_bytes(excel_bytes(frame, "data"))
    elif kind == ".csv":
        frame.write_csv(output)
    else:
        raise UnusableSampleFile(f"rows are written as .csv, .xlsx or .parquet; {output.name!r} is none")
    return None


def truth(schema: DomainSchema, invented: InventedRows, *, seed: int, story: StoryName | None) -> bytes:
    """What is true of a sample, as JSON."""
    document = {
        "domain": schema.name,
        "rows": invented.frame.height,
        "seed": seed,
        "story": story,
        "says": invented.says,
        "changes": [change._asdict() for change in invented.changes],
    }
    return msgspec.json.format(msgspec.json.encode(document)) + b"\n"


def tell_changes(changes: Sequence[StoryEffect]) -> list[str]:
    """A line per column that a story changed."""
    lines = []
    for one in changes:
        what = f"empty in {one.emptied:,} rows" if one.emptied else f"changed in {one.rows:,} rows"
        means = "" if one.mean_before is None or one.emptied else f", mean {one.mean_before:.4g} → {one.mean_after:.4g}"
        lines.append(f"{one.column}: {what}{means}")
    return lines


def _change(name: str, before: Invented, after: Invented) -> StoryEffect:
    nowhere = np.zeros(len(after.values), dtype=bool)
    gone, was_gone = (nowhere if one.empty is None else one.empty for one in (after, before))
    differs = (gone != was_gone) | ((before.values != after.values) & ~gone)
    means = [None if one.levels or not len(one.values) else float(one.values.mean()) for one in (before, after)]
    return StoryEffect(name, int(differs.sum()), int((gone & ~was_gone).sum()), means[0], means[1])
