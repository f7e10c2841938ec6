"""Errors expected without outcomes: right when only the rows changed, and honest about what they rest on."""

import msgspec
import numpy as np
import pytest

from drift.sentences import describe_expected
from model.bundle import ErrorTable
from model.expected_error import expect_error, hardness, tabulate
from preprocessing.schema import Target

MARK = Target(name="mark", kind="value", minimum=0, maximum=20, unit="points")
GRADE = Target(name="grade", kind="ordered_class", levels=("fail", "pass", "good"))


def answered(rows: int, seed: int, middle: float = 12.0) -> tuple[np.ndarray, np.ndarray]:
    """Answers, and their errors, which are larger for weak students."""
    generator = np.random.default_rng(seed)
    answers = np.clip(generator.normal(middle, 3, rows), 0, 20)
    return answers[:, None], np.abs(generator.normal(0, 0.4 + 0.2 * (20 - answers)))


def table_of(rows: int = 600, seed: int = 0) -> ErrorTable:
    outputs, errors = answered(rows, seed)
    return tabulate(hardness(MARK, outputs), errors, np.arange(rows))


def test_the_interval_holds_the_true_error_of_weaker_students_in_95_of_100_cases():
    runs, right, unchanged_right = 300, 0, 0
    for run in range(runs):
        table = table_of(seed=2 * run)
        outputs, errors = answered(200, 2 * run + 1, middle=8.0)
        found = expect_error(MARK, table, outputs)
        right += found.after_low <= errors.mean() <= found.after_high
        unchanged_right += found.before_low <= errors.mean() <= found.before_high
    assert 0.9 <= right / runs <= 0.99
    assert unchanged_right / runs < 0.2


def test_the_change_is_sure_for_weaker_students_and_open_for_the_same_ones():
    weaker = expect_error(MARK, table_of(), answered(200, 9, middle=7.0)[0])
    assert "is expected to rise" in describe_expected(weaker)
    assert weaker.change > 0
    assert weaker.change == pytest.approx(weaker.after - weaker.before)
    same = expect_error(MARK, table_of(), answered(200, 9)[0])
    assert "is open" in describe_expected(same)
    assert (weaker.n_reference, weaker.n_current) == (600, 200)


def test_rows_answered_like_the_held_out_ones_change_nothing():
    outputs, errors = answered(600, 0)
    found = expect_error(MARK, table_of(), outputs)
    assert found.change == pytest.approx(0, abs=0.01)
    assert found.before == pytest.approx(errors.mean())


def test_groups_that_go_wrong_together_widen_the_interval():
    generator = np.random.default_rng(3)
    group = np.repeat(np.arange(30), 20)
    errors = np.abs(generator.normal(1, 0.3, 600) + generator.normal(0, 1, 30)[group])
    hard = generator.normal(12, 3, 600)
    alone, together = tabulate(hard, errors, np.arange(600)), tabulate(hard, errors, group)
    assert alone.inflation == pytest.approx(1, abs=0.01)
    assert together.inflation > 5
    narrow, wide = (expect_error(MARK, table, hard[:50, None]) for table in (alone, together))
    assert wide.after_high - wide.after_low > 2 * (narrow.after_high - narrow.after_low)


def test_a_class_answered_with_less_confidence_is_expected_to_be_wrong_more_often():
    outputs = np.array([[0.8, 0.1, 0.1], [0.4, 0.35, 0.25], [0.0, 0.0, 1.0]])
    assert hardness(GRADE, outputs) == pytest.approx([0.1 + 0.2, 0.35 + 0.5, 0.0])
    generator = np.random.default_rng(0)
    shares = generator.dirichlet([2, 2, 2], 500)
    truth = np.array([generator.choice(3, p=share) for share in shares])
    errors = np.abs(truth - shares.argmax(axis=1)).astype(float)
    table = tabulate(hardness(GRADE, shares), errors, np.arange(500))
    sure = expect_error(GRADE, table, shares[shares.max(axis=1) > 0.6])
    assert sure.after < sure.before
    assert sure.unit == "levels"


def test_few_rows_or_equal_answers_have_one_cell_and_no_rows_no_estimate():
    table = tabulate(np.full(200, 5.0), np.ones(200), np.arange(200))
    assert (table.centers, table.n) == ((5.0,), (200,))
    assert tabulate(np.arange(40.0), np.ones(40), np.arange(40)).n == (40,)
    assert expect_error(MARK, table, np.empty((0, 1))) is None
    assert msgspec.json.decode(msgspec.json.encode(table), type=ErrorTable) == table


def test_every_cell_has_rows_whatever_ties_there_are():
    hard = np.repeat([1.0, 1.0, 2.0, 9.0], 70)
    table = tabulate(hard, np.arange(280.0), np.arange(280))
    assert min(table.n) > 0
    assert sum(table.n) == 280
