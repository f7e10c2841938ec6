"""How numbers, scores and time are said and cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard import words
from dashboard.charts import CONFIG
from dashboard.parts import moment_name
from model.scores import Estimate
from preprocessing.schema import Feature, Target, load_domains, title_of

MARK = Target(name="mark", minimum=0, maximum=20, unit="points")


@pytest.mark.parametrize(
    ("value", "said"),
    [(12.0, "12"), (12.345, "12.35"), (0.8134, "0.813"), (123.45, "123.5"), (1234.5, "1,234"), (-0.5, "-0.500")],
)
def test_numbers_have_no_more_digits_than_anyone_reads(value: float, said: str) -> None:
    assert words.number(value) == said


def test_levels_and_moments_are_said_as_the_domain_says_them() -> None:
    school = load_domains()["school"]
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
    assert title_of(described) == "Mother's education"
    assert title_of(Feature(name="Medu", kind="numeric")) == "Medu"


def test_charts_let_a_phone_scroll() -> None:
    assert CONFIG["displayModeBar"] is False
