"""What is particular to MongoDB: its name, unfinished batches, servers without transactions."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.uri_parser import parse_uri

from database.errors import Conflict, StoreUnavailable
from database.open import open_store
from database.records import ChampionKey
from database.store import RecordStore
from tests.conftest import Mongo, running_mongo
from tests.database.making import (
    after,
    make_access,
    make_batch,
    make_document,
    make_outcome,
    make_prediction,
    make_row,
    make_succession,
    matched,
)

Open = Callable[[str], RecordStore]


@pytest.fixture(scope="module")
def single_server() -> Iterator[Mongo]:
    """A server without a replica set, and so without transactions."""
    with running_mongo(replica_set="") as server:
        yield server


@pytest.fixture
def client(mongo_server: Mongo) -> Iterator[MongoClient[dict[str, Any]]]:
    with MongoClient[dict[str, Any]](mongo_server.url("")) as client:
        yield client


def test_without_a_name_in_the_url_the_database_is_gradewatch(
    mongo_server: Mongo, client: MongoClient[dict[str, Any]], opened: Open
) -> None:
    opened(mongo_server.url("")).add_predictions([prediction := make_prediction()])
    assert client["gradewatch"].predictions.count_documents({"_id": prediction.id}) == 1


def test_predictions_from_before_actors_and_shadows_have_none(
    mongo_url: str, client: MongoClient[dict[str, Any]], opened: Open
) -> None:
    store = opened(mongo_url)
    store.add_predictions([old := make_prediction(student="s")])
    mongo = client.get_database(parse_uri(mongo_url)["database"])
    assert mongo.predictions.update_many({}, {"$unset": {"actor": "", "shadow": ""}}).modified_count == 1
    store.add_outcomes([outcome := make_outcome(student="s")])
    assert store.prediction(old.id) == old
    assert matched(store, "school", "G3") == [(old, outcome)]
    assert len(store.export("predictions")) == 1


def test_what_was_there_before_receipts_is_numbered_in_the_order_of_its_times(
    mongo_url: str, client: MongoClient[dict[str, Any]], opened: Open
) -> None:
    store = opened(mongo_url)
    store.add_predictions([make_prediction(after(n), student="s", id=f"{n}") for n in range(3)])
    store.add_batch(make_batch("a", after(1)), [make_row(1)])
    store.add_outcomes([make_outcome(student="s", at=after(2))])
    mongo = client.get_database(parse_uri(mongo_url)["database"])
    for kind in ("predictions", "outcomes", "batches"):
        mongo[kind].update_many({}, {"$unset": {"receipt": "", "changed": ""}})
    mongo.meta.replace_one({"_id": "indexes"}, {"version": 3})
    mongo.meta.delete_one({"_id": "uploads"})
    store = opened(mongo_url)
    assert [(p.prediction.id, p.before) for p in store.pairs("school", "G3")] == [
        ("2", False),
        ("1", True),
        ("0", True),
    ]
    store.add_batch(make_batch("b", after(0)), [make_row(2)])
    assert next((record.id, record.receipt) for record in store.labeled_records("school")) == ("record 2", 3)


def test_a_database_with_the_indexes_of_before_gets_those_of_now(
    mongo_url: str, client: MongoClient[dict[str, Any]], opened: Open
) -> None:
    opened(mongo_url)
    mongo = client.get_database(parse_uri(mongo_url)["database"])
    mongo.documents.drop_indexes()
    mongo.meta.replace_one({"_id": "indexes"}, {"version": 1})
    opened(mongo_url)
    assert [("kind", 1), ("name", 1)] in [[*index["key"]] for index in mongo.documents.index_information().values()]


def test_a_document_beyond_mongodbs_limit_is_refused_with_its_size_and_changes_nothing(
    mongo_url: str, sqlite_url: str, opened: Open
) -> None:
    store, elsewhere = opened(mongo_url), opened(sqlite_url)
    kept, fits = make_document("monday"), make_document("monday", 2, body={"text": "x" * 16_700_000})
    beyond = make_document("monday", 3, body={"text": "é" * 8_400_000})
    for store_ in (store, elsewhere):
        store_.put_document(kept)
        store_.put_document(fits)
    with pytest.raises(ValueError, match=r"profile 'monday' has 16,8..,... bytes: .* 16,777,216"):
        store.put_document(beyond)
    assert store.documents("profile") == [fits]
    elsewhere.put_document(beyond)
    with pytest.raises(ValueError, match="16,777,216"):
        store.load("documents", elsewhere.export("documents"))
    assert store.documents("profile") == [fits]


@pytest.mark.parametrize("url", ["mongodb://", "mongodb://host:port/a", "mongodb://a b@c/d"])
def test_a_url_that_cannot_be_used_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="cannot be used"):
        open_store(url)


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(StoreUnavailable):
        open_store("mongodb://127.0.0.1:9/a?serverSelectionTimeoutMS=50")


def test_a_single_server_keeps_the_same_promises_but_for_calls_cut_off_midway(
    single_server: Mongo, opened: Open
) -> None:
    store = opened(single_server.url("single"))
    first, other = make_prediction(student="s", source="api"), make_prediction()
    store.add_predictions([first])
    store.add_predictions([make_prediction(id=first.id, source="cli"), other])
    assert store.prediction(first.id) == first
    assert store.prediction(other.id) == other
    assert store.add_outcomes([make_outcome(1.0, student="s"), make_outcome(2.0, student="t")]) == (2, 0)
    assert matched(store, "school", "G3") == [(first, make_outcome(1.0, student="s"))]
    store.succeed([make_succession(1), make_succession(1, moment="G1")])
    with pytest.raises(Conflict):
        store.succeed([make_succession(2), make_succession(1, moment="G1")])
    assert store.successions(ChampionKey("school", "G3", "G2")) == [make_succession(1)]
    store.add_accesses([looked := make_access(), make_access(id=looked.id, actor="eve")])
    assert store.accesses() == [looked]
    store.put_document(make_document("monday"))
    with pytest.raises(Conflict):
        store.put_document(make_document("monday"))
    store.put_document(newer := make_document("monday", 2))
    assert store.documents("profile") == [newer]
    store.load("successions", store.export("successions"))
    assert store.champions() == [make_succession(1, moment="G1"), make_succession(1)]
