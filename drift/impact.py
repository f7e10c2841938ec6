"""What a change costs: how much larger the error is expected to be without outcomes, and when it changed with them.

Both are handed in by whoever knows the model and the outcomes; here are their records and words. It decides nothing.
"""

from __future__ import annotations

from datetime import datetime

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


def describe_change(change: ErrorChange) -> str:
    """When the error changed, and from what to what, in a plain sentence."""
    unit, way = f" {change.unit}" if change.unit else "", "rose" if change.rose else "fell"
    return (
        f"The mean error for {change.target} {way} at about {change.at:%Y-%m-%d}, from {change.before:.3g} to "
        f"{change.after:.3g}{unit} ({change.after - change.before:+.2g}, 95% interval {change.low:+.2g} to "
        f"{change.high:+.2g}; {change.n_before:,} predictions before, {change.n_after:,} after; noticed "
        f"{change.noticed:%Y-%m-%d})."
    )


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
