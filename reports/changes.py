"""What became of a student's answer since the last report, and whether new data or another model moved it.

The two parts sum up to the change: the row of then, answered by the models of now, stands between both reports.
"""

from collections.abc import Mapping

from database.records import Answer, Cell, Prediction
from model.readable import number_of, said_about
from preprocessing.schema import Target
from reports.records import Before, ChangedCell


def changed_cells(before: Mapping[str, Cell], now: Mapping[str, Cell]) -> tuple[ChangedCell, ...]:
    """What a row says otherwise than before; what was not known yet, and is, is a change.

    >>> [(one.feature, one.before, one.now) for one in changed_cells({"a": 1.0, "b": 2.0}, {"a": 1.0, "b": 3.0})]
    [('b', 2.0, 3.0)]
    """
    names = dict.fromkeys([*now, *before])
    return tuple(
        ChangedCell(feature=name, before=before.get(name), now=now.get(name))
        for name in names
        if before.get(name) != now.get(name)
    )


def between(before: Prediction, now: Prediction, target: Target) -> bool:
    """Whether the row and the model both changed, so that only a third answer tells which moved the student."""
    old, new = said_about(before, target), said_about(now, target)
    return bool(old and new and old.model != new.model and changed_cells(before.inputs, now.inputs))


def compare_answers(before: Prediction, now: Prediction, target: Target, middle: Answer | None = None) -> Before:
    """What changed from one prediction to the next. middle: what the models of now say of the row of then, where
    `between` asks for it."""
    old, new = said_about(before, target), said_about(now, target)
    cells = changed_cells(before.inputs, now.inputs)
    first, last = (number_of(one, target) for one in (old, new))
    by_data = by_model = None
    if first is not None and last is not None and old and new:
        at = first if old.model == new.model else last if not cells else number_of(middle, target)
        by_data, by_model = (None, None) if at is None else (last - at, at - first)
    return Before(
        value=old.value if old else None,
        below_pass=old.below_pass if old else None,
        moment=before.moment,
        cells=cells,
        by_data=by_data,
        by_model=by_model,
    )
