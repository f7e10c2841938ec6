"""What an export says, before it is stored: events of each kind with their keys as the source has them.

Readers of formats make it, `database.observing` stores it. Names of people never come this far: readers drop them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from zoneinfo import ZoneInfo

import polars as pl

from preprocessing.panel.kinds import AUDITED_KIND, DAY_OF, HELP_KIND, SAYS_OF
from preprocessing.panel.observations import FRAMES
from preprocessing.panel.sheets import ExportFindings, ExportSheet
from preprocessing.schema import PanelSchema

WHOSE, EVENT, VERSION, REMOVED = "student", "event", "version", "removed"
STORED_DAYS = frozenset({"end", "due"})
"""Values that are days, which are stored as texts."""

TYPES: Mapping[str, Mapping[str, pl.DataType | type[pl.DataType]]] = {
    **{kind: dict(schema) for kind, schema in FRAMES.items()},
    AUDITED_KIND: {"day": pl.Date},
    HELP_KIND: {"begin": pl.Date, "end": pl.Date, "planned_doses": pl.Float64, "delivered_doses": pl.Float64},
}

ABBREVIATED = "%Y-%m-%d"
INSTANT = "%Y-%m-%dT%H:%M:%S%.f%z"


@dataclass
class Gathered:
    """events: by kind a frame of `student` (the source's key; null of what concerns all), `event` (the source's key of
    it), `version` (Int64; null: as of when it is stored), `removed` (taken back), the day and the values of the kind.
    source: where from."""

    source: str
    found: ExportFindings
    events: dict[str, pl.DataFrame] = field(default_factory=dict)

    def put(self, kind: str, frame: pl.DataFrame) -> None:
        """Add events; columns that a frame lacks are null, others are left out."""
        types = TYPES[kind]
        columns = {WHOSE: pl.String, EVENT: pl.String, VERSION: pl.Int64, REMOVED: pl.Boolean}
        columns |= {name: types.get(name, pl.String) for name in (DAY_OF[kind], *SAYS_OF[kind])}  # type: ignore[misc]
        lacking = [pl.lit(None).alias(name) for name in columns if name not in frame.columns]
        some = frame.with_columns(lacking).select(pl.col(name).cast(dtype) for name, dtype in columns.items())
        some = some.with_columns(pl.col(REMOVED).fill_null(value=False))
        self.events[kind] = pl.concat([self.events[kind], some]) if kind in self.events else some

    @property
    def students(self) -> int:
        """How many students anything is said of."""
        keys = [frame[WHOSE] for frame in self.events.values()]
        return pl.concat(keys).drop_nulls().n_unique() if keys else 0


def day_of(column: str, zone: ZoneInfo) -> pl.Expr:
    """A text as a day: a date as it stands, an instant as the day that it is in that time zone; null for no day."""
    text = pl.col(column)
    written = text.str.replace(r"Z$", "+00:00")
    instant = written.str.to_datetime(INSTANT, time_unit="us", strict=False).dt.convert_time_zone(zone.key)
    local = text.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", strict=False, time_unit="us")
    plain = text.str.to_date(ABBREVIATED, strict=False)
    day = pl.coalesce(plain, instant.dt.date(), local.dt.date())
    return pl.when(day.is_between(date.min, date.max)).then(day)  # a time zone may lead into the year 0


def school_day_of(column: str, panel: PanelSchema, school: str | None = None) -> pl.Expr:
    """`day_of` by the time zone of the school that stands in a column, or by that of most where none is given."""
    found = day_of(column, panel.zone_of(None))
    if school is None:
        return found
    for zone in sorted(set(panel.time_zones.values())):
        there = [name for name, own in panel.time_zones.items() if own == zone]
        found = pl.when(pl.col(school).is_in(there)).then(day_of(column, ZoneInfo(zone))).otherwise(found)
    return found


def micros_of(column: str) -> pl.Expr:
    """An instant as whole microseconds since 1970, UTC."""
    written = pl.col(column).str.replace(r"Z$", "+00:00")
    moment = written.str.to_datetime(INSTANT, time_unit="us", strict=False)
    day = pl.col(column).str.to_date(ABBREVIATED, strict=False).cast(pl.Datetime("us", "UTC"))
    return pl.coalesce(moment, day).dt.epoch("us")


def with_days(
    sheet: ExportSheet, found: ExportFindings, panel: PanelSchema, *columns: str, school: str | None = None
) -> ExportSheet:
    """With these columns as days, by the time zone of the school in the column `school`; what is none is a problem, a
    blank is null."""
    for column in columns:
        day = school_day_of(column, panel, school)
        wrong = pl.col(column).is_not_null() & day.is_null()
        sheet = sheet.flag(found, wrong, column, "must be a day such as 2026-09-22, or an instant of ISO 8601")
        sheet = ExportSheet(sheet.name, sheet.frame.with_columns(day.alias(column)))
    return sheet


def with_numbers(sheet: ExportSheet, found: ExportFindings, *columns: str) -> ExportSheet:
    """With these columns as numbers of 0 or more; what is none is a problem, a blank is null."""
    for column in columns:
        number = pl.col(column).cast(pl.Float64, strict=False)
        wrong = pl.col(column).is_not_null() & ~(number.is_finite() & (number >= 0)).fill_null(value=False)
        sheet = sheet.flag(found, wrong, column, "must be a number of 0 or more")
        sheet = ExportSheet(sheet.name, sheet.frame.with_columns(number.alias(column)))
    return sheet


def weekdays(begin: date, end: date) -> pl.Series:
    """Mondays to Fridays from `begin` up to `end`, without it."""
    days = pl.date_range(begin, end, closed="left", eager=True).alias("day")
    return days.filter(days.dt.weekday() <= 5)
