"""Which columns moved, and which the model leans on: where each stands in a map of both. What moved is the report's."""

from __future__ import annotations

from typing import Literal, NamedTuple

from drift.column import PREDICTION
from drift.records import ColumnDrift, DriftReport

MATTERS_FROM = 0.1  # of the largest importance; below, even a column shuffled entirely costs a tenth of that

Quadrant = Literal["moved and matters", "moved, hardly used", "matters, steady", "neither"]


class PlacedColumn(NamedTuple):
    """A column in the map. moved: 0 to 1, of its values or of its missing rate, whichever moved more; matters: its
    importance, in the target's unit."""

    column: ColumnDrift
    moved: float
    matters: float
    quadrant: Quadrant


def place_columns(report: DriftReport) -> list[PlacedColumn]:
    """The columns that a model reads, those that moved and matter first."""
    known = [one for one in report.columns if one.importance is not None and not one.column.startswith(PREDICTION)]
    limit = matters_from(known)
    found = [
        PlacedColumn(one, max(one.effect, one.missing.effect), one.importance or 0.0, _quadrant(one, limit))
        for one in known
    ]
    return sorted(found, key=lambda one: (not one.column.alarming, -one.matters, one.column.column))


def matters_from(columns: list[ColumnDrift]) -> float:
    """The importance from which a column matters."""
    return MATTERS_FROM * max((one.importance or 0.0 for one in columns), default=0.0)


def _quadrant(column: ColumnDrift, limit: float) -> Quadrant:
    matters = (column.importance or 0.0) >= limit > 0
    if column.alarming:
        return "moved and matters" if matters else "moved, hardly used"
    return "matters, steady" if matters else "neither"
