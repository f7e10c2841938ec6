"""OneRoster CSV 1.1 and 1.2, bulk and delta, and the extension files beside it: to events, with every problem by file,
row and column.

Names, addresses, births and free texts are dropped before anything is made of a file. It stores nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Literal

import polars as pl

from preprocessing.panel.gathered import (
    EVENT,
    REMOVED,
    VERSION,
    WHOSE,
    Gathered,
    micros_of,
    weekdays,
    with_days,
    with_numbers,
)
from preprocessing.panel.kinds import AUDITED_KIND, HELP_KIND
from preprocessing.panel.oneroster_columns import (
    EXTENSION,
    MISSPELLED,
    OF_PEOPLE,
    RACES,
    UNREAD,
    VERSIONS,
    FileColumns,
)
from preprocessing.panel.sheets import (
    AT_ROW,
    HEADER_ROW,
    NO_HEADER,
    ExportFindings,
    ExportSheet,
    UnreadableExport,
    read_sheet,
)
from preprocessing.schema import PanelSchema

MANIFEST_FILE = "manifest.csv"
SOURCED, STATE, LAST_MODIFIED = "sourcedId", "status", "dateLastModified"
DELETED, INACTIVE = "tobedeleted", "inactive"
Mode = Literal["bulk", "delta"]


@dataclass
class OneRosterExport:
    """The files of one export. version: of the standard; modes: how each file was sent; sheets: by the file's name
    without its ending. removed and version of a row stand in `_removed` and `_version`."""

    version: str
    source: str
    found: ExportFindings
    panel: PanelSchema
    modes: dict[str, Mode] = field(default_factory=dict)
    sheets: dict[str, ExportSheet] = field(default_factory=dict)

    def table(self, name: str, *columns: str) -> pl.DataFrame:
        """What a file holds of these columns, null where it has none; no rows where there is no such file."""
        empty = ExportSheet(name, pl.DataFrame(schema={SOURCED: pl.String, AT_ROW: pl.Int64, "_removed": pl.Boolean}))
        return self.sheets.get(name, empty).with_columns(*columns).frame


def is_oneroster(files: Mapping[str, bytes]) -> bool:
    """Whether an export has a manifest, wherever it lies."""
    return any(PurePosixPath(name).name == MANIFEST_FILE for name in files)


def read_oneroster(files: Mapping[str, bytes], panel: PanelSchema) -> Gathered:
    """What an export says. Raises UnreadableExport where its manifest cannot be read."""
    found = ExportFindings()
    roster = _read_manifest(files, panel, found)
    for name in roster.modes:
        _read_file(roster, name, files)
    _check_references(roster)
    _check_parents(roster)
    gathered = Gathered(roster.source, found)
    for make in (_enrolment, _calendar, _grades, _attendance, _incidents, _demographics, _help):
        make(roster, gathered)
    return gathered


# The manifest and the files -------------------------------------------------------------------------------------------


def _read_manifest(files: Mapping[str, bytes], panel: PanelSchema, found: ExportFindings) -> OneRosterExport:
    if MANIFEST_FILE not in files:
        raise UnreadableExport(f"{MANIFEST_FILE} must lie at the root of the zip, in no folder")
    sheet = read_sheet(MANIFEST_FILE, files[MANIFEST_FILE], found)
    if sheet is None or not {"propertyName", "value"} <= {*sheet.frame.columns}:
        raise UnreadableExport(f"{MANIFEST_FILE} must have the columns propertyName and value")
    said = dict(sheet.frame.select("propertyName", "value").iter_rows())
    version = ".".join((said.get("oneroster.version") or "").split(".")[:2])
    if version not in VERSIONS:
        raise UnreadableExport(f"oneroster.version is {said.get('oneroster.version')!r}; 1.1 and 1.2 are read here")
    if said.get("manifest.version") != "1.0":
        found.note(f"{MANIFEST_FILE}: manifest.version is not 1.0")
    source = said.get("source.systemCode") or said.get("source.systemName") or "oneroster"
    roster = OneRosterExport(version, "oneroster" if source == "absent" else source, found, panel)
    for name, mode in said.items():
        if name and name.startswith("file."):
            _take_mode(roster, name.removeprefix("file."), mode, files)
    for name in sorted(EXTENSION - UNREAD):
        if f"{name}.csv" in files and name not in roster.modes:
            roster.modes[name] = "bulk"
    known = {f"{name}.csv" for name in roster.modes} | {MANIFEST_FILE}
    if more := sorted({*files} - known):
        found.note(f"not read: {', '.join(more)}")
    return roster


def _take_mode(roster: OneRosterExport, name: str, mode: str | None, files: Mapping[str, bytes]) -> None:
    known = {**{one: one for one in VERSIONS[roster.version]}, **{one: one for one in UNREAD}}
    name = {one.casefold(): one for one in known}.get(name.casefold(), name)
    there = f"{name}.csv" in files
    if mode not in ("bulk", "delta"):
        if mode != "absent":
            roster.found.note(f"{MANIFEST_FILE}: file.{name} is neither absent, bulk nor delta; it is taken for absent")
        elif there:
            roster.found.note(f"{MANIFEST_FILE}: file.{name} is said to be absent, and there: it is not read")
    elif name not in known:
        roster.found.note(f"{MANIFEST_FILE}: file.{name} is no file of OneRoster {roster.version}; it is not read")
    elif not there and name not in UNREAD:
        roster.found.add(MANIFEST_FILE, f"file.{name} is {mode}, and {name}.csv is not at the root of the zip")
    elif name not in UNREAD:
        roster.modes[name] = "bulk" if mode == "bulk" else "delta"


def _read_file(roster: OneRosterExport, name: str, files: Mapping[str, bytes]) -> None:
    sheet = read_sheet(f"{name}.csv", files[f"{name}.csv"], roster.found)
    if sheet is None:
        return
    spec = VERSIONS[roster.version][name]
    sheet = _with_header(roster, name, sheet, spec)
    if sheet is None:
        return
    sheet = _with_state(roster, sheet, roster.modes[name])
    key = (SOURCED,) if spec.keyed and SOURCED in sheet.frame.columns else ()
    sheet = sheet.require(roster.found, *key, *(one for one in spec.required if one in sheet.frame.columns))
    for column, levels in spec.levels.items():
        if column in sheet.frame.columns:
            other = pl.col(column).is_not_null() & ~pl.col(column).is_in(levels)
            if name not in EXTENSION:  # of the standard's own words an institution may have more
                other &= ~pl.col(column).str.starts_with("ext:")
            sheet = sheet.flag(roster.found, other, column, f"must be one of {', '.join(levels)}")
    if key:
        same = (
            [SOURCED, "role"] if name == "users" and roster.version == "1.1" else [SOURCED]
        )  # two roles are two rows there
        twice = pl.struct(same).is_duplicated() & ~pl.struct(same).is_first_distinct()
        sheet = sheet.flag(roster.found, twice, SOURCED, "occurs twice in this file")
    roster.sheets[name] = sheet


def _with_header(roster: OneRosterExport, name: str, sheet: ExportSheet, spec: FileColumns) -> ExportSheet | None:
    """The sheet with the standard's columns, without those of people."""
    found, frame = roster.found, sheet.frame
    meant = {one: MISSPELLED[one] for one in frame.columns if one in MISSPELLED}
    wrong = {one: right for one, right in meant.items() if right not in frame.columns}
    if name == "demographics" and SOURCED not in frame.columns and "userSourcedId" in frame.columns:
        wrong["userSourcedId"] = SOURCED
    for misspelled in sorted({*wrong} & {*MISSPELLED}):
        found.note(f"{sheet.name}: the column {misspelled} is taken for {wrong[misspelled]}")
    frame = frame.rename(wrong)
    given = [one for one in frame.columns if one != AT_ROW]
    known = [*([SOURCED] if spec.keyed or SOURCED in given else []), STATE, LAST_MODIFIED, *spec.columns]
    if not {*given} & {*known}:
        found.add(sheet.name, NO_HEADER, rows=[HEADER_ROW])
        return None
    strange = [one for one in given if one not in known and not one.startswith("metadata.")]
    if strange:
        found.note(f"{sheet.name}: unknown columns are left out: {', '.join(strange)}")
    needed = [one for one in (*([SOURCED] if spec.keyed else []), *spec.required) if one not in OF_PEOPLE]
    if missing := [one for one in needed if one not in given]:
        has = ", ".join(given[:30])
        found.add(sheet.name, f"lacks the columns {', '.join(missing)}; it has {has}", rows=[HEADER_ROW])
        return None
    if [one for one in given if one in known] != [one for one in known if one in given]:
        found.note(f"{sheet.name}: its columns are not in the standard's order")
    if dropped := [one for one in given if one in OF_PEOPLE and frame[one].count()]:
        found.note(f"{sheet.name}: dropped before anything is stored: {', '.join(dropped)}")
    keep = [one for one in given if (one in known and one not in OF_PEOPLE) or one.startswith("metadata.")]
    return ExportSheet(sheet.name, frame.select(*keep, AT_ROW)).with_columns(
        *(one for one in known if one not in OF_PEOPLE)
    )


