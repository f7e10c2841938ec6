"""CSV files of any system to events, by a TOML file that says which column is what; the export names of Ed-Fi are one.

What it cannot say, such as a column made of two others, is to be done before.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec
import polars as pl

from preprocessing.panel.gathered import EVENT, REMOVED, TYPES, VERSION, WHOSE, Gathered, micros_of, school_day_of
from preprocessing.panel.kinds import AUDITED_KIND, DAY_OF, GRADE_STATES, HELP_KIND, SAYS_OF, STATUSES
from preprocessing.panel.sheets import (
    AT_ROW,
    HEADER_ROW,
    NO_HEADER,
    ExportFindings,
    ExportSheet,
    UnreadableExport,
    read_sheet,
)
from preprocessing.schema import PanelSchema, fold
from preprocessing.validation.pii import identifying_name

AT_SCHOOL = "_school"
SKIPPED = ""
"""What a value is mapped to whose rows say nothing of a kind."""

SHORT_STATUSES = {"P": "present", "T": "tardy", "AE": "excused", "AU": "unexcused"}
LEVELS: Mapping[str, tuple[str, ...]] = {"status": STATUSES, "state": GRADE_STATES}
EDFI = Path(__file__).with_name("edfi.toml")
NAMED_BY = {"enrolment": "school", "calendar": "school", AUDITED_KIND: "name", HELP_KIND: "type_code"}
"""What, beside its day and student, tells an event from others of its kind, where the source has no key for it."""

TRUTHS_SAID = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
OPTIONAL = frozenset({"due", "points", "grade_level", "end", "removal_days", "planned_doses", "delivered_doses"})


class Join(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Another file that says more of a row. on: column here to column there."""

    file: str
    on: dict[str, str]


class MappedFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One file of an export. file: its name, or several that it may have; any where there is one file alone. columns:
    what is meant to the column that says it. values: of what is meant, words of the file to ours; "" leaves the row
    out. constants: values that no column says. event: columns that together are the source's key of the event, beside
    its student. day_format: how its days are written, else as in 2026-09-22. school: the column of the school by whose
    time zone its instants are days; that of `columns` where the kind has one."""

    kind: str
    file: tuple[str, ...] = ()
    columns: dict[str, str]
    values: dict[str, dict[str, str]] = {}
    constants: dict[str, str | float | bool] = {}
    event: tuple[str, ...] = ()
    version: str = ""
    day_format: str = ""
    school: str = ""
    join: Join | None = None


class ExportMapping(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All files of an export. source: what it is called, under which its events are known."""

    source: str
    files: tuple[MappedFile, ...]


def read_mapping(text: str, name: str) -> ExportMapping:
    """What a TOML text says. Raises UnreadableExport, naming all that is wrong."""
    try:
        mapping = msgspec.convert(tomllib.loads(text), ExportMapping)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise UnreadableExport(f"{name}: {error}") from None
    if problems := [problem for one in mapping.files for problem in _problems(one)]:
        raise UnreadableExport("\n".join(f"{name}: {problem}" for problem in problems))
    return mapping


def _problems(one: MappedFile) -> list[str]:
    what = f"kind {one.kind!r}" + (f" of {one.file[0]}" if one.file else "")
    if one.kind not in SAYS_OF:
        return [f"{what} is none of {', '.join(SAYS_OF)}"]
    said = {*one.columns, *one.constants}
    known = {WHOSE, DAY_OF[one.kind], *SAYS_OF[one.kind]}
    needed = known - OPTIONAL - ({WHOSE} if one.kind == "calendar" else {"school"} - {*SAYS_OF[one.kind]})
    needed -= {"state"} if one.kind == "grades" else set()
    problems = [
        f"{what}: nothing is called {name!r}; it has {', '.join(sorted(known))}" for name in sorted(said - known)
    ]
    if one.kind == "calendar":
        needed -= {"school", "school_day"}
    problems += [f"{what}: say which column is {name!r}" for name in sorted(needed - said)]
    if one.kind in ("grades", "incidents") and not one.event:
        problems.append(f"{what}: say by which columns an event is known again (event)")
    return problems


