"""The archive of profiles: made once, never wrong, made again when anything it rests on has changed."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import msgspec
import pytest

from clock import now
from drift import stored
from drift.column import BinnedColumn, NumericColumn
from drift.profile import Profile
from model.workspace import Workspace
from monitoring.profile_archive import (
    ProfileArchive,
    midnight,
    profile_rows,
    store_batch,
    total,
)
from monitoring.profile_names import PROFILE_KIND, day_name
from preprocessing.schema import load_domains
from tests.monitoring.asking import asked
from tests.training.making import SCHEMA, make_rows

MONDAY = date(2026, 3, 2)
DAYS = [MONDAY + timedelta(days=n) for n in range(3)]


def archive(workspace: Workspace) -> ProfileArchive:
    return ProfileArchive(workspace, SCHEMA)


def window_profile(workspace: Workspace, *, exact: bool = False) -> Profile:
    parts = archive(workspace).parts("predictions", MONDAY, MONDAY + timedelta(days=7), exact=exact)
    return total(part.load() for part in parts)


@pytest.fixture
def week(workspace: Workspace) -> Workspace:
    """Three days of 50, 60 and 70 predictions."""
    for number, day in enumerate(DAYS):
        workspace.store.add_predictions(asked(day, 50 + 10 * number, seed=number))
    return workspace


@pytest.fixture
def small_grids(monkeypatch: pytest.MonkeyPatch) -> None:
    """Columns of more than 25 distinct values are counted on the champion's grid."""
    monkeypatch.setattr(stored, "GRID_FROM", 25)


def test_a_window_adds_up_to_the_profile_of_all_its_rows(week: Workspace) -> None:
    rows = week.store.predictions(SCHEMA.name)
    said = {"_prediction:mark": [row.answers[0].value for row in rows]}
    assert window_profile(week) == profile_rows(SCHEMA, "start", [row.inputs for row in rows], said)
    assert window_profile(week).rows == 180


def test_a_day_that_is_over_is_read_once(week: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    first = window_profile(week)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("rows were read")

    monkeypatch.setattr(week.store, "predictions", refuse)
    assert window_profile(week) == first
    assert [document.revision for document in week.store.documents(PROFILE_KIND, domain=SCHEMA.name)] == [1, 1, 1]


def test_a_prediction_that_was_logged_late_is_not_lost(week: Workspace) -> None:
    window_profile(week)
    week.store.add_predictions(asked(DAYS[1], 1, seed=9))
    assert window_profile(week).rows == 181
    revisions = {
        document.name: document.revision for document in week.store.documents(PROFILE_KIND, domain=SCHEMA.name)
    }
    assert list(revisions.values()) == [1, 2, 1]


def test_today_is_counted_and_not_kept(workspace: Workspace) -> None:
    today = now().date()
    workspace.store.add_predictions([msgspec.structs.replace(one, at=now()) for one in asked(today, 30, seed=1)])
    parts = archive(workspace).parts("predictions", today - timedelta(days=1), today + timedelta(days=2))
    assert sum(part.rows for part in parts) == 30
    assert workspace.store.documents(PROFILE_KIND) == []


def test_a_profile_of_a_few_students_is_not_kept(workspace: Workspace) -> None:
    workspace.store.add_predictions(asked(MONDAY, 19, seed=1))
    assert window_profile(workspace).rows == 19
    assert workspace.store.documents(PROFILE_KIND) == []


def test_a_few_students_of_another_moment_are_counted_from_their_rows(workspace: Workspace) -> None:
    workspace.store.add_predictions(asked(MONDAY, 40, seed=1) + asked(MONDAY, 3, seed=2, moment="half"))
    for _ in range(2):
        parts = {part.moment: part for part in archive(workspace).parts("predictions", MONDAY, DAYS[1])}
        assert (parts["start"].load().rows, parts["half"].load().rows) == (40, 3)
    (document,) = workspace.store.documents(PROFILE_KIND)
    assert [(part["moment"], part["profile"] is None) for part in document.body["parts"]] == [
        ("half", True),
        ("start", False),
    ]


def test_long_days_are_read_by_the_hour(week: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = window_profile(week, exact=True)
    monkeypatch.setattr("monitoring.profile_archive.WHOLE_DAY_ROWS", 10)
    assert window_profile(week, exact=True) == whole


def test_two_at_once_keep_one_profile_and_both_are_right(week: Workspace) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: window_profile(week).digest, range(4)))
    assert len(set(found)) == 1
    assert len(week.store.documents(PROFILE_KIND)) == 3


