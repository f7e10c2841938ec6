"""A report in each of its forms says the same of every student; keys appear by a class list, and are kept nowhere."""

import csv
import io
from importlib.util import find_spec
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

import language
from database.records import Answer
from model.workspace import Workspace
from preprocessing.schema import Target
from reports.archive import read_report
from reports.class_list import NoKeys, read_class_list, read_names
from reports.figures import picture_of, ranked
from reports.forms import FORMS, UnknownForm, write_report
from reports.make import make_report
from reports.page import student_line
from reports.records import CohortReport, ReportedStudent
from reports.sentences import change_words, class_words, completeness_words, health_words, limits, model_words
from tests.reports.conftest import CLASS, SECRET
from tests.reports.making import COURSE, MONDAY_3, WEEK_3
from tests.reports.test_archive import everything, made
from tests.reports.test_make import FIRST


@pytest.fixture
def report(workspace: Workspace) -> CohortReport:
    entry, _ = make_report(workspace, COURSE.name, FIRST, actor="test", at=MONDAY_3)
    return read_report(workspace.store, entry)


def test_all_forms_say_the_same_of_every_student(report: CohortReport) -> None:
    rows = list(csv.DictReader(io.StringIO(write_report(report, "csv").decode())))
    book = pl.read_excel(write_report(report, "xlsx"), sheet_name="students", infer_schema_length=None)
    page = write_report(report, "html").decode()
    assert [row["student"] for row in rows] == book["student"].to_list() == [one.student for one in ranked(report)]
    for row, told, one in zip(rows, book.iter_rows(named=True), ranked(report), strict=True):
        answer = one.answers[0]
        assert float(row["final"]) == told["final"] == pytest.approx(answer.value, abs=0.1)
        assert row["reasons"] == told["reasons"]
        assert all(reason.words in row["reasons"] for reason in one.reasons)
        assert one.student[:12] in page
        assert one.student not in page
    for words in (
        *limits(),
        *class_words(report),
        *completeness_words(report),
        *health_words(report),
        *change_words(report),
    ):
        assert words.replace("'", "&#39;") in page
    assert "http" not in page.replace("http-equiv", "")
    if find_spec("typst"):
        assert write_report(report, "pdf").startswith(b"%PDF")
    with pytest.raises(UnknownForm, match="html, csv, xlsx"):
        write_report(report, "docx")


def test_keys_appear_by_a_class_list_alone_and_are_stored_nowhere(
    workspace: Workspace, report: CohortReport, tmp_path: Path
) -> None:
    path = tmp_path / "class.csv"
    path.write_text("student,seat\n" + "\n".join(f"student {number},{number}" for number in range(38)) + "\n")
    keys = read_class_list(path, COURSE, secret=SECRET)
    assert {keys[one] for one in CLASS[:38]} == {f"student {number}" for number in range(38)}
    for form in FORMS.keys() - {"pdf"}:
        assert (b"student 17" in write_report(report, form, keys)) == (form in ("html", "csv"))
    assert b"student 17" not in everything(workspace.store)
    assert sorted(read_names(path, COURSE, secret=SECRET).values(), key=int) == [str(n) for n in range(38)]
    path.write_text("pupil,seat\nx,1\n")
    with pytest.raises(NoKeys, match="'pupil', 'seat'"):
        read_class_list(path, COURSE, secret=SECRET)


@given(st.lists(st.floats(0, 100) | st.none(), max_size=30), st.none() | st.integers(1, 99))
def test_the_picture_counts_everybody_once_on_the_right_side_of_the_mark(
    values: list[float | None], mark: int | None
) -> None:
    target = Target(name="final", minimum=0, maximum=100, cut_points=() if mark is None else (float(mark),))
    students = [
        ReportedStudent(
            student=str(number),
            moment="start",
            row_at=MONDAY_3,
            answers=(Answer(target="final", value=value, naive=None, model="m", generation=1),),
        )
        for number, value in enumerate(values)
    ]
    picture = picture_of(replace(made(WEEK_3), targets=(target,), students=tuple(students)))
    known = [value for value in values if value is not None]
    assert sum(band.students for band in picture.bands) == picture.answered == len(known)
    if mark is not None and known:
        assert sum(band.students for band in picture.bands if band.fails) == sum(value < mark for value in known)
    assert all(before.high == after.low for before, after in zip(picture.bands, picture.bands[1:], strict=False))


@pytest.mark.parametrize("name", ["de", "fr"])
def test_a_report_is_in_the_language_of_its_reader(report: CohortReport, name: str) -> None:
    def told() -> list[str]:
        lines = [student_line(one, report) for one in ranked(report)]
        of_students = [words for line in lines for words in (*line.reasons, *line.advice, line.remark) if words]
        of_class = [*class_words(report), *completeness_words(report), *health_words(report), *change_words(report)]
        return [
            *limits(),
            *of_class,
            *of_students,
            *(words for one in report.models for words in model_words(one, report)),
        ]

    english = set(told())
    with language.use(name):
        page, said = write_report(report, "html").decode(), told()
    assert f'<html lang="{name}">' in page
    assert any("others do better" in words for words in english)
    assert english & set(said) == set()
    assert not [words for words in english if words in page]
