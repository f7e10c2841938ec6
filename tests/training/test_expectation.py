"""The error expected without outcomes, against the truth, on real grades."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import pytest

from database.records import ChampionKey, digest
from model.expected_error import expect_error, hardness, tabulate
from model.predictor import Predictor
from monitoring.row_findings import expect_of
from preprocessing.encode import encode_rows
from preprocessing.reading.files import read_table
from preprocessing.schema import load_domains
from preprocessing.validation.validate import rows_of, validate_table
from training.train import train

PORTUGUESE = Path(__file__).resolve().parents[3] / "shared" / "data" / "uci_student" / "student-por.csv"


MARKS = load_domains()["school"]


class Answers(NamedTuple):
    """Unseen answers about the students of one school, and a predictor that learned from them all."""

    predictor: Predictor
    known: pl.DataFrame
    outputs: np.ndarray
    errors: np.ndarray
    elsewhere: pl.DataFrame


@pytest.fixture(scope="module")
def gabriel() -> Answers:
    """A model of the school GP at moment G1; the school MS is elsewhere."""
    if not PORTUGUESE.exists():
        pytest.skip(f"the UCI student data is not at {PORTUGUESE}")
    frame = validate_table(read_table(PORTUGUESE), MARKS, secret=b"s" * 32).require_clean().frame
    frame = frame.with_columns(pl.Series("_record", [digest([row]) for row in range(frame.height)]))
    known, elsewhere = frame.filter(pl.col("school") == "GP"), frame.filter(pl.col("school") == "MS")
    training = train(MARKS, ChampionKey("school", "G3", "G1"), known)
    predictor = Predictor(training.bundle, "v")
    known = known.sort("_record", "G3", *predictor.manifest.inputs, maintain_order=True)  # as training sorts them
    assert known["G3"].to_list() == training.truth.tolist()
    errors = np.abs(training.truth - training.outputs[:, 0])
    return Answers(predictor, known, training.outputs, errors, elsewhere)


def test_of_other_students_who_end_as_before_the_estimate_is_right_where_unchanged_would_be_wrong(
    gabriel: Answers,
) -> None:
    first, target, runs = gabriel.known["G1"].to_numpy(), gabriel.predictor.manifest.target, 60
    estimated, unchanged = 0.0, 0.0
    for chosen in (first <= 11, first >= 13):
        right = 0
        for run in range(runs):
            rows = np.random.default_rng(run).permutation(len(first))
            held, new = rows[:250], rows[250:][chosen[rows[250:]]]
            outputs, errors = gabriel.outputs[held], gabriel.errors[held]
            table = tabulate(hardness(target, outputs), errors, np.arange(len(held)))
            found, truth = expect_error(target, table, gabriel.outputs[new]), gabriel.errors[new].mean()
            assert found is not None
            right += found.after_low <= truth <= found.after_high
            estimated += abs(found.after - truth)
            unchanged += abs(found.before - truth)
        assert right >= 0.8 * runs  # the runs share rows: 52 of 60 weak, 56 of 60 strong
    assert estimated < unchanged  # of the strong; the weak err as all do, and nothing is gained there


def test_of_another_school_whose_students_end_differently_it_sees_a_part_of_the_rise(gabriel: Answers) -> None:
    manifest = gabriel.predictor.manifest
    asked = [row.inputs for row in rows_of(gabriel.elsewhere, MARKS)]
    outputs = gabriel.predictor.outputs(encode_rows(manifest.encoding, asked))
    truth = float(np.abs(outputs[:, 0] - gabriel.elsewhere["G3"].to_numpy()).mean())
    found = expect_error(manifest.target, manifest.errors, outputs)
    assert found is not None
    assert found.before < found.after < truth
    assert (found.n_reference, found.n_current) == (423, 226)


def test_it_says_of_as_many_rows_that_it_knows_little_as_are_answered_without_a_promise(gabriel: Answers) -> None:
    both = pl.concat([gabriel.known, gabriel.elsewhere])
    answers = gabriel.predictor.answer([row.inputs for row in rows_of(both, MARKS)], generation=1)
    found = expect_of(gabriel.predictor, both, MARKS)
    assert found is not None
    assert found.outside == pytest.approx(np.mean([bool(one.out_of_range) for one in answers]))
    assert found.outside >= gabriel.elsewhere.height / both.height, "no row of the other school is known"


def test_the_bundle_keeps_the_table_of_its_own_unseen_answers(gabriel: Answers) -> None:
    table = gabriel.predictor.manifest.errors
    assert table is not None
    assert sum(table.n) == len(gabriel.errors)
    assert np.dot(table.n, table.mean) / sum(table.n) == pytest.approx(gabriel.errors.mean())
