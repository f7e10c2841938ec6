"""Writes a first draft of a domain's TOML file from a data file: kinds, ranges, levels, target, moments, roles.

A draft is a guess to be read by someone who knows the data, and says so line by line. It never holds a student's
value: only ranges, and levels that repeat.
"""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from errors import GradewatchError
from preprocessing.reading.raw_table import RawTable
from preprocessing.schema import Feature, Target, fold, read_schema
from preprocessing.validation.leakage import find_suspects
from preprocessing.validation.pii import identifying_columns
from preprocessing.validation.rules import MISSING_TEXTS, is_missing, nearest, text_fault
from preprocessing.validation.tables import Parsed, as_texts, parse

MOST_LEVELS_DRAFTED = 30  # a column with more distinct texts is open, or free text
MOST_CLASSES = 10  # levels of a target
OPEN_SHARE = 0.5  # distinct texts per row, at most, of an open column
FEWEST_GROUPS = 10  # among fewer, models cannot be compared group by group: the column is a feature then
CODES = 10  # a column called like an address but of so few distinct short values holds codes

TARGETS = ("g3", "finalgrade", "finalmarks", "finalmark", "finalscore", "final", "grade", "score", "marks", "mark",
           "result", "outcome", "gpa")  # fmt: skip
STUDENTS = (
    *("studentid", "studentkey", "studentno", "studentnumber", "student", "studentuniqueid", "idstudent", "id"),
    *("pupilid", "pupilno", "pupil", "learnerid", "learner", "userid", "rollnumber", "matriculation"),
    *("schülernummer", "schülernr", "schülerid", "schuelernummer", "schuelernr", "schuelerid", "matrikelnummer"),
    *("matrikelnr", "alumno", "aluno", "matricula"),
)
PERIOD_NAMES = ("period", "term", "schoolyear", "academicyear", "academicterm")
GROUPS = ("courseid", "classid", "sectionid", "class", "section", "codemodule")
PROTECTED = ("sex", "gender", "ethnic", "race", "religion", "disab", "nationality", "sexo", "genero", "geschlecht")
STEMS = (
    *("g", "grade", "mark", "marks", "score", "term", "period", "midterm", "exam", "test", "semester", "trimester"),
    *("quarter", "halbjahr", "hj", "klausur", "note", "nota", "periode"),
)
"""What periodic grades are called before their number, besides the target's own stem."""


class NoDraft(GradewatchError):
    """A file from which no domain can be drafted as asked; the message says why."""


@dataclass
class Draft:
    """What is guessed so far. left_out: (column, why)."""

    student: str | None = None
    period: str | None = None
    group: list[str] = field(default_factory=list)
    numbers: dict[str, Parsed] = field(default_factory=dict)
    texts: dict[str, Parsed] = field(default_factory=dict)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    remarks: dict[str, str] = field(default_factory=dict)

    def leave_out(self, column: str, why: str) -> None:
        """Takes a column out of the domain, with the reason that the draft tells."""
        self.left_out.append((column, why))


def infer_schema(raw: RawTable, *, name: str, target: str | None = None) -> str:
    """A domain file (TOML text with comments) that reads `raw` without a problem.

    target: the column to predict; by default one called like a final grade, else the last column of numbers. Raises
    NoDraft when there is no such column, or nothing to predict it from.
    """
    draft = _sort_columns(raw.frame)
    _place_rows(draft, raw.frame)
    chosen = _target(draft, raw.frame.columns, target)
    moments = _moments(draft, chosen)
    targets = [chosen, *(c for c in _usable(draft, raw.frame.columns) if c != chosen and _is_other_target(draft, c))]
    features = [column for column in _usable(draft, raw.frame.columns) if column not in targets]
    features = _without_leaks(draft, features, chosen)
    if not features:
        raise NoDraft(f"there is no column to predict {chosen!r} from")
    text = "\n".join(_lines(draft, _slug(name), name, targets, features, moments))
    read_schema(text, source=name)
    return text


def _slug(name: str) -> str:
    return "-".join(re.findall(r"[A-Za-z0-9]+", name)).lower() or "domain"


