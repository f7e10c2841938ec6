"""Where the true chance lies behind one that is told: what held-out rows showed of such answers.

It is about all to whom such a chance is told, and not about one of them: of nobody alone it can be known.
"""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

Range = tuple[float, float]


class HorizonRange(msgspec.Struct, frozen=True, kw_only=True):
    """Cells of answers about an event within so many weeks, those to the smallest chance first.

    at: the mean chance told in each, rising. low, high: how far from it the ends lie between which the share of events
    lay; n: rows, clusters: of so many students.
    """

    within: int
    at: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    n: tuple[int, ...]
    clusters: tuple[int, ...]


class ChanceRanges(msgspec.Struct, frozen=True, kw_only=True):
    """level: how often such a range holds the true chance. horizons: the soonest first."""

    level: float
    horizons: tuple[HorizonRange, ...]


def ranges_of(ranges: ChanceRanges | None, risks: Mapping[int, float]) -> dict[int, Range]:
    """By weeks of the horizon, where the true chance of such answers lies; nothing of a model that keeps none.

    Between cells their ends move in a line, beyond the outermost they stay as far from the chance. What is told lies
    always within; later horizons lie nowhere below earlier ones, since what happens within 4 weeks does within 8.
    """
    found: dict[int, Range] = {}
    least = 0.0
    for cells in ranges.horizons if ranges else ():
        if (chance := risks.get(cells.within)) is None:
            continue
        below, above = (float(np.interp(chance, cells.at, ends)) for ends in (cells.low, cells.high))
        least = max(least, min(chance + min(below, 0.0), 1.0), 0.0)
        found[cells.within] = min(least, chance), min(chance + max(above, 0.0), 1.0)
    return _nested(found)


def _nested(found: Mapping[int, Range]) -> dict[int, Range]:
    """No upper end above one of a longer horizon."""
    most, nested = 1.0, dict[int, Range]()
    longest_first: Sequence[tuple[int, Range]] = list(found.items())[::-1]
    for horizon, (low, high) in longest_first:
        most = min(most, high)
        nested[horizon] = low, most
    return dict(sorted(nested.items()))
