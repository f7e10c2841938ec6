"""A school week is compared with the same one of earlier years: season is no drift, and what is one is found."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from clock import now
from database.records import Prediction
from drift.compare import compare
from drift.profile import build_profile
from drift.records import DriftReport, NotComparable
from model.workspace import Workspace
from monitoring.drift_days import days_of
from monitoring.drift_monitor import report_days
from monitoring.drift_weeks import days_of_week
from monitoring.feeds import silent_feeds
from preprocessing.panel.example import write_district
from preprocessing.panel.few import Calendar, SaidEvent
from preprocessing.validation.pii import pseudonym
from retraining.monitor import LookBack, monitor
from tests.database.making import make_prediction
from tests.monitoring.weekly_making import K12, SECRET, open_at

FEATURES = [one.name for one in K12.features_at("now") if not one.protected]


def two_years(folder: Path) -> None:
    write_district(folder / "district", K12, students=400, seed=11, years=2)


@pytest.fixture
def rows(prepared: Callable[..., Path]) -> pl.DataFrame:
    """All weeks of two years of a district in which nothing changes but the season."""
    return pl.read_parquet(prepared("two years", two_years) / "district" / "rows.parquet")


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    workspace = open_at(tmp_path)
    yield workspace
    workspace.close()


def answered(rows: pl.DataFrame, week: str, at: datetime) -> list[Prediction]:
    """The rows of a week as they were asked about."""
    return [
        make_prediction(at, domain=K12.name, moment="now", inputs={name: row[name] for name in FEATURES}, answers=(),
                        student=pseudonym(row["student_id"], SECRET), group=row["school"], period=week)
        for row in rows.filter(pl.col("week") == week).iter_rows(named=True)
    ]  # fmt: skip


def years_of(rows: pl.DataFrame) -> list[str]:
    return sorted({week[:-4] for week in rows["week"].unique()})


def loud(report: DriftReport) -> set[str]:
    return {one.column for one in report.flagged}


def test_the_same_week_of_the_year_before_is_calm_where_another_week_of_the_same_year_is_not(
    workspace: Workspace, rows: pl.DataFrame
) -> None:
    before, year = years_of(rows)
    today = now()
    weeks = [f"{before} W05", f"{before} W20", f"{year} W05", f"{year} W20"]
    workspace.store.add_predictions([one for week in weeks for one in answered(rows, week, today)])
    since, until = days_of_week(workspace, K12, f"{year} W20", "predictions")
    assert (since, until) == (today.astimezone(UTC).date(), today.astimezone(UTC).date() + timedelta(days=1))
    found = report_days(workspace, K12.name, days_of(since, until, week=f"{year} W20")).report
    n = rows.filter(pl.col("week") == f"{before} W20").height
    assert found.basis == f"school week 20 of {before} (n {n:,}), as answered then"
    assert loud(found) == set()
    profiles = [build_profile(rows.filter(pl.col("week") == f"{y} W{w}").select(FEATURES), K12)
                for y, w in ((before, "05"), (year, "20"))]  # fmt: skip
    assert len(compare(*profiles, K12).flagged) > 3, "season is as large as drift would be"
    plain = report_days(workspace, K12.name, days_of(since, until)).report
    assert plain.n_current == found.n_current, "the newest week of the days, by itself"
    assert any("of 4 school weeks" in one for one in plain.notes)


def test_what_changed_since_last_year_is_found_beside_the_season(workspace: Workspace, rows: pl.DataFrame) -> None:
    before, year = years_of(rows)
    inflated = rows.with_columns(
        pl.when(pl.col("week") == f"{year} W20").then((pl.col(name) + 0.06).clip(0, 1)).otherwise(pl.col(name))
        for name in ("pct_4w", "min_subject_pct_8w")
    )
    for week in (f"{before} W20", f"{year} W20"):
        workspace.store.add_predictions(answered(inflated, week, now()))
    since, until = days_of_week(workspace, K12, f"{year} W20", "predictions")
    found = report_days(workspace, K12.name, days_of(since, until, week=f"{year} W20")).report
    assert "pct_4w" in loud(found)
    assert loud(found) <= {"pct_4w", "min_subject_pct_8w"}


def test_where_no_earlier_year_has_the_week_there_is_not_enough_data(workspace: Workspace, rows: pl.DataFrame) -> None:
    before, year = years_of(rows)
    workspace.store.add_predictions(answered(rows, f"{year} W20", now()))
    since, until = days_of_week(workspace, K12, f"{year} W20", "predictions")
    with pytest.raises(NotComparable, match=r"not enough data to compare .* no rows of school week 20 of an earlier"):
        report_days(workspace, K12.name, days_of(since, until))
    some = answered(rows, f"{before} W20", now())[:60]
    workspace.store.add_predictions(some)
    with pytest.raises(NotComparable, match=r"school week 20 of .* \(n 60\), as answered then are too few"):
        report_days(workspace, K12.name, days_of(since, until))
    with pytest.raises(NotComparable, match="no rows of school week"):
        days_of_week(workspace, K12, f"{year} W33", "predictions")
    looked = monitor(workspace, K12.name, LookBack(today=True))
    assert looked.verdict == "not enough data"
    assert "not enough data to compare" in looked.no_drift


def test_marks_that_stop_are_told_and_a_school_that_never_had_any_is_not() -> None:
    monday = date(2025, 9, 1)
    days = [SaidEvent("", "calendar", f"c{n}", (monday - date(1970, 1, 1)).days + n, (None, n % 7 < 5))
            for n in range(120)]  # fmt: skip
    calendar = Calendar(days)
    seen = {"attendance": dict.fromkeys("ABC", monday + timedelta(days=60)), "grades": {"A": monday}}
    found = silent_feeds(calendar, seen, ["A", "B", "C"], monday + timedelta(days=61))
    assert [(one.school, one.feed, one.last) for one in found] == [("A", "grades", monday)]
    later = silent_feeds(calendar, seen, ["A", "B", "C"], monday + timedelta(days=60 + 15))
    assert {(one.school, one.feed) for one in later} == {
        ("A", "attendance"), ("B", "attendance"), ("C", "attendance"), ("A", "grades"),
    }  # fmt: skip
