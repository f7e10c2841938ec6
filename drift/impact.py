"""What a change does to answers and errors: records only, small enough to be read with every bundle.

They are made by whoever knows the model and the outcomes, and said by `drift.sentences`. They decide nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ASSUMPTION = "an estimate without outcomes, right only as long as students like these still end as they did"


class ExpectedError(msgspec.Struct, frozen=True, kw_only=True):
    """The mean absolute error about one target to be expected on the current rows, in `unit` (levels for classes).

    before: on the n_reference rows held out in training. after: estimated for the n_current rows. change: their
    difference. Each with its 95 % interval. outside: share of current rows with a value unlike any in training, of
    which the estimate knows little. assumption: what it rests on.
    """

    target: str
    unit: str
    n_reference: int
    n_current: int
    before: float
    before_low: float
    before_high: float
    after: float
    after_low: float
    after_high: float
    change: float
    change_low: float
    change_high: float
    outside: float = 0.0
    assumption: str = ASSUMPTION


class ErrorChange(msgspec.Struct, frozen=True, kw_only=True):
    """The mean absolute error of the answers about a target at a moment changed, in `unit` (levels for classes).

    at: the first prediction after the change, most likely; noticed: the one at which it was beyond chance (both UTC).
    before, after: the means up to the change before and the one after, over n_before and n_after predictions; low,
    high: 95 % interval of after - before, given that there is a change.
    """

    target: str
    moment: str
    unit: str
    at: datetime
    noticed: datetime
    n_before: int
    n_after: int
    before: float
    after: float
    low: float
    high: float

    @property
    def rose(self) -> bool:
        """Whether the answers became worse."""
        return self.after > self.before


class Said(msgspec.Struct, frozen=True):
    """The probabilities that n independent answers gave to each class: (mean, standard deviation), both 0 to 1."""

    n: float
    classes: Mapping[str, tuple[float, float]]

    @classmethod
    def of(cls, levels: Sequence[str], probabilities: NDArray[np.float64], effective: float = 1.0) -> Said | None:
        """What (n, levels) probabilities say; None of fewer than two. effective: rows that a row counts as."""
        if len(probabilities) < 2:
            return None
        means, deviations = probabilities.mean(axis=0).tolist(), probabilities.std(axis=0, ddof=1).tolist()
        pairs = zip(means, deviations, strict=True)
        return cls(max(2.0, len(probabilities) * effective), dict(zip(levels, pairs, strict=True)))


class ClassChange(msgspec.Struct, frozen=True, kw_only=True):
    """One class among the answers of both samples, of n_reference and n_current rows. Shares and probabilities: 0 to 1.

    change: share_current - share_reference, low to high its interval (Newcombe 1998), in a report corrected as the
    test of the column is and for the number of classes. probability_…: the mean probability of the class and the
    interval of how far it moved; None where probabilities are not known.
    """

    level: str
    n_reference: int
    n_current: int
    share_reference: float
    share_current: float
    change: float
    low: float
    high: float
    probability_reference: float | None = None
    probability_current: float | None = None
    probability_low: float | None = None
    probability_high: float | None = None
