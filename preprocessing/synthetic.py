"""Makes data for any domain out of its schema and a seed: to try things, to show things, to start with.

Its students are invented and its patterns are plain: one hidden ability drives columns and outcomes, later columns
follow the outcome closely, levels matter a little, protected columns not at all. It proves nothing about real ones.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from preprocessing.schema import DomainSchema, Feature, Target
from preprocessing.validation.rules import is_numeric, moment_index

if TYPE_CHECKING:
    import polars as pl

Floats = NDArray[np.float64]
Cells = list[float | int | str | None]

GROUP_SIZE = 25  # rows, about a class
HALF_YEARS = 4  # half years
SPEAKING = 5  # columns' worth of signal: with more columns each says less
NOISE = 0.5  # of the outcome, against an ability of spread 1
MISSING_SHARE = 0.05  # of optional columns
HARMFUL = ("absen", "alcohol", "fail", "incident", "tardy", "travel", "way to school")
"""Words in a column's name or description by which more of it goes with a worse outcome."""
CENTRE, SPREAD = 0.3, 0.6  # of outcomes on the probit scale: a mean of about 60 % of the range


def generate(schema: DomainSchema, *, rows: int, seed: int) -> "pl.DataFrame":
    """`generate_columns` as a frame: whole numbers are Int64, others Float64, the rest String."""
    import polars as pl

    known: dict[str, Feature | Target] = {**schema.feature_by_name, **schema.target_by_name}

    def kind(name: str) -> type[pl.DataType]:
        column = known.get(name)
        return pl.String if column is None or not is_numeric(column) else pl.Int64 if column.integer else pl.Float64

    columns = generate_columns(schema, rows=rows, seed=seed)
    return pl.DataFrame([pl.Series(name, cells, dtype=kind(name)) for name, cells in columns.items()])


