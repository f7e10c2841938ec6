"""Whether rows were answered before as they are: whoever asks twice is told that both times are logged."""

from collections.abc import Hashable, Sequence
from datetime import datetime

from database.records import Prediction
from database.store import PredictionLog

SOME_ROWS = 5
"""Of a file that are looked up: its last."""


def answered_before(log: PredictionLog, said: Sequence[Prediction]) -> datetime | None:
    """When the last rows of a file, whose predictions in file order these are, were answered before, with the very same
    inputs and moment; None where one of them was not. Rows without a student are looked for among the newest."""
    some = said[-SOME_ROWS:]
    if not some:
        return None
    domain, begun = some[0].domain, said[0].at
    students = {one.student for one in some if one.student is not None}
    asked = log.asked_about(domain, sorted(students)) if students else []
    known = log.predictions_of([one.prediction for one in asked if one.at < begun])
    if any(one.student is None for one in some):
        known += log.predictions(domain, until=begun, limit=SOME_ROWS)
    before = {_row(one): one.at for one in sorted(known, key=lambda one: one.at)}
    times = [before.get(_row(one)) for one in some]
    return max((one for one in times if one), default=None) if all(times) else None


def _row(one: Prediction) -> Hashable:
    inputs = frozenset((name, value) for name, value in one.inputs.items() if value is not None)
    return one.student, one.group, one.period, one.moment, inputs