def _usable(draft: Draft, columns: Sequence[str]) -> list[str]:
    return [column for column in columns if column in draft.numbers or column in draft.texts]


def _is_other_target(draft: Draft, column: str) -> bool:
    """Final marks beside a final grade: known together, so one must not predict the other."""
    few = column in draft.numbers or draft.texts[column].values.drop_nulls().n_unique() <= MOST_CLASSES
    return fold(column).startswith("final") and few


# Guesses ------------------------------------------------------------------------------------------------------------


def _sort_columns(frame: pl.DataFrame) -> Draft:
    """Every column as numbers, as texts, as a role, or left out."""
    draft = Draft()
    reasons = identifying_columns(frame)
    spelled: dict[str, str] = {}
    for column in frame.columns:
        earlier = spelled.setdefault(fold(column), column)
        if not fold(column) or column.startswith("_"):
            draft.leave_out(column, "give it a name that starts with a letter or digit")
        elif earlier != column:
            draft.leave_out(column, f"its name is read as {earlier!r}")
        elif column in reasons and not _holds_codes(frame[column], reasons[column]):
            draft.leave_out(column, f"identifies people: {reasons[column]}")
        else:
            if column in reasons:
                draft.remarks[column] = f"{reasons[column]}, but holds a few codes: make sure it names nobody"
            _sort_column(draft, column, frame[column])
    return draft


def _holds_codes(values: pl.Series, reason: str) -> bool:
    distinct = values.drop_nulls().unique()
    short = distinct.dtype == pl.String and (distinct.str.len_chars() <= 3).all()
    return bool(reason.startswith("it is called") and short and len(distinct) <= CODES < len(values) / 5)


def _sort_column(draft: Draft, column: str, values: pl.Series) -> None:
    role = _role(draft, column)
    texts = as_texts(values)
    distinct = [text for text in texts.drop_nulls().unique(maintain_order=True) if not is_missing(text)]
    if role == "student" and all(text_fault(text.strip(), key=True) is None for text in distinct):
        draft.student = column
    elif (role == "period" or (role == "group" and len(distinct) >= FEWEST_GROUPS)) and all(
        text_fault(text.strip()) is None for text in distinct
    ):
        draft.period = column if role == "period" else draft.period
        draft.group += [column] if role == "group" else []
    elif len(distinct) < 2:
        draft.leave_out(column, "it holds one value only" if distinct else "it is empty")
    elif not (parsed := parse(values, Feature(name=column, kind="numeric"))).bad.any():
        draft.numbers[column] = parsed
    else:
        _sort_texts(draft, column, texts, distinct)


def _role(draft: Draft, column: str) -> str | None:
    folded = fold(column)
    if folded in STUDENTS and draft.student is None:
        return "student"
    if folded in PERIOD_NAMES and draft.period is None:
        return "period"
    return "group" if folded in GROUPS else None


def _sort_texts(draft: Draft, column: str, texts: pl.Series, distinct: Sequence[str]) -> None:
    clean = {text.strip() for text in distinct}
    if len(clean) > MOST_LEVELS_DRAFTED and len(clean) > OPEN_SHARE * texts.count():
        draft.leave_out(column, "nearly every value is another one: a key or free text")
    elif faults := [fault for text in clean if (fault := text_fault(text))]:
        draft.leave_out(column, f"of a value, {faults[0]}")
    else:
        draft.texts[column] = parse(texts, Feature(name=column, kind="categorical", open=True))


def _place_rows(draft: Draft, frame: pl.DataFrame) -> None:
    """Keeps the student key only where student, group and period tell every row from every other."""
    if draft.student is None:
        return
    placing = [draft.student, *draft.group, *([draft.period] if draft.period else [])]
    keys = frame.select(as_texts(frame[column]).str.strip_chars().alias(column) for column in placing)
    known = keys.filter(~pl.col(draft.student).str.to_lowercase().is_in(list(MISSING_TEXTS)))
    if known.is_duplicated().any():
        draft.leave_out(draft.student, "a student key that repeats; say in [[context]] and group what tells rows apart")
        draft.student = None


