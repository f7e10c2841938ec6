"""Reports over windows of days: from stored profiles, against the champion's data or the same weeks of the past."""

from datetime import date, timedelta

import msgspec
import numpy as np
import polars as pl
import pytest

from clock import new_id
from database.records import Cell, Prediction
from drift import stored
from drift.column import BinnedColumn
from drift.records import DriftReport, NotComparable, SameSample
from model.registry import NoChampion
from model.workspace import Workspace
from monitoring.days import midnight
from monitoring.drift_days import days_of
from monitoring.drift_monitor import judge_days, report_days
from tests.monitoring.asking import asked, loud, more_hours, prediction, report_frame
from tests.retraining.conftest import open_at
from tests.training.making import SCHEMA, make_rows, typed

MONDAY = date(2026, 3, 2)
WEEK = timedelta(days=7)


def report(workspace: Workspace, since: date, until: date, **choices: object) -> DriftReport:
    return report_days(workspace, SCHEMA.name, days_of(since, until, **choices)).report


# The window itself


@pytest.mark.parametrize("hours", [0.0, 2.0, 20.0])
def test_merged_profiles_certify_what_one_pass_over_the_rows_finds(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, hours: float
) -> None:
    monkeypatch.setattr(stored, "GRID_FROM", 25)
    for number in range(4):
        workspace.store.add_predictions(asked(MONDAY + timedelta(days=number), 150, seed=number, hours=hours))
    merged, compared = judge_days(workspace, SCHEMA.name, days_of(MONDAY, MONDAY + WEEK, against="champion"))
    assert isinstance(compared.current.columns["hours"], BinnedColumn)
    exact = report(workspace, MONDAY, MONDAY + WEEK, against="champion", exact=True)
    assert merged.n_current == exact.n_current == 600
    for column in exact.columns:
        found = merged.column(column.column)
        assert found.statistic - 1e-12 <= column.statistic <= found.statistic_high + 1e-12
        assert (found.n_reference, found.n_current) == (column.n_reference, column.n_current)
        assert (found.missing, found.new_levels) == (column.missing, column.new_levels)
        if column.column != "hours":
            assert (found.statistic, found.p_value, found.effect) == (column.statistic, column.p_value, column.effect)
        assert found.read_rows_again or found.verdict == column.verdict


def test_a_window_reports_drift_of_its_own_days_only_and_is_stored(workspace: Workspace) -> None:
    workspace.store.add_predictions(asked(MONDAY, 200, seed=1) + asked(MONDAY + WEEK, 200, seed=2, hours=25.0))
    before = report_days(workspace, SCHEMA.name, days_of(MONDAY, MONDAY + WEEK))
    after = report_days(workspace, SCHEMA.name, days_of(MONDAY + WEEK, MONDAY + 2 * WEEK))
    assert "hours" not in {column.column for column in before.report.flagged}
    assert after.report.column("hours").verdict == "drift"
    assert workspace.store.drift_reports(SCHEMA.name)[0].id == after.record.id
    assert DriftReport.from_document(after.record.document) == after.report


def test_predictions_are_compared_too_and_a_target_without_champion_is_not_named_missing(workspace: Workspace) -> None:
    workspace.store.add_predictions(asked(MONDAY, 100, seed=1))
    found = report(workspace, MONDAY, MONDAY + WEEK)
    assert found.column("_prediction:mark").n_current == 100
    assert "_prediction:grade" not in {item.column for item in found.not_compared}


def test_the_moment_with_the_most_rows_is_reported_unless_another_is_named(workspace: Workspace) -> None:
    workspace.store.add_predictions(asked(MONDAY, 90, seed=1) + asked(MONDAY, 30, seed=2, moment="half"))
    assert report(workspace, MONDAY, MONDAY + WEEK).n_current == 90
    later = report(workspace, MONDAY, MONDAY + WEEK, moment="half")
    assert (later.n_current, later.basis) == (30, "what the champion at moment 'start' was trained on")
    assert [item.column for item in later.not_compared if item.reason == "only in the current sample"] == ["midterm"]
    with pytest.raises(NotComparable, match=r"at moment 'end'; there are 90 at 'start', 30 at 'half'"):
        report(workspace, MONDAY, MONDAY + WEEK, moment="end")


