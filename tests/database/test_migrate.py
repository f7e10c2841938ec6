"""Copying one store into another: complete, resumable, comparable."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from database import migrate
from database.store import KINDS, RecordStore
from tests.command import ROOT, environment_of
from tests.database.making import (
    fill,
    make_event,
)

Open = Callable[[str], RecordStore]


def command(source: str | None, target: str | None, **environment: str) -> subprocess.Popen[str]:
    arguments = [*(["--source", source] if source else []), *(["--target", target] if target else [])]
    return subprocess.Popen(
        [sys.executable, "deployment/migrate_to_mongo.py", *arguments],
        cwd=ROOT,
        env=environment_of(ROOT, **{"COLUMNS": "200"} | environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    output, _ = process.communicate(timeout=480)
    return process.returncode, output


def test_everything_is_copied_and_compares_equal_and_a_second_copy_writes_nothing(
    store_url: str, store: RecordStore, sqlite_url: str, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "ROWS_COPIED_AT_ONCE", 2)
    source = opened(sqlite_url + "-source")
    fill(source)
    written = migrate.copy(source, store)
    assert all(written[kind] > 0 for kind in KINDS)
    comparisons = migrate.compare(source, store)
    assert [c.kind for c in comparisons if c.equal] == list(KINDS)
    assert {c.kind: c.source_count for c in comparisons} == written
    assert store.labeled_records("school") == source.labeled_records("school")
    assert store.champions() == source.champions()
    assert migrate.copy(source, store) == dict.fromkeys(KINDS, 0)


def test_what_differs_is_replaced_and_what_is_too_much_is_reported(
    store: RecordStore, sqlite_url: str, opened: Open
) -> None:
    source = opened(sqlite_url + "-source")
    fill(source)
    migrate.copy(source, store)
    [(key, document)] = store.export("events")
    store.load("events", [(key, document.replace(b"broken_artifact", b"something else"))])
    assert [c.kind for c in migrate.compare(source, store) if not c.equal] == ["events"]
    assert migrate.copy(source, store)["events"] == 1
    assert all(c.equal for c in migrate.compare(source, store))
    store.add_event(make_event())
    migrate.copy(source, store)
    [wrong] = [c for c in migrate.compare(source, store) if not c.equal]
    assert (wrong.kind, wrong.source_count, wrong.target_count) == ("events", 1, 2)


def test_the_command_copies_prints_a_table_and_says_when_the_target_differs(
    sqlite_url: str, mongo_url: str, opened: Open
) -> None:
    fill(opened(sqlite_url))
    status, output = finish(command(sqlite_url, mongo_url))
    assert (status, "same content" in output) == (0, True), output
    assert all(kind in output for kind in KINDS)
    opened(mongo_url).add_event(make_event())
    status, output = finish(command(sqlite_url, mongo_url))
    assert (status, "differs" in output) == (1, True), output


def test_the_command_takes_its_stores_from_the_settings(tmp_path: Path, mongo_url: str, opened: Open) -> None:
    source = opened(f"sqlite:///{tmp_path / 'gradewatch.db'}")
    fill(source)
    status, output = finish(command(None, None, MONGO_URI=mongo_url, GRADEWATCH_DATA_DIR=str(tmp_path)))
    assert status == 0, output
    assert opened(mongo_url).count_predictions() == 7


def test_a_killed_copy_goes_on_where_it_was(sqlite_url: str, mongo_url: str, opened: Open) -> None:
    source, target = opened(sqlite_url), opened(mongo_url)
    fill(source, predictions=1_200)
    process = command(sqlite_url, mongo_url)
    while not target.count_predictions():
        assert process.poll() is None, finish(process)
        time.sleep(0.01)
    process.kill()
    process.communicate()
    copied = target.count_predictions()
    assert 0 < copied < 1_200
    status, output = finish(command(sqlite_url, mongo_url))
    assert status == 0, output
    assert all(c.equal for c in migrate.compare(source, target))


@pytest.mark.parametrize(
    ("source", "target", "reason"),
    [
        ("sqlite:///no/such/file.db", "mongodb://127.0.0.1:9/a", "no database file"),
        ("mongodb://127.0.0.1:9/a", "mongodb://127.0.0.1:9/a", "same store"),
        ("sqlite:///no/such/file.db", None, "no target"),
        ("mongodb://me:secret@127.0.0.1:9/a?serverSelectionTimeoutMS=100", "oracle://there", "stopped"),
    ],
)
def test_a_copy_that_cannot_be_made_says_why_without_secrets(source: str, target: str | None, reason: str) -> None:
    status, output = finish(command(source, target))
    assert status == 2
    assert reason in output
    assert "secret" not in output
