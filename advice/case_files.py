"""Steps of cases from a file, as another system for helping students exports them: a row for each step.

The whole file is checked before any of it is kept, and the same file again changes nothing. It knows no names: rows
hold keys, of which pseudonyms are made here.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from advice.case_steps import DONE, BadStep, CaseStep, HelpGiven, NewStep, check_follows
from advice.cases import Writer, case_of, keep_steps, make_step
from advice.positions import Place
from database.store import RecordStore
from errors import GradewatchError
from preprocessing.schema import DomainSchema, fold
from preprocessing.validation.pii import is_pseudonym, pseudonym
from preprocessing.validation.rules import BadData, Problem, is_missing, plain_key

STUDENT_KEY, DONE_COLUMN, WHEN = "student", "done", "when"
HELP_COLUMNS = ("kind", "start", "end", "dose", "owner")
STEP_COLUMNS = (STUDENT_KEY, DONE_COLUMN, WHEN, "text", *HELP_COLUMNS, "group", "period")
"""What a file may have; the first three are needed. The students' column may be called as the domain calls it."""

Cells = Mapping[str, str]


class TakenSteps(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a file: how many of its steps are new, and how many were kept already, about how many students; what
    was wrong with rows that were left out."""

    new: int
    known: int
    students: int
    problems: tuple[Problem, ...] = ()


class _Row(NamedTuple):
    number: int
    cells: Cells


def take_file(  # noqa: PLR0913 - a file, how it is read, and who sends it
    store: RecordStore,
    schema: DomainSchema,
    source: Path | bytes,
    by: Writer,
    *,
    secret: bytes,
    name: str = "",
    sheet: str = "",
    skip_bad_rows: bool = False,
    most_rows: int | None = None,
) -> TakenSteps:
    """Keep the steps of a file (of a workbook: of a sheet). Raises UnreadableFile, BadData with everything that is
    wrong; then nothing is kept. skip_bad_rows: keep the good ones all the same.
    most_rows: of more TooManyRows is raised."""
    from preprocessing.reading.files import read_table

    raw = read_table(source, name=name, sheet=sheet, most_rows=most_rows)
    rows = list(_rows(raw.frame.columns, raw.frame.iter_rows(), schema, raw.name, raw.first_row))
    problems: list[Problem] = []
    made: dict[str, list[CaseStep]] = {}
    kept = {}
    for row in sorted(rows, key=lambda one: one.cells.get(WHEN, "")):
        try:
            student, step = _read(row.cells, secret)
            if student not in kept:
                kept[student] = {one.id: one for one in case_of(store, schema.name, student).steps}
            one = make_step(store, schema, student, step, by)
            known = kept[student] | {other.id: other for other in made.get(student, ())}
            if one.id not in known:
                check_follows(one, known.values())
                made.setdefault(student, []).append(one)
        except GradewatchError as error:
            problems.append(Problem(file=raw.name, row=row.number, column=None, value=None, rule=str(error)))
    problems.sort(key=lambda one: one.row or 0)
    if problems and not skip_bad_rows:
        raise BadData(problems)
    for student, steps in made.items():
        keep_steps(store, schema.name, student, steps)
    new = sum(map(len, made.values()))
    known_before = len(rows) - new - len(problems)
    return TakenSteps(new=new, known=known_before, students=len(kept), problems=tuple(problems))


def _rows(
    columns: Sequence[str], rows: Iterator[tuple[object, ...]], schema: DomainSchema, file: str, first: int
) -> Iterator[_Row]:
    spelled = {fold(name): name for name in STEP_COLUMNS}
    if schema.student:
        spelled[fold(schema.student.name)] = STUDENT_KEY
    names = [spelled.get(fold(column)) for column in columns]
    missing = [one for one in STEP_COLUMNS[:3] if one not in names]
    unknown = [column for column, name in zip(columns, names, strict=True) if name is None]
    told = [(one, f"is missing; a file of steps has {', '.join(STEP_COLUMNS)}") for one in missing]
    told += [(one, f"is no column of a file of steps: {', '.join(STEP_COLUMNS)}") for one in unknown]
    if told:
        raise BadData([Problem(file=file, row=None, column=one, value=None, rule=rule) for one, rule in told])
    for number, row in enumerate(rows, first):
        texts = {name: "" if cell is None else str(cell).strip() for name, cell in zip(names, row, strict=True) if name}
        yield _Row(number, {name: "" if is_missing(text) else text for name, text in texts.items()})


def _read(cells: Cells, secret: bytes) -> tuple[str, NewStep]:
    """The student (a pseudonym) and the step of a row. Raises BadStep."""
    key, done = plain_key(cells[STUDENT_KEY]), cells[DONE_COLUMN]
    if not key:
        raise BadStep("the student's key is missing")
    if done not in DONE:
        raise BadStep(f"done is one of {', '.join(DONE)}")
    place = Place(cells["group"], cells.get("period") or None) if cells.get("group") else None
    when = _day(cells, WHEN)
    if when is None:
        raise BadStep("when is missing: the day of the step")
    at = datetime.combine(when, datetime.max.time().replace(microsecond=0), tzinfo=UTC)
    step = NewStep(done, cells.get("text", ""), None, place, _help(cells), at)
    return key if is_pseudonym(key) else pseudonym(key, secret), step


def _help(cells: Cells) -> HelpGiven | None:
    if not any(cells.get(name) for name in HELP_COLUMNS):
        return None
    start = _day(cells, "start")
    if start is None or not cells.get("kind"):
        raise BadStep("help needs a kind and a start")
    end, words = _day(cells, "end"), {name: cells.get(name, "") for name in ("dose", "owner")}
    return HelpGiven(kind=cells["kind"], start=start, end=end, **words)


def _day(cells: Cells, name: str) -> date | None:
    text = cells.get(name, "")
    try:
        return date.fromisoformat(text[:10]) if text else None
    except ValueError:
        raise BadStep(f"{name} is no day: write 2026-02-01") from None
