"""Makes data for any domain out of its schema and a seed: to try things, to show things, to start with.

Its students are invented and its patterns are plain: one hidden ability drives columns and outcomes, later columns
follow the outcome closely, levels matter a little, protected columns not at all. It proves nothing about real ones.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from preprocessing.schema import DomainSchema, Feature, Target
from preprocessing.stories import Story
from preprocessing.validation.rules import is_numeric, moment_index

if TYPE_CHECKING:
    import polars as pl

Floats = NDArray[np.float64]
Cells = list[float | int | str | None]

GROUP_SIZE = 25  # rows, about a class
MOST_PERIODS_INVENTED = 4
HALF_YEARS = tuple(f"{2024 + p // 2}-{1 + p % 2}" for p in range(MOST_PERIODS_INVENTED))
SPEAKING = 5  # columns' worth of signal: with more columns each says less
NOISE = 0.5  # of the outcome, against an ability of spread 1
MISSING_SHARE = 0.05  # of optional columns
HARMFUL = (
    "absen", "alcohol", "fail", "handed in late", "incident", "removal", "severity", "tardy", "travel", "way to school",
    "work missing",
)  # fmt: skip
"""Words in a column's name or description by which more of it goes with a worse outcome."""
CENTRE, SPREAD = 0.3, 0.6  # of outcomes on the probit scale: a mean of about 60 % of the range


class Invented(NamedTuple):
    """A column: values, shape (rows,), numbers or places in `levels`; empty: where a cell holds nothing."""

    values: NDArray[Any]
    levels: tuple[str, ...] = ()
    empty: NDArray[np.bool_] | None = None

    def cells(self) -> Cells:
        """As Python's own values."""
        told: Cells = self.values.tolist()
        if self.levels:
            told = [self.levels[place] for place in self.values.tolist()]
        if self.empty is None:
            return told
        return [None if gone else cell for cell, gone in zip(told, self.empty.tolist(), strict=True)]

    def series(self, name: str) -> "pl.Series":
        """As a column of a frame: Int64, Float64 or String."""
        import polars as pl

        told = pl.Series(name, self.values)
        if self.levels:
            told = pl.Series(name, self.levels, dtype=pl.String).gather(told)
        return told if self.empty is None else told.set(pl.Series(self.empty), None)


def generate(schema: DomainSchema, *, rows: int, seed: int) -> "pl.DataFrame":
    """`generate_columns` as a frame: whole numbers are Int64, others Float64, the rest String."""
    return frame_of_columns(invent(schema, rows, seed))


def frame_of_columns(columns: Mapping[str, Invented]) -> "pl.DataFrame":
    """Invented columns as a frame."""
    import polars as pl

    return pl.DataFrame([column.series(name) for name, column in columns.items()])


def generate_columns(schema: DomainSchema, *, rows: int, seed: int) -> dict[str, Cells]:
    """`rows` invented rows by column, with the schema's names: the student key, context, features and targets of all
    moments.

    Numbers that are not whole have one or two decimals; optional columns have gaps. Every row is valid, and later rows
    belong to later periods. The same schema, number of rows and seed give the same rows. Loads no polars.
    """
    return {name: column.cells() for name, column in invent(schema, rows, seed).items()}


