"""How class answers moved: the share of each class, and the mean probability it was given, with intervals.

For information: whether that is drift is judged on the answers' own column, by its test.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from drift.column import CategoricalColumn
    from drift.effective_size import EffectiveShare

LEVEL = 0.95


class Said(msgspec.Struct, frozen=True):
    """The probabilities that n independent answers gave to each class: (mean, standard deviation), both 0 to 1."""

    n: float
    classes: Mapping[str, tuple[float, float]]


class ClassChange(msgspec.Struct, frozen=True, kw_only=True):
    """One class among the answers of both samples, of n_reference and n_current rows. Shares and probabilities: 0 to 1.

    change: share_current - share_reference, low to high its 95 % interval (Newcombe 1998). probability_…: the mean
    probability of the class and the 95 % interval of how far it moved; None where probabilities are not known.
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


def summarise_said(
    levels: Sequence[str], probabilities: npt.NDArray[np.float64], effective: float = 1.0
) -> Said | None:
    """What (n, levels) probabilities say of each class; None of fewer than two. effective: rows a row counts as."""
    if len(probabilities) < 2:
        return None
    means, deviations = probabilities.mean(axis=0).tolist(), probabilities.std(axis=0, ddof=1).tolist()
    return Said(
        max(2.0, len(probabilities) * effective), dict(zip(levels, zip(means, deviations, strict=True), strict=True))
    )


def class_changes(
    reference: CategoricalColumn, current: CategoricalColumn, effective: tuple[EffectiveShare, EffectiveShare]
) -> tuple[ClassChange, ...]:
    """How the share of each class moved, in the order of their names; empty where a sample has no answers."""
    from drift.univariate import aligned, signed_interval  # not needed to serve, which reads `Said` in a manifest

    if not reference.present or not current.present:
        return ()
    levels, table = aligned(reference, current)
    rows = (reference.present, current.present)
    before, after = (n * one.values for n, one in zip(rows, effective, strict=True))
    found = []
    for level, (old, new) in zip(levels, (table / np.array(rows)[:, None]).T.tolist(), strict=True):
        low, high = signed_interval((old * before, new * after), (before, after), 1 - LEVEL)
        found.append(
            ClassChange(
                level=level,
                n_reference=rows[0],
                n_current=rows[1],
                share_reference=old,
                share_current=new,
                change=new - old,
                low=low,
                high=high,
            )
        )
    return tuple(found)


def with_probabilities(changes: Sequence[ClassChange], before: Said, after: Said) -> tuple[ClassChange, ...]:
    """The changes with the mean probabilities of both samples (interval: Welch 1947, normal)."""
    from scipy.special import ndtri

    z = float(ndtri((1 + LEVEL) / 2))
    found = []
    for one in changes:
        if one.level not in before.classes or one.level not in after.classes:
            found.append(one)
            continue
        (old, old_deviation), (new, new_deviation) = before.classes[one.level], after.classes[one.level]
        half = z * math.hypot(old_deviation / math.sqrt(before.n), new_deviation / math.sqrt(after.n))
        probability = {"probability_reference": old, "probability_current": new}
        ends = {"probability_low": new - old - half, "probability_high": new - old + half}
        found.append(msgspec.structs.replace(one, **probability, **ends))
    return tuple(found)


def describe_classes(target: str, changes: Sequence[ClassChange]) -> str:
    """How the class answers moved, in a plain sentence about the class that moved most; empty without classes."""
    if not changes:
        return ""
    most = max(changes, key=lambda one: (abs(one.change), one.level))
    rows = f"{most.n_current:,} rows against {most.n_reference:,}"
    told = (
        f"{most.share_current:.0%} after {most.share_reference:.0%} ({most.change:+.0%}, 95% interval {most.low:+.0%}"
    )
    told += f" to {most.high:+.0%}, {rows})"
    if most.probability_reference is not None and most.probability_current is not None:
        told += (
            f"; its mean probability went from {most.probability_reference:.2f} to {most.probability_current:.2f} "
            f"(95% interval of the change {most.probability_low:+.2f} to {most.probability_high:+.2f})"
        )
    if most.low <= 0 <= most.high:
        return f"Whether the answers for {target} moved is open; most of all {most.level!r} did: {told}."
    return f"Among the answers for {target}, {most.level!r} moved most: {told}."
