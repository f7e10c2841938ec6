"""A draft as a domain file (TOML with comments) and as sentences for whoever asked for it. It decides nothing."""

import json
import math
import re
from collections.abc import Sequence

import numpy as np
import polars as pl

from preprocessing.drafting.draft import MOST_NAMED_LEVELS, Draft, Wishes, find_domain, has_start, optional_columns
from preprocessing.drafting.header_words import hints, tokens
from preprocessing.drafting.keys import Placement
from preprocessing.drafting.kinds import Column, said_cells
from preprocessing.drafting.targets import rises
from preprocessing.reading.raw_table import RawTable
from preprocessing.schema import DomainSchema, read_schema
from preprocessing.validation.rules import plain_level
from preprocessing.validation.tables import check_table

PROBLEMS_NOTED = 3
HAS_DIGIT = re.compile(r"\d")
NEARLY_EMPTY = 0.1  # of the rows
SAME_SCALE = 0.35  # of the outcome's width, by which the ends of a mark on its scale may lie from its own
TOPS = (6.0, 10.0)  # where the scales of marks end that rounding would cut short
GRADE_POINTS = frozenset(("gpa", "cgpa"))  # end at 4


def draft_domain(raw: RawTable, *, name: str, wishes: Wishes = Wishes()) -> tuple[str, list[str]]:  # noqa: B008 (frozen)
    """A domain file that reads `raw`, and what was found and what was not, a sentence each.

    Raises NoDraft where it cannot be told what to predict, or from what.
    """
    draft = find_domain(raw, wishes)
    text = "\n".join(_lines(draft, _slug(name), name))
    schema = read_schema(text, source=name)
    return text, [*_findings(draft), *_problems(raw, schema)]


def _slug(name: str) -> str:
    return "-".join(re.findall(r"[A-Za-z0-9]+", name)).lower() or "domain"


# The file -------------------------------------------------------------------------------------------------------------


def _lines(draft: Draft, slug: str, title: str) -> list[str]:
    optional, placement = optional_columns(draft), draft.placement
    moments = list(dict.fromkeys(draft.moments.values()))
    lines = [
        "# A first draft, guessed from a file: read every line before you trust it.",
        *(f"# Left out: column {_quoted(column)}: {_plain(why)}" for column, why in draft.left_out.items()),
        f"name = {_quoted(slug)}",
        f"title = {_quoted(title)}",
    ]
    if moments:
        start = ["start"] if has_start(draft) else []
        lines += ["# When columns become known, in order.", f"moments = {_list([*start, *moments])}"]
    if placement.group:
        lines.append(f"group = {_list(placement.group)}  # rows of one group stay together when models are compared")
    if placement.period:
        lines.append(f"period = {_quoted(placement.period)}")
        lines.append(f"period_order = {_list(placement.period_order)}  # from the oldest on")
    if allow := [name for name in draft.allow if name not in draft.left_out]:
        lines.append(f"allow = {_list(allow)}  # make sure that they name nobody")
    if placement.student:
        lines += ["", "[student]", f"name = {_quoted(placement.student)}  # stored as a pseudonym only"]
    for column in [*placement.group, *([placement.period] if placement.period else [])]:
        lines += ["", "[[context]]", f"name = {_quoted(column)}"]
    for feature in draft.features:
        lines += ["", "[[features]]", *_feature(draft, feature, optional)]
    for target in draft.targets:
        lines += ["", "[[targets]]", *_target(draft, target)]
    return [*lines, ""]


def _feature(draft: Draft, column: Column, optional: set[str]) -> list[str]:
    lines = [f"# {_plain(draft.remarks[column.name])}"] if column.name in draft.remarks else []
    lines.append(f"name = {_quoted(column.name)}")
    if column.kind == "number":
        lines += ['kind = "numeric"', *_numbers(draft, column)]
    else:
        levels = _levels(column)
        lines += ['kind = "categorical"', f"levels = {_list(sorted(levels[:MOST_NAMED_LEVELS]))}"]
        if len(levels) > MOST_NAMED_LEVELS:
            lines.append("open = true  # others are accepted, and unknown to the model")
    lines += [f"known_at = {_quoted(draft.moments[column.name])}"] if column.name in draft.moments else []
    lines += ["optional = true  # empty in some rows"] if column.name in optional else []
    lines += ["protected = true  # kept for audits, no model input"] if "protected" in hints(column.name) else []
    return lines