def test_profiles_on_the_champion_s_grid_add_exactly_in_any_order(week: Workspace, small_grids: None) -> None:
    exact, parts = (
        window_profile(week, exact=True),
        archive(week).parts("predictions", *(MONDAY, DAYS[2] + timedelta(1))),
    )
    profiles = [part.load() for part in parts]
    assert total(profiles) == total(reversed(profiles))
    hours = total(profiles).columns["hours"]
    assert isinstance(hours, BinnedColumn)
    assert isinstance(exact.columns["hours"], NumericColumn)
    assert (hours.present, hours.missing) == (exact.columns["hours"].present, exact.columns["hours"].missing)
    assert hours.counts.tolist() == stored.bin_numbers(exact.columns["hours"], hours.edges).counts.tolist()


def test_another_champion_s_grid_makes_the_profile_again(week: Workspace, small_grids: None) -> None:
    window_profile(week)
    name = day_name(SCHEMA.name, DAYS[0])
    document = week.store.document(PROFILE_KIND, name)
    assert document is not None
    foreign = msgspec.json.decode(msgspec.json.encode(document.body))
    foreign["parts"][0]["grids"]["hours"] = "another"
    week.store.put_document(msgspec.structs.replace(document, revision=2, body=foreign))
    assert window_profile(week).rows == 180
    kept = week.store.document(PROFILE_KIND, name)
    assert kept is not None
    assert (kept.revision, kept.body) == (3, document.body)


def test_a_profile_of_an_older_schema_is_made_again(week: Workspace) -> None:
    window_profile(week)
    features = (*SCHEMA.features, msgspec.structs.replace(SCHEMA.features[0], name="sleep"))
    changed = msgspec.structs.replace(SCHEMA, features=features)
    parts = ProfileArchive(week, changed).parts("predictions", MONDAY, DAYS[1])
    assert parts[0].load().columns["sleep"].missing == 50


def test_a_batch_brings_its_profile(workspace: Workspace) -> None:
    rows = make_rows(60, seed=5)
    for new in (True, False):
        batch, stored_now = store_batch(workspace, SCHEMA, rows, "labeled", name="new.csv")
        assert stored_now is new
    (document,) = workspace.store.documents(PROFILE_KIND)
    assert (document.name.split("/")[-1], document.revision, document.body["rows"]) == (batch.id, 1, 60)
    day = batch.at.date()
    since = day - timedelta(days=1)  # the champion's own batch may have come before midnight
    parts = archive(workspace).parts("labeled", since, day + timedelta(days=1))
    assert {part.rows for part in parts} == {60, 120}
    newest = next(part for part in parts if part.rows == 60).load()
    assert newest.columns["mark"].present == newest.columns["midterm"].present == 60
    assert "_prediction:mark" not in newest.columns
    assert archive(workspace).parts("unlabeled", day, day + timedelta(days=1)) == []


def test_no_document_says_anything_about_a_single_student(week: Workspace) -> None:
    window_profile(week)
    for document in week.store.documents(PROFILE_KIND):
        assert "pseudonym" not in str(document.body)
        assert set(document.body) == {"source", "fingerprint", "rows", "parts"}


def test_without_a_champion_columns_stay_exact(tmp_path: Path, small_grids: None) -> None:
    from tests.retraining.conftest import open_at

    workspace = open_at(tmp_path)
    workspace.store.add_predictions(asked(MONDAY, 50, seed=1))
    for _ in range(2):
        assert window_profile(workspace).exact
    assert len(workspace.store.documents(PROFILE_KIND)) == 1
    workspace.close()


def test_what_is_too_large_for_a_document_is_read_each_time(week: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitoring.profile_archive.LARGEST_DOCUMENT", 10)
    assert window_profile(week).rows == 180
    assert week.store.documents(PROFILE_KIND) == []


def test_every_shipped_domain_s_rows_have_a_profile() -> None:
    for schema in load_domains().values():
        profile = profile_rows(schema, schema.moments[0], [{}] * 3, {})
        assert {column.missing for column in profile.columns.values()} == {3}
        assert replace(profile, rows=3) == profile


def test_an_empty_stretch_costs_one_question(week: Workspace) -> None:
    assert archive(week).parts("predictions", date(2020, 1, 1), date(2023, 1, 1)) == []
    assert midnight(MONDAY).utcoffset() == timedelta(0)
