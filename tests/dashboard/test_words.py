"""How numbers, scores and time are said and cut."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard import words
from dashboard.charts import CONFIG
from dashboard.form import step
from dashboard.parts import moment_name
from dashboard.views.today import first_sentence
from database.records import Answer, Event, now
from model.scores import Estimate
from preprocessing.schema import Feature, Target, load_domains

MARK = Target(name="mark", minimum=0, maximum=20, unit="points")


@pytest.mark.parametrize(
    ("value", "said"),
    [(12.0, "12"), (12.345, "12.35"), (0.8134, "0.813"), (123.45, "123.5"), (1234.5, "1,234"), (-0.5, "-0.500")],
)
def test_numbers_have_no_more_digits_than_anyone_reads(value: float, said: str) -> None:
    assert words.number(value) == said


def test_an_answer_is_on_its_side_of_the_cut_points_and_a_likelier_level_is_told() -> None:
    mark = Target(name="mark", minimum=0, maximum=100, unit="points", cut_points=(60.0,))
    assert [words.answer(value, mark) for value in (59.96, 60.04, 12.345, "A")] == [
        "59.9 points", "60 points", "12.3 points", "A",
    ]  # fmt: skip
    about: dict[str, Any] = {"target": "grade", "naive": "A", "model": "m", "generation": 1}
    assert words.likelier(Answer(value="A", probabilities={"F": 0.3, "A": 0.7}, **about)) == ""
    told = words.likelier(Answer(value="B", probabilities={"F": 0.41, "B": 0.2, "A": 0.39}, **about))
    assert told.startswith("B (20%) is the band")
    assert told.endswith("F by itself is likelier (41%)")


def test_levels_and_moments_are_said_as_the_domain_says_them() -> None:
    school = load_domains()["school"]
    assert words.level_name(school.feature_by_name["Pstatus"], "T") == "together (T)"
    assert words.level_name(school.feature_by_name["Mjob"], "teacher") == "teacher"
    assert moment_name(school, "G2") == "once the second period's grade is known"


@given(st.floats(-1e6, 1e6))
def test_a_said_number_is_close_to_the_number(value: float) -> None:
    said = float(words.number(value).replace(",", ""))
    assert abs(said - value) <= max(0.0005, 0.0051 * abs(value))


@pytest.mark.parametrize(
    ("model", "naive", "beats", "standing"),
    [
        (Estimate(1.0, 0.9, 1.1), Estimate(2.0, 1.8, 2.2), True, "ahead"),
        (Estimate(0.6, 0.5, 0.7), Estimate(0.3, 0.2, 0.4), True, "ahead"),
        (Estimate(1.0, 0.9, 1.9), Estimate(2.0, 1.8, 2.2), True, "close"),
        (Estimate(2.1, 1.9, 2.3), Estimate(2.0, 1.8, 2.2), False, "behind"),
        (Estimate(3.0, 2.9, 3.1), Estimate(2.0, 1.8, 2.2), False, "behind"),
    ],
)
def test_a_champion_is_ahead_of_the_naive_rule_only_where_intervals_are_apart(
    model: Estimate, naive: Estimate, beats: bool, standing: words.Standing
) -> None:
    line = words.Headline(name="RMSE", help="", unit="", model=model, naive=naive, n=100, beats_naive=beats)
    assert line.standing == standing


def test_a_column_is_called_by_the_beginning_of_its_description() -> None:
    described = Feature(name="Medu", kind="numeric", description="mother's education: 0 none, 4 higher")
    assert words.title(described) == "Mother's education"
    assert words.title(Feature(name="Medu", kind="numeric")) == "Medu"


@given(st.floats(0.1, 1e6))
def test_a_press_moves_a_number_by_a_small_part_of_its_range(width: float) -> None:
    feature = Feature(name="x", kind="numeric", minimum=0.0, maximum=width)
    assert width / 250 <= step(feature) <= width / 19.9


def test_an_event_nobody_wrote_words_for_is_still_no_raw_record() -> None:
    said = words.event(Event(id="1", kind="batch_refused", at=now(), details={"bad_rows": 3, "file": None}))
    assert said == "Batch refused: bad rows 3"


def test_a_retraining_run_is_told_by_what_it_decided_not_by_what_it_printed() -> None:
    said = {"state": "finished", "exit_code": 0, "decisions": ["mark@start: promote"], "words": "┏━┓ a table"}
    ended = Event(id="1", kind="retraining_finished", at=now(), details=said)
    assert words.event(ended) == "A retraining run has ended (finished): mark@start: promote"


def test_the_first_sentence_keeps_decimal_points() -> None:
    assert first_sentence("Drift in 1.5 % of rows. More.") == "Drift in 1.5 % of rows."
    assert first_sentence("") == ""


def test_charts_let_a_phone_scroll() -> None:
    assert CONFIG["displayModeBar"] is False