def _with_state(roster: OneRosterExport, sheet: ExportSheet, mode: Mode) -> ExportSheet:
    """With `_removed` and `_version`. The extension's files may have a status of their own, and no state."""
    found, frame = roster.found, sheet.frame
    has_state = sheet.name.removesuffix(".csv") not in EXTENSION
    if mode == "bulk" and has_state and (count := frame.filter(pl.col(STATE).is_not_null())[AT_ROW].len()):
        found.note(f"{sheet.name}: {STATE} must be blank in bulk; {count:,} rows have one")
    if mode == "delta" and has_state:
        sheet = sheet.require(found, STATE, LAST_MODIFIED)
        other = ~pl.col(STATE).is_in(["active", DELETED, INACTIVE])
        sheet = sheet.flag(found, other, STATE, f"must be active or {DELETED}")
        sheet = sheet.flag(found, micros_of(LAST_MODIFIED).is_null(), LAST_MODIFIED, "must be an instant of ISO 8601")
    if has_state and (count := sheet.frame.filter(pl.col(STATE) == INACTIVE)[AT_ROW].len()):
        found.note(f"{sheet.name}: {count:,} rows are {INACTIVE}, a word of OneRoster 1.0, and count as taken back")
    gone = pl.col(STATE).is_in([DELETED, INACTIVE]) if has_state else pl.lit(value=False)
    columns = {"_removed": gone.fill_null(value=False), "_version": micros_of(LAST_MODIFIED)}
    return ExportSheet(sheet.name, sheet.frame.with_columns(**columns))


