"""What a file is compared with: the champion's population, another file, with all that the champion can say of both."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import msgspec
import polars as pl
import pytest

from clock import new_id
from drift.column import ProfileError
from drift.compare import compare
from drift.profile import Profile
from drift.records import NotComparable
from model.registry import NoChampion, load_bundle
from model.workspace import Workspace
from monitoring.drift_days import days_of
from monitoring.drift_files import ReportOptions, report_file
from monitoring.drift_monitor import profile_for, report_days
from monitoring.row_findings import part_rows, population_of, widest_champion
from preprocessing.schema import DomainSchema, Feature
from retraining.first_champions import train_domain
from tests.monitoring.asking import asked, loud, more_hours, report_frame
from tests.retraining.conftest import open_at
from tests.training.making import GRADE, MARK, SCHEMA, make_rows, typed

MONDAY = date(2026, 3, 2)
WEEK = timedelta(days=7)


def gappy(n: int, seed: int, *, every: int = 3) -> pl.DataFrame:
    """Rows of which every third lacks an input that the model needs."""
    frame = typed(make_rows(n, seed=seed, shift=3.0))
    lost = pl.int_range(pl.len()) % every == 0
    return frame.with_columns(before=pl.when(lost).then(None).otherwise(pl.col("before")))


@pytest.fixture(scope="module")
def gappy_workspace(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    workspace = open_at(tmp_path_factory.mktemp("gappy"))
    (trained,) = train_domain(workspace, SCHEMA, gappy(300, 1), [MARK], actor="test")
    assert trained.installed
    yield workspace
    workspace.close()


def test_a_population_that_always_had_missing_values_raises_no_alarm_by_them(gappy_workspace: Workspace) -> None:
    fresh = gappy(300, 2)
    report = report_frame(gappy_workspace, SCHEMA, fresh).report
    rates = report.column("before").missing
    assert (rates.rate_reference, rates.rate_current) == pytest.approx((1 / 3, 1 / 3))
    assert not report.alarm
    predictor = widest_champion(gappy_workspace, SCHEMA, fresh.columns).predictor
    complete = Profile.from_bytes(predictor.profile)
    found = compare(complete, profile_for(predictor, SCHEMA, fresh)).column("before").missing
    assert (complete.rows, population_of(predictor, SCHEMA).rows) == (200, 300)
    assert (found.rate_reference, found.verdict) == (0.0, "drift")  # what complete rows alone would have said


def test_a_change_of_what_is_missing_is_still_found(gappy_workspace: Workspace) -> None:
    report = report_frame(gappy_workspace, SCHEMA, gappy(300, 2, every=2)).report
    assert report.column("before").missing.verdict in ("drift", "warn")


def test_rows_without_an_outcome_belong_to_the_reference_and_few_rows_aside_are_not_kept(tmp_path) -> None:  # type: ignore[no-untyped-def]
    workspace = open_at(tmp_path)
    frame = gappy(180, 3, every=10).with_columns(
        mark=pl.when(pl.int_range(pl.len()) < 40).then(None).otherwise(pl.col("mark"))
    )
    (trained,) = train_domain(workspace, SCHEMA, frame, [MARK], actor="test")
    assert trained.model is not None
    bundle = load_bundle(workspace.artifacts, trained.model.version)
    profile = Profile.from_bytes(bundle.profile)
    assert (profile.rows, len(bundle.rows), bundle.aside) == (162, 126, b"")
    assert (profile.columns["mark"].present, profile.columns["mark"].missing) == (126, 0)
    assert profile.columns["_prediction:mark"].present == 126
    workspace.close()


# Against another file


def written(path: Path, seed: int, *, n: int = 300, hours: float = 0.0) -> Path:
    """A labelled file of students who learn so many more hours."""
    rows = [{"student": f"{seed} {i}", **one.inputs, **one.targets} for i, one in enumerate(make_rows(n, seed=seed))]
    frame = pl.DataFrame(rows).with_columns(hours=(pl.col("hours") + hours).clip(0, 40))
    frame.write_csv(path)
    return path


def test_against_another_file_the_champion_prices_answers_and_expects(workspace: Workspace, tmp_path: Path) -> None:
    before, after = written(tmp_path / "before.csv", 1), written(tmp_path / "after.csv", 2, hours=15.0)
    report = report_file(workspace, SCHEMA.name, after, before).report
    importance = widest_champion(workspace, SCHEMA, typed(make_rows(5, seed=1)).columns).predictor.manifest.importance
    hours = report.column("hours")
    assert hours.importance == importance["hours"]
    assert hours.severity == pytest.approx(hours.effect * importance["hours"])
    assert report.column("_prediction:mark").n_current == 300
    assert report.expected is not None
    assert report.joint is not None
    assert report.joint.verdict == "drift"


def test_without_a_champion_two_files_are_compared_all_the_same(tmp_path: Path) -> None:
    workspace = open_at(tmp_path)
    before, after = written(tmp_path / "before.csv", 1), written(tmp_path / "after.csv", 2, hours=15.0)
    report = report_file(workspace, SCHEMA.name, after, before).report
    assert report.column("hours").verdict == "drift"
    assert (report.column("hours").severity, report.expected) == (None, None)
    workspace.close()


# Segments without a reference file


def test_segments_are_compared_with_logged_predictions_where_no_labelled_rows_are(workspace: Workspace) -> None:
    early = date(2020, 1, 6)  # before any labelled file came
    workspace.store.add_predictions(asked(early, 400, seed=5) + asked(early + WEEK, 400, seed=6, change=more_hours))
    window = days_of(early + WEEK, early + 2 * WEEK)
    assert loud(report_days(workspace, SCHEMA.name, window, by="support").report) == {"low": ["hours"]}


def test_a_file_s_segments_are_compared_with_logged_predictions_too(workspace: Workspace, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(type(workspace.store), "labeled_records", lambda *_, **__: [])
    workspace.store.add_predictions(asked(MONDAY, 400, seed=5))
    changed = [msgspec.structs.replace(one, inputs=more_hours(one.inputs)) for one in make_rows(400, seed=6)]
    assert "low" in loud(report_frame(workspace, SCHEMA, typed(changed), ReportOptions(by="support")).report)


def test_segments_without_any_earlier_rows_or_of_no_kind_are_refused_in_words(workspace: Workspace) -> None:
    early = date(2020, 1, 6)
    workspace.store.add_predictions(asked(early, 100, seed=5))
    window = days_of(early, early + WEEK)
    with pytest.raises(NotComparable, match=r"segments by 'support' .* none of them has 'support'; ingest labelled"):
        report_days(workspace, SCHEMA.name, window, by="support")
    with pytest.raises(ProfileError, match="'hours' cuts invented into no segments; these do: support, subject, sex"):
        report_days(workspace, SCHEMA.name, window, by="hours")


# Repeated students, and classes


def test_a_student_asked_every_day_counts_once(workspace: Workspace) -> None:
    once = asked(MONDAY, 120, seed=3)
    daily = [
        msgspec.structs.replace(one, id=new_id(), at=one.at + timedelta(days=day)) for day in range(6) for one in once
    ]
    workspace.store.add_predictions(daily)
    report = report_days(workspace, SCHEMA.name, days_of(MONDAY, MONDAY + WEEK)).report
    assert report.n_current == 720
    before = report.column("before")
    assert (before.n_current, before.independent_current) == (720, pytest.approx(120))
    assert report.column("_prediction:mark").independent_current == pytest.approx(120)
    assert {column.column for column in report.flagged} <= {"_prediction:mark"}  # the logged answers are invented
    assert "720 rows as 120" in report.summary


def test_class_answers_are_told_by_share_and_probability_with_rows_and_interval(tmp_path: Path) -> None:
    workspace = open_at(tmp_path)
    (trained,) = train_domain(workspace, SCHEMA, typed(make_rows(300, seed=1)), [GRADE], actor="test")
    assert trained.installed
    better = [msgspec.structs.replace(one, inputs={**one.inputs, "before": 20.0}) for one in make_rows(200, seed=2)]
    report = report_frame(workspace, SCHEMA, typed(better)).report
    changes = {one.level: one for one in report.column("_prediction:grade").classes}
    assert sum(one.share_current for one in changes.values()) == pytest.approx(1)
    assert sum(one.change for one in changes.values()) == pytest.approx(0)
    for one in changes.values():
        assert one.low <= one.change <= one.high
        assert one.n_current == 200
        assert one.probability_reference is not None
        assert one.probability_current is not None
        assert one.probability_low <= one.probability_current - one.probability_reference <= one.probability_high
    assert sum(one.probability_current or 0 for one in changes.values()) == pytest.approx(1, abs=0.02)
    top = max(changes.values(), key=lambda one: abs(one.change))
    assert top.low > 0 or top.high < 0
    assert f"Among the answers for grade, {top.level!r} moved most: {top.share_current:.0%} after" in report.summary
    assert "its mean probability went from" in report.summary
    workspace.close()


def test_a_champion_of_another_schema_is_no_reference_and_prices_nothing(workspace: Workspace, tmp_path: Path) -> None:
    target = msgspec.structs.replace(SCHEMA.targets[0], maximum=100.0)
    other = msgspec.structs.replace(SCHEMA, targets=(target, *SCHEMA.targets[1:]))
    assert other.fingerprint != SCHEMA.fingerprint
    moved = replace(workspace, schemas={SCHEMA.name: other})
    with pytest.raises(NoChampion, match=r"invented is not what its champion learned: .*name a reference file"):
        report_frame(moved, other, typed(make_rows(100, seed=4), other))


@pytest.mark.parametrize("seed", [5, 6, 7])
def test_rows_that_stand_twice_under_other_keys_are_not_told_apart_for_that(seed: int) -> None:
    before, now = (typed(make_rows(600, seed=number, first=1000 * number)) for number in (seed, seed + 10))
    again = now.with_columns(pl.format("again {}", "_student").alias("_student"))
    found = part_rows(before, pl.concat([now, again]), SCHEMA)
    assert found is not None
    assert found.p_value > 0.001
    assert found.clusters < 1400  # of 1,800 rows, some of which have too few values to be told from honest ones


# After a change of the domain's file


def changed(**levels: tuple[str, ...]) -> DomainSchema:
    """The school with a wider range, an alias, a new optional column, another title; and these levels of columns."""
    harmless = {"hours": {"maximum": 80.0}, "before": {"aliases": ("earlier mark",), "minimum": -5.0}}
    given = {name: harmless.get(name, {}) | ({"levels": levels[name]} if name in levels else {}) for name in (
        feature.name for feature in SCHEMA.features
    )}  # fmt: skip
    features = [msgspec.structs.replace(feature, **given[feature.name]) for feature in SCHEMA.features]
    clubs = Feature(name="clubs", kind="numeric", minimum=0, maximum=9, optional=True)
    return msgspec.structs.replace(SCHEMA, title="Another title", features=(*features, clubs))


def test_a_change_that_leaves_values_what_they_were_leaves_reports_what_they_were(
    workspace: Workspace, tmp_path: Path
) -> None:
    frame, schema = typed(make_rows(300, seed=4)), changed()
    assert schema.fingerprint != SCHEMA.fingerprint
    early = date(2020, 1, 6)
    workspace.store.add_predictions(asked(early, 300, seed=5))
    moved, window = replace(workspace, schemas={SCHEMA.name: schema}), days_of(early, early + WEEK, against="champion")
    assert moved.champions.refresh() == workspace.champions.refresh() == []
    joined = frame.with_columns(clubs=pl.lit(3.0))
    file = written(tmp_path / "new.csv", 4)
    for report in (
        lambda one: report_frame(one, one.schemas[SCHEMA.name], joined if one is moved else frame),
        lambda one: report_days(one, SCHEMA.name, window),
        lambda one: report_file(one, SCHEMA.name, file),
        lambda one: report_file(one, SCHEMA.name, file, options=ReportOptions(columns_only=True)),
    ):
        before, after = report(workspace).report, report(moved).report
        assert after.columns == before.columns
        assert (after.alarm, after.joint, after.expected) == (before.alarm, before.joint, before.expected)
        assert {one.column for one in after.not_compared} - {one.column for one in before.not_compared} <= {"clubs"}


def test_a_column_that_means_something_else_is_left_out_of_reports_by_name(workspace: Workspace) -> None:
    schema = changed(sex=("woman", "man"))
    moved = replace(workspace, schemas={SCHEMA.name: schema})
    frame = typed(make_rows(300, seed=4)).with_columns(sex=pl.col("sex").replace_strict({"f": "woman", "m": "man"}))
    report = report_frame(moved, schema, frame).report
    before = report_frame(workspace, SCHEMA, typed(make_rows(300, seed=4))).report
    told = {one.column: one.reason for one in report.not_compared}
    assert told["sex"] == "means something else since the model learned: levels was f, m, is now woman, man"
    effects = {one.column: one.effect for one in before.columns if one.column != "sex"}
    assert {one.column: one.effect for one in report.columns} == effects
    assert report.joint is not None
    assert before.joint is not None
    assert report.joint.classifier.auc == pytest.approx(
        before.joint.classifier.auc, abs=0.05
    )  # by "woman" alone it would be 1
