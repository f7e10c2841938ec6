"""The rows of a cohort, as they are asked about: of each student of a group in a period the newest one that came in.

It answers nobody and keeps nothing.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from database.newest import Standing
from database.store import BatchArchive
from preprocessing.schema import DomainSchema
from preprocessing.validation.json_rows import ValidRow

STANDINGS_AT_ONCE = 500


class CohortRow(NamedTuple):
    """A student's newest row. student: a pseudonym. at: when the row came in."""

    student: str
    row: ValidRow
    at: datetime


def cohort_rows(store: BatchArchive, schema: DomainSchema, group: str, period: str) -> list[CohortRow]:
    """The newest row of each student, by student."""
    found = _standings(store, schema.name, group, period)
    return [CohortRow(one.student, _asked(one, schema, group, period), one.at) for one in found]


def _standings(store: BatchArchive, domain: str, group: str, period: str) -> Iterator[Standing]:
    after: str | None = None
    while page := store.standings(domain, group, period, after=after, limit=STANDINGS_AT_ONCE):
        yield from page
        after = page[-1].student


def _asked(one: Standing, schema: DomainSchema, group: str, period: str) -> ValidRow:
    """A row at the latest moment of which it says anything."""
    given = one.row.inputs
    moment = schema.moment_of(name for name, value in given.items() if value is not None)
    inputs = {feature.name: given.get(feature.name) for feature in schema.features_at(moment)}
    return ValidRow(row=one.row.number, inputs=inputs, moment=moment, student=one.student, group=group, period=period)