def generate_columns(schema: DomainSchema, *, rows: int, seed: int) -> dict[str, Cells]:
    """`rows` invented rows by column, with the schema's names: the student key, context, features and targets of all
    moments.

    Numbers that are not whole have one or two decimals; optional columns have gaps. Every row is valid, and later rows
    belong to later periods. The same schema, number of rows and seed give the same rows. Loads no polars.
    """
    rng = np.random.default_rng(seed)
    ability = rng.standard_normal(rows)
    group = rng.integers(0, max(2, rows // GROUP_SIZE), rows)
    context = {name: _context(schema, name, group, rows) for name in schema.context_names}
    naive = {name for target in schema.targets for name in target.naive}
    features: dict[str, Cells] = {}
    share = min(1.0, (SPEAKING / max(1, len(schema.features) - len(naive))) ** 0.5)
    outcome = ability + 0.2 * rng.standard_normal(group.max(initial=0) + 1)[group]
    for feature in schema.features:
        if feature.name not in naive:
            features[feature.name], effect = _feature(feature, ability, share, rng)
            outcome = outcome + effect
    outcome = _standard(outcome + NOISE * rng.standard_normal(rows))
    for name in sorted(naive, key=[feature.name for feature in schema.features].index):
        features[name] = _naive_feature(schema, schema.feature_by_name[name], outcome, rng)
    ordered = {feature.name: features[feature.name] for feature in schema.features}
    return {**context, **ordered, **_targets(schema, outcome, rng)}


def _context(schema: DomainSchema, name: str, group: NDArray[np.int64], rows: int) -> Cells:
    if schema.student is not None and name == schema.student.name:
        return [f"S{number:06d}" for number in range(1, rows + 1)]
    if name == schema.period:
        place = np.arange(rows) * HALF_YEARS // max(rows, 1)
        return [f"{2024 + p // 2}-{1 + p % 2}" for p in place.tolist()]
    return [f"{name[:1].upper()}{number:03d}" for number in group.tolist()]


def _feature(feature: Feature, ability: Floats, share: float, rng: np.random.Generator) -> tuple[Cells, Floats]:
    """A column and what it adds to the outcome. share: what scales both down where there are many columns."""
    if not is_numeric(feature):
        return _levels(feature, len(ability), share, rng)
    loading = share * rng.uniform(0.3, 0.7) * _direction(feature)
    score = loading * ability + np.sqrt(1 - loading**2) * rng.standard_normal(len(ability))
    weight = 0.0 if feature.protected else 0.25 * share * np.sign(loading)
    return _gaps(_numbers(feature, score), feature, rng), weight * score


def _direction(feature: Feature) -> float:
    """1 where more goes with a better outcome, -1 where with a worse one, 0 for a protected column."""
    words = f"{feature.name} {feature.description}".casefold()
    return 0.0 if feature.protected else -1.0 if any(word in words for word in HARMFUL) else 1.0


def _levels(feature: Feature, rows: int, share: float, rng: np.random.Generator) -> tuple[Cells, Floats]:
    levels = feature.levels or ("A", "B", "C")
    shares = rng.dirichlet(np.full(len(levels), 8.0))
    effects = share * rng.uniform(-0.2, 0.2, len(levels)) * (not feature.protected)
    which = rng.choice(len(levels), rows, p=shares)
    return _gaps([levels[i] for i in which.tolist()], feature, rng), effects[which]


def _naive_feature(schema: DomainSchema, feature: Feature, outcome: Floats, rng: np.random.Generator) -> Cells:
    """A column that is itself nearly the outcome, the nearer the later it becomes known."""
    nearness = 0.75 + 0.17 * moment_index(schema, feature) / max(1, len(schema.moments) - 1)
    score = nearness * outcome + np.sqrt(1 - nearness**2) * rng.standard_normal(len(outcome))
    return _gaps(_numbers(feature, CENTRE + SPREAD * score), feature, rng)


def _targets(schema: DomainSchema, outcome: Floats, rng: np.random.Generator) -> dict[str, Cells]:
    """Values first; classes are cut out of a value target with fitting cut points, else of equal shares."""
    values = {t.name: _numbers(t, CENTRE + SPREAD * outcome) for t in schema.targets if is_numeric(t)}
    columns: dict[str, Cells] = {}
    for target in schema.targets:
        if is_numeric(target):
            columns[target.name] = values[target.name]
            continue
        cuts = len(target.levels) - 1
        fitting = next((t for t in schema.targets if is_numeric(t) and len(t.cut_points) == cuts), None)
        if fitting is not None:
            place = np.searchsorted(
                np.sort(fitting.cut_points), np.array(values[fitting.name], dtype=np.float64), side="right"
            )
        else:
            noisy = outcome + 0.2 * rng.standard_normal(len(outcome))
            place = np.argsort(np.argsort(noisy)) * (cuts + 1) // max(1, len(noisy))
        columns[target.name] = [target.levels[i] for i in place.tolist()]
    return columns


def _numbers(column: Feature | Target, score: Floats) -> Cells:
    """Scores on the probit scale as values within the column's range, rounded as such columns are."""
    low = column.minimum if column.minimum is not None else (column.maximum or 100.0) - 100.0
    high = column.maximum if column.maximum is not None else low + 100.0
    share = 1.0 / (1.0 + np.exp(-1.702 * score))  # the logistic curve within 0.01 of the normal one
    if column.integer:
        low, high = np.ceil(low), np.floor(high)
        whole = np.minimum(np.floor(low + share * (high - low + 1)), high)
        return list(whole.astype(np.int64).tolist())
    decimals = 1 if high - low >= 20 else 2
    return list(np.clip(np.round(low + share * (high - low), decimals), low, high).tolist())


def _gaps(cells: Cells, feature: Feature, rng: np.random.Generator) -> Cells:
    if not feature.optional:
        return cells
    present = (rng.random(len(cells)) >= MISSING_SHARE).tolist()
    return [cell if there else None for cell, there in zip(cells, present, strict=True)]


def _standard(scores: Floats) -> Floats:
    spread = scores.std() if len(scores) > 1 else 0.0
    return (scores - scores.mean()) / spread if spread else scores