# What leads where -----------------------------------------------------------------------------------------------------


def _check_references(roster: OneRosterExport) -> None:
    """Each key leads to a row. Of what was sent as a delta, or not at all, other rows may be known from before."""
    for name in list(roster.sheets):
        sheet = roster.sheets[name]
        spec = VERSIONS[roster.version][name]
        refers = {SOURCED: "users"} if name == "demographics" else spec.refers
        for column, other in refers.items():
            if roster.modes.get(other) != "bulk" or other not in roster.sheets or column not in sheet.frame.columns:
                continue
            keys = roster.sheets[other].frame[SOURCED].implode()
            if column in spec.lists:
                parts = pl.col(column).str.split(",").list.eval(pl.element().str.strip_chars())
                lost = parts.list.set_difference(pl.lit(keys)).list.len() > 0
            else:
                lost = ~pl.col(column).is_in(pl.lit(keys))
            rule = f"leads to no row of {other}.csv"
            sheet = sheet.flag(roster.found, pl.col(column).is_not_null() & lost, column, rule)
        roster.sheets[name] = sheet
    _check_students(roster)


def _check_students(roster: OneRosterExport) -> None:
    """A result is of a student of the class of its line item."""
    whole = all(roster.modes.get(one) == "bulk" for one in ("enrollments", "lineItems", "results"))
    if not whole or not {"enrollments", "lineItems", "results"} <= {*roster.sheets}:
        return
    enrolled = roster.table("enrollments").filter(pl.col("role") == "student")
    pairs = enrolled.select(pl.col("userSourcedId").alias("studentSourcedId"), "classSourcedId", there=True).unique()
    results = roster.sheets["results"]
    items = roster.table("lineItems").select(
        pl.col(SOURCED).alias("lineItemSourcedId"), pl.col("classSourcedId").alias("_c")
    )
    joined = results.frame.join(items, on="lineItemSourcedId", how="left", maintain_order="left")
    pairs = pairs.rename({"classSourcedId": "_c"})
    joined = joined.join(pairs, on=["studentSourcedId", "_c"], how="left", maintain_order="left")
    sheet = ExportSheet(results.name, joined.drop("_c"))
    rule = "is not enrolled as a student in the class of the line item"
    roster.sheets["results"] = sheet.flag(roster.found, pl.col("there").is_null(), "studentSourcedId", rule)


