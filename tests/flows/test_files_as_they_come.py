"""Files as schools have them, each kind by the command that it is given to: read right, or refused with the remedy."""

import io
import json
import random
import re
import tomllib
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import xlsxwriter

from cli.main import main
from database.open import open_store
from database.records import LabeledRecord
from tests.command import run_command

HEADER = [
    "student_id",
    "term",
    "semester",
    "subject",
    "assignment_marks",
    "quiz_marks",
    "attendance_percentage",
    "midterm_marks",
    "previous_cgpa",
    "final_marks",
    "final_grade",
]
SCORES = [
    "student_id",
    "assignment",
    "comprehension",
    "attention",
    "focus",
    "retention",
    "engagement_time",
    "assignment_score",
]
Cells = list[list[Any]]
Book = Any


def marks(n: int = 12, seed: int = 1, key: Callable[[int], Any] = "S{:06d}".format) -> Cells:
    """Rows of the domain `university` that say something of each other, and not all."""
    chance, rows = random.Random(seed), Cells()
    for number in range(1, n + 1):
        ability = chance.random()

        def mark(low: float, high: float, digits: int = 1, ability: float = ability) -> float:
            share = min(1.0, max(0.0, ability + chance.gauss(0, 0.25)))
            return round(low + (high - low) * share, digits)

        final = round(mark(30, 90) + number / 100, 2)  # nobody has the same
        grade = "FDCBA"[sum(final >= cut for cut in (50, 60, 70, 80))]
        subject = chance.choice(["Algorithms", "Statistics"])
        rows.append([key(number), "2026-1", chance.randint(1, 8), subject, mark(4, 9), mark(3, 9), mark(50, 90),
                     mark(10, 25), mark(2, 3.5, 2), final, grade])  # fmt: skip
    return [list(HEADER), *rows]


def scores(n: int = 12, seed: int = 2) -> Cells:
    """Rows of the domain `engagement`."""
    chance = random.Random(seed)
    rows = [
        [f"{1000 + i}", "A1", *(chance.randint(20, 100) for _ in range(4)), chance.randint(0, 300)] for i in range(n)
    ]
    return [list(SCORES), *([*row, round(0.8 * row[2] + 0.05 * row[6], 1)] for row in rows)]


def text(rows: Cells, separator: str = ",") -> str:
    return "".join(separator.join(map(str, row)) + "\n" for row in rows)


def workbook(rows: Cells, change: Callable[[Book, Any], object] = lambda _book, _sheet: None, top: int = 0) -> bytes:
    """A workbook with these rows from row `top` on; `change` does to it what people do."""
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True})
    sheet = book.add_worksheet("marks")
    for number, row in enumerate(rows, top):
        sheet.write_row(number, 0, row)
    change(book, sheet)
    book.close()
    return out.getvalue()


class Told(NamedTuple):
    """What a command said, on one line, and its exit code."""

    code: int
    out: str
    err: str


Run = Callable[..., Told]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """`gradewatch ARGUMENTS` in a folder of its own."""
    return _run_in(tmp_path, monkeypatch, capsys)


def _run_in(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("GRADEWATCH_DATA_DIR", str(folder))
    monkeypatch.setenv("GRADEWATCH_DOMAINS_DIR", str(folder))

    def told(*arguments: str) -> Told:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        said = capsys.readouterr()
        return Told(int(ended.value.code or 0), " ".join(said.out.split()), " ".join(said.err.split()))

    return told


def stored() -> list[LabeledRecord]:
    store = open_store(f"sqlite:///{Path.cwd() / 'gradewatch.db'}")
    try:
        return store.labeled_records("university", limit=100)
    finally:
        store.close()


# What is stored -----------------------------------------------------------------------------------------------------


def percents(book: Book, sheet: Any) -> None:
    for number, row in enumerate(marks()[1:], 1):
        sheet.write(number, 6, row[6] / 100, book.add_format({"num_format": "0.0%"}))


def hidden_codes_first() -> bytes:
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True})
    codes, sheet = book.add_worksheet("codes"), book.add_worksheet("marks")
    codes.write_column(0, 0, ["code", "F", "D", "C", "B", "A"])
    for number, row in enumerate(marks()):
        sheet.write_row(number, 0, row)
    sheet.activate()
    codes.hide()
    book.close()
    return out.getvalue()


def merged_term(_: Book, sheet: Any) -> None:
    sheet.merge_range(1, 1, 12, 1, "2026-1")


def wide(rows: Cells) -> Cells:
    return [[*row, *(f"item {k}" if number == 0 else k % 5 for k in range(3_000))] for number, row in enumerate(rows)]


