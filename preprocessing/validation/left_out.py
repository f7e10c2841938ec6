"""Whether leaving bad rows out depends on their outcome: then the rows that stay are of another population.

A model that learns from them is wrong about the others, and no score would show it. It leaves nothing out itself.
"""

import math
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from preprocessing.schema import DomainSchema, Target
from preprocessing.validation.results import Validated
from preprocessing.validation.rules import is_numeric

if TYPE_CHECKING:
    import polars as pl

FEWEST_LEFT_OUT = 10  # rows with an outcome: of fewer no mean is compared
SURE_ERRORS = 3.29  # standard errors: one in a thousand by chance, two-sided
NOTABLE = 0.2  # standard deviations: Cohen's small effect (1988)
SO_WHAT = (
    "what is learned from the rest is wrong about students like these, and no score shows it: mend the rows instead"
)


class _Moments(NamedTuple):
    """Numbers, added up."""

    n: int = 0
    total: float = 0.0
    squares: float = 0.0

    def plus(self, values: "pl.Series") -> "_Moments":
        known = values.drop_nulls().to_numpy()
        return _Moments(self.n + len(known), self.total + float(known.sum()), self.squares + float((known**2).sum()))

    @property
    def mean(self) -> float:
        return self.total / self.n

    @property
    def variance(self) -> float:
        return max(0.0, (self.squares - self.n * self.mean**2) / (self.n - 1))


class OutcomesLeftOut:
    """Outcomes of the rows of a file that stay and of those that are left out, in pieces; of classes by their place."""

    def __init__(self, schema: DomainSchema) -> None:
        self._schema = schema
        self._unread: Counter[str] = Counter()
        self._stay: dict[str, _Moments] = {}
        self._left: dict[str, _Moments] = {}

    def see(self, checked: Validated) -> None:
        """Count a piece of a file."""
        self._unread.update(checked.unread)
        for target in self._schema.targets:
            for frame, known in ((checked.frame, self._stay), (checked.left, self._left)):
                if frame is not None and target.name in frame.columns:
                    before = known.get(target.name, _Moments())
                    known[target.name] = before.plus(_places(frame[target.name], target))

    def sentences(self) -> tuple[str, ...]:
        """What must be said where the rows are left out; nothing where that depends on no outcome."""
        said = []
        for name, rows in self._unread.items():
            if rows:
                whose = "1 row is" if rows == 1 else f"{rows:,} rows are"
                said.append(f"{whose} left out for the outcome itself, a {name} that is not taken: {SO_WHAT}")
        for target in self._schema.targets:
            stay, left = (known.get(target.name, _Moments()) for known in (self._stay, self._left))
            if _differ(stay, left):
                of = "" if is_numeric(target) else f", counted in levels from {target.levels[0]} on"
                means = f"{left.mean:.3g} on average, against {stay.mean:.3g} of those that stay{of}"
                said.append(f"which rows are left out goes with {target.name}: they have {means}; {SO_WHAT}")
        return tuple(said)


def _places(values: "pl.Series", target: Target) -> "pl.Series":
    import polars as pl

    if is_numeric(target):
        return values.cast(pl.Float64)
    places = {level: float(place) for place, level in enumerate(target.levels)}
    return values.cast(pl.String).replace_strict(places, default=None, return_dtype=pl.Float64)


def _differ(stay: _Moments, left: _Moments) -> bool:
    """By Welch's test, and by more than a trifle."""
    if min(stay.n, left.n) < FEWEST_LEFT_OUT:
        return False
    gap = abs(left.mean - stay.mean)
    error = math.sqrt(stay.variance / stay.n + left.variance / left.n)
    return gap > SURE_ERRORS * error and gap > NOTABLE * math.sqrt(stay.variance)
