"""Random samples of stored records by the ends of their ids, which come by chance: drawn without reading the others.

The same each time, so that what is said of them does not change while nothing does.
"""

import math
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from random import Random

from database.pairs import Pair
from database.store import PredictionLog

DIGITS = 3  # of an id's end by which records are drawn: one of 4,096 is the smallest part
FEW_ENDINGS = 8  # from which on a share is near enough; with more digits there are more, and the question is longer

ROWS_A_SIDE = 3_000
"""Rows that a report on days reads of a side, and pairs of predictions and outcomes. With as many on both sides the AUC
of the classifier two-sample test is known to .021; seven times as many know it to .008, and make a report of three
seconds of one that takes less than half."""


@cache
def random_endings(digits: int = DIGITS) -> Sequence[str]:
    """All ends of so many digits that an id may have, in an order drawn at random."""
    ends = [f"{number:0{digits}x}" for number in range(16**digits)]
    Random(0).shuffle(ends)  # noqa: S311 (a sample, no secret)
    return ends


def endings_of(total: int, wanted: int) -> Sequence[str] | None:
    """The ends that somewhat more than `wanted` of `total` ids have; None: all.

    >>> endings_of(400, 400), len(endings_of(2_000, 400)), len(endings_of(409_600, 400))
    (None, 62, 5)
    """
    share = wanted / total * (1 + 4 / math.sqrt(wanted)) if total > wanted else 1.0
    if share >= 1:
        return None
    digits = next((few for few in range(1, DIGITS) if share * 16**few >= FEW_ENDINGS), DIGITS)
    order = random_endings(digits)
    return order[: math.ceil(share * len(order))]


def pairs_of(
    log: PredictionLog,
    domain: str,
    target: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = ROWS_A_SIDE,
) -> list[Pair]:
    """Predictions with their outcomes, newest first; of many more than `limit`, about so many drawn at random."""
    total = log.count_predictions(domain, since=since, until=until)
    if total <= limit:
        return log.pairs(domain, target, since=since, until=until)
    order, read, found = random_endings(), 0, list[Pair]()
    while read < len(order) and len(found) < limit / 2:  # few may have an outcome
        more = max(math.ceil(len(order) * limit / total), read)
        found += log.pairs(domain, target, since=since, until=until, endings=order[read : read + more])
        read += more
    return sorted(found, key=lambda pair: (pair[0].at, pair[0].id), reverse=True)
