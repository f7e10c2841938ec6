"""The invented district of the demo: a school year to learn from, and the days of the next one as they come.

How a district is invented is `preprocessing.panel.district`'s; what is done with it is `demo.story`'s.
"""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import polars as pl

from preprocessing.panel.district import invent_district
from preprocessing.panel.folder import write_folder
from preprocessing.panel.kinds import DAY_OF, SAYS_OF
from preprocessing.panel.live import GivenEvent
from preprocessing.panel.observations import Observations
from preprocessing.panel.weekly_files import write_weekly_rows
from preprocessing.schema import DomainSchema

STUDENTS, STUDENTS_BEFORE, DISTRICT_SEED, LAST_YEAR = 160, 1_500, 7, 2025
WEEKS_APART = 6
"""Of the rows to learn from: those of a student's neighbouring weeks say nearly the same."""

SYSTEM = "sis"
"""What the system is called that tells of them."""


class DistrictStory(NamedTuple):
    """learned: rows of the year before, with outcomes. observed: all of the year under way."""

    learned: pl.DataFrame
    observed: Observations


def district_story(schema: DomainSchema) -> DistrictStory:
    """Of the same seed the same."""
    before = invent_district(STUDENTS_BEFORE, seed=DISTRICT_SEED, first_year=LAST_YEAR)
    with TemporaryDirectory(prefix="gradewatch-demo-") as made:
        folder = Path(made)
        write_folder(before.observations, folder)
        for target in schema.targets:
            before.events.write_parquet(folder / f"{target.name}.parquet")
        write_weekly_rows(folder, schema, folder / "rows.parquet", labelled=True)
        learned = pl.read_parquet(folder / "rows.parquet").filter(pl.col("school_week") % WEEKS_APART == 0)
    return DistrictStory(
        learned, invent_district(STUDENTS, seed=DISTRICT_SEED + 1, first_year=LAST_YEAR + 1).observations
    )


def events_between(observed: Observations, begin: date, end: date) -> Iterator[GivenEvent]:
    """What happens from `begin` up to `end`, without it, each under a key of its own; of the calendar all that is known
    when the year begins."""
    for kind, frame in observed.frames():
        numbered = frame.with_row_index("_number")
        some = numbered if kind == "calendar" else numbered.filter(pl.col(DAY_OF[kind]).is_between(begin, end, "left"))
        for row in some.iter_rows(named=True):
            said = {name: one.isoformat() if isinstance(one, date) else one for name, one in row.items()}
            body = tuple(float(one) if type(one) is int else one for one in map(said.get, SAYS_OF[kind]))
            day = (row[DAY_OF[kind]] - date(1970, 1, 1)).days
            student = "" if kind == "calendar" else str(said["student"])
            yield GivenEvent(kind, student, f"{kind} {row['_number']}", 1, day, body, SYSTEM)
