"""Periods in time, as people name them in seven languages."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preprocessing.periods import rank_periods, sorted_periods, tells_time


@pytest.mark.parametrize(
    "ordered",
    [
        ["week 9", "week 10", "week 11"],
        ["2013B", "2013J", "2014B", "2014J"],
        ["2025-2", "2026-1", "2026-2", "2026-10"],
        ["", "1", "1b", "2"],
        ["Fall 2023", "Spring 2024", "Fall 2024", "Spring 2025"],
        ["Winter 2024", "Spring 2024", "Summer 2024", "Fall 2024", "Winter 2025"],
        ["autumn", "spring"],
        ["Autumn", "Spring", "Summer"],
        ["Autumn 2023/24", "Spring 2023/24", "Summer 2023/24", "Autumn 2024/25"],
        ["WS 2022/23", "SS 2023", "WS 2023/24", "SS 2024"],
        ["Sommersemester 2023", "Wintersemester 2023", "Sommersemester 2024"],
        ["1. Halbjahr 2022/23", "2. Halbjahr 2022/23", "1. Halbjahr 2023/24"],
        ["1er trimestre", "2e trimestre", "3e trimestre"],
        ["Trimestre 1 2023-2024", "Trimestre 2 2023-2024", "Trimestre 1 2024-2025"],
        ["Primer trimestre", "Segundo trimestre", "Tercer trimestre"],
        ["T1", "T2", "T3"],
        ["I", "II", "III", "IV"],
        ["2022-2023", "2023-2024", "2024-25"],
        ["Otoño 2023", "Primavera 2024", "Otoño 2024"],
        ["Printemps 2024", "Été 2024", "Automne 2024"],
        ["September 2023", "Jan 2024", "May 2024"],
    ],
)
def test_periods_sort_in_time_whatever_their_order_in_a_file(ordered: list[str]) -> None:
    mixed = random.Random(1).sample(ordered, len(ordered))
    assert sorted_periods(mixed) == ordered


def test_a_declared_order_counts_and_what_is_new_comes_after_it() -> None:
    assert sorted_periods(["B", "A", "Z", "2025", "2024"], ["Z", "A", "B"]) == ["Z", "A", "B", "2024", "2025"]


@given(st.lists(st.text(max_size=6), max_size=8))
def test_any_texts_can_be_put_in_order_and_each_has_one_place(periods: list[str]) -> None:
    ranks = rank_periods(periods)
    assert sorted(ranks.values()) == list(range(len(set(periods))))
    assert sorted_periods(reversed(periods)) == sorted_periods(periods)


def test_which_names_tell_a_time() -> None:
    assert tells_time(["SoSe 2024", "WiSe 2024"])
    assert tells_time(["2023", "2024"])
    assert not tells_time(["1", "2", "3"])
    assert not tells_time(["Algebra", "Biology"])
