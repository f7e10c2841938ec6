"""What is told of a file before anything is learned from it, and how its problems are told."""

from pathlib import Path

import polars as pl
import pytest

from preprocessing.data_summary import DataSummary, summarise_data
from preprocessing.reading.files import read_table
from preprocessing.render import tell_summary
from preprocessing.schema import load_domains
from preprocessing.synthetic import generate
from tests.command import run_command

SECRET = b"a secret for tests, long enough"
UNIVERSITY = load_domains()["university"]


def rows() -> pl.DataFrame:
    return generate(UNIVERSITY, rows=200, seed=1)


def summary_of(frame: pl.DataFrame) -> DataSummary:
    return summarise_data(read_table(frame.write_csv().encode(), name="marks.csv"), UNIVERSITY, secret=SECRET)


def some(column: str, value: object, every: int) -> pl.Expr:
    here = pl.int_range(pl.len()) % every == 0
    return pl.when(here).then(pl.lit(value)).otherwise(pl.col(column)).alias(column)


def test_a_file_in_order_is_told_by_what_it_holds_and_can_teach() -> None:
    found = summary_of(rows())
    assert (found.rows, found.good, found.students, found.problem_count) == (200, 200, 200, 0)
    assert [name for name, _ in found.periods] == sorted(rows()["term"].unique())
    assert {(one.target, one.moment, one.complete, one.labeled) for one in found.can_predict} == {
        (target.name, moment, 200, 200) for target in UNIVERSITY.targets for moment in UNIVERSITY.moments
    }
    assert (found.missing, found.repeated, found.equal, found.slips) == ((), 0, 0, ())


def test_gaps_copies_and_what_cannot_be_learned_are_counted() -> None:
    frame = rows().with_columns(some("final_marks", None, 4)).drop("midterm_marks")
    found = summary_of(pl.concat([frame, frame.head(3)]))
    assert dict(found.missing)["final_marks"] == pytest.approx(51 / 203)
    assert (found.repeated, found.equal) == (6, 6)
    assert found.absent == ("midterm_marks",)
    assert found.can_predict == ()
    told = "\n".join(tell_summary(found, UNIVERSITY))
    assert "6 rows are of the same student" in told
    assert "nothing can be predicted" in told


@pytest.mark.parametrize("every", [50, 199])
def test_a_value_of_another_unit_is_named_with_its_row(every: int) -> None:
    usual = rows().with_columns((60 + pl.int_range(pl.len()) * 37 % 397 / 10).alias("attendance_percentage"))
    assert summary_of(usual).slips == ()
    found = summary_of(usual.with_columns(some("attendance_percentage", 0.84, every)))
    (slips,) = found.slips
    assert (slips.column, slips.factor, set(slips.values)) == ("attendance_percentage", 100.0, {0.84})
    assert slips.rows[0] == 2
    assert "like another unit (0.84, 0.84" in "\n".join(tell_summary(found, UNIVERSITY))


def test_the_command_tells_it_and_ends_with_one_where_anything_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "marks.csv"
    rows().write_csv(file)
    assert "200 rows, 200 in order" in run_command(tmp_path, "check", str(file), "-d", "university").stdout
    rows().with_columns(some("final_marks", 140.0, 70)).write_csv(file)
    refused = run_command(
        tmp_path, "check", str(file), "-d", "university", "--problems", str(tmp_path / "problems.csv")
    )
    assert (refused.returncode, len((tmp_path / "problems.csv").read_text().splitlines())) == (1, 4)