def _levels(column: Column) -> list[str]:
    """The levels, the most frequent first; of spellings that differ by case the most frequent stands for all."""
    values = column.parsed.values.drop_nulls().cast(pl.String)
    counts = values.alias("level").value_counts().sort("count", "level", descending=[True, False])
    spelled: dict[str, str] = {}
    for level in counts["level"]:
        spelled.setdefault(plain_level(level), level)
    return list(spelled.values())


def _numbers(draft: Draft, column: Column) -> list[str]:
    """How a number is written and its range."""
    numbers = column.parsed.values.drop_nulls().to_numpy()
    low, high = _range(draft, column)
    reading = column.reading
    words = [*reading.missing, *(word for word in draft.missing if word not in reading.missing)]
    return [
        *([f"accepts = {_list(reading.accepts)}"] if reading.accepts else []),
        *([f"missing = {_list(words)}"] if words else []),
        f"minimum = {low:.12g}",
        f"maximum = {high:.12g}",
        *(["integer = true"] if bool((numbers == np.floor(numbers)).all()) else []),
    ]


def rounded_range(low: float, high: float) -> tuple[float, float]:
    """A plain range around what was seen: its ends on multiples of the power of ten below its width.

    A range that is too narrow refuses next year's students, one that is too wide harms nobody: so it begins at 0 where
    that is near, and what looks like percent goes from 0 to 100.

    >>> rounded_range(3, 19), rounded_range(15, 22), rounded_range(72.5, 96.4), rounded_range(0, 1)
    ((0.0, 20.0), (15.0, 22.0), (0.0, 100.0), (0.0, 1.0))
    """
    if low >= 0 and 50 < high <= 100:
        return 0.0, 100.0
    if 0 < low <= high - low:
        low = 0.0
    step = 10.0 ** math.floor(math.log10(high - low)) if high > low else 1.0
    return _down(low, step), -_down(-high, step)


def _down(value: float, step: float) -> float:
    """The multiple of `step` at or below `value`; `value` itself where doubles cannot say it."""
    multiple = math.floor(value / step) * step
    rounded = float(f"{multiple:.12g}")
    return rounded + 0.0 if rounded <= value else value


def _target(draft: Draft, target: Column) -> list[str]:
    lines = [f"# {_plain(draft.remarks[target.name])}"] if target.name in draft.remarks else []
    lines.append(f"name = {_quoted(target.name)}")
    if target.kind == "text":
        return [
            *lines,
            'kind = "ordered_class"',
            f"levels = {_list(_worst_first(draft, target))}  # put the worst first",
        ]
    low, high = _range(draft, target)
    naive = [column.name for column in reversed(_marks_alike(draft)) if column is not draft.target]
    naive = naive if target is draft.target else []
    return [
        *lines,
        'kind = "value"',
        *_numbers(draft, target),
        *([f"naive = {_list(naive)}  # plausible answers by themselves, best first"] if naive else []),
        f"# cut_points = [{(low + high) / 2:g}]  # the pass mark first",
    ]


def _ends(column: Column) -> tuple[float, float]:
    values = column.parsed.values.drop_nulls().to_numpy()
    return float(values.min()), float(values.max())


def _range(draft: Draft, column: Column) -> tuple[float, float]:
    """The range of a column. Marks begin at 0 and end where their scales do, and those on the outcome's scale have one:
    a 6 that nobody got in one of the terms would be refused there."""
    alike = _marks_alike(draft)
    if not any(column is mark for mark in alike):
        alike = [column]
    ends = [_ends(mark) for mark in alike]
    low, high = rounded_range(min(low for low, _ in ends), max(high for _, high in ends))
    if low < 0 or not (len(alike) > 1 or column is draft.target or "mark" in hints(column.name)):
        return low, high
    top = next((top for top in TOPS if top / 2 < high <= top), high)
    return 0.0, high if tokens(column.name) & GRADE_POINTS else top


