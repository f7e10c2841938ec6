"""Several processes on one database, processes that are killed, and servers that go away."""

import json
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import make_url

from database import layout, mongo, mongo_jobs, sql_batches
from database.errors import StoreUnavailable
from database.open import open_store
from database.records import BatchRow, ChampionKey, digest
from database.store import RecordStore
from database.withdrawal import withdraw_batch
from tests.conftest import own_server
from tests.database.making import (
    NOON,
    make_batch,
    make_chunk,
    make_decision,
    make_drift_report,
    make_event,
    make_job,
    make_model,
    make_outcome,
    make_packed,
    make_prediction,
    make_row,
    make_succession,
    matched,
)
from tests.database.worker import rows_at_once

ROOT = Path(__file__).resolve().parents[2]
KEY = ChampionKey("school", "G3", "G2")


def start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "error", "-m", "tests.database.worker", *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> list[str]:
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return output.split()


def kill_after(lines: int, process: subprocess.Popen[str]) -> list[str]:
    """What the process printed, SIGKILLed in the midst of its work once it had printed so many lines."""
    assert process.stdout is not None
    printed = [process.stdout.readline().strip() for _ in range(lines)]
    process.kill()
    rest, _ = process.communicate()
    return printed + [line for line in rest.split("\n")[:-1] if line]  # a last line without its end was not finished


def test_of_processes_that_promote_at_once_exactly_one_wins_each_generation(store_url: str, store: RecordStore) -> None:
    promoters = [start("promote", store_url, actor, "15") for actor in ("a", "b")]
    won = {actor: [int(n) for n in finish(process)] for actor, process in zip("ab", promoters, strict=True)}
    history = store.successions(KEY)
    assert [s.generation for s in history] == list(range(1, 16))
    assert sorted(won["a"] + won["b"]) == list(range(1, 16))
    assert {s.generation: s.actor for s in history} == {n: actor for actor, ns in won.items() for n in ns}


@pytest.mark.parametrize("kind", ["sqlite", "postgres", "mongo"])
def test_processes_may_open_a_new_database_at_once(kind: str, request: pytest.FixtureRequest) -> None:
    url = empty_database(kind, request)
    assert [finish(process) for process in [start("first_open", url) for _ in range(4)]] == [["open"]] * 4
    store = open_store(url)
    store.add_predictions([make_prediction()])
    assert store.count_predictions() == 1
    store.close()


def empty_database(kind: str, request: pytest.FixtureRequest) -> str:
    if kind != "postgres":
        return str(request.getfixturevalue(f"{kind}_url"))
    server = request.getfixturevalue("postgres_server")
    server.execute("CREATE DATABASE first_open")
    request.addfinalizer(lambda: server.execute("DROP DATABASE first_open WITH (FORCE)"))
    return str(server.url("first_open"))


@pytest.mark.parametrize(("verb", "rows", "calls"), [("predict", 20, 5), ("predict_by_column", 1_020, 2)])
def test_a_killed_writer_loses_no_acknowledged_prediction_and_leaves_no_half_call(
    store_url: str, store: RecordStore, verb: str, rows: int, calls: int
) -> None:
    for _ in range(2):
        acknowledged = kill_after(calls, start(verb, store_url))
        kept = Counter(prediction.group for prediction in store.predictions("school"))
        assert {kept[call] for call in acknowledged} == {rows}
        assert set(kept.values()) == {rows}


def test_a_killed_upload_leaves_whole_batches_only(store_url: str, store: RecordStore) -> None:
    for _ in range(2):
        acknowledged = kill_after(3, start("upload", store_url))
        kept = [batch.id for batch in store.batches()]
        assert set(acknowledged) <= set(kept)
        assert {len(store.batch_rows(batch)) for batch in kept} == {200}
        assert {record.id.split()[0] for record in store.labeled_records("school")} == set(kept)
        assert {key.split("\t")[0] for key, _ in store.export("batch_rows", limit=10_000)} == set(kept)


def test_a_killed_withdrawal_is_done_with_its_reason_or_not_at_all(store_url: str, store: RecordStore) -> None:
    for _ in range(3):
        acknowledged = kill_after(4, start("withdraw", store_url))
        told: dict[str, set[str]] = {"predictions": set(), "outcomes": set(), "batch": set()}
        for event in store.events("school", limit=10_000):
            told[event.details["kind"]].add(event.details["reason"])
        kept = {
            "predictions": Counter(one.group for one in store.predictions("school")),
            "outcomes": Counter(json.loads(outcome)["group"] for _, outcome in store.export("outcomes", limit=10_000)),
            "batch": Counter({batch.name: len(store.batch_rows(batch.id)) for batch in store.batches()}),
        }
        for line in acknowledged:
            kind, call = line.split()
            assert call in told[kind]
        for kind, counts in kept.items():
            assert set(counts.values()) <= {20}
            assert set(counts) ^ told[kind] >= {one.group for one in store.predictions("k12")}


