"""What a change likely costs: how much larger the error is expected to be, estimated without outcomes.

The estimate is handed in by whoever knows the model; here is its record, and its words. It decides nothing.
"""

from __future__ import annotations

import msgspec

ASSUMPTION = "an estimate without outcomes, right only as long as students like these still end as they did"


class ExpectedError(msgspec.Struct, frozen=True, kw_only=True):
    """The mean absolute error about one target to be expected on the current rows, in `unit` (levels for classes).

    before: on the n_reference rows held out in training. after: estimated for the n_current rows. change: their
    difference. Each with its 95 % interval. outside: share of current rows outside the training range, of which the
    estimate knows little. assumption: what it rests on.
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

    @property
    def sure(self) -> bool:
        """Whether the interval of the change leaves out 0."""
        return not self.change_low <= 0 <= self.change_high


def describe_expected(expected: ExpectedError) -> str:
    """The expected error in plain sentences, its assumption among them."""
    unit = f" {expected.unit}" if expected.unit else ""
    told = (
        f"{expected.after:.3g}{unit} after {expected.before:.3g} in training ({expected.change:+.2g}, 95% interval "
        f"{expected.change_low:+.2g} to {expected.change_high:+.2g}, {expected.n_current:,} rows)"
    )
    if expected.sure:
        way = "rise" if expected.change > 0 else "fall"
        sentence = f"The mean error for {expected.target} is expected to {way}: {told}."
    else:
        sentence = f"Whether the mean error for {expected.target} changes is open: {told}."
    beyond = f" {expected.outside:.0%} of the rows lie outside the training range, where it knows little."
    return f"{sentence} This is {expected.assumption}.{beyond if expected.outside >= 0.01 else ''}"