def _check_parents(roster: OneRosterExport) -> None:
    """No organisation or session is above itself."""
    for name in ("orgs", "academicSessions"):
        parents = dict(roster.table(name, "parentSourcedId").select(SOURCED, "parentSourcedId").iter_rows())
        rows = dict(roster.table(name).select(SOURCED, AT_ROW).iter_rows())
        if circle := [rows[one] for one in _in_circles(parents)]:
            roster.found.add(f"{name}.csv", "is above itself, by way of its parents", "parentSourcedId", sorted(circle))


def _in_circles(parents: Mapping[str, str | None]) -> list[str]:
    """Those that are above themselves; each is passed once."""
    found, done = list[str](), set[str]()
    for start in parents:
        path = list[str]()
        one: str | None = start
        while one is not None and one not in done:
            done.add(one)
            path.append(one)
            one = parents.get(one)
        if one in path:
            found += path[path.index(one) :]
    return found


# Events ---------------------------------------------------------------------------------------------------------------


def _keyed(frame: pl.DataFrame, student: str) -> pl.DataFrame:
    return frame.rename({student: WHOSE, SOURCED: EVENT, "_removed": REMOVED, "_version": VERSION})


def _enrolment(roster: OneRosterExport, gathered: Gathered) -> None:
    """Each enrollment of a student in a class is an event; spells at a school are made of them when they are read."""
    if "enrollments" not in roster.sheets:
        return
    sheet = ExportSheet("enrollments.csv", roster.table("enrollments").filter(pl.col("role") == "student"))
    sheet = with_days(sheet, roster.found, roster.panel, "beginDate", "endDate", school="schoolSourcedId")
    begins = _first_days(roster)
    frame = sheet.frame.join(begins, on="classSourcedId", how="left").with_columns(
        begin=pl.coalesce("beginDate", "_begin")
    )
    sheet = ExportSheet(sheet.name, frame)
    rule = "is blank, and no term of the class says when it begins"
    sheet = sheet.flag(roster.found, pl.col("begin").is_null(), "beginDate", rule)
    sheet = sheet.flag(roster.found, pl.col("endDate") <= pl.col("begin"), "endDate", "must be after beginDate")
    grades = roster.table("users", "grades", "_version").select(
        pl.col(SOURCED).alias("userSourcedId"), pl.col("grades").str.split(",").list.first().alias("grade_level"),
        pl.lit(value=True).alias("_user"), pl.col("_version").cast(pl.Int64).alias("_beside"),
    )  # fmt: skip
    frame = sheet.frame.join(grades.unique("userSourcedId"), on="userSourcedId", how="left", maintain_order="left")
    sheet = ExportSheet(sheet.name, frame.with_columns(_later_version()))
    if roster.modes["enrollments"] == "delta":
        lost = pl.col("_user").is_null() & ~pl.col("_removed")
        rule = "leads to no row of users.csv, which says the grade level: a delta brings it along"
        sheet = sheet.flag(roster.found, lost, "userSourcedId", rule)
    frame = sheet.frame
    frame = _keyed(frame, "userSourcedId").rename({"schoolSourcedId": "school", "endDate": "end"})
    gathered.put("enrolment", frame)


