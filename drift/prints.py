"""What a column holds, as two whole numbers: equal for equal values in any order, sorted or not, in parts or at once.

Sums of well mixed 64-bit hashes tell samples apart by accident with a chance of 2^-128; they are no seal against
somebody who looks for two samples that share one.
"""

from __future__ import annotations

import numpy as np

from drift.column import Counts, Floats

PIECE = 32_768  # values; what is made of them stays in the processor's cache
ALL = (1 << 64) - 1
ONE, TWO, THREE = (np.uint64(n) for n in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))  # SplitMix64's
FAR_BITS, NEAR_BITS = np.uint64(32), np.uint64(29)

Prints = tuple[int, int]
NOTHING: Prints = (0, 0)


def prints_of(values: Floats, repeats: Counts | None = None) -> Prints:
    """The prints of (n,) `values`, none NaN, each of which occurs `repeats` times; -0.0 counts as 0.0."""
    found = NOTHING
    for begin in range(0, len(values), PIECE):
        mixed = (values[begin : begin + PIECE] + 0.0).view(np.uint64)
        mixed += ONE  # or the print of zero would be nothing
        mixed ^= mixed >> FAR_BITS
        mixed *= ONE
        mixed ^= mixed >> FAR_BITS
        mixed *= TWO
        mixed ^= mixed >> NEAR_BITS
        other = mixed * THREE
        other ^= other >> FAR_BITS
        if repeats is not None:
            times = repeats[begin : begin + PIECE].astype(np.uint64)
            mixed, other = mixed * times, other * times
        found = add_prints(found, (int(mixed.sum()), int(other.sum())))
    return found


def add_prints(first: Prints, second: Prints) -> Prints:
    """The prints of two samples together."""
    return (first[0] + second[0]) & ALL, (first[1] + second[1]) & ALL