def _target(draft: Draft, columns: Sequence[str], wanted: str | None) -> str:
    if wanted is not None:
        return _wanted_target(draft, columns, wanted)
    numbers = [column for column in columns if column in draft.numbers]
    for ending in TARGETS:
        if found := [column for column in numbers if fold(column).endswith(ending)]:
            return found[-1]
    if not numbers:
        raise NoDraft("there is no column of numbers to predict; name the target column")
    return numbers[-1]


def _wanted_target(draft: Draft, columns: Sequence[str], wanted: str) -> str:
    found = next((column for column in columns if fold(column) == fold(wanted)), None)
    if found is None:
        near = nearest(wanted, columns) or list(columns[:5])
        raise NoDraft(f"target {wanted!r} is no column; the file has {' and '.join(map(repr, near))}")
    if found in draft.texts and draft.texts[found].values.n_unique() > MOST_CLASSES:
        raise NoDraft(f"target {found!r} has more than {MOST_CLASSES} different texts; expected numbers or levels")
    if found not in draft.numbers and found not in draft.texts:
        why = dict(draft.left_out).get(found, "it says whose row it is, in which group or when")
        raise NoDraft(f"target {found!r} cannot be predicted: {why}")
    return found


def _moments(draft: Draft, target: str) -> list[str]:
    """Columns like G1 and G2 beside a target G3, in order: periodic grades, each known later than the one before."""
    stem, number = _stem(target)
    found = [(column, *_stem(column)) for column in draft.numbers if column != target]
    for wanted in dict.fromkeys((stem, *STEMS)):
        numbered = sorted((n, column) for column, s, n in found if s == wanted and n is not None)
        if numbered and (wanted != stem or number is None or numbered[-1][0] < number):
            return [column for _, column in numbered]
    return []


def _stem(column: str) -> tuple[str, int | None]:
    match = re.fullmatch(r"(\D*?)(\d{1,3})", fold(column))
    return (match[1], int(match[2])) if match else (fold(column), None)


def _without_leaks(draft: Draft, features: Sequence[str], target: str) -> list[str]:
    """The features without those that surely hold the future, which are left out; strong ones, with which training is
    refused until somebody says when they are known, get a remark."""
    outcomes = (draft.numbers.get(target) or draft.texts[target]).values
    levels = () if target in draft.numbers else tuple(outcomes.drop_nulls().unique().sort())
    if len(levels) == 1:
        return list(features)
    values = [(draft.numbers.get(column) or draft.texts[column]).values.alias(column) for column in features]
    asked = Target(name=target, kind="ordered_class" if levels else "value", levels=levels)
    known = [Feature(name=c, kind="numeric" if c in draft.numbers else "categorical", open=True) for c in features]
    for suspect in find_suspects(pl.DataFrame([outcomes.alias(target), *values]), asked, known):
        if suspect.sure:
            draft.leave_out(suspect.column, f"it holds the future: {suspect}")
        else:
            draft.remarks[suspect.column] = f"say since when this is known (known_at), or trusted = true: {suspect}"
    out = {column for column, _ in draft.left_out}
    return [column for column in features if column not in out]


def _optional(draft: Draft, features: Sequence[str], moments: Sequence[str]) -> set[str]:
    """Columns that are empty in a row at whose moment they would have to be known."""
    read = {**draft.numbers, **draft.texts}
    height = len(read[features[0]].given)
    row_moment = np.zeros(height, dtype=np.int64)
    for place, column in enumerate(moments, 1):
        row_moment[read[column].given] = place
    known_at = {column: place for place, column in enumerate(moments, 1)}
    blank: NDArray[np.bool_] = ~np.logical_or.reduce([column.given for column in read.values()])
    return {c for c in features if (~read[c].given & ~blank & (known_at.get(c, 0) <= row_moment)).any()}


# Words --------------------------------------------------------------------------------------------------------------


