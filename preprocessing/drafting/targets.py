"""What a file's rows can be asked for: the outcome, by what headers and values say, and when its columns become known.

An outcome is never earlier than what it is predicted from. Where several columns may as well be it, nobody guesses.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from preprocessing.drafting.header_words import hints, stem, tokens
from preprocessing.drafting.kinds import Column
from preprocessing.validation.composition import adds_up

MOST_SCHOOL_YEARS = 7
MOST_CLASSES = 10  # levels of a target
MOST_MOMENTS = 4  # between the start and the outcome; each has a model of its own
SHORT_STEMS = frozenset(("g#", "m#", "p#", "t#", "q#", "hj#", "s#", "term #", "period #", "quarter #", "semester #"))
"""What numbered marks are called that are called nothing."""
LATEST_FIRST = 4  # number of a series' first mark: the 10th and the 12th school year are none
SCHOOL_YEARS = (1, 13)
GOES_TOGETHER = 0.1  # squared correlation of an earlier mark with the outcome
LIKELY = 1.5  # points from which a column is a likely outcome
ALIKE = 0.5  # points within which two columns may as well be it
SAYS_THE_SAME = 0.995  # squared correlation of two columns that say the same
FEWEST_PAIRS = 10
PART_WORDS = frozenset(
    """
    exam examen esame klausur prova test quiz midterm assignment homework toets task unit project lab exams quizzes
    tests assignments homeworks tasks units projects labs discussions discussion essay essays participation aufgabe
    aufgaben hausaufgaben devoir devoirs tarea tareas compiti huiswerk contrôle controle prueba verifica
    sinav sinavi vize odev sprawdzian kartkowka egzamin zadania διαγωνισμα
    """.split()  # noqa: SIM905 (a word list reads better so)
)
NOT_YET = frozenset(["unposted", "current", "letzte", "aktuell"])
EITHER = frozenset(
    """
    pass passed fail failed status dropout dropped outcome result target bestanden admis aprobado
    """.split()  # noqa: SIM905 (a word list reads better so)
)

TALLIES = frozenset(("score", "points", "grade"))
EXAMS = frozenset(("exam", "examination", "test", "paper"))  # a final exam is a part, and no sum of parts
MARKS_THEMSELVES = frozenset(
    """
    score grade mark marks note nota voto cijfer moyenne media promedio calificacion
    ocena notu puan puani βαθμοσ
    """.split()  # noqa: SIM905 (a word list reads better so)
)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class TargetChoice:
    """What is predicted. column: None where it must be asked. why: the reason, or what to ask. others: what else may
    be. parts: the columns that it is put together from."""

    column: Column | None
    why: str
    others: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()


def choose_target(columns: Sequence[Column]) -> TargetChoice:
    """The outcome among columns that place no row and identify nobody."""
    numbers = [c for c in columns if c.kind == "number" and len(c.levels) > 1]
    series = _series(numbers)
    scores = {c.name: _points(c, series) for c in numbers}
    likely = [c for c in numbers if scores[c.name] >= LIKELY and not _is_school_year(c, numbers)]
    parts = {c.name: parts_of(c, numbers) for c in likely}
    for column in likely:
        scores[column.name] += 3.0 if parts[column.name] else 0.0
    likely.sort(key=lambda c: (scores[c.name], c.place), reverse=True)
    if not likely:
        return _class_target(columns)
    best = likely[0]
    alike = [c for c in likely[1:] if scores[best.name] - scores[c.name] < ALIKE and not _say_the_same(best, c)]
    alike += [c for c in likely[1:] if c not in alike and _may_follow(best, c)]
    if alike:
        names = " or ".join(repr(c.name) for c in sorted([best, *alike], key=lambda c: c.place)[:6])
        return TargetChoice(
            None, f"{names} may as well be the outcome; say which with --target", tuple(c.name for c in likely)
        )
    others = tuple(c.name for c in likely[1:4])
    return TargetChoice(best, _reason(best, series, parts[best.name]), others, parts[best.name])


def _may_follow(best: Column, other: Column) -> bool:
    """Whether "final" alone may be an exam, and another column, further right, the mark that it is a part of."""
    own = tokens(other.name)
    mark = "mark" in hints(other.name) and not own & PART_WORDS and not any(word.isdecimal() for word in own)
    return tokens(best.name) == {"final"} and other.place > best.place and mark and not _say_the_same(best, other)


def _is_school_year(column: Column, numbers: Sequence[Column]) -> bool:
    """Whether a "grade" is the school year that pupils are in: a few whole numbers that go with no other."""
    if "grade" not in tokens(column.name) or not column.is_whole or len(column.levels) > MOST_SCHOOL_YEARS:
        return False
    low, high = np.nanmin(column.numbers), np.nanmax(column.numbers)
    if low < SCHOOL_YEARS[0] or high > SCHOOL_YEARS[1] or "final" in hints(column.name):
        return False
    others = [correlation(column.numbers, other.numbers) ** 2 for other in numbers if other is not column]
    return len(others) > 1 and max(others) < GOES_TOGETHER


def _points(column: Column, series: Mapping[str, Sequence[Column]]) -> float:
    found, words = hints(column.name), tokens(column.name)
    points = 4.0 * ("final" in found) + 2.0 * ("mark" in found) - 2.0 * bool(words & NOT_YET)
    if words == {"target"}:
        points += 4.0
    if "earlier" in found and words != {"target"}:
        points -= 8.0
    if found & {"other", "protected"}:
        points -= 8.0
    if "final" in found and words & PART_WORDS:
        points -= 3.5
    elif words & PART_WORDS:
        points -= 1.0
    points += 0.5 * bool(words & MARKS_THEMSELVES)
    if numbered := series.get(column.name):
        points += -3.0 if numbered[-1] is not column else 2.0 if _are_called_marks(numbered) else 0.0
    return points


def _class_target(columns: Sequence[Column]) -> TargetChoice:
    texts = [c for c in columns if c.kind == "text" and 2 <= len(c.levels) <= MOST_CLASSES]
    likely = []
    for column in texts:
        found, words = hints(column.name), tokens(column.name)
        if "key" in found:
            continue
        if (found & {"final", "mark"} and not found & {"earlier", "other", "protected", "access"}) or words & EITHER:
            likely.append(column)
    if len(likely) == 1:
        return TargetChoice(likely[0], f"the only outcome by its name, of {len(likely[0].levels)} levels")
    named = " or ".join(repr(c.name) for c in likely or [c for c in columns if c.kind == "number"][-4:])
    asked = f"no column is surely the outcome{f' ({named}?)' if named else ''}; say which with --target"
    return TargetChoice(None, asked, tuple(c.name for c in likely))


def _reason(column: Column, series: Mapping[str, Sequence[Column]], parts: Sequence[str]) -> str:
    reasons = []
    if column.name in series:
        reasons.append(f"the last of {', '.join(c.name for c in series[column.name])}")
    if "final" in hints(column.name):
        reasons.append("called final")
    elif "mark" in hints(column.name):
        reasons.append("called a mark")
    if parts:
        reasons.append(f"put together from {', '.join(parts)}")
    return "; ".join(reasons) or "it looks like an outcome"


# What belongs together ------------------------------------------------------------------------------------------------


def _series(columns: Sequence[Column]) -> dict[str, list[Column]]:
    """Columns that differ only by their last number, in its order, by each of their names."""
    by_stem: dict[str, list[tuple[int, Column]]] = {}
    for column in columns:
        called, number = stem(column.name)
        if number is not None:
            by_stem.setdefault(called, []).append((number, column))
    found: dict[str, list[Column]] = {}
    for members in by_stem.values():
        ordered = [column for _, column in sorted(members, key=lambda one: one[0])]
        early = min(number for number, _ in members) <= LATEST_FIRST
        if len(ordered) > 1 and early and not hints(ordered[0].name) & {"other", "earlier"}:
            found |= {column.name: ordered for column in ordered}
    return found


def parts_of(target: Column, columns: Sequence[Column]) -> tuple[str, ...]:
    """The columns of which `target` is a sum or a weighted mean; none where it is not."""
    inputs = [c for c in columns if c is not target and "final" not in hints(c.name) and not _say_the_same(target, c)]
    if len(inputs) < 2:
        return ()
    used = adds_up(target.numbers, np.column_stack([c.numbers for c in inputs]))
    return tuple(c.name for c, is_part in zip(inputs, used, strict=True) if is_part)


def _say_the_same(one: Column, other: Column) -> bool:
    return correlation(one.numbers, other.numbers) ** 2 >= SAYS_THE_SAME


def correlation(one: Floats, other: Floats) -> float:
    """Pearson's, of rows that have both; 0 where they are too few or alike."""
    both = ~np.isnan(one) & ~np.isnan(other)
    if both.sum() < FEWEST_PAIRS or one[both].std() == 0 or other[both].std() == 0:
        return 0.0
    return float(np.corrcoef(one[both], other[both])[0, 1])


