"""Invented data is valid, repeatable, and has something to learn in it; templates are valid too."""

from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import cross_val_predict

from preprocessing.reading.files import read_table
from preprocessing.reading.raw_table import RawTable
from preprocessing.schema import DomainSchema, load_domains
from preprocessing.synthetic import generate
from preprocessing.template import template
from preprocessing.validation.results import Validated
from preprocessing.validation.validate import validate_table
from tests.preprocessing.making import SECRET, SUBJECT

DOMAINS = {**load_domains(), "subject": SUBJECT}
every_domain = pytest.mark.parametrize("schema", DOMAINS.values(), ids=list(DOMAINS))


def read(frame: pl.DataFrame, schema: DomainSchema) -> Validated:
    raw = RawTable(frame, "invented", is_text=False, first_row=1)
    return validate_table(raw, schema, secret=SECRET, with_targets="required").require_clean()


@every_domain
def test_invented_rows_are_valid_and_of_the_last_moment(schema: DomainSchema) -> None:
    frame = read(generate(schema, rows=500, seed=1), schema).frame
    assert frame.height == 500
    assert frame["_moment"].unique().to_list() == [schema.moments[-1]]
    assert frame["_student"].null_count() == 0


@every_domain
def test_the_same_seed_gives_the_same_rows_and_another_gives_others(schema: DomainSchema) -> None:
    assert generate(schema, rows=60, seed=1).equals(generate(schema, rows=60, seed=1))
    assert not generate(schema, rows=60, seed=1).equals(generate(schema, rows=60, seed=2))


def test_more_absences_go_with_a_worse_grade_and_more_marks_with_a_better() -> None:
    school = generate(load_domains()["school"], rows=2000, seed=1).select(pl.corr("absences", "G3")).item()
    engagement = generate(load_domains()["engagement"], rows=2000, seed=1)
    assert school < -0.05
    assert engagement.select(pl.corr("comprehension", "assignment_score")).item() > 0.2


def test_known_rows_come_of_a_known_seed() -> None:
    frame = generate(load_domains()["engagement"], rows=3, seed=7)
    assert frame.rows() == [
        ("example-000001", "A001", 34.3, 54.1, 12.4, 9.5, 168.9, 64.7),
        ("example-000002", "A000", 37.7, 22.5, 40.1, 51.7, 139.5, 84.7),
        ("example-000003", "A000", 58.8, 44.1, 4.7, 13.3, 4.4, 31.3),
    ]


@pytest.mark.parametrize("rows", [0, 1, 2])
@every_domain
def test_few_rows_are_made_too(schema: DomainSchema, rows: int) -> None:
    assert generate(schema, rows=rows, seed=1).height == rows


@pytest.mark.parametrize("name", sorted(name for name, one in load_domains().items() if one.targets_of("regression")))
def test_a_model_beats_the_naive_rule_and_the_naive_rule_beats_the_mean(name: str) -> None:
    schema = DOMAINS[name]
    frame = read(generate(schema, rows=900, seed=3), schema).frame.drop_nulls(
        [feature.name for feature in schema.features]
    )
    target = next(target for target in schema.targets if target.kind == "value")
    truth = frame[target.name].to_numpy()
    spread = truth.std()
    for moment in schema.moments:
        X = frame.select(feature.name for feature in schema.inputs_at(moment)).to_dummies(pl.selectors.string())
        model = rmse(cross_val_predict(RidgeCV(), X.to_numpy(), truth, cv=5), truth)
        column = schema.naive_column(target, moment)
        naive = rmse(frame[column].to_numpy(), truth) if column else spread
        assert model < 0.95 * naive
        assert model > 0.25 * spread
        assert naive < 0.9 * spread or column is None


def rmse(said: np.ndarray, truth: np.ndarray) -> float:
    return float(np.sqrt(np.mean((said - truth) ** 2)))


def test_protected_columns_say_nothing_about_the_outcome() -> None:
    frame = generate(load_domains()["school"], rows=4_000, seed=3)
    means = frame.group_by("sex").agg(pl.col("G3").mean())["G3"]
    assert abs(means[0] - means[1]) < 0.5


def test_grades_follow_marks_and_every_grade_occurs() -> None:
    university = load_domains()["university"]
    frame, grades = generate(university, rows=1_000, seed=3), university.target_by_name["final_grade"].levels
    ranges = frame.group_by("final_grade").agg(
        low=pl.col("final_marks").min(), high=pl.col("final_marks").max(), n=pl.len()
    )
    ordered = [ranges.row(by_predicate=pl.col("final_grade") == grade, named=True) for grade in grades]
    assert all(worse["high"] < better["low"] for worse, better in pairwise(ordered))
    assert min(grade["n"] for grade in ordered) > 40


@pytest.mark.parametrize("form", ["csv", "xlsx"])
@every_domain
def test_a_template_has_every_column_and_rows_that_validate(schema: DomainSchema, form: str) -> None:
    raw = read_table(template(schema, format=form))  # type: ignore[arg-type]
    assert raw.frame.columns == [column.name for column in schema.columns]
    assert validate_table(raw, schema, secret=SECRET).require_clean().frame.height == 2


def test_the_workbook_explains_every_column_on_its_second_sheet() -> None:
    sheet = pl.read_excel(template(SUBJECT, format="xlsx"), sheet_id=2)
    told = {row["column"]: row for row in sheet.iter_rows(named=True)}
    assert list(told) == [column.name for column in SUBJECT.columns]
    assert told["hours"]["what it holds"] == "a number from 0 to 40.5 (hours per week)"
    assert told["P2"]["needed"] == "from moment late on"
    assert told["pupil_id"]["also accepted as"] == "key"
