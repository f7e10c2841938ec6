"""Which columns hold the future: those that by themselves tell the outcome of rows they were not looked up in.

It measures single columns and names them; what is done about them is decided where models are trained.

A column is surely leaking where it alone orders or explains unseen outcomes nearly perfectly, or where being filled, or
missing, gives the outcome away, or on which side of a cut of ordered outcomes it lies, in every period alike. Both
limits are .99: of the columns that are known in time, the strongest measured has R² .83 (G2 for G3) and AUC .95 (G2 for
passing), and "no mark yet" on day 220 of a course means failure in 95.6 % of a period's rows; those that are not known
in time have AUC 1, or 99.3 % and more. Between .9 and .99 numbers alone tell no leak (a final score with zeros for the
missing: AUC .92) from an earlier mark: there the domain file must say from which moment on the column is known (docs:
backtest).
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from errors import GradewatchError
from preprocessing.schema import Feature, Target
from preprocessing.split import FIRST_ROWS

Floats = NDArray[np.float64]
Rows = NDArray[np.bool_]

SURE = 0.99  # R², AUC, or share of one outcome, in every part
STRONG_R2, STRONG_AUC = 0.9, 0.9  # somebody must say when it is known: honest ones reach .83, .95, a final score .92
FEWEST_ROWS = 100  # rows in all; fewer prove nothing
FEWEST_OF_PART = 30  # rows that are filled, or missing; one slip among fewer is 3 %
SHARE_OF_OTHERS = 0.9  # share of that outcome among the other rows, at most, for the gap to tell anything
LEAKAGE_FOLDS, KNOTS = 5, 64


class Suspect(msgspec.Struct, frozen=True, kw_only=True):
    """A column that knows more than it should. value: the least over `parts` parts of `n` rows, each unseen.

    sure: beyond doubt. kind: it tells the outcome "alone"; or one outcome has the share `value` of the rows where it is
    "filled", "missing", or holds its most frequent value ("value"), which is never sure. detail: that outcome or value.
    dated: the domain file says from which moment on the column is known.
    """

    column: str
    target: str
    kind: Literal["alone", "filled", "missing", "value"]
    measure: Literal["R²", "AUC", "share"]
    value: float
    n: int
    parts: int
    sure: bool
    dated: bool = False
    detail: str = ""

    @property
    def refused(self) -> bool:
        """Whether nothing may be trained with the column: it surely leaks, or nobody said when it is known."""
        return self.sure or not self.dated

    def __str__(self) -> str:
        where = f"in each of {self.parts} parts that it was not learned from, {self.n:,} rows in all"
        if self.kind == "alone":
            return f"{self.column!r} alone tells {self.target!r}: {self.measure} {self.value:.3f} or more {where}"
        said = {"filled": "is filled", "missing": "is missing", "value": "has its most frequent value"}[self.kind]
        return (
            f"where {self.column!r} {said}, {self.target!r} is {self.detail} in {self.value:.1%} or more of the rows "
            f"({self.n:,} rows, in each of {self.parts} periods or parts)"
        )


class Leaking(GradewatchError):
    """Columns hold the future, or may and nobody says that they do not; the message names each and what to do."""

    def __init__(self, suspects: Iterable[Suspect]) -> None:
        self.suspects = tuple(suspects)
        sure = "; ".join(str(one) for one in self.suspects if one.sure)
        strong = "; ".join(str(one) for one in self.suspects if not one.sure)
        told = [f"columns that hold the future: {sure}"] if sure else []
        told += [f"columns that may hold the future, and nothing says when they are known: {strong}"] if strong else []
        super().__init__(
            f"{'. And '.join(told)}. Leave them out, give them the moment at which they are really known (known_at), "
            "or, where they are truly known by then, say trusted = true in the domain file"
        )


class _Question(NamedTuple):
    """What is asked of every column. cuts: (c, n) outcomes as numbers: one row for a value, one a boundary for classes.

    parts: positions' part numbers, 0 to many - 1; levels: outcomes as texts, None for values.
    """

    target: Target
    cuts: list[Floats]
    parts: NDArray[np.int64]
    many: int
    outcomes: NDArray[np.str_]


def find_suspects(frame: pl.DataFrame, target: Target, features: Sequence[Feature]) -> list[Suspect]:
    """The columns of a typed frame that tell `target` too well, sure ones first, each with its strongest sign.

    Rows without an outcome are not looked at. Parts are the periods, each told from the others; without periods, five
    parts of the rows. With fewer than 100 rows nothing is found. Columns that are `trusted` are not looked at.
    """
    rows = frame.drop_nulls(target.name)
    columns = [f for f in features if f.name in rows.columns and not f.trusted and rows[f.name].count()]
    if rows.height < FEWEST_ROWS or rows[target.name].n_unique() < 2:
        return []
    question = _question(rows, target)
    found = [max(signs, key=_weight) for f in columns if (signs := _signs(question, f, rows[f.name]))]
    return sorted(found, key=lambda one: (-one.sure, -one.value, one.column))


def require_no_leak(suspects: Iterable[Suspect]) -> None:
    """Raises Leaking where one is sure, or strong and of a moment that nobody stated."""
    if refused := [one for one in suspects if one.refused]:
        raise Leaking(refused)


def _weight(sign: Suspect) -> tuple[bool, bool, float]:
    return sign.sure, sign.kind != "value", sign.value


def _question(rows: pl.DataFrame, target: Target) -> _Question:
    outcomes = rows[target.name]
    if target.kind == "value":
        cuts = [outcomes.to_numpy().astype(np.float64)]
    else:
        numbers = outcomes.replace_strict({level: i for i, level in enumerate(target.levels)}).to_numpy()
        cuts = [(numbers < cut).astype(np.float64) for cut in range(1, len(target.levels))]
    parts, count = _parts(rows)
    return _Question(target, cuts, parts, count, outcomes.cast(pl.String).to_numpy().astype(str))


def _parts(rows: pl.DataFrame) -> tuple[NDArray[np.int64], int]:
    """The period of each row as a number where there are two or more of a sensible size; else five equal parts."""
    if "_period" in rows.columns and rows["_period"].null_count() == 0:
        numbers = np.unique(rows["_period"].to_numpy().astype(str), return_inverse=True)[1].astype(np.int64)
        sizes = np.bincount(numbers)
        if len(sizes) > 1 and sizes.min() >= FIRST_ROWS:
            return numbers, len(sizes)
    return np.arange(rows.height) % LEAKAGE_FOLDS, LEAKAGE_FOLDS


def _signs(question: _Question, feature: Feature, values: pl.Series) -> list[Suspect]:
    alone, measure = _alone(question, feature, values)
    strong = STRONG_R2 if measure == "R²" else STRONG_AUC
    signs = []
    if alone >= strong:
        sure = alone >= SURE
        signs.append(_suspect(question, feature, "alone", measure, alone, len(values), sure=sure))
    missing = values.is_null().to_numpy()
    if missing.any():
        signs += _pure(question, feature, "filled", ~missing) + _pure(question, feature, "missing", missing)
    if feature.kind == "numeric":
        most = values.drop_nulls().mode().min()
        signs += _pure(question, feature, "value", (values == most).fill_null(False).to_numpy())
    return signs


def _suspect(
    question: _Question,
    feature: Feature,
    kind: Literal["alone", "filled", "missing", "value"],
    measure: Literal["R²", "AUC", "share"],
    value: float,
    n: int,
    *,
    sure: bool,
    detail: str = "",
) -> Suspect:
    return Suspect(
        column=feature.name,
        target=question.target.name,
        kind=kind,
        measure=measure,
        value=float(value),
        n=n,
        parts=question.many,
        sure=sure,
        dated=bool(feature.known_at),
        detail=detail,
    )


def _pure(
    question: _Question, feature: Feature, kind: Literal["filled", "missing", "value"], rows: Rows
) -> list[Suspect]:
    """Whether `rows` have one outcome, or one side of a cut of ordered ones, nearly always, in every part where there
    are enough of them, and others do not.

    A part without enough rows says nothing; at least one must say it.
    """
    if rows.sum() < FEWEST_OF_PART or rows.all():
        return []
    inside = [rows & (question.parts == part) for part in range(question.many)]
    told = [part for part in inside if part.sum() >= FEWEST_OF_PART] or [rows]
    found = []
    for detail, has in _outcomes(question, rows):
        least = min(float(has[part].mean()) for part in told)
        others = float(has[~rows].mean())
        if others <= SHARE_OF_OTHERS and has[rows].mean() >= SURE and least >= SURE:
            found.append((others, least, detail))
    if not found:
        return []
    _, least, detail = min(found)  # what fewest of the others have says most
    n, sure = int(rows.sum()), kind != "value"
    return [_suspect(question, feature, kind, "share", least, n, sure=sure, detail=detail)]


def _outcomes(question: _Question, rows: Rows) -> Iterator[tuple[str, Rows]]:
    """What `rows` may all have, in words, and who has it: their most frequent outcome, and the sides of each cut."""
    texts, counts = np.unique(question.outcomes[rows], return_counts=True)
    outcome = str(texts[counts.argmax()])
    yield repr(outcome), question.outcomes == outcome
    levels = question.target.levels
    for cut, below in enumerate(question.cuts if levels else (), start=1):
        yield f"{levels[cut - 1]!r} or worse", below > 0
        yield f"{levels[cut]!r} or better", below == 0


def _alone(question: _Question, feature: Feature, values: pl.Series) -> tuple[float, Literal["R²", "AUC"]]:
    """How well the column alone tells unseen outcomes: the least R² over parts; for classes the best boundary's AUC."""
    told = _told if feature.kind == "numeric" else _told_by_level
    raw = (values if feature.kind == "numeric" else values.fill_null("").rank("dense")).to_numpy().astype(np.float64)
    score = _r2 if question.target.kind == "value" else auc
    best = -np.inf
    for truth in question.cuts:
        least = np.inf
        for part in range(question.many):
            test = question.parts == part
            if score is auc and min(truth[test].sum(), (1 - truth[test]).sum()) < 1:
                continue  # one side only: no order to judge
            least = min(least, score(truth[test], told(raw[~test], truth[~test], raw[test])))
        best = max(best, least if np.isfinite(least) else -np.inf)
    return best, "R²" if question.target.kind == "value" else "AUC"