def is_edfi(files: Mapping[str, bytes]) -> bool:
    """Whether an export has files that are called as Ed-Fi's are."""
    mapping = read_mapping(EDFI.read_text(encoding="utf-8"), EDFI.name)
    return any(_file_of(one, files) for one in mapping.files)


def read_edfi(files: Mapping[str, bytes], panel: PanelSchema) -> Gathered:
    """What an export of Ed-Fi says, by the names of its resources."""
    return read_mapped(files, read_mapping(EDFI.read_text(encoding="utf-8"), EDFI.name), panel)


def read_mapped(files: Mapping[str, bytes], mapping: ExportMapping, panel: PanelSchema) -> Gathered:
    """What an export says, as a mapping understands it. Raises UnreadableExport where it has none of its files."""
    gathered = Gathered(mapping.source, ExportFindings())
    read = set[str]()
    for one in mapping.files:
        name = next(iter(files)) if not one.file and len(files) == 1 else _file_of(one, files)
        if name is None:
            continue
        read.add(name)
        sheet = _read(name, files, one, gathered.found)
        if sheet is not None:
            _put(gathered, sheet, one, panel)
    if not read:
        wanted = ", ".join(one.file[0] for one in mapping.files if one.file)
        raise UnreadableExport(f"none of these files is there: {wanted}; there are {', '.join(sorted(files)[:20])}")
    joined = {_named(one.join.file, files) for one in mapping.files if one.join}
    if more := sorted({*files} - read - joined):
        gathered.found.note(f"not read: {', '.join(more)}")
    return gathered


def _named(name: str, files: Mapping[str, bytes]) -> str | None:
    return next((one for one in files if fold(PurePosixPath(one).stem) == fold(PurePosixPath(name).stem)), None)


def _file_of(one: MappedFile, files: Mapping[str, bytes]) -> str | None:
    return next((found for name in one.file if (found := _named(name, files))), None)


def _read(name: str, files: Mapping[str, bytes], one: MappedFile, found: ExportFindings) -> ExportSheet | None:
    """The file with the columns that the mapping names, under its names for them."""
    sheet = _columns(
        read_sheet(name, files[name], found), {*one.columns.values(), *one.event, one.version, one.school}, one, found
    )
    if sheet is None or one.join is None:
        return sheet
    other = _named(one.join.file, files)
    beside = read_sheet(other, files[other], found) if other else None
    if beside is None:
        found.add(name, f"needs {one.join.file}, which is not there")
        return None
    beside = ExportSheet(
        beside.name, _spelled(beside.frame, {*one.join.on.values(), *one.columns.values()}).drop(AT_ROW)
    )
    if lost := [there for there in one.join.on.values() if there not in beside.frame.columns]:
        found.add(beside.name, f"lacks the columns {', '.join(lost)}", rows=[HEADER_ROW])
        return None
    sheet = sheet.require(found, *one.join.on)
    keys = beside.frame.unique([*one.join.on.values()], keep="first", maintain_order=True).with_columns(_there=True)
    new = [name for name in keys.columns if name not in sheet.frame.columns]
    keys = keys.select(*one.join.on.values(), *(name for name in new if name not in one.join.on.values()))
    frame = sheet.frame.join(keys, left_on=[*one.join.on], right_on=[*one.join.on.values()], how="left")
    rule = f"leads to no row of {beside.name}"
    return ExportSheet(name, frame).flag(found, pl.col("_there").is_null(), next(iter(one.join.on)), rule)