def _at_school(roster: OneRosterExport, sheet: ExportSheet) -> ExportSheet:
    """With the school (`_school`) at which each student was last, null where no enrollment is sent along."""
    spells = roster.table("enrollments", "userSourcedId", "schoolSourcedId", "role", "beginDate")
    last = spells.filter(pl.col("role") == "student").sort("beginDate", nulls_last=False, maintain_order=True)
    school = last.select(pl.col("userSourcedId").alias("studentSourcedId"), pl.col("schoolSourcedId").alias("_school"))
    once = school.unique("studentSourcedId", keep="last")
    return ExportSheet(sheet.name, sheet.frame.join(once, on="studentSourcedId", how="left", maintain_order="left"))


def _later_version() -> pl.Expr:
    """Of what is said by a row and by one that it leads to (`_beside`), the later version, where the row has one."""
    later = pl.max_horizontal("_version", "_beside")
    return pl.when(pl.col("_version").is_not_null()).then(later).alias("_version")


def _first_days(roster: OneRosterExport) -> pl.DataFrame:
    """When each class begins: with the first of its terms."""
    terms = roster.table("classes", "termSourcedIds").select(
        pl.col(SOURCED).alias("classSourcedId"), pl.col("termSourcedIds").str.split(",").alias("term")
    )
    sessions = _sessions(roster).select(pl.col(SOURCED).alias("term"), "startDate")
    days = terms.explode("term").with_columns(pl.col("term").str.strip_chars()).join(sessions, on="term")
    return days.group_by("classSourcedId").agg(pl.col("startDate").min().alias("_begin"))


def _sessions(roster: OneRosterExport) -> pl.DataFrame:
    sheet = ExportSheet("academicSessions.csv", roster.table("academicSessions", "startDate", "endDate", "type"))
    return with_days(sheet, roster.found, roster.panel, "startDate", "endDate").frame


def _calendar(roster: OneRosterExport, gathered: Gathered) -> None:
    """OneRoster has no calendar of days: Mondays to Fridays of the shortest sessions that there are."""
    sessions = _sessions(roster).filter(~pl.col("_removed"))
    for kind in ("gradingPeriod", "term", "semester", "schoolYear"):
        some = sessions.filter(pl.col("type") == kind)
        if some.height:
            spans = [weekdays(*one) for one in some.select("startDate", "endDate").iter_rows()]
            days = pl.concat(spans).unique().sort().alias("day").to_frame()
            gathered.put("calendar", days.with_columns(event=pl.col("day").cast(pl.String), school_day=True))
            told = f"Mondays to Fridays within the sessions of type {kind} ({days.height:,})"
            roster.found.note(f"OneRoster has no calendar: school days are {told}")
            return


def _grades(roster: OneRosterExport, gathered: Gathered) -> None:
    if "results" not in roster.sheets:
        return
    flags = ("late", "missing")
    sheet = _at_school(roster, roster.sheets["results"].with_columns(*flags))
    sheet = with_days(sheet, roster.found, roster.panel, "scoreDate", school="_school")
    sheet = with_numbers(sheet, roster.found, "score")
    frame = sheet.frame.join(_assignments(roster), on="lineItemSourcedId", how="left", maintain_order="left")
    sheet = ExportSheet(sheet.name, frame.with_columns(_later_version()))
    stays = ~pl.col("_removed")
    rule = "leads to no usable row of lineItems.csv"
    sheet = sheet.flag(roster.found, pl.col("_item").is_null() & stays, "lineItemSourcedId", rule)
    if roster.modes["results"] == "delta":
        rule = "is of a class or a course that is not there, which says the subject: a delta brings them along"
        sheet = sheet.flag(roster.found, ~pl.col("_taught") & stays, "lineItemSourcedId", rule)
    scored = pl.col("scoreStatus").is_in(["fully graded", "partially graded"])
    blank = (pl.col("scoreStatus") == "fully graded") & pl.col("score").is_null() & stays
    sheet = sheet.flag(roster.found, blank, "score", "must not be blank where the status is fully graded")
    below = pl.col("score") < pl.col("_least")
    sheet = sheet.flag(roster.found, below, "score", "is below resultValueMin of its line item")
    if above := sheet.frame.filter(pl.col("score") > pl.col("max_points")).height:
        roster.found.note(f"results.csv: {above:,} scores are above resultValueMax: extra credit")
    state = (
        pl.when(pl.col("scoreStatus") == "exempt").then(pl.lit("exempt"))
        .when((pl.col("scoreStatus") == "not submitted") | (pl.col("missing") == "true")).then(pl.lit("missing"))
        .when(pl.col("late") == "true").then(pl.lit("late"))
        .when(scored & pl.col("score").is_not_null()).then(pl.lit("scored"))
    )  # fmt: skip
    frame = sheet.frame.with_columns(state=state)
    if waiting := frame.filter(pl.col("state").is_null() & stays).height:
        roster.found.note(f"results.csv: {waiting:,} are handed in and have no score yet; they are left out")
    frame = frame.filter(pl.col("state").is_not_null() | ~stays).with_columns(
        points=pl.when(pl.col("state").is_in(["scored", "late"])).then("score"), posted_at=pl.col("scoreDate")
    )
    gathered.put("grades", _keyed(frame, "studentSourcedId"))