def _lines(
    draft: Draft, slug: str, title: str, targets: Sequence[str], features: Sequence[str], moments: Sequence[str]
) -> list[str]:
    optional = _optional(draft, features, moments)
    lines = [
        "# A first draft, guessed from a file: read every line before you trust it.",
        *(f"# Left out: column {_quoted(column)}: {_plain(why)}" for column, why in draft.left_out),
        f"name = {_quoted(slug)}",
        f"title = {_quoted(title)}",
    ]
    if moments:
        lines += ["# When columns become known, in order.", f"moments = {_list(['start', *moments])}"]
    if draft.group:
        lines.append(f"group = {_list(draft.group)}  # rows of one group stay together when models are compared")
    if draft.period:
        lines.append(f"period = {_quoted(draft.period)}  # must sort in time")
    if draft.student:
        lines += ["", "[student]", f"name = {_quoted(draft.student)}  # stored as a pseudonym only"]
    for column in [*draft.group, *([draft.period] if draft.period else [])]:
        lines += ["", "[[context]]", f"name = {_quoted(column)}"]
    for column in features:
        lines += ["", "[[features]]", *_feature(draft, column)]
        lines += [f"known_at = {_quoted(column)}"] if column in moments else []
        lines += ["optional = true  # empty in some rows"] if column in optional else []
    for target in targets:
        lines += ["", "[[targets]]", *_target_lines(draft, target, moments)]
    return [*lines, ""]


def _feature(draft: Draft, column: str) -> list[str]:
    remark = [f"# {_plain(draft.remarks[column])}"] if column in draft.remarks else []
    lines = [*remark, f"name = {_quoted(column)}"]
    if column in draft.numbers:
        lines += ['kind = "numeric"', *_range(draft.numbers[column].values)]
    else:
        levels = _by_count(draft.texts[column].values.drop_nulls())
        lines += ['kind = "categorical"', f"levels = {_list(sorted(levels[:MOST_LEVELS_DRAFTED]))}"]
        lines += (
            ["open = true  # others are accepted, and unknown to the model"]
            if len(levels) > MOST_LEVELS_DRAFTED
            else []
        )
    if any(word in fold(column) for word in PROTECTED):
        lines.append("protected = true  # kept for audits, no model input")
    return lines


def _by_count(values: pl.Series) -> list[str]:
    counts = values.alias("level").value_counts().sort("count", "level", descending=[True, False])
    return counts["level"].to_list()


def _range(values: pl.Series) -> list[str]:
    numbers = values.drop_nulls().to_numpy()
    whole = bool((numbers == np.floor(numbers)).all())
    low, high = rounded_range(float(numbers.min()), float(numbers.max()))
    return [f"minimum = {low:.12g}", f"maximum = {high:.12g}", *(["integer = true"] if whole else [])]


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


def _target_lines(draft: Draft, target: str, moments: Sequence[str]) -> list[str]:
    lines = [f"name = {_quoted(target)}"]
    if target in draft.texts:
        levels = sorted(draft.texts[target].values.drop_nulls().unique())
        if all(re.fullmatch(r"[A-Z][+-]?", level) for level in levels):
            levels = sorted(levels, key=lambda level: (-ord(level[0]), {"-": 0, "": 1, "+": 2}[level[1:]]))
        return [*lines, 'kind = "ordered_class"', f"levels = {_list(levels)}  # put the worst first"]
    lines += ['kind = "value"', *_range(draft.numbers[target].values)]
    naive = f"naive = {_list(moments[::-1])}  # plausible answers by themselves, best first"
    return [
        *lines,
        *([naive] if moments else []),
        f"# cut_points = [{_middle(draft, target):g}]  # the pass mark first",
    ]


def _middle(draft: Draft, target: str) -> float:
    values = draft.numbers[target].values.drop_nulls().to_numpy()
    return sum(rounded_range(float(values.min()), float(values.max()))) / 2


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _list(texts: Sequence[str]) -> str:
    return f"[{', '.join(map(_quoted, texts))}]"


def _plain(text: str) -> str:
    """Text for a comment: on one line, nothing that TOML forbids there."""
    return "".join(character if character.isprintable() else " " for character in text)