def _marks_alike(draft: Draft) -> list[Column]:
    """The outcome, where it is a number, and earlier marks on its scale, in their order in time: each may stand for
    it."""
    target = draft.target
    if target.kind != "number":
        return []
    numbers = [column for column in draft.features if column.kind == "number" and _ends_alike(target, column)]
    before = [c for c in numbers if c.name not in draft.moments and "earlier" in hints(c.name) and rises(target, c)]
    return [*before, *(c for name in draft.moments for c in numbers if c.name == name), target]


def _ends_alike(target: Column, column: Column) -> bool:
    (low, high), (least, most) = _ends(target), _ends(column)
    return max(abs(low - least), abs(high - most)) <= SAME_SCALE * (high - low)


def _worst_first(draft: Draft, target: Column) -> list[str]:
    """Levels by the mean of the numeric outcome that they stand for, else letters from F to A, else as they sort."""
    levels = sorted(_levels(target))
    if draft.target.kind == "number":
        numbers = pl.Series(draft.target.numbers).fill_nan(None)
        means = (
            pl.DataFrame({"level": target.texts, "n": numbers}).drop_nulls().group_by("level").agg(pl.col("n").mean())
        )
        known = {plain_level(level): mean for level, mean in means.iter_rows()}
        return sorted(levels, key=lambda level: known.get(plain_level(level), 0.0))
    if all(re.fullmatch(r"[A-Z][+-]?", level) for level in levels):
        return sorted(levels, key=lambda level: (-ord(level[0]), {"-": 0, "": 1, "+": 2}[level[1:]]))
    return levels


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _list(texts: Sequence[str]) -> str:
    return f"[{', '.join(map(_quoted, texts))}]"


def _plain(text: str) -> str:
    """Text for a comment: on one line, nothing that TOML forbids there."""
    return "".join(character if character.isprintable() else " " for character in text)


# Sentences ------------------------------------------------------------------------------------------------------------


def _findings(draft: Draft) -> list[str]:
    placement, choice = draft.placement, draft.choice
    others = f"; else {' or '.join(map(repr, choice.others))} (--target)" if choice.others else ""
    later = ", ".join(map(repr, dict.fromkeys(draft.moments.values())))
    start = "first at the start, then " if has_start(draft) else ""
    moments = f", {start}once {later} is known" if later else ""
    inputs = [column.name for column in draft.features if "protected" not in hints(column.name)]
    said = [
        f"predicts {' and '.join(repr(t.name) for t in draft.targets)} ({choice.why}){others}",
        f"from {len(inputs)} columns{moments}",
        _role(
            "student key",
            placement.student,
            placement,
            "rows cannot be matched with their outcomes; --student names one",
        ),
        _role(
            "period",
            placement.period,
            placement,
            "what is old and what is new is told by uploads only; --period names one",
        ),
    ]
    said += [_role("group", name, placement, "") for name in placement.group]
    for column in [*draft.features, *draft.targets]:
        if column.odd:
            cells = f"{sum(column.odd.values())} cells of {column.name!r} are no numbers: {said_cells(column.odd)}"
            lost = "; a cell that holds a number loses it so" if any(map(HAS_DIGIT.search, column.odd)) else ""
            said.append(f"{cells}; written as missing = …, check that{lost}")
        if set(column.reading.accepts) - {","}:
            said.append(
                f"{column.name!r} is written with {' and '.join(column.reading.accepts)}; read as plain numbers"
            )
    for column in draft.features:
        if column.given < NEARLY_EMPTY * len(column.texts):
            said.append(
                f"{column.name!r} stands in {column.given:,} of {len(column.texts):,} rows only: fill it, or drop it"
            )
    said += [f"{name!r}: {remark}" for name, remark in draft.remarks.items()]
    return [*said, *(f"left out: column {column!r}: {why}" for column, why in draft.left_out.items())]


def _role(role: str, name: str | None, placement: Placement, lack: str) -> str:
    return f"{role}: {name!r}, {placement.why.get(name, '')}" if name else f"no {role} found: {lack}"


def _problems(raw: RawTable, schema: DomainSchema) -> list[str]:
    """What the drafted domain refuses of its own file."""
    found = check_table(raw, schema, secret=b"only looked at")
    if not found.problem_count:
        return []
    shown = [str(problem) for problem in found.problems[:PROBLEMS_NOTED]]
    return [f"{found.problem_count:,} cells of this file it does not take, to be mended first: {'; '.join(shown)}"]
