"""Predictions of one target with their outcomes, by column: what errors, intervals and promises are measured on.

Columns are made of pairs; those that are evidence are the ones of `database.pairs.evidence`. Nothing here measures, and
nothing knows a store (`monitoring.evidence_archive` does).
"""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from database.layout import micros
from database.pairs import Learned, LearnedRows, LeftOut, Pair, same_row, shows_nothing
from database.records import Answer, Cell
from preprocessing.schema import Target

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Hashes = NDArray[np.uint64]
Place = tuple[str | None, str | None]
"""A group and a period."""
Traits = tuple[str | None, ...]
"""What the protected columns of a row hold, in the order of the schema; None: nothing."""

FEW_GROUPS = 10  # below which groups tell nothing about chance, and students count instead
SHOWS_NOTHING = ("", "afterwards", "learned", "unknown")
"""Why a pair shows nothing, by the number that stands for it; the first: it may show something."""


class EvidenceColumns(NamedTuple):
    """n pairs of one target, the oldest prediction first.

    at: microseconds of the prediction. own, student, row: hashes of its id, of its student (of its id where it has
    none) and of what was asked (0 without a student, of whom it may be another row). place: into `places`. kind: into
    `kinds`, which are (moment, model version). trait: into `traits`. reason: into `SHOWS_NOTHING`. truth, said, naive:
    in target units, or numbers of levels; low, high: the interval; coverage: its stated share; below: the chance of
    ending below the pass mark; filled: the share of what a row may hold that was known; guess: 1 where something was
    unlike any row in training; shares: (n, levels) probabilities. NaN: not there. reaches: whether the target's outcome
    is told over several periods, so that all rows of a student share what happened to it.
    """

    places: tuple[Place, ...]
    kinds: tuple[tuple[str, str], ...]
    traits: tuple[Traits, ...]
    at: Integers
    own: Hashes
    student: Hashes
    row: Hashes
    place: Integers
    kind: Integers
    trait: Integers
    reason: Integers
    truth: Floats
    said: Floats
    naive: Floats
    low: Floats
    high: Floats
    coverage: Floats
    below: Floats
    filled: Floats
    guess: Integers
    shares: Floats
    reaches: bool = False

    @property
    def n(self) -> int:
        return len(self.at)

    @property
    def students(self) -> int:
        """How many students they are of; a prediction without one is of one of its own."""
        return len(np.unique(self.student))

    @property
    def answered(self) -> NDArray[np.bool_]:
        """(n,) whether there was an answer."""
        return ~np.isnan(self.said)

    @property
    def moments(self) -> set[str]:
        return {self.kinds[number][0] for number in np.unique(self.kind).tolist()}

    @property
    def clusters(self) -> Integers:
        """(n,) what errors may have in common, and intervals resample whole: a number per group and period where there
        are ten groups or more, else per student; always per student where outcomes reach over periods."""
        grouped = np.array([bool(group) for group, _ in self.places] or [False])[self.place]
        names = self.student
        if grouped.any() and not self.reaches:
            of_place = np.array([hash_text(f"{group}\x1f{period}") for group, period in self.places], dtype=np.uint64)
            together = np.where(grouped, of_place[self.place], self.student)
            names = together if len(np.unique(together)) >= FEW_GROUPS else names
        return np.asarray(np.unique(names, return_inverse=True)[1], dtype=np.int64)

    def take(self, rows: NDArray[Any] | slice) -> "EvidenceColumns":
        """Those at `rows`: places, a mask or a slice. Where a mask leaves none out, as most do, the very same: of a
        hundred thousand pairs a copy takes 11 MB."""
        if isinstance(rows, np.ndarray) and rows.dtype == np.bool_ and rows.all():
            return self
        columns: dict[str, Any] = {name: getattr(self, name)[rows] for name in COLUMN_TYPES}
        return self._replace(**columns)

    def at_moment(self, moment: str) -> "EvidenceColumns":
        return self.take(np.array([one == moment for one, _ in self.kinds] or [False])[self.kind])

    def of_groups(self, groups: Iterable[str]) -> "EvidenceColumns":
        """Those of these groups alone."""
        wanted = set(groups)
        return self.take(np.array([group in wanted for group, _ in self.places] or [False])[self.place])


COLUMN_TYPES: Mapping[str, type[np.number[Any]]] = {
    "at": np.int64,
    **dict.fromkeys(("own", "student", "row"), np.uint64),
    **dict.fromkeys(("place", "kind", "trait", "reason"), np.int64),
    **dict.fromkeys(("truth", "said", "naive", "low", "high", "coverage", "below", "filled"), np.float64),
    "guess": np.int64,
    "shares": np.float64,
}
"""What each column holds, in their order."""

NUMBERED = ("place", "kind", "trait")
"""Columns that number what stands beside them once, in their order."""


