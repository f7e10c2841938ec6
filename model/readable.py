"""Answers as people read them, one at a time: as a number, in figures, and from where a change is told. Whole columns
are `model.answer_files`'.

It loads no library, so that a service can say a number.
"""

import math
from collections.abc import Sequence

from database.records import Answer, Prediction
from preprocessing.schema import Target

MOVED_SHARE = 0.02  # of a target's range, from which a change is told
ROUND_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
WIDE_RANGE = 20  # of a target; one decimal tells its values apart


def said_about(prediction: Prediction, target: Target) -> Answer | None:
    """The answer about a target."""
    return next((one for one in prediction.answers if one.target == target.name), None)


def number_of(answer: Answer | None, target: Target) -> float | None:
    """An answer as a number: a value in target units, or the place of its level."""
    if answer is None or answer.value is None:
        return None
    return float(target.levels.index(str(answer.value))) if target.levels else float(answer.value)


def least_move(target: Target) -> float:
    """From where a change is told, in target units or levels."""
    if target.levels or target.minimum is None or target.maximum is None:
        return 1.0
    return MOVED_SHARE * (target.maximum - target.minimum)


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


def round_step(width: float) -> float:
    """The round number that is not below a width.

    >>> round_step(10.0), round_step(1.7), round_step(0.3), round_step(0)
    (10.0, 2.0, 0.5, 1.0)
    """
    if width <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(width))
    return next(step * power for step in ROUND_STEPS if step * power >= width * (1 - 1e-9))