def _told(known: Floats, truth: Floats, asked: Floats) -> Floats:
    """What `asked` say, by lines through the means of up to 64 equal parts of `known`; missing ones: their own mean."""
    given = ~np.isnan(known)
    mean = float(truth.mean())
    answers = np.full(len(asked), float(truth[~given].mean()) if (~given).any() else mean)
    if given.any() and _on_line(known[given], truth[given]):
        slope, start = np.polyfit(known[given], truth[given], 1)
        answers[~np.isnan(asked)] = start + slope * asked[~np.isnan(asked)]
    elif given.any():
        order = np.argsort(known[given], kind="stable")
        x, y = known[given][order], truth[given][order]
        edges = np.unique(np.searchsorted(x, np.quantile(x, np.linspace(0, 1, KNOTS + 1))[:-1]))
        sizes = np.diff(np.append(edges, len(x)))
        knots, heights = np.add.reduceat(x, edges) / sizes, np.add.reduceat(y, edges) / sizes
        there = ~np.isnan(asked)
        answers[there] = np.interp(asked[there], knots, heights)
    return answers


def _on_line(x: Floats, y: Floats) -> bool:
    """Whether y is nearly a straight function of x: then the ends, where equal parts are wide, are told exactly too."""
    return bool(x.std() > 0 and y.std() > 0 and abs(np.corrcoef(x, y)[0, 1]) ** 2 >= STRONG_R2)


def _told_by_level(known: Floats, truth: Floats, asked: Floats) -> Floats:
    """What `asked`, numbers of levels, say by the mean outcome of their level; a new one says the mean of all."""
    codes, wanted = known.astype(np.int64), asked.astype(np.int64)
    count = int(max(codes.max(), wanted.max())) + 1
    rows = np.bincount(codes, minlength=count)
    means = np.bincount(codes, weights=truth, minlength=count) / np.maximum(rows, 1)
    return np.where(rows > 0, means, truth.mean())[wanted]


def _r2(truth: Floats, told: Floats) -> float:
    spread = float(((truth - truth.mean()) ** 2).sum())
    return 1.0 - float(((truth - told) ** 2).sum()) / spread if spread > 0 else np.inf  # all equal: nothing to judge


def auc(truth: Floats, scores: Floats) -> float:
    """The chance that a row of outcome 1 scores above one of outcome 0, ties half; both must occur."""
    ordered = np.sort(scores[truth == 0])
    ones = scores[truth == 1]
    below = np.searchsorted(ordered, ones, "left") + np.searchsorted(ordered, ones, "right")
    return float(below.mean() / (2 * len(ordered)))