def invent(
    schema: DomainSchema,
    rows: int,
    seed: int,
    *,
    students: int | None = None,
    story: Story | None = None,
    population: int | None = None,
) -> dict[str, Invented]:
    """Every column of `rows` rows, of as many students or of `students` who return; the same seed draws the same
    numbers whether or not there is a story.

    population: the seed of what columns mean (how they are spread, what they do to outcomes); None: `seed` draws that
    too, so that another seed is another population, not other students of the same.
    """
    rng = np.random.default_rng(seed)
    nature, places = (rng, rng) if population is None else (np.random.default_rng([population, n]) for n in range(2))
    ability = rng.standard_normal(students or rows)
    ability = np.resize(ability, rows)  # those of returning students again
    group = rng.integers(0, max(2, rows // GROUP_SIZE), rows)
    context = {name: _context(schema, name, group, students or rows) for name in schema.context_names}
    naive = {name for target in schema.targets for name in target.naive}
    features: dict[str, Invented] = {}
    share = min(1.0, (SPEAKING / max(1, len(schema.features) - len(naive))) ** 0.5)
    outcome = ability + 0.2 * places.standard_normal(group.max(initial=0) + 1)[group]
    for feature in schema.features:
        if feature.name not in naive:
            features[feature.name], effect = _feature(feature, ability, share, rng, nature)
            outcome = outcome + effect
    outcome = _standard(outcome + NOISE * rng.standard_normal(rows))
    touched = np.random.default_rng([seed, 1]).random(rows) < (story.share if story else 0.0)
    moved = outcome + (story.outcome * touched if story else 0.0)
    for name in sorted(naive, key=[feature.name for feature in schema.features].index):
        seen = moved if story and story.with_marks else outcome
        features[name] = _naive_feature(schema, schema.feature_by_name[name], seen, rng)
    ordered = {feature.name: features[feature.name] for feature in schema.features}
    columns = {**context, **ordered, **_targets(schema, outcome, moved, rng)}
    if story and story.column:
        columns[story.column] = _touched(columns[story.column], touched, story.value)
    return columns


def _touched(column: Invented, touched: NDArray[np.bool_], value: str | None) -> Invented:
    """The column with `value` in the touched cells, or with nothing there."""
    if value is None:
        return column._replace(empty=touched if column.empty is None else column.empty | touched)
    return column._replace(values=np.where(touched, len(column.levels), column.values), levels=(*column.levels, value))


def invented_periods(schema: DomainSchema) -> tuple[str, ...]:
    """The periods that rows are invented in, from the oldest on: the newest that the domain names, or half years."""
    return schema.period_order[-MOST_PERIODS_INVENTED:] or HALF_YEARS


def _context(schema: DomainSchema, name: str, group: NDArray[np.int64], students: int) -> Invented:
    place = np.arange(len(group))
    if schema.student is not None and name == schema.student.name:
        return Invented(place % max(students, 1), tuple(f"example-{number:06d}" for number in range(1, students + 1)))
    if name == schema.period:
        periods = invented_periods(schema)
        return Invented(place * len(periods) // max(len(group), 1), periods)
    return Invented(group, tuple(f"{name[:1].upper()}{number:03d}" for number in range(group.max(initial=-1) + 1)))


def _feature(
    feature: Feature, ability: Floats, share: float, rng: np.random.Generator, nature: np.random.Generator
) -> tuple[Invented, Floats]:
    """A column and what it adds to the outcome. share: what scales both down where there are many columns. nature:
    draws what the column means, as `rng` its rows."""
    if not is_numeric(feature):
        return _levels(feature, len(ability), share, rng, nature)
    loading = share * nature.uniform(0.3, 0.7) * _direction(feature)
    score = loading * ability + np.sqrt(1 - loading**2) * rng.standard_normal(len(ability))
    weight = 0.0 if feature.protected else 0.25 * share * np.sign(loading)
    return _gaps(_numbers(feature, score), feature, rng), weight * score


def _direction(feature: Feature) -> float:
    """1 where more goes with a better outcome, -1 where with a worse one, 0 for a protected column."""
    words = f"{feature.name} {feature.description}".casefold()
    return 0.0 if feature.protected else -1.0 if any(word in words for word in HARMFUL) else 1.0


def _levels(
    feature: Feature, rows: int, share: float, rng: np.random.Generator, nature: np.random.Generator
) -> tuple[Invented, Floats]:
    levels = feature.levels or ("A", "B", "C")
    shares = nature.dirichlet(np.full(len(levels), 8.0))
    effects = share * nature.uniform(-0.2, 0.2, len(levels)) * (not feature.protected)
    which = rng.choice(len(levels), rows, p=shares)
    return _gaps(Invented(which, levels), feature, rng), effects[which]


def _naive_feature(schema: DomainSchema, feature: Feature, outcome: Floats, rng: np.random.Generator) -> Invented:
    """A column that is itself nearly the outcome, the nearer the later it becomes known."""
    nearness = 0.75 + 0.17 * moment_index(schema, feature) / max(1, len(schema.moments) - 1)
    score = nearness * outcome + np.sqrt(1 - nearness**2) * rng.standard_normal(len(outcome))
    return _gaps(_numbers(feature, CENTRE + SPREAD * score), feature, rng)


def _targets(schema: DomainSchema, outcome: Floats, moved: Floats, rng: np.random.Generator) -> dict[str, Invented]:
    """Values first; classes are cut out of a value target with fitting cut points, else of equal shares of `outcome`.
    moved: the outcome after the story."""
    values = {t.name: _numbers(t, CENTRE + SPREAD * moved) for t in schema.targets if is_numeric(t)}
    columns: dict[str, Invented] = {}
    for target in schema.targets:
        if is_numeric(target):
            columns[target.name] = values[target.name]
            continue
        cuts = len(target.levels) - 1
        fitting = next((t for t in schema.targets if is_numeric(t) and len(t.cut_points) == cuts), None)
        if fitting is not None:
            place = np.searchsorted(np.sort(fitting.cut_points), values[fitting.name].values, side="right")
        else:
            noise = 0.2 * rng.standard_normal(len(outcome))
            rank = np.searchsorted(np.sort(outcome + noise), moved + noise)
            place = np.minimum(rank * (cuts + 1) // max(1, len(outcome)), cuts)
        columns[target.name] = Invented(place, target.levels)
    return columns


def _numbers(column: Feature | Target, score: Floats) -> Invented:
    """Scores on the probit scale as values within the column's range, rounded as such columns are."""
    low = column.minimum if column.minimum is not None else (column.maximum or 100.0) - 100.0
    high = column.maximum if column.maximum is not None else low + 100.0
    share = 1.0 / (1.0 + np.exp(-1.702 * score))  # the logistic curve within 0.01 of the normal one
    if column.integer:
        low, high = np.ceil(low), np.floor(high)
        return Invented(np.minimum(np.floor(low + share * (high - low + 1)), high).astype(np.int64))
    decimals = 1 if high - low >= 20 else 2
    return Invented(np.clip(np.round(low + share * (high - low), decimals), low, high))


def _gaps(column: Invented, feature: Feature, rng: np.random.Generator) -> Invented:
    if not feature.optional:
        return column
    return column._replace(empty=rng.random(len(column.values)) < MISSING_SHARE)


def _standard(scores: Floats) -> Floats:
    spread = scores.std() if len(scores) > 1 else 0.0
    return (scores - scores.mean()) / spread if spread else scores