def columns_of(
    target: Target, pairs: Iterable[Pair], learned: Learned | None = None, protected: Sequence[str] = ()
) -> EvidenceColumns:
    """The columns of pairs that answered `target`, in any order. learned: what models learned from; nothing by default.
    protected: columns of rows that are kept as traits.

    >>> columns_of(Target(name="mark"), []).n
    0
    """
    drafts = [_draft(target, pair, learned or _nothing, protected) for pair in pairs]
    drafts.sort(key=lambda draft: draft[:2])
    columns: dict[str, list[Any]] = {name: [getattr(draft, name) for draft in drafts] for name in COLUMN_TYPES}
    known: dict[str, dict[Any, int]] = {name: {} for name in NUMBERED}
    for name, numbers in known.items():
        columns[name] = [numbers.setdefault(one, len(numbers)) for one in columns[name]]
    arrays: dict[str, Any] = {name: np.array(columns[name], dtype=kind) for name, kind in COLUMN_TYPES.items()}
    arrays["shares"] = arrays["shares"].reshape(len(drafts), len(target.levels))
    places, kinds, traits = map(tuple, known.values())
    return EvidenceColumns(places, kinds, traits, **arrays, reaches=bool(target.within))


class _Draft(NamedTuple):
    """One pair, as a row of the columns that are to be."""

    at: int
    id: str
    own: int
    student: int
    row: int
    place: Place
    kind: tuple[str, str]
    trait: Traits
    reason: int
    truth: float
    said: float
    naive: float
    low: float
    high: float
    coverage: float
    below: float
    filled: float
    guess: int
    shares: Sequence[float]


def _draft(target: Target, pair: Pair, learned: Learned, protected: Sequence[str]) -> _Draft:
    asked, outcome = pair.prediction, pair.outcome
    answer = answer_about(asked.answers, target.name)
    row, low_high = same_row(asked), answer.interval or (np.nan, np.nan)
    return _Draft(
        at=micros(asked.at),
        id=asked.id,
        own=hash_text(asked.id),
        student=hash_text(asked.student or asked.id),
        row=0 if row is None else _hash_row(row),
        place=(asked.group, asked.period),
        kind=(asked.moment, answer.model),
        trait=tuple(_trait(asked.inputs.get(name)) for name in protected),
        reason=SHOWS_NOTHING.index(shows_nothing(pair, [answer.model], learned) or ""),
        truth=_number(target, outcome.value),
        said=_number(target, answer.value),
        naive=_number(target, answer.naive),
        low=low_high[0],
        high=low_high[1],
        coverage=np.nan if answer.coverage is None else answer.coverage,
        below=np.nan if answer.below_pass is None else answer.below_pass,
        filled=_filled(asked.inputs),
        guess=int(bool(answer.out_of_range)),
        shares=_shares(target, answer),
    )


def answer_about(answers: Iterable[Answer], target: str) -> Answer:
    """The one about `target`, which must be there."""
    return next(answer for answer in answers if answer.target == target)


def _filled(inputs: Mapping[str, Cell]) -> float:
    return sum(cell is not None for cell in inputs.values()) / len(inputs) if inputs else float(np.nan)


def _trait(cell: Cell) -> str | None:
    return f"{cell:g}" if isinstance(cell, float | int) else cell


def _number(target: Target, value: float | str | None) -> float:
    if value is None:
        return float(np.nan)
    return float(target.levels.index(value)) if isinstance(value, str) else value


def _shares(target: Target, answer: Answer) -> Sequence[float]:
    if not answer.probabilities:
        return [np.nan] * len(target.levels)
    return [answer.probabilities.get(level, 0.0) for level in target.levels]


def _nothing(_version: str) -> LearnedRows:
    return LearnedRows()


def hash_text(text: str) -> int:
    """64 bits: of a hundred thousand texts two are alike by chance once in four thousand million times."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


def _hash_row(row: object) -> int:
    """Not 0; two zeros are one number whatever their sign."""
    return hash_text(msgspec.json.encode(row).decode().replace(",-0.0]", ",0.0]")) or 1


def join(parts: Sequence[EvidenceColumns], target: Target) -> EvidenceColumns:
    """Those of `target` one after the other: the first holds the oldest predictions."""
    levels = len(target.levels)
    known: dict[str, dict[Any, int]] = {name: {} for name in NUMBERED}
    arrays: dict[str, list[NDArray[Any]]] = {}
    for name, kind in COLUMN_TYPES.items():
        arrays[name] = [np.empty((0, levels) if name == "shares" else 0, kind), *(getattr(one, name) for one in parts)]
    for number, part in enumerate(parts, start=1):
        for name, own in zip(NUMBERED, (part.places, part.kinds, part.traits), strict=True):
            anew = np.array([known[name].setdefault(one, len(known[name])) for one in own], dtype=np.int64)
            arrays[name][number] = anew[arrays[name][number]]
    joined: dict[str, Any] = {name: np.concatenate(found) for name, found in arrays.items()}
    places, kinds, traits = map(tuple, known.values())
    return EvidenceColumns(places, kinds, traits, **joined, reaches=bool(target.within))


def evidence_among(found: EvidenceColumns) -> tuple[EvidenceColumns, LeftOut]:
    """As `database.pairs.evidence`: the pairs that show how good answers were, and how many show nothing, by reason."""
    counts = np.bincount(found.reason, minlength=len(SHOWS_NOTHING))
    fresh = found.take(found.reason == 0)
    known = np.flatnonzero(fresh.row != 0)
    first = known[np.unique(fresh.row[known], return_index=True)[1]]
    kept = fresh.row == 0
    kept[first] = True
    left_out = dict(zip(SHOWS_NOTHING[1:], counts[1:].tolist(), strict=True))
    return fresh.take(kept), LeftOut(**left_out, repeated=fresh.n - int(kept.sum()))