def _columns(sheet: ExportSheet | None, wanted: set[str], one: MappedFile, found: ExportFindings) -> ExportSheet | None:
    if sheet is None:
        return None
    frame = _spelled(sheet.frame, wanted | {*(one.join.on if one.join else ())})
    here = [name for name in frame.columns if name in wanted or name == AT_ROW or (one.join and name in one.join.on)]
    if here == [AT_ROW]:
        found.add(sheet.name, NO_HEADER, rows=[HEADER_ROW])
        return None
    left = [name for name in frame.columns if name not in here]
    if dropped := [name for name in left if identifying_name(name) and frame[name].count()]:
        found.note(f"{sheet.name}: dropped before anything is stored: {', '.join(dropped)}")
    if others := [name for name in left if name not in dropped]:
        found.note(f"{sheet.name}: not read: {', '.join(others)}")
    needed = [column for name, column in one.columns.items() if name not in OPTIONAL]
    if one.join is None and (missing := [column for column in needed if column not in frame.columns]):
        found.add(sheet.name, f"lacks the columns {', '.join(missing)}; it has {', '.join(frame.columns[:-1][:30])}",
                  rows=[HEADER_ROW])  # fmt: skip
        return None
    return ExportSheet(sheet.name, frame.select(here))


def _spelled(frame: pl.DataFrame, wanted: set[str]) -> pl.DataFrame:
    """Columns under the mapping's spelling: case, spaces, dashes and underscores do not matter."""
    given = {fold(name): name for name in frame.columns if name != AT_ROW}
    found = {given[fold(one)]: one for one in wanted if one and fold(one) in given}
    return frame.rename({name: one for name, one in found.items() if name == one or one not in given.values()})


def _put(gathered: Gathered, sheet: ExportSheet, one: MappedFile, panel: PanelSchema) -> None:
    found, day = gathered.found, DAY_OF[one.kind]
    texts = {name: pl.col(column) for name, column in one.columns.items() if column in sheet.frame.columns}
    texts |= {name: pl.lit(str(value)) for name, value in one.constants.items()}
    frame = sheet.frame.select(
        AT_ROW,
        *(text.cast(pl.String).alias(name) for name, text in texts.items()),
        _key(one, sheet.frame).alias(EVENT),
        (pl.col(one.school) if one.school in sheet.frame.columns else pl.lit(None, pl.String)).alias(AT_SCHOOL),
        (micros_of(one.version) if one.version else pl.lit(None, pl.Int64)).alias(VERSION),
        pl.lit(value=False).alias(REMOVED),
    )
    sheet = _with_words(ExportSheet(sheet.name, frame), one, found)
    sheet = sheet.with_columns(*(name for name in (day, *SAYS_OF[one.kind])))
    if one.kind != "calendar":
        sheet = sheet.flag(found, pl.col(WHOSE).is_null(), one.columns[WHOSE], "must not be blank")
    sheet = _typed(sheet, one, panel, found)
    if one.kind == AUDITED_KIND:
        sheet = ExportSheet(sheet.name, sheet.frame.filter(pl.col("value").is_not_null()))
    for name in (day, *(name for name in one.columns if name not in OPTIONAL | {WHOSE, day})):
        sheet = sheet.flag(found, pl.col(name).is_null(), one.columns.get(name, name), "must not be blank")
    frame = _with_defaults(sheet, one, found)
    frame = frame if one.event else frame.with_columns(_natural_key(one.kind).alias(EVENT))
    gathered.put(one.kind, frame)


def _key(one: MappedFile, frame: pl.DataFrame) -> pl.Expr:
    parts = [pl.col(name).fill_null("") for name in one.event if name in frame.columns]
    return pl.concat_str(parts, separator="|") if parts else pl.lit(None, pl.String)


def _natural_key(kind: str) -> pl.Expr:
    """What an event is known by where the source says no key: its day, and of an enrolment its school."""
    beside = NAMED_BY.get(kind)
    days = pl.col(DAY_OF[kind]).cast(pl.String)
    return days if beside is None else pl.concat_str(days, pl.col(beside).fill_null(""), separator="|")