def test_an_empty_or_impossible_window_is_refused_in_words(workspace: Workspace) -> None:
    with pytest.raises(NotComparable, match="no rows of invented in predictions from 2026-03-02"):
        report(workspace, MONDAY, MONDAY + WEEK)
    with pytest.raises(NotComparable, match="0 days"):
        days_of(MONDAY, MONDAY)
    with pytest.raises(NotComparable, match="source"):
        days_of(MONDAY, MONDAY + WEEK, source="elsewhere")


def test_batches_make_a_window_as_predictions_do(workspace: Workspace) -> None:
    (batch,) = workspace.store.batches(SCHEMA.name, "labeled")
    day = batch.at.date()
    with pytest.raises(SameSample):  # the champion learned from this very batch
        report(workspace, day, day + timedelta(days=1), source="labeled")


def test_segments_of_a_window_are_compared_with_the_labelled_rows(workspace: Workspace) -> None:
    day = workspace.store.batches(SCHEMA.name)[0].at.date() + timedelta(days=1)
    workspace.store.add_predictions(asked(day, 300, seed=8, change=more_hours))
    found = report_days(workspace, SCHEMA.name, days_of(day, day + WEEK), by="support").report
    assert loud(found) == {"low": ["hours"]}


def test_segments_know_only_what_was_known_at_the_moment(workspace: Workspace) -> None:
    day = workspace.store.batches(SCHEMA.name)[0].at.date() + timedelta(days=1)
    workspace.store.add_predictions(asked(day, 300, seed=8) + asked(day, 100, seed=9, moment="half"))
    found = report_days(workspace, SCHEMA.name, days_of(day, day + WEEK), by="support").report
    assert sum(segment.n_current for segment in found.segments) == 300
    assert "midterm" not in {column.column for segment in found.segments for column in segment.columns}


def test_what_only_rows_tell_is_in_every_report_on_a_window(workspace: Workspace) -> None:
    workspace.store.add_predictions(asked(MONDAY, 300, seed=1, hours=25.0))
    found = report(workspace, MONDAY, MONDAY + WEEK)
    assert found.joint is not None
    assert found.joint.verdict == "drift"
    assert found.expected is not None
    assert found.expected.n_current == 300
    assert found.sampled == ""


