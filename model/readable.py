"""Numbers in a target's unit as people read them, one at a time. Whole columns are `model.answer_files`'.

It loads no library, so that a service can say a number.
"""

from collections.abc import Sequence

from preprocessing.schema import Target

WIDE_RANGE = 20  # of a target; one decimal tells its values apart


def decimals_of(target: Target) -> int:
    """To how many the values of a target are read."""
    known = target.minimum is not None and target.maximum is not None
    return 1 if known and (target.maximum or 0.0) - (target.minimum or 0.0) >= WIDE_RANGE else 2


def rounded_value(value: float, target: Target, *, answered: bool = True) -> float:
    """A number to the decimals of the target's unit; answered: one that no cut point may be lost of."""
    return _rounded(float(value), decimals_of(target), target.cut_points if answered else ())


def readable_value(value: float, target: Target, *, answered: bool = True) -> str:
    """`rounded_value` in figures.

    >>> mark = Target(name="mark", minimum=0, maximum=100, cut_points=(60.0,))
    >>> readable_value(59.96, mark), readable_value(61, mark), readable_value(59.96, mark, answered=False)
    ('59.9', '61', '60')
    """
    shown = rounded_value(value, target, answered=answered)
    return f"{shown:,.{0 if shown == int(shown) else decimals_of(target)}f}"


def _rounded(value: float, decimals: int, cuts: Sequence[float]) -> float:
    """As `model.answer_files.readable` rounds a column."""
    shown, step = round(value, decimals), 10.0**-decimals
    for cut in cuts:
        if value < cut <= shown:
            shown = round(shown - step, decimals)
        elif shown < cut <= value:
            shown = round(shown + step, decimals)
    return shown