def _assignments(roster: OneRosterExport) -> pl.DataFrame:
    """What each line item asks for: subject, day, points; without those that say no highest result."""
    sheet = ExportSheet("lineItems.csv", roster.table("lineItems", "dueDate", "classSourcedId", "resultValueMin",
                                                "resultValueMax", "_version"))  # fmt: skip
    sheet = with_days(sheet, roster.found, roster.panel, "dueDate")
    sheet = with_numbers(sheet, roster.found, "resultValueMin", "resultValueMax")
    sheet = sheet.flag(roster.found, ~(pl.col("resultValueMax") > 0), "resultValueMax", "must be above 0")
    if without := sheet.frame.filter(pl.col("resultValueMax").is_null()).height:
        roster.found.note(f"lineItems.csv: {without:,} say no highest result, so that their results say no share")
    _note_late_days(roster, sheet)
    items = sheet.frame.filter(pl.col("resultValueMax").is_not_null())
    items = items.join(_subjects(roster), on="classSourcedId", how="left")
    return items.select(
        pl.col(SOURCED).alias("lineItemSourcedId"), pl.lit(value=True).alias("_item"), pl.col("dueDate").alias("due"),
        pl.col("resultValueMax").alias("max_points"), pl.col("resultValueMin").alias("_least"),
        pl.col("subject").fill_null("other"), pl.col("_taught").fill_null(value=False),
        pl.col("_version").cast(pl.Int64).alias("_beside"),
    )  # fmt: skip


def _note_late_days(roster: OneRosterExport, items: ExportSheet) -> None:
    period = "gradingPeriodSourcedId" if roster.version == "1.1" else "academicSessionSourcedId"
    sessions = _sessions(roster).select(pl.col(SOURCED).alias(period), "startDate", "endDate")
    known = items.with_columns(period).frame.join(sessions, on=period)
    outside = known.filter(~pl.col("dueDate").is_between("startDate", "endDate"))[AT_ROW].sort()
    if outside.len():
        told = f"{outside.len():,} are due outside their grading period, the first in row {outside[0]}"
        roster.found.note(f"lineItems.csv: {told}")


def _subjects(roster: OneRosterExport) -> pl.DataFrame:
    """What each class teaches: its own subject, else its course's, else what the course is called. _taught: whether all
    that could say it is there."""
    courses = roster.table("courses", "subjects", "title").select(
        pl.col(SOURCED).alias("courseSourcedId"), pl.coalesce("subjects", "title").alias("_of_course"),
        pl.lit(value=True).alias("_course"),
    )  # fmt: skip
    classes = roster.table("classes", "courseSourcedId", "subjects")
    named = classes.join(courses, on="courseSourcedId", how="left")
    subject = pl.coalesce("subjects", "_of_course").str.split(",").list.first().str.strip_chars()
    taught = pl.any_horizontal("_course", pl.col("subjects").is_not_null(), pl.col("courseSourcedId").is_null())
    return named.select(
        pl.col(SOURCED).alias("classSourcedId"),
        subject.alias("subject"),
        taught.fill_null(value=False).alias("_taught"),
    )