def test_of_many_rows_some_are_read_and_the_report_says_how_many(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitoring.drift_monitor.ROWS_A_SIDE", 100)
    workspace.store.add_predictions(asked(MONDAY, 600, seed=1, hours=25.0))
    found = report(workspace, MONDAY, MONDAY + WEEK)
    assert found.n_current == 600  # the columns' own tests count them all
    assert found.joint is not None
    assert found.joint.verdict == "drift"
    assert found.joint.classifier.n_current == 100
    assert found.sampled == "100 of 600 rows of now"
    assert found.sampled in found.summary
    assert report(workspace, MONDAY, MONDAY + WEEK, exact=True).sampled == ""


def test_a_student_asked_every_day_is_not_told_apart_from_himself(workspace: Workspace) -> None:
    once = asked(MONDAY, 120, seed=3)
    daily = [
        msgspec.structs.replace(one, id=new_id(), at=one.at + timedelta(days=day)) for day in range(6) for one in once
    ]
    workspace.store.add_predictions(daily)
    found = report_days(workspace, SCHEMA.name, days_of(MONDAY, MONDAY + WEEK)).report
    assert found.joint is not None
    assert (found.joint.classifier.n_current, found.joint.classifier.clusters) == (720, 240)
    assert found.joint.classifier.auc_low < 0.5


def test_a_required_input_that_rows_lack_is_reported_and_its_rows_count(workspace: Workspace) -> None:
    frame = typed(make_rows(300, seed=4, shift=3.0))
    lost = frame.with_columns(before=pl.when(pl.int_range(pl.len()) % 2 == 0).then(None).otherwise(pl.col("before")))
    found = report_frame(workspace, SCHEMA, lost).report
    assert found.n_current == 300
    assert found.column("before").missing.rate_current == 0.5
    assert found.column("before").missing.verdict == "drift"
    assert found.column("_prediction:mark").n_current == 150
    assert found.column("_prediction:mark").missing.verdict == "constant"


# The calendar

DECEMBERS = [date(year, 12, 1) for year in (2023, 2024, 2025)]


def season(
    seed: int, start: date, weeks: int, *, ends_with: float, period: str | None = None, daily: int = 20
) -> list[Prediction]:
    """A term of `daily` predictions a day; in its last two weeks students learn `ends_with` hours more."""
    draw, rows = np.random.default_rng(seed), []
    for number in range(weeks * 7):
        hours = 10.0 + (ends_with if number >= (weeks - 2) * 7 else 0.0)
        for n in range(daily):
            inputs: dict[str, Cell] = {
                "hours": float(np.clip(draw.normal(hours, 3), 0, 40)),
                "before": float(draw.integers(0, 21)),
                "support": str(draw.choice(["low", "mid", "high"])),
                "subject": "art",
                "sex": str(draw.choice(["f", "m"])),
            }
            rows.append(
                prediction(midnight(start + timedelta(days=number)) + timedelta(hours=n), inputs, "start", period)
            )
    return rows


def hours_alarm(found: DriftReport) -> bool:
    return "hours" in {column.column for column in found.flagged}


def test_every_december_alarms_against_the_champion_s_data_and_none_against_earlier_decembers(
    workspace: Workspace,
) -> None:
    terms = [start - timedelta(weeks=4) for start in DECEMBERS]
    for seed, start in enumerate(terms):
        workspace.store.add_predictions(season(seed, start, 6, ends_with=12.0))
    exams = [start + timedelta(weeks=4) for start in terms]
    plain = [hours_alarm(report(workspace, start, start + 2 * WEEK, against="champion")) for start in exams]
    assert plain == [True, True, True]
    assert [report(workspace, start, start + 2 * WEEK).alarm for start in exams[1:]] == [False, False]


def test_a_december_unlike_earlier_ones_alarms_with_the_calendar_too(workspace: Workspace) -> None:
    for seed, start in enumerate(DECEMBERS):
        workspace.store.add_predictions(season(seed, start, 2, ends_with=12.0 if start.year < 2025 else 2.0))
    found = report(workspace, DECEMBERS[2], DECEMBERS[2] + 2 * WEEK)
    assert found.column("hours").verdict == "drift"
    assert "the same weeks of the last 2 years" in found.summary


def test_with_a_period_weeks_are_counted_from_each_period_s_first_day(workspace: Workspace) -> None:
    starts = {"2024-1": date(2024, 2, 5), "2024-2": date(2024, 9, 16), "2025-1": date(2025, 3, 3)}
    for seed, (period, start) in enumerate(starts.items()):
        workspace.store.add_predictions(season(seed, start, 6, ends_with=12.0, period=period))
    exams = starts["2025-1"] + timedelta(weeks=4)
    calm = report(workspace, exams, exams + 2 * WEEK)
    assert not calm.alarm
    assert calm.n_reference == 2 * 280  # the fifth and sixth weeks of both earlier periods
    assert "the same weeks of 2024-1, 2024-2" in calm.basis
    assert hours_alarm(report(workspace, exams, exams + 2 * WEEK, against="champion"))


def test_too_little_past_falls_back_on_the_champion_and_says_so(workspace: Workspace) -> None:
    workspace.store.add_predictions(
        season(0, DECEMBERS[1], 1, ends_with=0.0, daily=10) + season(1, DECEMBERS[2], 2, ends_with=0.0)
    )
    found = report(workspace, DECEMBERS[2], DECEMBERS[2] + 2 * WEEK)
    assert found.basis == (
        "what the champion was trained on (the same weeks of last year hold 60 rows, of 200 that are needed)"
    )
    with pytest.raises(NotComparable, match="no past to compare with: the same weeks of last year hold 60 rows"):
        report(workspace, DECEMBERS[2], DECEMBERS[2] + 2 * WEEK, against="past")


def test_a_week_that_no_earlier_period_had_is_not_compared_with_other_weeks(workspace: Workspace) -> None:
    workspace.store.add_predictions(season(0, date(2024, 2, 5), 4, ends_with=0.0, period="2024-1"))
    workspace.store.add_predictions(season(1, date(2025, 2, 3), 6, ends_with=12.0, period="2025-1"))
    found = report(workspace, date(2025, 2, 3), date(2025, 2, 3) + 6 * WEEK)
    assert "2024-1 have no rows in week 5, 6" in found.basis


def test_the_past_needs_no_champion(tmp_path) -> None:
    workspace = open_at(tmp_path)
    for seed, start in enumerate(DECEMBERS[1:]):
        workspace.store.add_predictions(season(seed, start, 3, ends_with=0.0))
    assert not report(workspace, DECEMBERS[2], DECEMBERS[2] + 3 * WEEK).alarm
    with pytest.raises(NoChampion, match="no champion of invented at moment 'start' to compare with"):
        report(workspace, DECEMBERS[2], DECEMBERS[2] + 3 * WEEK, against="champion")
    workspace.close()
