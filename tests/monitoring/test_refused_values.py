"""Monitoring reads what prediction would refuse: it is counted, told and compared, by every road that a file goes."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, timedelta
from pathlib import Path

import msgspec
import polars as pl
import pytest

from access.confined import confine_report
from database.ingest import read_batch
from database.records import ChampionKey
from drift.policy import ALARMING
from drift.records import DriftReport
from drift.sentences import describe_refused
from model.workspace import Workspace
from monitoring.drift_days import days_of
from monitoring.drift_files import KeptReport, ReportOptions, drift_record, report_file
from monitoring.drift_monitor import report_days
from monitoring.profile_archive import store_intake
from preprocessing.reading.chunks import open_source
from preprocessing.schema import ContextColumn, load_domains
from preprocessing.synthetic import generate
from retraining.first_champions import train_domain
from tests.api.conftest import open_at as open_shipped
from tests.training.making import SCHEMA, make_rows, typed

ROWS = 300
Change = Callable[[pl.DataFrame], pl.DataFrame]


def rows(seed: int = 5) -> pl.DataFrame:
    return pl.DataFrame([{"student": f"{seed} {i}", **one.inputs} for i, one in enumerate(make_rows(ROWS, seed=seed))])


def some(column: str, value: object, every: int = 5) -> pl.Expr:
    """Every fifth row holds the value."""
    return pl.when(pl.int_range(pl.len()) % every == 0).then(pl.lit(value)).otherwise(pl.col(column)).alias(column)


CHANGES: dict[str, tuple[Change, tuple[str, str, int, tuple[str, ...]], str]] = {
    "out of range": (
        lambda frame: frame.with_columns(some("before", 24)),
        ("before", "out of range", 60, ("24",)),
        "20% of before is out of range (24, …): it must be a whole number from 0 to 20.",
    ),
    "not whole": (
        lambda frame: frame.with_columns(some("before", 5.4)),
        ("before", "not whole", 60, ("5.4",)),
        "20% of before is no whole number (5.4, …)",
    ),
    "unknown level": (
        lambda frame: frame.with_columns(some("support", "none")),
        ("support", "unknown level", 60, ("none",)),
        "20% of support has a level that is not declared (none, …): it must be one of low, mid, high.",
    ),
    "missing column": (
        lambda frame: frame.drop("support"),
        ("support", "no such column", ROWS, ()),
        "Column support is missing, which every row needs.",
    ),
    "NaN": (
        lambda frame: frame.with_columns(some("hours", float("nan"))),
        ("hours", "no number", 60, ("NaN",)),
        "20% of hours is no number (NaN, …)",
    ),
    "repeated rows": (
        lambda frame: frame.with_columns(some("student", "the same", 50)),
        ("", "repeated", 6, ()),
        "6 rows are of the same student, group and period as another",
    ),
}


def written(frame: pl.DataFrame, folder: Path) -> list[Path]:
    """The frame as files that are counted while they are read, and one that is read row by row."""
    frame.write_csv(folder / "rows.csv")
    frame.write_parquet(folder / "rows.parquet")
    frame.write_excel(folder / "rows.xlsx")
    return [folder / f"rows.{kind}" for kind in ("csv", "parquet", "xlsx")]


def told(report: DriftReport) -> list[tuple[str, str, int, tuple[str, ...]]]:
    return [(one.column, one.kind, one.rows, one.examples) for one in report.refused]


@pytest.mark.parametrize("name", CHANGES)
def test_what_prediction_would_refuse_is_told_by_column_and_still_tested(
    name: str, workspace: Workspace, tmp_path: Path
) -> None:
    change, expected, sentence = CHANGES[name]
    before = rows(7)
    before.write_csv(tmp_path / "before.csv")
    for path in written(change(rows()), tmp_path):
        if name == "NaN" and path.suffix == ".xlsx":
            continue  # a workbook has none
        for reference in (None, tmp_path / "before.csv"):
            for columns_only in (False, True):
                options = ReportOptions(columns_only=columns_only)
                report = report_file(workspace, SCHEMA.name, path, reference, options).report
                assert [(c, k, n, tuple(e.upper() for e in x)) for c, k, n, x in told(report)] == [
                    (*expected[:3], tuple(example.upper() for example in expected[3]))
                ], path.suffix
                assert sentence.casefold() in report.summary.casefold()
                assert report.alarm == (expected[1] != "repeated")
                if expected[1] in ("out of range", "not whole", "unknown level"):
                    column = report.column(expected[0])
                    assert (column.n_current, column.missing.rate_current) == (ROWS, 0)
                    assert column.highest_current == 24 or expected[1] != "out of range"
                if name != "missing column" and not columns_only:
                    answers = report.column("_prediction:mark")
                    refused = 0 if name == "NaN" else expected[2]  # hours may be missing, and NaN is
                    assert answers.n_current in (ROWS - refused, ROWS - 60)
                assert DriftReport.from_document(report.to_document()) == report


def test_what_was_refused_before_as_often_raises_no_alarm(workspace: Workspace, tmp_path: Path) -> None:
    for seed in (5, 7):
        rows(seed).with_columns(some("before", 24)).write_parquet(tmp_path / f"{seed}.parquet")
    report = report_file(workspace, SCHEMA.name, tmp_path / "5.parquet", tmp_path / "7.parquet").report
    (one,) = report.refused
    assert (one.share, one.share_reference, report.alarm) == (0.2, 0.2, False)
    assert "20% before" in describe_refused(report.refused)


def test_what_names_people_is_in_no_report_and_never_among_examples(workspace: Workspace, tmp_path: Path) -> None:
    rows().with_columns(pl.lit("anna@school.org").alias("e_mail")).write_csv(tmp_path / "rows.csv")
    report = report_file(workspace, SCHEMA.name, tmp_path / "rows.csv").report
    assert "anna" not in str(report.to_document())
    assert "e_mail" not in str(report.to_document())
    rows().with_columns(some("support", "anna@school.org")).write_csv(tmp_path / "rows.csv")
    (one,) = report_file(workspace, SCHEMA.name, tmp_path / "rows.csv").report.refused
    assert (one.rows, one.examples) == (60, ())


def test_days_of_batches_say_how_many_rows_of_their_files_were_left_out(workspace: Workspace, tmp_path: Path) -> None:
    rows().with_columns(some("before", 24)).write_csv(tmp_path / "rows.csv")
    options = {"secret": workspace.secret, "skip_bad_rows": True}
    with read_batch(open_source(tmp_path / "rows.csv"), SCHEMA, "unlabeled", **options) as intake:
        batch, _ = store_intake(workspace, SCHEMA, intake, name="rows.csv")
    day = batch.at.astimezone(UTC).date()
    for exact in (False, True):
        window = days_of(day, day + timedelta(days=1), source="unlabeled", against="champion", exact=exact)
        report = report_days(workspace, SCHEMA.name, window).report
        assert report.notes == (
            "60 of 300 rows of the files of these batches were left out as bad and are not compared",
        )
        assert report.n_current == ROWS - 60


COURSE = load_domains()["course"]
PLACED = msgspec.structs.replace(COURSE, context=(*COURSE.context, ContextColumn(name="campus")))


@pytest.fixture(scope="module")
def courses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """An installation whose rows also say on which campus they are."""
    workspace = open_shipped(tmp_path_factory.mktemp("courses"))
    yield replace(workspace, schemas={"course": PLACED})
    workspace.close()


def in_courses(folder: Path, seed: int, names: list[str], column: str = "course_id") -> Path:
    """A file of the domain `course` whose rows are spread over these courses, or campuses."""
    path, frame = folder / f"{seed}.csv", generate(COURSE, rows=300, seed=seed)
    frame.with_columns(pl.Series(column, (names * 300)[: frame.height])).write_csv(path)
    return path


@pytest.mark.parametrize("column", ["course_id", "campus"])
def test_a_course_never_seen_is_named_with_its_share(courses: Workspace, tmp_path: Path, column: str) -> None:
    before = in_courses(tmp_path, 1, ["AAA", "BBB", "CCC", "DDD", "AAA"], column)
    same = in_courses(tmp_path, 2, ["BBB", "CCC", "AAA", "DDD", "AAA"], column)
    after = in_courses(tmp_path, 3, ["AAA", "BBB", "CCC", "DDD", "GGG"], column)
    quiet = report_file(courses, "course", same, before).report
    assert quiet.column(column).verdict not in ALARMING
    for columns_only in (False, True):
        names_the_new(report_file(courses, "course", after, before, ReportOptions(columns_only=columns_only)), column)


def names_the_new(kept: KeptReport, column: str) -> None:
    found = kept.report.column(column)
    assert (found.verdict, found.new_levels[0].level, found.new_level_count) == ("drift", "GGG", 1)
    assert "of the rows are" in kept.report.summary
    assert kept.report.alarm


def test_a_champion_knows_the_courses_that_it_learned_from(courses: Workspace, tmp_path: Path) -> None:
    courses = replace(courses, schemas={"course": COURSE})
    taught = in_courses(tmp_path, 1, ["AAA", "BBB", "CCC", "DDD", "AAA"])
    with read_batch(open_source(taught), COURSE, "labeled", secret=courses.secret) as intake:
        rows = intake.records()
    key = ChampionKey("course", "final_grade", COURSE.moments[0])
    list(train_domain(courses, COURSE, typed(rows, COURSE), [key], actor="test"))
    courses.champions.refresh()
    same, after = (
        in_courses(tmp_path, 2 + place, ["AAA", "BBB", "CCC", "DDD", last]) for place, last in enumerate(("AAA", "GGG"))
    )
    for columns_only in (False, True):
        options = ReportOptions(columns_only=columns_only)
        names_the_new(report_file(courses, "course", after, None, options), "course_id")
        assert report_file(courses, "course", same, None, options).report.column("course_id").verdict not in ALARMING


def test_groups_that_are_named_anew_each_time_are_told_and_raise_no_alarm(courses: Workspace, tmp_path: Path) -> None:
    files = [in_courses(tmp_path, seed, [f"{place}-{seed}" for place in "ABC"]) for seed in (1, 2)]
    report = report_file(courses, "course", files[1], files[0]).report
    (left,) = [one for one in report.not_compared if one.column == "course_id"]
    assert "3 of 3 are new" in left.reason
    assert not any(column.column == "course_id" for column in report.columns)


def test_who_is_confined_to_groups_learns_no_other_group_of_a_report(courses: Workspace, tmp_path: Path) -> None:
    paths = [in_courses(tmp_path, seed, names) for seed, names in enumerate((["AAA", "BBB"], ["AAA", "BBB", "secret"]))]
    record = drift_record(report_file(courses, "course", *reversed(paths), ReportOptions(by="course_id")).report)
    assert "secret" in str(record)
    confined = confine_report(record, {"AAA"}, PLACED)
    assert "secret" not in str(confined)
    assert DriftReport.from_document(confined.document).segments
    assert confine_report(record, None, PLACED) == record
