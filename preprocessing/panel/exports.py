"""Which kind of export a file is, and what it would allow: the one entry to all readers.

Nothing is stored here. A zip or a folder with a manifest is OneRoster, one with files under Ed-Fi's names is Ed-Fi's;
whatever else is read by a mapping.
"""

from datetime import timedelta
from pathlib import Path

import polars as pl

from preprocessing.panel.gathered import REMOVED, WHOSE, Gathered
from preprocessing.panel.kinds import DAY_OF
from preprocessing.panel.live import panel_of
from preprocessing.panel.mapped import is_edfi, read_edfi, read_mapped, read_mapping
from preprocessing.panel.oneroster import is_oneroster, read_oneroster
from preprocessing.panel.sheets import UnreadableExport, open_export
from preprocessing.schema import DomainSchema, PanelSchema

INFERRED = "inferred"


def read_export(path: Path, schema: DomainSchema, *, mapping: Path | None = None) -> Gathered:
    """What an export says. Raises UnreadableExport, NoPanel."""
    panel, files = panel_of(schema), open_export(path)
    if mapping is not None:
        return read_mapped(files, read_mapping(mapping.read_text(encoding="utf-8"), mapping.name), panel)
    if is_oneroster(files):
        return read_oneroster(files, panel)
    if is_edfi(files):
        return read_edfi(files, panel)
    raise UnreadableExport(
        f"{path.name} has neither a manifest.csv, as OneRoster has, nor files under Ed-Fi's names: say with --mapping "
        "which column is what"
    )


def infer_days(gathered: Gathered) -> None:
    """For sources that say absences alone: school days are Mondays to Fridays on which a record of attendance is, from
    the first to the last; a student of whom no enrolment is told is enrolled from the first to the last of them; and
    who has no record on a school day was present. Each is told in a note."""
    attendance = gathered.events.get("attendance")
    if attendance is None or not attendance.height:
        raise UnreadableExport("there is no record of attendance from which days could be inferred")
    if "calendar" not in gathered.events:
        seen = attendance["day"].unique().sort()
        days = pl.DataFrame({"day": seen}).filter(pl.col("day").dt.weekday() <= 5)
        gathered.put("calendar", days.with_columns(event=pl.col("day").cast(pl.String), school_day=True))
        gathered.found.note(f"inferred: {days.height:,} school days, on which somebody has a record of attendance")
    school_days = gathered.events["calendar"].filter("school_day")["day"].unique().sort()
    if "enrolment" not in gathered.events:
        students = attendance.select(WHOSE).unique()
        first, last = school_days[0], school_days[-1] + timedelta(days=1)
        spells = students.with_columns(school=pl.lit(INFERRED), begin=first, end=last, event=pl.lit(INFERRED))
        gathered.put("enrolment", spells)
        gathered.found.note(f"inferred: {students.height:,} students with a record, enrolled on all of these days")
    _fill_present(gathered, school_days)


def _fill_present(gathered: Gathered, school_days: pl.Series) -> None:
    spells, attendance = (gathered.events[kind].filter(~pl.col(REMOVED)) for kind in ("enrolment", "attendance"))
    last = attendance["day"].max()
    open_days = school_days.to_frame("day").filter(pl.col("day") <= last)
    wanted = spells.select(WHOSE, "begin", "end").join(open_days, how="cross")
    goes_on = pl.col("end").is_null() | (pl.col("day") < pl.col("end"))
    inside = wanted.filter((pl.col("day") >= pl.col("begin")) & goes_on).select(WHOSE, "day").unique()
    there = inside.join(attendance.select(WHOSE, "day"), on=[WHOSE, "day"], how="anti")
    filled = there.with_columns(status=pl.lit("present"), event=pl.col("day").cast(pl.String))
    gathered.put("attendance", filled)
    gathered.found.note(f"inferred: {filled.height:,} days of students without a record, on which they were present")


def readiness(gathered: Gathered, panel: PanelSchema) -> list[str]:
    """What could be predicted with what an export says, in words."""
    said: list[str] = []
    spells, calendar = gathered.events.get("enrolment"), gathered.events.get("calendar")
    if calendar is None or not calendar.height:
        said.append("there is no calendar: school weeks are counted from its first day, so nothing can be predicted")
    if spells is None or not spells.height:
        said.append("no student is enrolled anywhere: nothing can be predicted")
    if said or calendar is None:
        return [*said, *_lacking(gathered, panel)]
    seen, weeks = _weeks_told(gathered, calendar), school_weeks(calendar)
    if seen < panel.least_weeks:
        told = f"it tells of {seen} school weeks, {panel.least_weeks} are needed"
        said.append(f"with this export nothing can be predicted yet: {told}")
    else:
        told = f"it tells of {seen} of {weeks}"
        said.append(f"with this export you can predict from school week {panel.least_weeks} on; {told}")
    return [*said, *_lacking(gathered, panel)]


def school_weeks(calendar: pl.DataFrame) -> int:
    """How many calendar weeks have a school day."""
    return calendar.filter("school_day").select(pl.col("day").dt.truncate("1w")).n_unique()


def _weeks_told(gathered: Gathered, calendar: pl.DataFrame) -> int:
    """In how many school weeks anything is told of a student."""
    frames = ((kind, gathered.events.get(kind)) for kind in ("attendance", "grades", "incidents"))
    days = [frame[DAY_OF[kind]].alias("day") for kind, frame in frames if frame is not None]
    weeks = calendar.filter("school_day").select(pl.col("day").dt.truncate("1w")).unique()
    told = pl.concat(days).to_frame().select(pl.col("day").dt.truncate("1w")).unique() if days else weeks.clear()
    return weeks.join(told, on="day").height


def _lacking(gathered: Gathered, panel: PanelSchema) -> list[str]:
    """The kinds that the domain asks for and the export lacks."""
    without = {
        "attendance": "14 features of attendance are empty",
        "grades": "15 features of marks are empty",
        "incidents": "incidents count as none, which is a value: leave the 13 features out where nobody reports them",
    }
    told = {kind for kind, frame in gathered.events.items() if frame.height}
    lacking = [kind for kind in panel.sources if kind in without and kind not in told]
    return [f"without {kind}: {without[kind]}" for kind in lacking]