def test_predictions_go_on_beside_an_upload_and_when_it_is_killed_nothing_of_it_is_seen(
    store_url: str, store: RecordStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = start("upload_for_ever", store_url)
    assert upload.stdout is not None
    upload.stdout.readline()
    beside, waited = open_store(store_url), list[int]()
    for n in range(30):
        before = kept_rows(store)
        beside.add_predictions([make_prediction(student=f"s{n}")])
        waited.append(kept_rows(store) - before)
        assert (beside.batches(), beside.batch_rows("endless"), beside.export("batch_rows")) == ([], [], [])
    assert max(waited) <= 10 * rows_at_once(store_url), "nobody waits for more than a few turns"
    assert beside.newest_rows("school", [digest([1])]) == []
    store.sweep_uploads()  # those of others that live stay
    kill_after(2, upload)
    assert beside.labeled_records("school") == []
    left = kept_rows(store)
    assert left >= 4 * rows_at_once(store_url)
    store.sweep_uploads()
    assert kept_rows(store) >= left, "it may only be slow; and a server may still do what it was told"
    for module in (sql_batches, mongo_jobs):
        monkeypatch.setattr(module, "database_time" if module is sql_batches else "server_time", lambda _: FAR_AWAY)
    store.sweep_uploads()
    assert kept_rows(store) == 0
    beside.close()


FAR_AWAY = 2**52  # in microseconds: the year 2112


def kept_rows(store: RecordStore) -> int:
    """Rows of batches that lie in the database, whether they are seen or not."""
    if hasattr(store, "_database"):
        return int(store._database.batch_rows.count_documents({}))
    with store._engine.connect() as connection:  # type: ignore[attr-defined]
        return int(connection.execute(sa.text("SELECT count(*) FROM batch_rows")).scalar_one())


def test_an_upload_whose_rows_were_swept_meanwhile_is_refused(
    store: RecordStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layout, "ROWS_AT_ONCE", 10)
    for module in (sql_batches, mongo):
        monkeypatch.setattr(module, "UPLOAD_SECONDS", 0)

    def rows() -> Iterator[BatchRow]:
        for n in range(1, 20):
            if n == 11:
                store.sweep_uploads()
            yield make_row(n)

    with pytest.raises(StoreUnavailable, match="send it again"):
        store.add_batch(make_batch("slow"), rows())
    assert (store.batches(), kept_rows(store)) == ([], 0)
    assert store.add_batch(make_batch("slow"), [make_row(1)])
    store.sweep_uploads()
    assert store.batch_rows("slow") == [make_row(1)]
    withdraw_batch(store, "school", "slow", reason="by mistake", actor="tester")
    assert kept_rows(store) == 0


def every_question(store: RecordStore) -> list[Callable[[], Any]]:
    return [
        store.ping,
        lambda: store.add_predictions([make_prediction()]),
        lambda: store.add_predictions([make_prediction(), make_prediction()]),
        lambda: store.add_predictions(batches=[make_packed(3)]),
        lambda: store.prediction("a"),
        lambda: store.predictions("school"),
        store.count_predictions,
        lambda: store.add_outcomes([make_outcome(student="s")]),
        lambda: matched(store, "school", "G3"),
        lambda: store.add_batch(make_batch("a"), [make_row(1)]),
        store.batches,
        store.sweep_uploads,
        lambda: store.batch_rows("a"),
        lambda: store.labeled_records("school"),
        lambda: store.add_model(make_model("a")),
        store.models,
        store.champions,
        lambda: store.successions(KEY),
        lambda: store.succeed([make_succession(1)]),
        lambda: store.add_drift_report(make_drift_report()),
        store.drift_reports,
        lambda: store.add_decision(make_decision()),
        store.decisions,
        lambda: store.add_event(make_event()),
        store.events,
        lambda: store.try_lease("a", "b", 1),
        lambda: store.release_lease("a", "b"),
        lambda: store.predictions_of(["a"]),
        lambda: store.drift_report("a"),
        lambda: store.decision("a"),
        lambda: store.add_job(make_job()),
        lambda: store.claim_job(["drift"], "w", 60),
        lambda: store.cancel_job("a"),
        lambda: store.job("a"),
        store.jobs,
        lambda: store.remove_jobs(NOON),
        lambda: store.see_worker("w", ["drift"]),
        store.workers,
        lambda: store.forget_workers(NOON),
        lambda: store.add_chunk(make_chunk()),
        lambda: store.chunk("a", 0),
        store.blobs,
        lambda: store.remove_blobs(["a"]),
        lambda: store.export("predictions"),
        lambda: store.load("predictions", [("a", b'{"id":"a","domain":"","moment":"","inputs":{},"answers":[],'
                                                 b'"source":"","at":"2026-01-01T00:00:00Z"}')]),
    ]  # fmt: skip


def is_unavailable(question: Callable[[], Any]) -> bool:
    try:
        question()
    except StoreUnavailable:
        return True
    return False


@pytest.mark.parametrize("kind", ["postgres", "mongo"])
def test_while_the_server_is_gone_every_question_says_so_and_afterwards_none_does(kind: str) -> None:
    with own_server(kind, 50) as (server, url):
        store = open_store(url)
        store.add_predictions([before := make_prediction()])
        server.stop()
        assert [n for n, question in enumerate(every_question(store)) if not is_unavailable(question)] == []
        with pytest.raises(StoreUnavailable):
            open_store(url)
        server.start()
        assert [n for n, question in enumerate(every_question(store)) if is_unavailable(question)] == []
        assert store.prediction(before.id) == before
        assert (
            store.count_predictions() == 8
        )  # the one before, then 1 + 2 + 3 + 1 by the questions, none while it was gone
        store.close()


def test_while_a_sqlite_file_is_locked_writing_says_so_without_student_data_and_keeps_nothing(
    sqlite_url: str, opened: Callable[[str], RecordStore]
) -> None:
    store = opened(sqlite_url + "?busy_timeout=50")
    other = sqlite3.connect(str(make_url(sqlite_url).database), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    prediction = make_prediction(student="pseudonym-of-ann")
    with pytest.raises(StoreUnavailable, match="locked") as failure:
        store.add_predictions([prediction])
    assert "pseudonym-of-ann" not in f"{failure.value} {failure.value.__cause__}"
    assert store.prediction(prediction.id) is None  # reading goes on
    other.execute("COMMIT")
    other.close()
    store.add_predictions([prediction])
    assert store.prediction(prediction.id) == prediction