def _attendance(roster: OneRosterExport, gathered: Gathered) -> None:
    if "attendance" not in roster.sheets:
        return
    sheet = _at_school(roster, roster.sheets["attendance"])
    sheet = with_days(sheet, roster.found, roster.panel, "date", school="_school")
    left = sheet.frame.filter(pl.col("status") == "early_leave").height
    if left:
        roster.found.note(f"attendance.csv: {left:,} who left early count as present")
    unsaid = sheet.frame.filter((pl.col("status") == "absent") & pl.col("excused").is_null()).height
    if unsaid:
        roster.found.note(f"attendance.csv: {unsaid:,} absences say nothing of an excuse and count as unexcused")
    absent = pl.when(pl.col("excused") == "true").then(pl.lit("excused")).otherwise(pl.lit("unexcused"))
    status = (
        pl.when(pl.col("status") == "absent").then(absent)
        .when(pl.col("status") == "tardy").then(pl.lit("tardy")).otherwise(pl.lit("present"))
    )  # fmt: skip
    key = pl.concat_str("studentSourcedId", pl.col("classSourcedId").fill_null(""), "date", separator="|")
    frame = sheet.frame.with_columns(key.alias(SOURCED), status.alias("status"), pl.col("date").alias("day"))
    gathered.put("attendance", _keyed(frame, "studentSourcedId"))


def _incidents(roster: OneRosterExport, gathered: Gathered) -> None:
    if "incidents" not in roster.sheets:
        return
    removal = "metadata.removalDays"
    sheet = _at_school(roster, roster.sheets["incidents"].with_columns(removal))
    sheet = with_days(sheet, roster.found, roster.panel, "occurredAt", school="_school")
    sheet = with_numbers(sheet, roster.found, removal)
    sheet = sheet.require(roster.found, "severity")
    frame = sheet.frame.with_columns(
        pl.col("occurredAt").alias("at"), pl.col(removal).fill_null(0.0).alias("removal_days"),
        pl.col("severity").cast(pl.Int8),
    )  # fmt: skip
    gathered.put("incidents", _keyed(frame, "studentSourcedId"))


def _demographics(roster: OneRosterExport, gathered: Gathered) -> None:
    """For audits alone: sex, and what is true of origin; no birth and no place."""
    frame = roster.table("demographics", "sex", *RACES, "_version")
    if not frame.height:
        return
    long = frame.unpivot(
        ["sex", *RACES], index=[SOURCED, "_removed", "_version"], variable_name="name", value_name="value"
    )
    unsaid = (pl.col("value") == "false").fill_null(value=True)  # takes back what was said before
    said = long.with_columns(
        pl.col(SOURCED).alias(WHOSE), (pl.col(SOURCED) + "|" + pl.col("name")).alias(EVENT), day=UNDATED,
        _removed=pl.col("_removed") | unsaid,
    )  # fmt: skip
    gathered.put(AUDITED_KIND, said.rename({"_removed": REMOVED, "_version": VERSION}))
    roster.found.note("demographics.csv goes to what is audited, never to what a model sees")


UNDATED = pl.lit("1970-01-01").str.to_date()
"""The day of what holds on all days."""


def _help(roster: OneRosterExport, gathered: Gathered) -> None:
    if "interventions" not in roster.sheets:
        return
    sheet = with_days(roster.sheets["interventions"], roster.found, roster.panel, "startDate", "endDate")
    sheet = with_numbers(sheet, roster.found, "plannedDoses", "deliveredDoses")
    columns = {"typeCode": "type_code", "startDate": "begin", "endDate": "end", "plannedDoses": "planned_doses",
               "deliveredDoses": "delivered_doses", "status": "state"}  # fmt: skip
    gathered.put(HELP_KIND, _keyed(sheet.frame.rename(columns), "studentSourcedId"))
