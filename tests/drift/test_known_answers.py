"""Findings on the UCI Portuguese class that were established by other programs."""

import numpy as np
import polars as pl
import pytest

from drift.compare import compare
from drift.policy import ALARMING
from drift.profile import Profile, build_profile
from drift.records import DriftReport
from preprocessing.schema import DomainSchema


@pytest.fixture(scope="module")
def schools(portuguese: pl.DataFrame, school: DomainSchema) -> tuple[Profile, Profile]:
    without = portuguese.drop("school")
    masks = (portuguese["school"] == name for name in ("GP", "MS"))
    gabriel, mousinho = (build_profile(without.filter(mask), school) for mask in masks)
    return gabriel, mousinho


@pytest.fixture(scope="module")
def report(schools: tuple[Profile, Profile], school: DomainSchema) -> DriftReport:
    return compare(*schools, schema=school)


def test_seventeen_of_the_32_columns_differ_beyond_chance(report: DriftReport):
    assert len(report.columns) == 32
    assert sum(column.p_adjusted <= 0.05 for column in report.columns) == 17


@pytest.mark.parametrize(("column", "effect"), [("G1", 0.321), ("traveltime", 0.302), ("G3", 0.295), ("G2", 0.277)])
def test_the_marks_and_the_way_to_school_drifted(report: DriftReport, column: str, effect: float):
    found = report.column(column)
    assert found.statistic == pytest.approx(effect, abs=5e-4)
    assert found.verdict == "drift"


def test_the_address_drifted(report: DriftReport):
    found = report.column("address")
    assert np.sqrt(found.statistic / (423 + 226)) == pytest.approx(0.355, abs=5e-4)
    assert found.effect == pytest.approx(0.353, abs=5e-4)
    assert (found.verdict, found.where) == ("drift", "R")


@pytest.mark.parametrize("column", ["paid", "nursery", "famsize", "Pstatus"])
def test_what_did_not_change_is_not_called_changed(report: DriftReport, column: str):
    assert report.column(column).verdict not in ALARMING


def test_the_summary_leads_with_what_changed_most(report: DriftReport):
    assert report.alarm
    assert report.summary.startswith("Drift in 16 of 32 columns (226 rows against 423). address changed clearly:")


def test_at_most_one_random_half_in_twenty_raises_an_alarm(portuguese: pl.DataFrame, school: DomainSchema):
    alarms = 0
    for seed in range(40):
        shuffled = portuguese.sample(fraction=1.0, shuffle=True, seed=seed)
        halves = shuffled[:324], shuffled[324:]
        alarms += compare(*(build_profile(half, school) for half in halves)).alarm
    assert alarms <= 2
