"""Random samples of stored records by the ends of their ids, which come by chance: drawn without reading the others.

The same each time, so that what is said of them does not change while nothing does.
"""

import math
from collections.abc import Sequence
from functools import cache
from random import Random

DIGITS = 3  # of an id's end by which records are drawn: one of 4,096 is the smallest part
FEW_ENDINGS = 8  # from which on a share is near enough; with more digits there are more, and the question is longer


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