def _with_words(sheet: ExportSheet, one: MappedFile, found: ExportFindings) -> ExportSheet:
    """With our words for the file's; rows whose word is mapped to none are left out."""
    for name in SAYS_OF[one.kind]:
        words = {**({} if name != "status" else SHORT_STATUSES), **one.values.get(name, {})}
        if name not in sheet.frame.columns or (not words and name not in LEVELS):
            continue
        levels = LEVELS.get(name)
        given = pl.col(name).replace(words)
        frame = sheet.frame.with_columns(given.alias(name))
        if skipped := frame.filter(pl.col(name) == SKIPPED).height:
            found.note(f"{sheet.name}: {skipped:,} rows say nothing of {one.kind} and are left out")
        sheet = ExportSheet(sheet.name, frame.filter((pl.col(name) != SKIPPED) | pl.col(name).is_null()))
        if levels:
            other = pl.col(name).is_not_null() & ~pl.col(name).is_in(levels)
            words_known = ", ".join([*levels, *words])
            sheet = sheet.flag(found, other, one.columns.get(name, name), f"must be one of {words_known}")
    return sheet


def _typed(sheet: ExportSheet, one: MappedFile, panel: PanelSchema, found: ExportFindings) -> ExportSheet:
    types = TYPES[one.kind]
    for name in (DAY_OF[one.kind], *SAYS_OF[one.kind]):
        kind, column = types.get(name, pl.String), one.columns.get(name, name)
        typed, rule = _as(name, kind, one, panel)
        if typed is None:
            continue
        sheet = sheet.flag(found, pl.col(name).is_not_null() & typed.is_null(), column, rule)
        sheet = ExportSheet(sheet.name, sheet.frame.with_columns(typed.alias(name)))
    return sheet


def _as(name: str, kind: Any, one: MappedFile, panel: PanelSchema) -> tuple[pl.Expr | None, str]:
    """A text as what it should be, null where it is none, and what it should be."""
    if kind == pl.Date:
        if one.day_format:
            return pl.col(name).str.to_date(one.day_format, strict=False), f"must be a day written as {one.day_format}"
        school = "school" if "school" in one.columns else AT_SCHOOL
        return school_day_of(name, panel, school), "must be a day such as 2026-09-22, or an instant of ISO 8601"
    if kind == pl.Boolean:
        said = pl.col(name).str.to_lowercase()
        return said.replace_strict(TRUTHS_SAID, default=None, return_dtype=pl.Boolean), "must be true or false"
    if kind in (pl.Float64, pl.Int8):
        number = pl.col(name).cast(pl.Float64, strict=False)
        good = number.is_finite() & (number >= 0)
        if kind == pl.Int8:
            good &= number.is_in([1.0, 2.0, 3.0, 4.0, 5.0])
        return pl.when(good).then(number), "must be 1 to 5" if kind == pl.Int8 else "must be a number of 0 or more"
    return None, ""


def _with_defaults(sheet: ExportSheet, one: MappedFile, found: ExportFindings) -> pl.DataFrame:
    frame = sheet.frame
    if one.kind == "incidents":
        return frame.with_columns(pl.col("removal_days").fill_null(0.0))
    if one.kind == "calendar":
        return frame.with_columns(pl.col("school_day").fill_null(value=True))
    if one.kind == "grades":
        told = pl.when(pl.col("points").is_not_null()).then(pl.lit("scored")).otherwise(pl.lit("missing"))
        frame = frame.with_columns(pl.coalesce("state", told).alias("state"))
        lost = (pl.col("state") == "scored") & pl.col("points").is_null()
        rule = "must not be blank where there is a score"
        sheet = ExportSheet(sheet.name, frame).flag(found, lost, one.columns.get("points"), rule)
        without = pl.col("state").is_in(["missing", "exempt"])
        return sheet.frame.with_columns(points=pl.when(~without).then("points"))
    return frame