AVERAGE = ["Average", "", "", "", 5.1, 6.0, 70.1, 15.0, 2.7, 59.1, ""]
STORED: dict[str, tuple[str, bytes, Sequence[str]]] = {
    "percent cells": ("marks.xlsx", workbook(marks(), percents), ["12 cells shown as percentages were read as shown"]),
    "a hidden first sheet": ("marks.xlsx", hidden_codes_first(), ["sheet 'marks' was read, of 2"]),
    "a title above the header": (
        "marks.xlsx",
        workbook(marks(), lambda _, sheet: sheet.write(0, 0, "Results of June"), top=2),
        ["the header was found in row 3"],
    ),
    "the class's average": (
        "marks.csv",
        text([*marks(), AVERAGE]).encode(),
        ["row 14 ('Average') sums up others: left out"],
    ),
    "a hint of the separator": ("marks.csv", ("sep=;\n" + text(marks(), ";")).encode(), ()),
    "a separator too many": (
        "marks.csv",
        "".join(f"{line}{',' if number else ''}\n" for number, line in enumerate(text(marks()).splitlines())).encode(),
        ["rows end in a separator too many"],
    ),
    "columns twice that nobody needs": (
        "marks.csv",
        text([row + (["Points", "Points"] if number == 0 else [5, 7]) for number, row in enumerate(marks())]).encode(),
        ["columns that are not needed, not read: Points"],
    ),
    "three thousand columns more": (
        "marks.csv",
        text(wide(marks())).encode(),
        ["columns that are not needed, not read: item 0, item 1", "and 2,994 more"],
    ),
    "a term merged over all rows": (
        "marks.xlsx",
        workbook(marks(), merged_term),
        ["merged cells were filled down"],
    ),
    "the same line again": (
        "marks.csv",
        text([*marks(), marks()[3], marks()[3]]).encode(),
        ["rows 14, 15 say again what an earlier row says: one of each is kept"],
    ),
}


@pytest.mark.parametrize(("name", "content", "words"), STORED.values(), ids=STORED)
def test_twelve_students_are_stored_as_they_stand_there(
    run: Run, name: str, content: bytes, words: Sequence[str]
) -> None:
    Path(name).write_bytes(content)
    told = run("ingest", name, "-d", "university", "--kind", "labeled")
    assert told.code == 0, told.err
    assert "12 rows stored" in told.out
    assert all(word in told.err for word in words), told.err
    assert len(told.err) < 1_000
    found = {record.targets["final_marks"]: record for record in stored()}
    for row in marks()[1:]:
        record = found[row[9]]
        assert (record.period, record.inputs["attendance_percentage"]) == ("2026-1", pytest.approx(row[6]))
        assert record.targets == {"final_marks": row[9], "final_grade": row[10]}


# What is refused ----------------------------------------------------------------------------------------------------


def formulas(_: Book, sheet: Any) -> None:
    for number in range(1, 13):
        sheet.write_formula(number, 9, f"=SUM(E{number + 1}:F{number + 1})", None, "")


def never_computed() -> bytes:
    """As programs write workbooks that never compute: a formula, and no value."""
    source, out = zipfile.ZipFile(io.BytesIO(workbook(marks(), formulas))), io.BytesIO()
    with zipfile.ZipFile(out, "w") as target:
        for part in source.namelist():
            target.writestr(part, source.read(part).replace(b"<v></v>", b""))
    return out.getvalue()


def zipped() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("marks.csv", text(marks()))
    return out.getvalue()


def stray_quote() -> bytes:
    lines = text([[*row, "note" if number == 0 else "binder"] for number, row in enumerate(marks())]).splitlines()
    lines[5] = lines[5].replace("binder", 'binder 8.5" wide')
    return "\n".join(lines).encode()


def two_encodings() -> bytes:
    rows = [[*row[:3], "Économie" if number else row[3], *row[4:]] for number, row in enumerate(marks())]
    head, tail = text(rows[:-1]), text(rows[-1:])
    return head.encode() + tail.encode("cp1252")


def page() -> bytes:
    rows = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in marks())
    return f"<html><body><table>{rows}</table></body></html>".encode()


REFUSED: dict[str, tuple[str, bytes, str]] = {
    "formulas never computed": (
        "marks.xlsx",
        never_computed(),
        r"formula whose result was never saved; open the workb",
    ),
    "a stray quote": ("marks.csv", stray_quote(), r"row 6: a quote"),
    "a web page": ("marks.xls", page(), r"an HTML page.*save it as \.xlsx or \.csv"),
    "an archive": ("marks.zip", zipped(), r"a zip archive with marks\.csv in it; unpack it"),
    "two encodings": ("marks.csv", two_encodings(), r"line \d+ is UTF-8, line 13 is not"),
    "a column that is not there": (
        "marks.csv",
        text([[*row[:7], *row[8:]] for row in marks()]).encode(),
        r"column 'midterm_marks' missing(?!.*--skip-bad-rows)",
    ),
}