def rises(one: Column, other: Column) -> bool:
    """Whether two columns go up together, in more than name."""
    together = correlation(one.numbers, other.numbers)
    return together > 0 and together**2 >= GOES_TOGETHER


def is_running_total(target: Column, column: Column) -> bool:
    """Whether it is what the outcome, or a part of it, has come to, as programs show it beside the final one."""
    words, wanted = tokens(column.name), tokens(target.name)
    so_far = hints(column.name) & {"mark", "final"} and words & NOT_YET and not wanted & NOT_YET
    in_part = words & wanted & {"final"} and words & TALLIES and not words & EXAMS
    return bool(so_far or in_part)


# When -----------------------------------------------------------------------------------------------------------------


def known_when(target: Column, columns: Sequence[Column], parts: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """From which moment each column is known, and the columns that are known after the outcome.

    Numbered marks beside the target are known one after the other; what the target is put together from is known in
    the order of the file. Of many, each moment takes several, and is called after its last.
    """
    series = _series(columns)
    called, number = stem(target.name)
    ordered: list[str] = []
    later: list[str] = []
    groups = list({id(members): members for members in series.values()}.values())
    for members in sorted(groups, key=lambda members: target not in members):
        names = [c.name for c in members]
        if target in members:
            place = names.index(target.name)
            ordered, later = names[:place], names[place + 1 :]
        elif not ordered and _are_marks(members, target):
            ordered = [n for n, c in zip(names, members, strict=True) if not _is_later(c, called, number)]
    if parts and len([name for name in parts if name in ordered]) < len(parts):
        ordered = sorted({*ordered, *parts}, key=[c.name for c in columns].index)
    return _moments([name for name in ordered if name != target.name]), later


def _are_marks(members: Sequence[Column], target: Column) -> bool:
    """Whether numbered columns are earlier marks: they are called so, or go together with the outcome."""
    return _are_called_marks(members) or all(
        correlation(column.numbers, target.numbers) ** 2 >= GOES_TOGETHER for column in members
    )


def _are_called_marks(members: Sequence[Column]) -> bool:
    if any("mark" in hints(column.name) or tokens(column.name) & PART_WORDS for column in members):
        return True
    return stem(members[0].name)[0] in SHORT_STEMS


def _is_later(column: Column, called: str, number: int | None) -> bool:
    own, place = stem(column.name)
    return own == called and number is not None and place is not None and place >= number


def _moments(ordered: Sequence[str]) -> dict[str, str]:
    if len(ordered) <= MOST_MOMENTS:
        return {name: name for name in ordered}
    cuts = [round(len(ordered) * cut / MOST_MOMENTS) for cut in range(1, MOST_MOMENTS + 1)]
    return {name: ordered[next(cut for cut in cuts if place < cut) - 1] for place, name in enumerate(ordered)}