@pytest.mark.parametrize(("name", "content", "said"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_read_right_is_refused_by_name(run: Run, name: str, content: bytes, said: str) -> None:
    Path(name).write_bytes(content)
    told = run("ingest", name, "-d", "university", "--kind", "labeled")
    assert told.code == 1
    assert re.search(said, told.err), told.err
    assert not stored()


# Keys and answers ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose workspace has a champion of `engagement`."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "first.csv").write_text(text(scores(150, seed=3)))
    done = run_command(folder, "train", "-d", "engagement", "--data", "first.csv")
    assert done.returncode == 0, done.stderr
    return folder


def padded(rows: Cells) -> bytes:
    def keys(book: Book, sheet: Any) -> None:
        for number, row in enumerate(rows[1:], 1):
            sheet.write(number, 0, int(row[0]), book.add_format({"num_format": "000000"}))

    return workbook(rows, keys)


def test_keys_are_the_same_student_however_a_program_writes_them(
    served: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = _run_in(served, monkeypatch, capsys)
    for kind, seed in (("000000", 4), ("floats", 5)):
        rows = scores(12, seed)
        width = 6 if kind == "000000" else 0
        asked = [[row[0].zfill(width), *row[1:-1]] for row in rows]
        Path("asked.csv").write_text(text(asked))
        assert run("predict", "asked.csv", "-d", "engagement", "-o", "answers.csv").code == 0
        later = [[f"{row[0]}.0" if number else row[0], *row[1:]] for number, row in enumerate(rows)]
        name = "outcomes.xlsx" if kind == "000000" else "outcomes.csv"
        Path(name).write_bytes(padded(rows) if kind == "000000" else text(later).encode())
        told = run("outcomes", name, "-d", "engagement")
        assert "12 outcomes: 12 new" in told.out, told
        assert "belong to no prediction" not in told.err


def test_the_points_that_could_be_had_are_no_student(
    served: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = _run_in(served, monkeypatch, capsys)
    header, *rows = scores(12, seed=6)
    Path("scores.csv").write_text(text([header, ["    Points Possible", "", *[100] * 4, 300, 100], *rows]))
    told = run("ingest", "scores.csv", "-d", "engagement", "--kind", "labeled")
    assert ("12 rows stored" in told.out, "row 2 ('Points Possible') sums up others" in told.err) == (True, True)
    assert "12 predictions logged" in run("predict", "scores.csv", "-d", "engagement", "-o", "a.csv").err


# Drafts -------------------------------------------------------------------------------------------------------------


def infer(run: Run, rows: Cells, *more: str) -> tuple[dict[str, Any], Told]:
    Path("ours.csv").write_text(text(rows))
    told = run("domain", "infer", "ours.csv", "--name", "ours", "-o", "ours.toml", *more)
    assert told.code == 0, told.err
    return tomllib.loads(Path("ours.toml").read_text()), told


def feature(draft: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in draft["features"] if one["name"] == name)


def test_a_draft_knows_numbers_with_odd_words_and_with_percent_signs(run: Run) -> None:
    rows = marks(60)
    for place in (7, 31):
        rows[place][7] = "AB"
    for row in rows[1:]:
        row[6] = f"{row[6]}%"
    draft, told = infer(run, rows)
    assert (feature(draft, "midterm_marks")["kind"], feature(draft, "midterm_marks")["missing"]) == ("numeric", ["AB"])
    assert "2 cells of 'midterm_marks' are no numbers: AB ×2" in told.err
    assert (feature(draft, "attendance_percentage")["kind"], feature(draft, "attendance_percentage")["accepts"]) == (
        "numeric",
        ["%"],
    )
    assert "'attendance_percentage' is written with %" in told.err


def test_a_draft_predicts_the_grade_though_one_of_it_is_a_word(run: Run) -> None:
    chance, rows = random.Random(7), Cells()
    for number in range(60):
        grade = "DRP" if number == 40 else round(chance.uniform(1, 5), 1)
        rows.append([201_100_000 + number, chance.randint(10_000, 99_999), chance.randint(0, 30), grade])
    draft, _ = infer(run, [["studentno", "classcode", "attended", "grade"], *rows])
    assert [target["name"] for target in draft["targets"]] == ["grade"]
    assert {one["name"] for one in draft["features"]} == {"attended"}


@pytest.mark.parametrize(
    "header",
    ["SID", "person_number", "SIS User ID", "OrgDefinedId", "Roll No.", "Reg No", "Adm No", "NetID"],
)
def test_a_key_is_one_under_any_name(run: Run, header: str) -> None:
    rows = marks(60, key=lambda number: 50_000_000 + 7_919 * number % 900_000)
    rows[0][0] = header
    draft, _ = infer(run, rows)
    assert draft["student"]["name"] == header
    assert header not in {one["name"] for one in draft["features"]}


def test_a_draft_of_a_file_with_names_trains_on_that_very_file(run: Run) -> None:
    given, family = ["Ana", "Ben", "Chloe", "David", "Elif"], ["Sousa", "Okafor", "Martin", "Levi"]
    rows = marks(120)
    rows[0].append("Student Name")
    for number, row in enumerate(rows[1:]):
        row.append(f"{given[number % 5]} {family[number % 4]}")
    _, told = infer(run, rows)
    assert "left out: column 'Student Name': identifies people" in told.err
    told = run("train", "-d", "ours", "--data", "ours.csv")
    assert (told.code, "now serves" in told.out) == (0, True), told
    assert "column 'Student Name' identifies people" in told.err.replace('"', "'")


def test_what_is_put_together_from_its_inputs_is_not_learned(run: Run) -> None:
    chance = random.Random(8)
    rows = [[100_000 + i, *(chance.randint(0, 20) for _ in range(4))] for i in range(120)]
    _, told = infer(run, [["student_id", "p1", "p2", "p3", "p4", "total"], *([*row, sum(row[1:])] for row in rows)])
    assert "put together from p1, p2, p3, p4" in told.err
    told = run("train", "-d", "ours", "--data", "ours.csv", "--moment", "p4")
    assert re.search("refused: .*'p1', 'p2', 'p3' and 'p4' together are 'total'", told.out), told


OURS = """
name = "ours"
title = "ours"
period = "term"
[student]
name = "student_id"
[[context]]
name = "term"
[[features]]
name = "hours"
kind = "numeric"
minimum = 0
maximum = 20
[[features]]
name = "club"
kind = "categorical"
levels = ["chess", "none"]
optional = true
[[targets]]
name = "final_marks"
minimum = 0
maximum = 100
"""


def studied(terms: Sequence[str], n: int, seed: int, *, club: bool = False) -> Cells:
    chance = random.Random(seed)
    rows = [[f"S{seed}{i:04d}", terms[i * len(terms) // n], round(chance.uniform(0, 20), 1)] for i in range(n)]
    rows = [[*row, *([chance.choice(["chess", "none"])] if club else [])] for row in rows]
    rows = [[*row, round(min(100.0, max(0.0, 30 + 2 * row[2] + chance.gauss(0, 12))), 1)] for row in rows]
    return [["student_id", "term", "hours", *(["club"] if club else []), "final_marks"], *rows]


def test_seasons_come_in_their_order_and_it_is_told(run: Run) -> None:
    Path("ours.toml").write_text(OURS)
    Path("marks.csv").write_text(text(studied(["Fall 2023", "Spring 2024", "Fall 2024", "Spring 2025"], 160, 9)))
    told = run("train", "-d", "ours", "--data", "marks.csv")
    assert (told.code, "rows split by period" in told.out) == (0, True), told
    assert "periods from the oldest on: Fall 2023, Spring 2024, Fall 2024, Spring 2025" in told.err


def test_drift_says_that_a_column_is_not_there_and_judges_the_others(run: Run) -> None:
    Path("ours.toml").write_text(OURS)
    Path("ref.csv").write_text(text(studied(["2025-1"], 200, 10, club=True)))
    Path("cur.csv").write_text(text(studied(["2025-2"], 200, 11)))
    told = run("drift", "-d", "ours", "--reference", "ref.csv", "--current", "cur.csv", "--json")
    assert told.code == 0, told.err
    report = json.loads(told.out)
    assert {column["column"] for column in report["columns"]} >= {"hours", "final_marks"}
    assert "club" in json.dumps(report["not_compared"])


def test_drift_compares_two_sheets_and_leaves_out_rows_that_are_nobodys(run: Run) -> None:
    Path("ours.toml").write_text(OURS)
    before, after = studied(["2024-1"], 60, 12), studied(["2025-1"], 60, 13)
    after[3][1] = "x" * 120
    out = xlsxwriter.Workbook("years.xlsx")
    for name, rows in (("2024", before), ("2025", after)):
        sheet = out.add_worksheet(name)
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, row)
    out.close()
    asked = ("drift", "-d", "ours", "--current", "years.xlsx", "--sheet", "2025", "--reference", "years.xlsx")
    asked = (*asked, "--reference-sheet", "2024", "--problems", "problems.csv")
    refused = run(*asked)
    assert (refused.code, "it has 120 characters" in refused.err, "--skip-bad-rows" in refused.err) == (1, True, True)
    told = run(*asked, "--skip-bad-rows")
    assert (told.code, "1 bad row left out: it cannot be read whose they are" in told.err) == (0, True), told
    assert Path("problems.csv").read_text().splitlines()[1].split(",")[:3] == ["years.xlsx", "4", "term"]
    assert "it has no sheets" in run("drift", "-d", "ours", "--current", "ours.toml", "--sheet", "1").err
