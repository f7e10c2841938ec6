"""The record store on MongoDB, through PyMongo.

The only module that knows MongoDB; nothing outside `database` may import it, `open_store` chooses it by URL. It needs
no transactions: one registry document per domain makes a change of champions a single atomic update, and a batch
exists from the moment its own document does. Where the server has transactions (every replica set, so every Atlas
cluster), they also make calls with many predictions or outcomes all or none.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import date, datetime
from itertools import chain, groupby
from typing import Any, Literal, TypeVar

from errors import MissingExtra

try:
    import bson
    from bson.errors import BSONError
    from pymongo import (
        ASCENDING,
        DESCENDING,
        DeleteMany,
        IndexModel,
        MongoClient,
        ReplaceOne,
        ReturnDocument,
        UpdateMany,
        UpdateOne,
        WriteConcern,
    )
    from pymongo.client_session import ClientSession
    from pymongo.collection import Collection
    from pymongo.database import Database
    from pymongo.errors import (
        AutoReconnect,
        BulkWriteError,
        DuplicateKeyError,
        InvalidURI,
        OperationFailure,
        PyMongoError,
    )
except ImportError as error:
    raise MissingExtra("MongoDB", "mongo") from error

from clock import new_id
from database import labeled, layout, mongo_jobs, pairs
from database.errors import Conflict, LostJob, StoreUnavailable, Unkeepable
from database.fence import SECOND, Fence
from database.layout import (
    DAY_MICROS,
    EVERY_DAY,
    LAYOUTS,
    RECEIPTS,
    SEPARATOR,
    STATEMENTS,
    calendar_day,
    check_finite,
    document_key,
    instant,
    key_of,
    keys_of,
    micros,
    pack_rows,
    parts,
    read_json,
    read_numbers,
    read_said,
    read_statements,
    row_key,
    split_document_key,
    split_row_key,
    write_json,
    write_kept,
    write_statements,
)
from database.mongo_uploads import (
    READING,
    READING_SECONDS,
    count_to,
    newest_receipt,
    next_receipt,
    require_nobody_reads,
    settled_receipt,
)
from database.newest import (
    NEWER_BY,
    NOWHERE,
    OF_ALL,
    REASONS,
    AskedAbout,
    NewestAnswer,
    NewestCounts,
    NewestRow,
    PlacedRow,
    Reason,
    SilentAnswer,
    Standing,
    Which,
    kept_once,
    newest_of,
    rows_of,
    rows_of_packed,
    standings_of,
)
from database.packed import PackedPredictions, PackedRows
from database.pairs import Pair
from database.records import (
    Access,
    Batch,
    BatchKind,
    BatchRow,
    Before,
    BlobChunk,
    ChampionKey,
    DecisionRecord,
    Document,
    DriftRecord,
    Event,
    Job,
    JobProblem,
    JobProgress,
    JobState,
    LabeledRecord,
    ModelVersion,
    Observation,
    Outcome,
    Prediction,
    SeenWorker,
    Succession,
    digest,
)
from database.store import (
    MADE_OF_PAIRS,
    NOBODY_NAMED,
    STOOD_STILL,
    UPLOAD_LEASE,
    UPLOAD_SECONDS,
    Appender,
    Changes,
    Dropped,
    Forgettable,
    ObservationColumns,
    ObservationTexts,
    ObservedKey,
    ObservedSince,
    Placing,
    RecordStore,
    Snapshot,
    StudentRow,
    check_document,
    check_observations,
    check_successions,
    counted,
)

Bson = dict[str, Any]
T = TypeVar("T")

DURABLE = WriteConcern("majority", j=True)
DUPLICATE_KEY = 11000
SELECTION_MS = 5_000
"""How long a server may take to appear, unless the URL says otherwise (the driver would wait 30 s)."""

TRIES = 3
"""How often a transaction that met another one is tried."""

LARGEST_BSON = 16 * 2**20
"""Bytes of one document: MongoDB's own limit."""

INDEX_VERSION = 10
NOBODY_ASKED = "domain_1_actor_1_at_-1__id_-1"
"""An index of predictions by who asked, which no question read."""

INDEXES: dict[str, list[list[tuple[str, int]]]] = {
    "predictions": [
        [("domain", 1), ("at", -1), ("_id", -1)],
        [("domain", 1), ("student", 1)],
        [("domain", 1), ("group", 1), ("at", -1), ("_id", -1)],
    ],
    "newest": [
        [("domain", 1), ("target", 1), ("below", -1), ("student", -1), ("group", -1), ("period", -1), ("at", -1)],
        [("domain", 1), ("student", 1)],
    ],
    "outcomes": [
        [("domain", 1), ("changed", -1), ("_id", -1)],
        [("domain", 1), ("student", 1)],
        [("domain", 1), ("prediction", 1)],
    ],
    "batches": [[("domain", 1), ("receipt", -1)], [("receipt", -1)]],
    "batch_rows": [[("batch", 1)], [("record", 1)], [("group", 1), ("period", 1), ("student", 1)], [("student", 1)]],
    "models": [[("domain", 1), ("target", 1), ("moment", 1), ("at", -1)]],
    "drift_reports": [[("domain", 1), ("at", -1)], [("at", -1)]],
    "decisions": [
        [("domain", 1), ("at", -1)],
        [("at", -1)],
        [("domain", 1), ("target", 1), ("moment", 1), ("at", -1)],
    ],
    "events": [[("at", -1)], [("kind", 1), ("at", -1)], [("domain", 1), ("at", -1)]],
    "documents": [[("kind", 1), ("name", 1)], [("kind", 1), ("at", -1)]],
    "accesses": [
        [("at", -1)],
        [("actor", 1), ("at", -1)],
        [("domain", 1), ("at", -1)],
        [("action", 1), ("at", -1)],
    ],
    "jobs": [
        [("state", 1), ("due", 1), ("_id", 1)],
        [("at", -1), ("_id", -1)],
        [("domain", 1), ("kind", 1), ("at", -1)],
        [("actor", 1), ("at", -1)],
    ],
    "chunks": [[("blob", 1)], [("number", 1), ("at", 1)]],
    "observations": [
        [("domain", 1), ("student", 1), ("kind", 1), ("event", 1), ("version", 1)],
        [("domain", 1), ("receipt", 1), ("student", 1)],
    ],
    "touched_days": [[("domain", 1)]],
}

OBSERVATION_ORDER = ("domain", "student", "kind", "event", "version")
EVENT_OF_OBSERVATION = dict.fromkeys(OBSERVATION_ORDER, 1)
NEWEST_FIRST = [("at", DESCENDING), ("_id", DESCENDING)]
ORDERS = {
    "batches": [("receipt", DESCENDING), ("_id", DESCENDING)],
    "outcomes": [("changed", DESCENDING), ("_id", DESCENDING)],
}
"""What came in last comes first; of other kinds what is newest by time."""

TOUCHES_DOCUMENT = "touches"
"""The document of `meta` that counts changes of what predictions are paired with, which uploads do not wait for."""

OWN_KEY = {"models": "version"}
"""The field that becomes `_id`, where it is not `id`."""

LATER = {
    "predictions": {"actor": None, "shadow": None},
    "outcomes": {"happened_at": None},
    "jobs": {"request": None},
}
"""Fields that older documents lack, with the flat value that each then has."""


def open_mongo(url: str, *, pool_size: int = 10) -> RecordStore:
    """The store at a mongodb: or mongodb+srv: URL, with its indexes made.

    The database is the one in the URL's path, `gradewatch` where there is none; TLS, credentials and every other
    option ride in the URL, which also wins over `pool_size`. Raises StoreUnavailable when no server answers,
    ValueError for a URL that cannot be read.
    """
    options: dict[str, Any] = {"appname": "gradewatch"}
    if "maxpoolsize=" not in url.lower():
        options["maxPoolSize"] = pool_size
    if "serverselectiontimeoutms=" not in url.lower():
        options["serverSelectionTimeoutMS"] = SELECTION_MS
    try:
        client: MongoClient[Bson] = MongoClient(url, **options)
    except (PyMongoError, ValueError) as error:
        if isinstance(error, InvalidURI) or not url.startswith("mongodb+srv:"):  # which also asks a name server
            raise ValueError(f"the MongoDB URL cannot be used: {error}") from error
        raise StoreUnavailable(f"MongoDB: {error}") from error
    try:
        with _driver_errors():
            hello = client.admin.command("hello")
            database = client.get_default_database("gradewatch", write_concern=DURABLE)
            _make_indexes(database)
    except BaseException:
        client.close()
        raise
    return MongoStore(client, database, transactions="setName" in hello or hello.get("msg") == "isdbgrid")


def _make_indexes(database: Database[Bson]) -> None:
    made = database.meta.find_one({"_id": "indexes"})
    if made and made["version"] >= INDEX_VERSION:
        return
    if (made or {"version": 0})["version"] < 4:  # from which on there are receipts
        _number_what_is_there(database)
    with suppress(OperationFailure):  # of version 8 and before; a new database never had it
        database.predictions.drop_index(NOBODY_ASKED)
    for kind, keys in INDEXES.items():
        database[kind].create_indexes([IndexModel(key) for key in keys])
    database.meta.replace_one({"_id": "indexes"}, {"version": INDEX_VERSION}, upsert=True)


def _number_what_is_there(database: Database[Bson]) -> None:
    """Give receipts to what came before there were any, in the order of times, which is all that is known of it."""
    unnumbered = {"receipt": {"$exists": False}}
    times = {at for kind in ("outcomes", "batches") for at in database[kind].distinct("at", unnumbered)}
    if not times and database.predictions.find_one(unnumbered, {"_id": 1}) is None:
        return
    ordered = sorted(times)
    for kind in RECEIPTS:
        writes = []
        for number, (since, until) in enumerate(zip([None, *ordered], [*ordered, None], strict=True)):
            limits = {} if since is None else {"$gt": since - 1}
            limits |= {} if until is None else {"$lt": until}
            where = {**unnumbered, **({"at": limits} if limits else {})}
            writes.append(UpdateMany(where, {"$set": dict.fromkeys(RECEIPTS[kind], number)}))
        for part in parts(writes):
            database[kind].bulk_write(part, ordered=False)
    count_to(database, len(ordered))


@contextmanager
def _driver_errors() -> Iterator[None]:
    """Every failure of the database as StoreUnavailable."""
    try:
        yield
    except BSONError as error:
        raise Unkeepable("the database cannot hold a value, such as a whole number of more than 64 bits") from error
    except BulkWriteError as error:  # its text would list the documents, which hold student data
        reasons = [*error.details.get("writeErrors", []), *error.details.get("writeConcernErrors", [])]
        codes = sorted({reason.get("code", 0) for reason in reasons})
        raise StoreUnavailable(f"MongoDB refused {len(reasons)} writes (codes {codes})") from None
    except PyMongoError as error:
        raise StoreUnavailable(f"{type(error).__name__}: {error}") from error


def _document(kind: str, record: Any) -> Bson:
    """The document of a record of any kind but batches' rows and successions, which live inside something larger."""
    document: Bson = dict(zip(LAYOUTS[kind].names, LAYOUTS[kind].pack(record), strict=True))
    document.pop(OWN_KEY.get(kind, "id"), None)
    document = {"_id": key_of(kind, record), **document}
    if kind == "documents" and (size := len(bson.encode(document))) > LARGEST_BSON:
        raise ValueError(
            f"{record.kind} {record.name!r} has {size:,} bytes: a document of MongoDB holds {LARGEST_BSON:,}"
        )
    return document


def _record(kind: str, document: Mapping[str, Any]) -> Any:
    own = OWN_KEY.get(kind, "id")
    document = {**LATER.get(kind, {}), **document}
    return LAYOUTS[kind].unpack([document["_id" if name == own else name] for name in LAYOUTS[kind].names])


def _numbers(kind: str, document: Mapping[str, Any]) -> tuple[int, ...]:
    """The receipts beside a record, in the order of `RECEIPTS`."""
    return tuple(document.get(name, 0) for name in RECEIPTS[kind])


def _event_of(observation: Bson) -> tuple[str, ...]:
    """What the versions of an event share."""
    return tuple(observation[name] for name in OBSERVATION_ORDER[:-1])


def _numbered(kind: str, record: Any, numbers: Sequence[int | None]) -> Bson:
    """The document of a record with its receipts."""
    return _document(kind, record) | dict(zip(RECEIPTS[kind], numbers, strict=True))


def _told(one: pairs.Received[Outcome]) -> Bson:
    """The document of an outcome with its receipts and all that was said of it."""
    said = write_statements(one.said)
    return _numbered("outcomes", one.record, (one.receipt, one.newest)) | ({STATEMENTS: said} if said else {})


def _next_touch(database: Database[Bson]) -> int:
    """The number of this change of pairs."""
    one_more, after = {"$inc": {"number": 1}}, ReturnDocument.AFTER
    found = database.meta.find_one_and_update({"_id": TOUCHES_DOCUMENT}, one_more, upsert=True, return_document=after)
    return int((found or {"number": 1})["number"])


def _flat(kind: str, record: Any) -> Bson:
    return dict(zip(LAYOUTS[kind].names, LAYOUTS[kind].pack(record), strict=True))


def _unflat(kind: str, document: Mapping[str, Any]) -> Any:
    return LAYOUTS[kind].unpack([document[name] for name in LAYOUTS[kind].names])


def _slot(succession: Succession) -> str:
    """The name of a champion's field in the registry document: free of dots and dollars."""
    return digest([succession.target, succession.moment])


def _row_documents(batch: str, attempt: str, packed: PackedRows) -> Iterator[Bson]:
    for number, *row in zip(packed.number, *packed, strict=True):
        flat = dict(zip(PackedRows._fields, row, strict=True))
        yield {"_id": row_key(attempt, number), "batch": batch, "attempt": attempt, **flat}


def _of_groups(groups: Sequence[str] | None) -> Bson:
    return {} if groups is None else {"group": {"$in": list(groups)}}


def _ending(endings: Iterable[str] | None) -> Bson:
    """Only what has an `_id` that ends so."""
    if endings is None:
        return {}
    ends = "|".join(map(re.escape, sorted(endings)))
    return {"_id": {"$regex": f"(?:{ends})$"} if ends else {"$in": []}}


def _rows_between(attempt: str) -> Bson:
    """All rows of one attempt to write a batch: a range of `_id`, which is in order of number."""
    return {"$gt": attempt + SEPARATOR, "$lt": attempt + chr(ord(SEPARATOR) + 1)}


class MongoStore:
    """A `RecordStore` over one client. Made by `open_mongo`; safe between threads."""

    def __init__(
        self, client: MongoClient[Bson], database: Database[Bson], *, transactions: bool, fence: Fence | None = None
    ) -> None:
        self._client = client
        self._database = database
        self._transactions = transactions
        self._fence = fence

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """A write, under this store's fence where it has one."""
        with _driver_errors():
            if self._fence is not None:
                mongo_jobs.hold(self._database, self._fence)
            yield

    def _together(self, work: Callable[[ClientSession | None], T]) -> T:
        """Do `work` in a transaction where the server has them; else as it comes."""
        if not self._transactions:
            return work(None)
        with self._client.start_session() as session:
            for left in reversed(range(TRIES)):
                try:
                    with session.start_transaction(write_concern=DURABLE):
                        return work(session)
                except PyMongoError as error:
                    met = error.has_error_label("TransientTransactionError") and not isinstance(error, AutoReconnect)
                    if not met or not left:
                        raise
        raise AssertionError("unreachable")

    def _keep(self, kind: str, record: Any) -> None:
        with self._writing():
            _insert_one(self._database[kind], _document(kind, record))

    def _keep_all(self, kind: str, records: Sequence[Prediction] | Sequence[Access]) -> set[str]:
        """All or none, where the server has transactions; those that are there stay as they are: their keys."""
        documents = {key_of(kind, record): _document(kind, record) for record in reversed(list(records))}
        given = set(documents)
        if not documents:
            return given
        with self._writing():
            if kind in RECEIPTS:
                newest = dict.fromkeys(RECEIPTS[kind], newest_receipt(self._database))
                documents = {key: document | newest for key, document in documents.items()}
            if len(documents) == 1 or not self._transactions:
                return _insert_new(self._database[kind], list(documents.values()))
            try:
                self._together(lambda session: self._insert_all(kind, list(documents.values()), session))
            except BulkWriteError as error:
                if not _only_duplicates(error):
                    raise
                for ids in parts(list(documents)):
                    for there in self._database[kind].find({"_id": {"$in": ids}}, {"_id": 1}):
                        del documents[there["_id"]]
                if documents:
                    self._together(lambda session: self._insert_all(kind, list(documents.values()), session))
        return given - set(documents)

    def _insert_all(self, kind: str, documents: Sequence[Bson], session: ClientSession | None) -> None:
        self._database[kind].insert_many(documents, ordered=False, session=session)

    def _list(
        self,
        kind: str,
        where: Bson,
        *,
        limit: int | None = None,
        order: Sequence[tuple[str, int]] | None = None,
    ) -> list[Any]:
        if limit == 0:
            return []  # to MongoDB, 0 means no limit
        with _driver_errors():
            ordered = list(order or ORDERS.get(kind, NEWEST_FIRST))
            found = self._database[kind].find(where).sort(ordered).limit(limit or 0)
            return [_record(kind, document) for document in found]

    # Predictions

    def add_predictions(
        self, predictions: Sequence[Prediction] = (), batches: Sequence[PackedPredictions] = ()
    ) -> None:
        check_finite(predictions)
        there = self._keep_all("predictions", [*predictions, *chain.from_iterable(batches)])
        newest = chain(rows_of(predictions), chain.from_iterable(map(rows_of_packed, batches)))
        times = self._times_of(there)  # of the same call once more, or of others, which are left as they are
        self._keep_newest(row for row in newest if times.get(row.prediction, row.at) == row.at)

    def _times_of(self, ids: Iterable[str]) -> dict[str, int]:
        with _driver_errors():
            kept = (self._database.predictions.find({"_id": {"$in": part}}, {"at": 1}) for part in parts(ids))
            return {document["_id"]: document["at"] for documents in kept for document in documents}

    def _keep_newest(self, rows: Iterable[NewestRow]) -> None:
        """Each where it is newer than what is kept of its key, or the first. After its prediction and by itself: where
        one of two that come at once is refused, nothing else may be undone."""
        with _driver_errors():
            for part in parts(newest_of(rows)):
                _write_newer(self._database.newest, part)

    def prediction(self, id: str) -> Prediction | None:
        found = self._list("predictions", {"_id": id})
        return found[0] if found else None

    def predictions_of(self, ids: Sequence[str]) -> list[Prediction]:
        found: dict[str, Prediction] = {}
        for part in parts(ids):
            known = self._list("predictions", {"_id": {"$in": part}})
            found |= {prediction.id: prediction for prediction in known}
        return [found[one] for one in ids if one in found]

    def predictions(
        self,
        domain: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        student: str | None = None,
        groups: Sequence[str] | None = None,
        endings: Iterable[str] | None = None,
        limit: int | None = None,
    ) -> list[Prediction]:
        where = {**_given(domain=domain, student=student), **_between(since, until), **_of_groups(groups)}
        return self._list("predictions", {**where, **_ending(endings)}, limit=limit)

    def count_predictions(
        self,
        domain: str | None = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        groups: Sequence[str] | None = None,
    ) -> int:
        where = {**_given(domain=domain), **_between(since, until), **_of_groups(groups)}
        with _driver_errors():
            return self._database.predictions.count_documents(where)

    def predictions_per_day(
        self, domain: str, since: datetime, *, groups: Sequence[str] | None = None
    ) -> dict[date, int]:
        days: Counter[date] = Counter()
        where = {"domain": domain, **_between(since, None), **_of_groups(groups)}
        with _driver_errors():
            found = self._database.predictions.find(where, {"at": 1, "_id": 0})
            days.update(calendar_day(one["at"] // DAY_MICROS) for one in found)
        return dict(days)

    def placings(self, domain: str, *, ids: Sequence[str] = (), students: Sequence[str] = ()) -> set[Placing]:
        fields = ("_id", *Placing._fields[1:])
        found: set[Placing] = set()
        with _driver_errors():
            for field, wanted in (("_id", ids), ("student", students)):
                for part in parts(wanted):
                    rows = self._database.predictions.find({"domain": domain, field: {"$in": part}}, list(fields))
                    found.update(Placing(*(row[name] for name in fields)) for row in rows)
        return found

    def newest_answers(
        self,
        domain: str,
        target: str,
        which: Which = OF_ALL,
        *,
        least: float = 0.0,
        before: NewestAnswer | None = None,
        limit: int = 100,
    ) -> list[NewestAnswer]:
        where = {
            **_which(domain, target, which),
            "below": {"$gt": math.nextafter(least, -1)},  # said so as in `_between`
        }
        if before is not None:
            last = before.below, before.student, before.group or NOWHERE, before.period or NOWHERE
            where = {"$and": [where, _past(NEWEST_ORDER, last, "$lt")]}
        with _driver_errors():
            found = self._database.newest.find(where).sort([(name, DESCENDING) for name in NEWEST_ORDER])
            return [_newest_answer(document) for document in found.limit(limit)] if limit else []

    def silent_answers(
        self,
        domain: str,
        target: str,
        which: Which = OF_ALL,
        *,
        why: Reason | None = None,
        after: SilentAnswer | None = None,
        limit: int = 100,
    ) -> list[SilentAnswer]:
        where = {**_which(domain, target, which), "below": None, "why": {"$in": [why] if why else list(REASONS)}}
        order = NEWEST_ORDER[1:]
        if after is not None:
            last = after.student, after.group or NOWHERE, after.period or NOWHERE
            where = {"$and": [where, _past(order, last, "$gt")]}
        with _driver_errors():
            found = self._database.newest.find(where).sort([(name, ASCENDING) for name in order])
            return [_silent_answer(document) for document in found.limit(limit)] if limit else []

    def count_newest(
        self, domain: str, target: str, which: Which = OF_ALL, *, least: float = 0.0, but: Iterable[str] = ()
    ) -> NewestCounts:
        where = _which(domain, target, which)
        with _driver_errors():
            among = ({**where, "student": {"$in": part}} for part in parts(but))
            leaving = [(one["below"], one["why"]) for asked in among for one in self._database.newest.find(asked)]
            known = self._database.newest.count_documents({**where, "below": {"$gt": math.nextafter(least, -1)}})
            reasons = ((one, {**where, "below": None, "why": one}) for one in REASONS)
            counted = {one: self._database.newest.count_documents(asked) for one, asked in reasons}
            return NewestCounts(known, {one: n for one, n in counted.items() if n}).less(leaving, least)

    def newest_behind(self) -> int:
        return 0

    def catch_up_newest(self, heard: Callable[[int], object] = lambda _: None) -> int:  # noqa: ARG002 - none waits here
        return 0

    def answered_groups(self, domain: str, *, after: str = "", limit: int = 100) -> list[str]:
        found: list[str] = []
        with _driver_errors():
            while len(found) < limit:
                where = {"domain": domain, "group": {"$gt": found[-1] if found else after}}
                following = self._database.predictions.find(where, {"group": 1}).sort("group", ASCENDING).limit(1)
                one = next(iter(following), None)
                if one is None:
                    break
                found.append(one["group"])
        return found

    def asked_about(self, domain: str, students: Sequence[str]) -> list[AskedAbout]:
        found: list[AskedAbout] = []
        with _driver_errors():
            for part in parts(students):
                rows = self._database.predictions.find(
                    {"domain": domain, "student": {"$in": part}}, ["student", "group", "period", "at"]
                )
                found += [
                    AskedAbout(row["student"], row["group"], row["period"], instant(row["at"]), row["_id"])
                    for row in rows
                ]
        return found

    def add_outcomes(self, outcomes: Sequence[Outcome]) -> tuple[int, int]:
        pairs.check_outcomes(outcomes)
        with self._writing():
            if not outcomes:
                return 0, 0
            with self._touching(pairs.subjects_of(outcomes)), next_receipt(self._database) as receipt:
                return self._together(lambda session: self._fold_outcomes(outcomes, receipt, session))

    def _fold_outcomes(
        self, outcomes: Sequence[Outcome], receipt: int, session: ClientSession | None
    ) -> tuple[int, int]:
        changed, new, corrected = pairs.fold_outcomes(self._read_told(outcomes, session), outcomes, receipt)
        if changed:
            self._database.outcomes.bulk_write(_writes(map(_told, changed)), ordered=False, session=session)
        return new, corrected

    def _read_told(
        self, outcomes: Iterable[Outcome], session: ClientSession | None
    ) -> dict[str, pairs.Received[Outcome]]:
        """Those that are kept about the same, by id, with all that was said of them."""
        kept: dict[str, pairs.Received[Outcome]] = {}
        for ids in parts({outcome.id for outcome in outcomes}):
            for document in self._database.outcomes.find({"_id": {"$in": ids}}, session=session):
                said = read_statements(document.get(STATEMENTS))
                kept[document["_id"]] = _received("outcomes", document)._replace(said=said)
        return kept

    def _take_back(
        self, event: Event, find: Callable[[ClientSession | None], tuple[int, Mapping[str, Sequence[Any]]]]
    ) -> Event | None:
        """Keep the event, then make the writes of each collection; together, where the server has transactions. find:
        how much is there, and the writes that take it back."""

        def work(session: ClientSession | None) -> Event | None:
            count, writes = find(session)
            if not count:
                return None
            told = counted(event, count, receipt)
            self._database.events.replace_one({"_id": told.id}, _document("events", told), upsert=True, session=session)
            for kind, changes in writes.items():
                for part in parts(changes):
                    self._database[kind].bulk_write(part, ordered=False, session=session)
            return told

        with self._writing(), next_receipt(self._database) as receipt:
            require_nobody_reads(self._database)
            return self._together(work)

    def drop_predictions(
        self,
        domains: Iterable[str],  # noqa: ARG002  # a collection has no parts
        before: datetime,  # noqa: ARG002
        event: Callable[[str, str], Event],  # noqa: ARG002
    ) -> list[Dropped]:
        return []

    def remove_predictions(self, domain: str, ids: Sequence[str], event: Event) -> Event | None:
        about: list[Any] = []

        def find(session: ClientSession | None) -> tuple[int, Mapping[str, Sequence[Any]]]:
            about.clear()
            listed, kept = list[DeleteMany](), list[DeleteMany]()
            for part in parts(set(ids)):
                where = {"domain": domain, "_id": {"$in": part}}
                found = self._database.predictions.find(where, {"student": 1}, session=session)
                students = [one["student"] for one in found]
                about.extend(students)
                listed.append(DeleteMany({"domain": domain, "student": {"$in": students}, "prediction": {"$in": part}}))
                kept.append(DeleteMany(where))
            return len(about), {"newest": listed, "predictions": kept}  # in this order, should it be cut off between

        with self._touching({domain: self._subjects_of(domain, ids)}):
            told = self._take_back(event, find)
        for part in parts({student for student in about if student is not None}):
            of_them = {"domain": domain, "student": {"$in": part}}
            with _driver_errors():
                self._database.newest.delete_many(of_them)
            self._keep_newest(rows_of(self._list("predictions", of_them)))
        return told

    def remove_outcomes(self, domain: str, outcomes: Sequence[Outcome], event: Event) -> Event | None:
        here = [outcome for outcome in outcomes if outcome.domain == domain]

        def find(session: ClientSession | None) -> tuple[int, Mapping[str, Sequence[Any]]]:
            changed, gone = pairs.withdraw_outcomes(self._read_told(here, session), here)
            deletions = [DeleteMany({"_id": {"$in": part}}) for part in parts(gone)]
            return len(changed) + len(gone), {"outcomes": [*_writes(map(_told, changed)), *deletions]}

        with self._touching(pairs.subjects_of(here)):
            return self._take_back(event, find)

    @contextmanager
    def _touching(self, subjects: Mapping[str, pairs.Subjects]) -> Iterator[None]:
        """While what these predictions and students are paired with changes. Their days are touched before it, should
        it not come to its end, and after it, since what it did is read only then, while others count on."""
        with _driver_errors():
            days = {domain: self._days_about(domain, about) for domain, about in subjects.items()}
            self._touch(days)
        yield
        with _driver_errors():
            self._touch(days)

    def _subjects_of(self, domain: str, ids: Sequence[str]) -> pairs.Subjects:
        """Predictions and their students."""
        with _driver_errors():
            wanted = ({"domain": domain, "_id": {"$in": part}} for part in parts(ids))
            found = {one["student"] for where in wanted for one in self._database.predictions.find(where, ["student"])}
        return pairs.Subjects(list(ids), sorted(found - {None}))

    def _days_about(self, domain: str, about: pairs.Subjects) -> set[int]:
        """The days of the predictions to which outcomes about these may belong."""
        found: set[int] = set()
        for field, wanted in (("_id", about.predictions), ("student", about.students)):
            for part in parts(wanted):
                rows = self._database.predictions.find({"domain": domain, field: {"$in": part}}, {"at": 1, "_id": 0})
                found.update(one["at"] // DAY_MICROS for one in rows)
        return found

    def _touch(self, days: Mapping[str, Iterable[int]]) -> None:
        """Say that the pairs of these days, by domain, changed, and forget what was made of them."""
        number = _next_touch(self._database)
        for domain, touched in days.items():
            for part in parts(touched):
                rows = [{"_id": f"{domain}{SEPARATOR}{day}", "domain": domain, "day": day} for day in part]
                newer = {"$max": {"receipt": number}}
                writes = [UpdateOne({"_id": row["_id"]}, {"$setOnInsert": row, **newer}, upsert=True) for row in rows]
                self._database.touched_days.bulk_write(writes, ordered=False)
                made = {"kind": {"$regex": f"^{MADE_OF_PAIRS}"}, "domain": domain}
                self._database.documents.delete_many({**made, "at": {"$in": [day * DAY_MICROS for day in part]}})

    def pairs(
        self,
        domain: str,
        target: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        groups: Sequence[str] | None = None,
        endings: Iterable[str] | None = None,
        limit: int | None = None,
    ) -> list[pairs.Pair]:
        among = pairs.Among(since, until, endings, groups)
        with _driver_errors():
            return pairs.matched(_MongoSource(self._database), domain, target, among, limit)

    def pair_pages(self, domain: str, target: str, *, since: datetime, until: datetime) -> Iterator[list[Pair]]:
        with _driver_errors():
            yield from pairs.matched_pages(_MongoSource(self._database), domain, target, pairs.Among(since, until))

    def changes(self, domain: str) -> Changes:
        with _driver_errors():
            found = self._database.meta.find_one({"_id": TOUCHES_DOCUMENT}) or {"number": 0}
            newest = int(found["number"])  # first: what is touched later has a higher number
            days = {one["day"]: one["receipt"] for one in self._database.touched_days.find({"domain": domain})}
        always = days.pop(EVERY_DAY, 0)
        return Changes(newest, {calendar_day(day): receipt for day, receipt in days.items()}, always)

    # Batches

    def add_batch(self, batch: Batch, rows: Iterable[BatchRow] = (), packed: Iterable[PackedRows] = ()) -> bool:
        self.sweep_uploads()
        with _driver_errors():
            if self._database.batches.find_one({"_id": batch.id}, {"_id": 1}):
                return False
        attempt = new_id()
        self._give_sign(attempt, first=True)
        try:
            for part in chain(pack_rows(rows), packed):
                self._give_sign(attempt)
                with self._writing():
                    self._database.batch_rows.insert_many(_row_documents(batch.id, attempt, part), ordered=False)
            added = self._publish(batch, attempt)
        except BaseException:
            with suppress(StoreUnavailable, LostJob):  # then they are swept
                if not self._ended(attempt):
                    self._remove_rows(attempt)
            raise
        if not added:
            self._remove_rows(attempt)
        return added

    def _ended(self, attempt: str) -> bool:
        """Whether a batch names its rows; then it needs its lease no more. Whoever was cut off between these two steps,
        or lost the connection at the first, does not know."""
        with self._writing():
            named = self._database.batches.find_one({"attempt": attempt}, {"_id": 1})
            if named:
                self._database.leases.delete_one({"_id": UPLOAD_LEASE + attempt})
        return named is not None

    def _give_sign(self, attempt: str, *, first: bool = False) -> None:
        """Hold the lease of an upload. Raises StoreUnavailable where its rows were removed meanwhile."""
        with self._writing():
            until = mongo_jobs.server_time(self._database) + round(UPLOAD_SECONDS * SECOND)
            lease, held = {"_id": UPLOAD_LEASE + attempt, "holder": attempt}, {"$set": {"expires": until}}
            if not self._database.leases.update_one(lease, held, upsert=first).matched_count and not first:
                raise StoreUnavailable(STOOD_STILL)

    def _publish(self, batch: Batch, attempt: str) -> bool:
        self._give_sign(attempt)
        with self._writing():
            with next_receipt(self._database) as receipt:
                numbered = _numbered("batches", batch, [receipt])
                # the commit point: rows of an attempt that no batch names are never read
                added = _insert_one(self._database.batches, {**numbered, "attempt": attempt})
            if added:
                self._database.leases.delete_one({"_id": UPLOAD_LEASE + attempt})
        return added

    def _remove_rows(self, attempt: str) -> None:
        """Of an attempt that no batch names."""
        with self._writing():
            given_up = {"$set": {"holder": "", "expires": 0}}
            self._database.leases.update_one({"_id": UPLOAD_LEASE + attempt}, given_up, upsert=True)
            self._database.batch_rows.delete_many({"_id": _rows_between(attempt)})
            self._database.leases.delete_one({"_id": UPLOAD_LEASE + attempt})

    def sweep_uploads(self) -> None:
        with self._writing():
            late = {"$lte": mongo_jobs.server_time(self._database)}
            leases = self._database.leases.find({"_id": {"$regex": f"^{UPLOAD_LEASE}"}, "expires": late})
            attempts = [lease["_id"].removeprefix(UPLOAD_LEASE) for lease in leases]
        for attempt in attempts:
            with self._writing():
                free, taken = {"_id": UPLOAD_LEASE + attempt, "expires": late}, {"$set": {"holder": "", "expires": 0}}
                alone = self._database.leases.update_one(free, taken).matched_count
            if alone and not self._ended(attempt):
                self._remove_rows(attempt)

    def remove_batch(self, id: str, event: Event) -> Event | None:
        attempt = _attempts(self._database, [id]).get(id, "")

        def find(session: ClientSession | None) -> tuple[int, Mapping[str, Sequence[Any]]]:
            found = self._database.batches.find_one({"_id": id}, {"rows": 1}, session=session) or {"rows": 0}
            lease = {"_id": UPLOAD_LEASE + attempt, "holder": "", "expires": 0}
            left = ReplaceOne({"_id": lease["_id"]}, lease, upsert=True)
            return found["rows"], {"leases": [left], "batches": [DeleteMany({"_id": id})]}

        told = self._take_back(event, find)
        if told:
            with suppress(StoreUnavailable, LostJob):  # then they are swept
                self._remove_rows(attempt)
        return told

    def batches(self, domain: str | None = None, kind: BatchKind | None = None) -> list[Batch]:
        return self._list("batches", _given(domain=domain, kind=kind))

    def batch_rows(self, batch: str, numbers: Iterable[int] | None = None) -> list[BatchRow]:
        with _driver_errors():
            attempt = _attempts(self._database, [batch]).get(batch)
            if attempt is None:
                return []
            wanted: list[Bson] = [{"_id": _rows_between(attempt)}]
            if numbers is not None:
                pages = parts(sorted(numbers))
                wanted = [{"_id": {"$in": [row_key(attempt, number) for number in page]}} for page in pages]
            found = (self._database.batch_rows.find(one).sort("_id", 1) for one in wanted)
            return [_unflat("batch_rows", document) for page in found for document in page]

    def standings(
        self, domain: str, group: str, period: str | None, *, after: str | None = None, limit: int = 100
    ) -> list[Standing]:
        with _driver_errors():
            rows = self._newest_rows_of(domain, group, period, after, limit)
            place = {"domain": domain, "group": group, "period": period or NOWHERE}
            among = {"student": {"$in": [one.student for one in rows]}}
            newest = [
                (one["student"], one["target"], one["prediction"]) for one in self._database.newest.find(place | among)
            ]
            pages = parts({prediction for _, _, prediction in newest})
            found = (self._database.predictions.find({"_id": {"$in": page}}) for page in pages)
            said = [_record("predictions", document) for page in found for document in page]
        return standings_of(rows, newest, said)

    def _newest_rows_of(
        self, domain: str, group: str, period: str | None, after: str | None, limit: int
    ) -> list[PlacedRow]:
        """The newest row of each of the first `limit` students behind `after`, by student."""
        known = self._database.batches.find({"domain": domain}, ["attempt", "receipt", "at"])
        batches = {one["attempt"]: one for one in known}
        where = {"group": group, "period": period, "student": {"$gt": after or ""}}
        rows = self._database.batch_rows.find(where, ["student", "attempt", "number"]).sort("student", 1)
        newest: dict[str, tuple[tuple[int, str, int], Bson]] = {}
        for row in rows:
            if (batch := batches.get(row["attempt"])) is None:
                continue
            rank = batch["receipt"], batch["_id"], row["number"]
            if row["student"] not in newest:
                if len(newest) == limit:
                    break
                newest[row["student"]] = rank, row
            elif newest[row["student"]][0] < rank:
                newest[row["student"]] = rank, row
        chosen = {row["_id"]: batches[row["attempt"]] for _, row in newest.values()}
        pages = (self._database.batch_rows.find({"_id": {"$in": page}}) for page in parts(chosen))
        read = {one["_id"]: _unflat("batch_rows", one) for page in pages for one in page}
        there = [(read[key], batch) for key, batch in chosen.items() if key in read]  # else withdrawn meanwhile
        return [PlacedRow(row.student, row, batch["_id"], instant(batch["at"])) for row, batch in there]

    def batch_rows_after(self, batch: str, number: int, limit: int) -> list[BatchRow]:
        with _driver_errors():
            attempt = _attempts(self._database, [batch]).get(batch)
            if attempt is None:
                return []
            wanted = {"_id": {**_rows_between(attempt), "$gt": row_key(attempt, number)}}
            found = self._database.batch_rows.find(wanted).sort("_id", 1).limit(limit)
            return [_unflat("batch_rows", document) for document in found]

    def newest_rows(self, domain: str, records: Iterable[str], kind: BatchKind | None = None) -> list[BatchRow]:
        with _driver_errors():
            source = _MongoSource(self._database)
            receipts = {batch.record.id: batch.newest for batch in source.batches(domain, kind)}
            return layout.newest_rows(receipts, chain.from_iterable(map(source.rows_of, layout.parts(records))))

    def labeled_records(self, domain: str, *, limit: int | None = None) -> list[LabeledRecord]:
        with _driver_errors():
            return labeled.labeled_records(_MongoSource(self._database), domain, limit)

    # Students

    def student_rows(self, domain: str, student: str) -> list[StudentRow]:
        with _driver_errors():
            found = self._rows_about(domain, student, None)
            return [StudentRow(one["batch"], _unflat("batch_rows", one)) for one in found]

    def _rows_about(self, domain: str, student: str, session: ClientSession | None) -> list[Bson]:
        """The documents of the student's rows in batches of the domain."""
        found = list(self._database.batch_rows.find({"student": student}, session=session))
        here = {"_id": {"$in": sorted({one["batch"] for one in found})}, "domain": domain}
        attempts = {one["attempt"] for one in self._database.batches.find(here, {"attempt": 1}, session=session)}
        return [one for one in found if one["attempt"] in attempts]

    def student_outcomes(self, domain: str, student: str) -> list[Outcome]:
        with _driver_errors():
            found = self._database.predictions.find({"domain": domain, "student": student}, {"_id": 1})
            ids = [one["_id"] for one in found]
            return [one.record for one in _MongoSource(self._database).outcomes_about(domain, ids, [student])]

    def student_accesses(self, domain: str, student: str) -> list[Access]:
        return self._list("accesses", {"domain": domain, "details": {"$regex": student}})

    def erase_student(self, domain: str, student: str, event: Event) -> Event | None:
        mine: Bson = {"domain": domain, "student": student}

        def find(session: ClientSession | None) -> tuple[int, Mapping[str, Sequence[Any]]]:
            predictions = [one["_id"] for one in self._database.predictions.find(mine, {"_id": 1}, session=session)]
            about: list[Bson] = [
                mine,
                *({"domain": domain, "prediction": {"$in": part}} for part in parts(predictions)),
            ]
            rows = self._rows_about(domain, student, session)
            outcomes = sum(self._database.outcomes.count_documents(one, session=session) for one in about)
            observed = self._database.observations.count_documents(mine, session=session)
            return len(predictions) + outcomes + len(rows) + observed, {
                "observations": [DeleteMany(mine)],
                "batches": [
                    self._with_fewer(attempt, student, session) for attempt in {one["attempt"] for one in rows}
                ],
                "batch_rows": [DeleteMany({"_id": {"$in": part}}) for part in parts([one["_id"] for one in rows])],
                "outcomes": [DeleteMany(one) for one in about],
                "newest": [DeleteMany(mine)],
                "predictions": [DeleteMany(mine)],  # last: what else is about them is found by them
            }

        ids = [one.id for one in self._list("predictions", mine)]
        with self._touching({domain: pairs.Subjects(ids, [student])}):
            told = self._take_back(event, find)
        with self._writing():
            self._name_nobody(domain, student)
        return told

    def _with_fewer(self, attempt: str, student: str, session: ClientSession | None) -> UpdateOne:
        """Of a batch whose rows of the student go: how many are left, so that saying it twice says it once."""
        others = {"_id": _rows_between(attempt), "student": {"$ne": student}}
        left = self._database.batch_rows.count_documents(others, session=session)
        return UpdateOne({"attempt": attempt}, {"$set": {"rows": left}})

    def _name_nobody(self, domain: str, student: str) -> None:
        """In entries of access."""
        named = self._database.accesses.find({"domain": domain, "details": {"$regex": student}}, {"details": 1})
        for part in parts(named):
            texts = ((one["_id"], one["details"].replace(student, NOBODY_NAMED)) for one in part)
            changes = [UpdateOne({"_id": known}, {"$set": {"details": text}}) for known, text in texts]
            self._database.accesses.bulk_write(changes, ordered=False)

    def oldest_outcomes(self, domain: str, limit: int) -> list[Outcome]:
        return self._list("outcomes", {"domain": domain}, limit=limit, order=[("changed", 1), ("_id", 1)])

    def count_outcomes(self, domain: str) -> int:
        with _driver_errors():
            return self._database.outcomes.count_documents({"domain": domain})

    def outcomes_ending(self, domain: str, endings: Iterable[str] | None) -> list[Outcome]:
        return self._list("outcomes", {"domain": domain, **_ending(endings)}, order=[("changed", 1), ("_id", 1)])

    def forget(self, kind: Forgettable, before: datetime) -> int:
        with self._writing():
            return self._database[kind].delete_many(_between(None, before)).deleted_count

    def wipe(self, removed: Sequence[str]) -> None:
        """Its files are the server's own."""

    # Observations

    def add_observations(self, observations: Sequence[Observation]) -> int:
        check_observations(observations)
        if not observations:
            return 0
        with self._writing(), next_receipt(self._database) as receipt:
            documents = [_numbered("observations", one, [receipt]) for one in observations]
            writes = [UpdateOne({"_id": one["_id"]}, {"$setOnInsert": one}, upsert=True) for one in documents]
            return self._together(
                lambda session: sum(
                    self._database.observations.bulk_write(part, ordered=False, session=session).upserted_count
                    for part in parts(writes, layout.ROWS_AT_ONCE)
                )
            )

    def observation_pages(
        self,
        domain: str,
        *,
        students: Sequence[str] | None = None,
        known_at: datetime | None = None,
    ) -> Iterator[ObservationColumns]:
        return self._observation_pages(domain, students, known_at, None)

    def _observation_pages(
        self, domain: str, students: Sequence[str] | None, known_at: datetime | None, kind: str | None
    ) -> Iterator[ObservationColumns]:
        with _driver_errors():  # of some students nothing is read for long: no upload is waited for
            newest = settled_receipt(self._database) - 1 if students is None else newest_receipt(self._database)
        known = {} if known_at is None else {"at": {"$lt": micros(known_at) + 1}}
        of = [{}] if students is None else [{"student": one} for one in sorted(set(students))]
        rows: list[list[Any]] = []
        for mine in of:
            where = {"domain": domain, **mine, "receipt": {"$lt": newest + 1}, **known}
            where |= {} if kind is None else {"kind": kind}
            with _driver_errors():
                for one in self._database.observations.find(where).sort([(name, 1) for name in OBSERVATION_ORDER]):
                    rows.append([one[name] for name in ObservationColumns._fields])
                    if len(rows) == layout.ROWS_AT_ONCE:
                        yield ObservationColumns(*zip(*rows, strict=True))
                        rows = []
        if rows:
            yield ObservationColumns(*zip(*rows, strict=True))

    def observation_texts(
        self,
        domain: str,
        *,
        students: Sequence[str] | None = None,
        known_at: datetime | None = None,
        kind: str | None = None,
    ) -> Iterator[Sequence[ObservationTexts]]:
        return _texts_of(self._observation_pages(domain, students, known_at, kind))

    def observations_of_events(self, domain: str, events: Sequence[ObservedKey]) -> Iterator[ObservationColumns]:
        for part in parts(sorted(set(events)), layout.EVENTS_AT_ONCE):
            same = [{"domain": domain, "student": who, "kind": kind, "event": event} for who, kind, event in part]
            with _driver_errors():
                found = self._database.observations.find({"$or": same}).sort([(name, 1) for name in OBSERVATION_ORDER])
                rows = [[one[name] for name in ObservationColumns._fields] for one in found]
            if rows:
                yield ObservationColumns(*zip(*rows, strict=True))

    def observed_since(self, domain: str, receipt: int | None) -> ObservedSince:
        with _driver_errors():
            newest = settled_receipt(self._database) - 1
            if receipt is None:
                return ObservedSince(newest, [])
            came = {"domain": domain, "receipt": {"$gt": receipt}}
            return ObservedSince(newest, sorted(self._database.observations.distinct("student", came)))

    def remove_observations(self, domain: str, before: datetime) -> int:
        with self._writing():
            require_nobody_reads(self._database)
            old = self._database.observations.find({"domain": domain, **_between(None, before)}, EVENT_OF_OBSERVATION)
            ordered = old.sort([(name, 1) for name in OBSERVATION_ORDER])
            return sum(self._remove_old(part, before) for part in parts(ordered, layout.EVENTS_AT_ONCE))

    def _remove_old(self, old: Sequence[Bson], before: datetime) -> int:
        """Remove these but for what stands above something younger: that would count again."""
        same = [dict(zip(OBSERVATION_ORDER[:-1], event, strict=True)) for event in {_event_of(one) for one in old}]
        lowest: dict[tuple[Any, ...], int] = {}
        younger = {"$or": same, **_between(before, None)}
        for one in self._database.observations.find(younger, EVENT_OF_OBSERVATION).sort("version", DESCENDING):
            lowest[_event_of(one)] = one["version"]
        gone = [one["_id"] for one in old if one["version"] < lowest.get(_event_of(one), one["version"] + 1)]
        return self._database.observations.delete_many({"_id": {"$in": gone}}).deleted_count

    # Models and champions

    def add_model(self, model: ModelVersion) -> None:
        self._keep("models", model)

    def models(self, key: ChampionKey | None = None) -> list[ModelVersion]:
        where = {} if key is None else {"domain": key.domain, "target": key.target, "moment": key.moment}
        return self._list("models", where)

    def champions(self) -> list[Succession]:
        with _driver_errors():
            documents = list(self._database.registry.find({}, {"champions": 1}))
        champions = [_unflat("successions", c) for d in documents for c in d.get("champions", {}).values()]
        return sorted(champions, key=lambda succession: succession.key)

    def successions(self, key: ChampionKey) -> list[Succession]:
        with _driver_errors():
            document = self._database.registry.find_one({"_id": key.domain}) or {}
        return [succession for succession in _history(document) if succession.key == key]

    def succeed(self, successions: Sequence[Succession]) -> None:
        check_successions(successions)
        if not successions:
            return
        domain = successions[0].domain
        expected: Bson = {"_id": domain}
        change: Bson = {}
        for succession in successions:
            champion = f"champions.{_slot(succession)}"
            first = succession.generation == 1
            expected |= (
                {champion: {"$exists": False}} if first else {f"{champion}.generation": succession.generation - 1}
            )
            change[champion] = _flat("successions", succession)
        history = {"history": {"$each": list(change.values())}}
        with self._writing():
            _make_registry(self._database, domain)
            update = {"$set": change, "$push": history, "$inc": {"revision": 1}}
            done = self._database.registry.update_one(expected, update)
        if not done.matched_count:
            wanted = ", ".join(f"{succession.key} to generation {succession.generation}" for succession in successions)
            raise Conflict(f"another change came first: {wanted} cannot follow")

    # Journal

    def add_drift_report(self, report: DriftRecord) -> None:
        self._keep("drift_reports", report)

    def drift_report(self, id: str) -> DriftRecord | None:
        found = self._list("drift_reports", {"_id": id})
        return found[0] if found else None

    def drift_reports(
        self, domain: str | None = None, *, before: Before | None = None, limit: int = 100
    ) -> list[DriftRecord]:
        return self._list("drift_reports", _given(domain=domain) | _behind(before), limit=limit)

    def add_decision(self, decision: DecisionRecord) -> None:
        self._keep("decisions", decision)

    def decision(self, id: str) -> DecisionRecord | None:
        found = self._list("decisions", {"_id": id})
        return found[0] if found else None

    def decisions(
        self,
        domain: str | None = None,
        *,
        key: ChampionKey | None = None,
        before: Before | None = None,
        limit: int = 100,
    ) -> list[DecisionRecord]:
        about = {} if key is None else {"domain": key.domain, "target": key.target, "moment": key.moment}
        return self._list("decisions", _given(domain=domain) | about | _behind(before), limit=limit)

    def add_event(self, event: Event) -> None:
        self._keep("events", event)

    def events(
        self,
        domain: str | None = None,
        *,
        kind: str | None = None,
        before: Before | None = None,
        limit: int = 100,
    ) -> list[Event]:
        return self._list("events", _given(domain=domain, kind=kind) | _behind(before), limit=limit)

    def try_lease(self, name: str, holder: str, seconds: float) -> str | None:
        with self._writing():
            while True:
                at = mongo_jobs.server_time(self._database)
                free = {"_id": name, "$or": [{"holder": holder}, {"expires": {"$lte": at}}]}
                taken = {"$set": {"holder": holder, "expires": at + round(seconds * 1_000_000)}}
                try:
                    self._database.leases.update_one(free, taken, upsert=True)
                except DuplicateKeyError:  # someone else has it, unless it was given back just now: then try again
                    if present := self._database.leases.find_one({"_id": name}):
                        return str(present["holder"])
                else:
                    return None

    def release_lease(self, name: str, holder: str) -> None:
        with self._writing():
            self._database.leases.delete_one({"_id": name, "holder": holder})

    # Documents and accesses

    def document(self, kind: str, name: str) -> Document | None:
        found = self._list("documents", {"_id": document_key(kind, name)})
        return found[0] if found else None

    def documents(
        self, kind: str, *, domain: str | None = None, since: datetime | None = None, until: datetime | None = None
    ) -> list[Document]:
        where = {**_given(kind=kind, domain=domain), **_between(since, until)}
        return self._list("documents", where, order=[("name", 1)])

    def documents_named(self, kind: str, names: Sequence[str]) -> list[Document]:
        keys = [document_key(kind, name) for name in sorted(set(names))]
        return [one for part in parts(keys) for one in self._list("documents", {"_id": {"$in": list(part)}})]

    def newest_documents(self, kind: str, *, before: Before | None = None, limit: int = 100) -> list[Document]:
        where = {"kind": kind} | _behind(before, "name")
        return self._list("documents", where, order=[("at", DESCENDING), ("name", DESCENDING)], limit=limit)

    def put_document(self, document: Document) -> None:
        check_document(document)
        with self._writing():
            new = _document("documents", document)
            kept = self._database.documents
            if document.revision == 1:
                done = _insert_one(kept, new)
            else:
                expected = {"_id": new["_id"], "revision": document.revision - 1}
                done = bool(kept.replace_one(expected, new).matched_count)
        if not done:
            raise Conflict(
                f"{document.kind} {document.name!r}: revision {document.revision} does not follow the kept one"
            )

    def remove_document(self, kind: str, name: str) -> bool:
        with self._writing():
            return bool(self._database.documents.delete_one({"_id": document_key(kind, name)}).deleted_count)

    def add_accesses(self, accesses: Sequence[Access]) -> None:
        self._keep_all("accesses", accesses)

    def accesses(
        self,
        *,
        actor: str | None = None,
        domain: str | None = None,
        action: str | None = None,
        since: datetime | None = None,
        limit: int = 100,
    ) -> list[Access]:
        where = {**_given(actor=actor, domain=domain, action=action), **_between(since, None)}
        return self._list("accesses", where, limit=limit)

    # Jobs and blobs

    def add_job(self, job: Job, *, pause: float = 0.0) -> Job:
        with self._writing():
            begun = mongo_jobs.begun_at(self._database, job, pause)
            if _insert_one(self._database.jobs, _document("jobs", begun)):
                return begun
            return self.job(job.id) or begun

    def claim_job(self, kinds: Sequence[str], worker: str, seconds: float, *, id: str | None = None) -> Job | None:
        with _driver_errors():
            found = mongo_jobs.claim(self._database, kinds, worker, seconds, id)
        return _record("jobs", found) if found else None

    def renew_job(self, id: str, token: int, seconds: float, progress: JobProgress | None = None) -> Job:
        with _driver_errors():
            job: Job = _record("jobs", mongo_jobs.renew(self._database, Fence(id, token), seconds, progress))
        return job

    def end_job(
        self, id: str, token: int, state: JobState, *, result: Any = None, problem: JobProblem | None = None
    ) -> Job:
        with _driver_errors():
            job: Job = _record("jobs", mongo_jobs.end(self._database, Fence(id, token), state, result, problem))
        return job

    def put_back_job(
        self, id: str, token: int, *, pause: float = 0.0, problem: JobProblem | None = None, counts: bool = True
    ) -> Job:
        with _driver_errors():
            fence = Fence(id, token)
            job: Job = _record("jobs", mongo_jobs.put_back(self._database, fence, pause, problem, counts=counts))
        return job

    def cancel_job(self, id: str) -> Job | None:
        with _driver_errors():
            mongo_jobs.cancel(self._database, id)
        return self.job(id)

    def job(self, id: str) -> Job | None:
        found = self._list("jobs", {"_id": id})
        return found[0] if found else None

    def jobs(
        self,
        *,
        domain: str | None = None,
        kind: str | None = None,
        actor: str | None = None,
        states: Sequence[JobState] = (),
        before: Before | None = None,
        limit: int = 100,
    ) -> list[Job]:
        given = _given(domain=domain, kind=kind, actor=actor)
        return self._list("jobs", mongo_jobs.newest(given, states, before), limit=limit)

    def remove_jobs(self, before: datetime) -> int:
        with self._writing():
            return self._database.jobs.delete_many(mongo_jobs.ended_before(before)).deleted_count

    def fenced(self, id: str, token: int) -> RecordStore:
        return MongoStore(self._client, self._database, transactions=self._transactions, fence=Fence(id, token))

    def see_worker(self, id: str, kinds: Sequence[str]) -> None:
        with _driver_errors():
            seen = {"kinds": list(kinds), "at": mongo_jobs.server_time(self._database)}
            self._database.workers.update_one({"_id": id}, {"$set": seen}, upsert=True)

    def workers(self) -> list[SeenWorker]:
        with _driver_errors():
            return mongo_jobs.seen(self._database)

    def forget_workers(self, before: datetime) -> None:
        with _driver_errors():
            self._database.workers.delete_many({"at": {"$lt": micros(before)}})

    def add_chunk(self, chunk: BlobChunk) -> None:
        self._keep("chunks", chunk)

    def chunk(self, blob: str, number: int) -> BlobChunk | None:
        found = self._list("chunks", {"_id": row_key(blob, number)})
        return found[0] if found else None

    def blobs(self, *, before: datetime | None = None) -> list[str]:
        with _driver_errors():
            found = self._database.chunks.find({"number": 0, **_between(None, before)}, {"blob": 1}).sort("blob", 1)
            return [one["blob"] for one in found]

    def remove_blobs(self, names: Sequence[str]) -> None:
        with self._writing():
            for part in parts(names):
                self._database.chunks.delete_many({"blob": {"$in": part}})

    # The store itself

    @property
    def embedded(self) -> bool:
        return False

    def open_appender(self) -> Appender | None:
        return None

    def ping(self) -> None:
        with _driver_errors():
            self._database.meta.find_one({"_id": "indexes"})

    def export(
        self,
        kind: str,
        *,
        after: str | None = None,
        limit: int = 1000,
        unreadable: bool = False,
        before: int | None = None,
    ) -> list[tuple[str, bytes]]:
        """As `Exporter.export`. before: of kinds with receipts, what had come in before this one, as it was then."""
        with _driver_errors():
            if kind == "batch_rows":
                return self._export_rows(after, limit)
            if kind == "successions":
                return self._export_successions(after, limit, unreadable)
        where: Bson = {} if after is None else {"_id": {"$gt": after}}
        order = [("_id", 1)]
        if kind == "documents":  # by kind, then name, as in SQL: in `_id`, letters below TAB would change that order
            where, order = _documents_behind(after), [("kind", 1), ("name", 1)]
        where |= _received_before(kind, before)
        with _driver_errors():
            found = list(self._database[kind].find(where).sort(order).limit(limit)) if limit else []
        if unreadable:
            return list(zip((str(one["_id"]) for one in found), _written(kind, found)[1], strict=True))
        return [_exported(kind, document, before) for document in found]

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        # Not the server's own: one without a replica set has no snapshots, and others keep them for minutes only.
        holder = new_id()
        try:
            yield _MongoSnapshot(self, self._database, holder)
        finally:
            self.release_lease(READING, holder)

    def _export_rows(self, after: str | None, limit: int) -> list[tuple[str, bytes]]:
        first, number = ("", 0) if after is None else split_row_key(after)
        found: list[tuple[str, bytes]] = []
        for batch in self._database.batches.find({"_id": {"$gte": first}}, {"attempt": 1}).sort("_id", 1):
            between = _rows_between(batch["attempt"])
            if batch["_id"] == first:
                between["$gt"] = row_key(batch["attempt"], number)
            rows = self._database.batch_rows.find({"_id": between}).sort("_id", 1).limit(max(1, limit - len(found)))
            for document in rows:
                row: BatchRow = _unflat("batch_rows", document)
                found.append((row_key(batch["_id"], row.number), write_json(row)))
            if len(found) >= limit:
                break
        return found[:limit]

    def _export_successions(self, after: str | None, limit: int, unreadable: bool) -> list[tuple[str, bytes]]:
        there = [entry for document in self._database.registry.find({}) for entry in document.get("history", [])]
        alike, contents = _written("successions", there, unreadable=unreadable)
        keyed = sorted(zip(keys_of("successions", alike), contents, strict=True))
        return [(key, content) for key, content in keyed if after is None or key > after][:limit]

    def number_from(self, receipt: int) -> None:
        with self._writing():
            count_to(self._database, receipt)

    def load(self, kind: str, documents: Sequence[tuple[str, bytes]]) -> None:
        records = {key: read_json(kind, document) for key, document in documents}
        if not records:
            return
        with self._writing():
            if kind == "successions":
                self._together(lambda session: self._load_successions(list(records.values()), session))
                return
            writes = self._row_writes(records) if kind == "batch_rows" else self._kept_writes(kind, records, documents)
            self._together(
                lambda session: self._database[kind].bulk_write(writes, ordered=False, session=session).matched_count
            )
            if domains := layout.domains_of_pairs(kind, [document for _, document in documents]):
                self._touch({domain: [EVERY_DAY] for domain in domains})
        if kind == "predictions":
            self._keep_newest(rows_of(records.values()))

    def _kept_writes(
        self, kind: str, records: Mapping[str, Any], documents: Sequence[tuple[str, bytes]]
    ) -> list[ReplaceOne[Bson] | UpdateOne]:
        """Writes of records as they were exported, receipts included; later uploads are numbered behind those."""
        if kind not in RECEIPTS:
            return _writes(_document(kind, record) for record in records.values())
        numbers = {key: read_numbers(kind, document) for key, document in documents}
        said = {key: write_statements(read_said(kind, document)) for key, document in documents}
        newest = max((number or 0 for beside in numbers.values() for number in beside), default=0)
        count_to(self._database, newest)
        present = max(newest, newest_receipt(self._database))
        found = [
            _numbered(kind, record, [present if number is None else number for number in numbers[key]])
            | ({STATEMENTS: said[key]} if said[key] else {})
            for key, record in records.items()
        ]
        return _batch_writes(found) if kind == "batches" else _writes(found)

    def _row_writes(self, records: Mapping[str, BatchRow]) -> list[ReplaceOne[Bson]]:
        attempts = _attempts(self._database, {split_row_key(key)[0] for key in records})
        documents = (
            document
            for key, row in records.items()
            for batch in [split_row_key(key)[0]]
            for document in _row_documents(batch, attempts.get(batch, batch), next(pack_rows([row])))
        )
        return [ReplaceOne({"_id": document["_id"]}, document, upsert=True) for document in documents]

    def _load_successions(self, successions: Sequence[Succession], session: ClientSession | None) -> None:
        for domain in sorted({succession.domain for succession in successions}):
            before = self._database.registry.find_one({"_id": domain}, session=session) or {"revision": 0}
            history = {key_of("successions", s): s for s in _history(before)}
            history |= {key_of("successions", s): s for s in successions if s.domain == domain}
            ordered = [history[key] for key in sorted(history)]
            document = {
                "revision": before["revision"] + 1,
                "champions": {_slot(s): _flat("successions", s) for s in ordered},
                "history": [_flat("successions", s) for s in ordered],
            }
            # A change that came in between moved the revision: the upsert then meets the document's _id and fails.
            same = {"_id": domain, "revision": before["revision"]}
            self._database.registry.replace_one(same, document, upsert=True, session=session)

    def close(self) -> None:
        self._client.close()


def _write_newer(collection: Collection[Bson], rows: Sequence[NewestRow]) -> None:
    writes = []
    for row in rows:
        key, older = SEPARATOR.join(kept_once(row)), _past(NEWER_BY, (row.period, row.at, row.prediction), "$lt")
        writes.append(ReplaceOne({"_id": key, **older}, {"_id": key, **row._asdict()}, upsert=True))
    try:
        collection.bulk_write(writes, ordered=False)
    except BulkWriteError as error:  # what is kept is newer
        if not _only_duplicates(error):
            raise


NEWEST_ORDER = ("below", "student", "group", "period")


def _which(domain: str, target: str, which: Which) -> Bson:
    where: Bson = {"domain": domain, "target": target, **_between(which.since, None)}
    if which.groups is not None:
        where["group"] = {"$in": list(which.groups)}
    period = {"$eq": which.period, "$gte": which.from_week}
    wanted = {way: value for way, value in period.items() if value is not None}
    return {**where, "period": wanted} if wanted else where


def _past(order: Sequence[str], last: Sequence[float | str], way: Literal["$lt", "$gt"]) -> Bson:
    """Behind a place in an order that falls or rises."""
    same: Bson = {}
    behind: list[Bson] = []
    for name, value in zip(order, last, strict=True):
        behind.append({**same, name: {way: value}})
        same[name] = value
    return {"$or": behind}


def _newest_answer(document: Mapping[str, Any]) -> NewestAnswer:
    place = document["student"], document["group"] or None, document["period"] or None
    return NewestAnswer(*place, document["prediction"], instant(document["at"]), document["below"])


def _silent_answer(document: Mapping[str, Any]) -> SilentAnswer:
    place = document["student"], document["group"] or None, document["period"] or None
    return SilentAnswer(*place, document["prediction"], instant(document["at"]), document["why"])


def _make_registry(database: Database[Bson], domain: str) -> None:
    empty = {"revision": 0, "champions": {}, "history": []}
    try:
        database.registry.update_one({"_id": domain}, {"$setOnInsert": empty}, upsert=True)
    except DuplicateKeyError:
        return  # someone else has just made it


def _insert_one(collection: Collection[Bson], document: Bson) -> bool:
    """Whether it was written; False when its `_id` is there already."""
    try:
        collection.insert_one(document)
    except DuplicateKeyError:
        return False
    return True


def _insert_new(collection: Collection[Bson], documents: Sequence[Bson]) -> set[str]:
    """The keys of those that were there, and stay as they are."""
    try:
        collection.insert_many(documents, ordered=False)
    except BulkWriteError as error:
        if not _only_duplicates(error):
            raise
        return {documents[refused["index"]]["_id"] for refused in error.details["writeErrors"]}
    return set()


def _only_duplicates(error: BulkWriteError) -> bool:
    refused = error.details.get("writeErrors", [])
    return not error.details.get("writeConcernErrors") and all(e["code"] == DUPLICATE_KEY for e in refused)


def _given(**values: str | None) -> Bson:
    """Only documents with these values; None asks for nothing."""
    return {name: value for name, value in values.items() if value is not None}


def _between(since: datetime | None, until: datetime | None) -> Bson:
    limits = {}
    if since is not None:
        # Times are whole numbers, so this is ">= since"; said so because SecantusDB, on which the tests run, drops the
        # boundary itself when an index goes on behind `at`.
        limits["$gt"] = micros(since) - 1
    if until is not None:
        limits["$lt"] = micros(until)
    return {"at": limits} if limits else {}


def _behind(before: Before | None, name: str = "_id") -> Bson:
    """Only what is behind the last one of the page before, of the newest first."""
    if before is None:
        return {}
    at = micros(before[0])
    return {"$or": [{"at": {"$lt": at}}, {"at": at, name: {"$lt": before[1]}}]}


def _documents_behind(after: str | None) -> Bson:
    """Those that are exported, from the key behind `after`."""
    own = MADE_OF_PAIRS[:-1] + chr(ord(MADE_OF_PAIRS[-1]) + 1)
    exported: Bson = {"$or": [{"kind": {"$lt": MADE_OF_PAIRS}}, {"kind": {"$gte": own}}]}
    if after is None:
        return exported
    kind, name = split_document_key(after)
    return {"$and": [exported, {"$or": [{"kind": {"$gt": kind}}, {"kind": kind, "name": {"$gt": name}}]}]}


def _attempts(database: Database[Bson], batches: Iterable[str]) -> dict[str, str]:
    """The attempt whose rows are those of each batch; batches that are not (or not wholly) there are left out."""
    found = database.batches.find({"_id": {"$in": list(batches)}}, {"attempt": 1})
    return {document["_id"]: document["attempt"] for document in found}


def _written(
    kind: str, documents: Sequence[Mapping[str, Any]], *, unreadable: bool = True
) -> tuple[list[Any], list[bytes]]:
    """As `Layout.write_rows`."""
    layout, own = LAYOUTS[kind], "" if kind == "successions" else OWN_KEY.get(kind, "id")
    names = ["_id" if name == own else name for name in layout.names]
    full = [{**LATER.get(kind, {}), **one} for one in documents]
    return layout.write_rows([[one.get(name) for name in names] for one in full], unreadable=unreadable)


def _history(document: Mapping[str, Any]) -> list[Succession]:
    return [_unflat("successions", entry) for entry in document.get("history", [])]


def _writes(documents: Iterable[Bson]) -> list[ReplaceOne[Bson] | UpdateOne]:
    return [ReplaceOne({"_id": document["_id"]}, document, upsert=True) for document in documents]


def _batch_writes(documents: Iterable[Bson]) -> list[ReplaceOne[Bson] | UpdateOne]:
    """A batch that is there keeps its attempt, and so its rows."""
    return [
        UpdateOne({"_id": d["_id"]}, {"$set": d, "$setOnInsert": {"attempt": d["_id"]}}, upsert=True) for d in documents
    ]


def _received_before(kind: str, number: int | None) -> Bson:
    return {"receipt": {"$lt": number}} if number is not None and kind in RECEIPTS else {}


def _exported(kind: str, document: Mapping[str, Any], before: int | None = None) -> tuple[str, bytes]:
    """Its key and content; before: as it was before this receipt."""
    if before is not None and document.get("changed", 0) >= before:  # an outcome that was corrected since
        said = [one for one in read_statements(document[STATEMENTS]) if one.receipt < before]
        document = _told(pairs.as_told(_record(kind, document), said))
    record, numbers = _record(kind, document), {name: document.get(name, 0) for name in RECEIPTS.get(kind, ())}
    return key_of(kind, record), write_kept(record, numbers, document.get(STATEMENTS))


def _received(kind: str, document: Mapping[str, Any]) -> pairs.Received[Any]:
    numbers = _numbers(kind, document)
    return pairs.Received(_record(kind, document), numbers[0], numbers[-1])


class _MongoSnapshot:
    """What a store held before a receipt that no upload has. Its reader holds a lease, so that nothing is taken back
    meanwhile."""

    def __init__(self, store: MongoStore, database: Database[Bson], holder: str) -> None:
        self._store = store
        self._database = database
        self._holder = holder
        self._read: Counter[str] = Counter()
        self._hold()
        with _driver_errors():
            self._number = settled_receipt(database)

    @property
    def receipt(self) -> int:
        return self._number - 1

    def export(
        self, kind: str, *, after: str | None = None, limit: int = 1000, unreadable: bool = False
    ) -> list[tuple[str, bytes]]:
        self._hold()
        page = self._store.export(kind, after=after, limit=limit, unreadable=unreadable, before=self._number)
        self._read[kind] = len(page) + (0 if after is None else self._read[kind])
        if kind == "predictions" and not page:
            self._require_all()
        return page

    def _hold(self) -> None:
        if self._store.try_lease(READING, self._holder, READING_SECONDS):
            raise StoreUnavailable("another backup is being made: try again when it has ended")

    def _require_all(self) -> None:
        """Predictions wait for nobody, so that a call which was under way may have been read in part."""
        with _driver_errors():
            there = self._database.predictions.count_documents(_received_before("predictions", self._number))
        if there != self._read["predictions"]:
            raise StoreUnavailable("predictions of before came in while they were read: make the backup again")


class _MongoSource:
    """The questions of `pairs.RecordSource`."""

    def __init__(self, database: Database[Bson]) -> None:
        self._database = database

    def _backwards(self, kind: str, where: Bson, before: pairs.Place | None) -> list[pairs.Received[Any]]:
        order = ORDERS.get(kind, NEWEST_FIRST)
        if before is not None:
            (name, _), (number, last) = order[0], before
            where = {"$and": [where, {"$or": [{name: {"$lt": number}}, {name: number, "_id": {"$lt": last}}]}]}
        found = self._database[kind].find(where).sort(order).limit(layout.PAGE)
        return [_received(kind, document) for document in found]

    def _about(self, kind: str, domain: str, field: str, values: Sequence[str]) -> Iterator[pairs.Received[Any]]:
        for part in parts(values):
            found = self._database[kind].find({"domain": domain, field: {"$in": part}})
            yield from (_received(kind, document) for document in found)

    def predictions_backwards(
        self,
        domain: str,
        target: str,  # noqa: ARG002  # there is no join that would leave out the predictions without an outcome
        among: pairs.Among,
        before: pairs.Place | None,
    ) -> list[pairs.Received[Prediction]]:
        where = {"domain": domain, **_between(among.since, among.until), **_of_groups(among.groups)}
        where |= _ending(among.endings)
        return self._backwards("predictions", where, before)

    def predictions_about(
        self, domain: str, ids: Sequence[str], students: Sequence[str]
    ) -> list[pairs.Received[Prediction]]:
        found = {one.record.id: one for one in self._about("predictions", domain, "_id", ids)}
        found |= {one.record.id: one for one in self._about("predictions", domain, "student", students)}
        return list(found.values())

    def placed(self, domain: str, students: Sequence[str]) -> Iterator[pairs.Placed]:
        where = {"domain": domain, "student": {"$in": list(students)}}
        first: dict[tuple[str, str | None, str | None], int] = {}
        for one in self._database.predictions.find(where, ["student", "group", "period", "receipt"]):
            place, receipt = (one["student"], one["group"], one["period"]), one.get("receipt", 0)
            first[place] = min(first.get(place, receipt), receipt)
        yield from (pairs.Placed(*place, receipt) for place, receipt in first.items())

    def outcomes_backwards(
        self, domain: str, before: pairs.Place | None, *, by_prediction: bool
    ) -> list[pairs.Received[Outcome]]:
        where: Bson = {"domain": domain}
        if by_prediction:
            where["prediction"] = {"$ne": None}
        return self._backwards("outcomes", where, before)

    def outcomes_about(self, domain: str, ids: Sequence[str], students: Sequence[str]) -> list[pairs.Received[Outcome]]:
        found = {one.record.id: one for one in self._about("outcomes", domain, "prediction", ids)}
        found |= {one.record.id: one for one in self._about("outcomes", domain, "student", students)}
        return list(found.values())

    def batches(self, domain: str, kind: BatchKind | None) -> list[pairs.Received[Batch]]:
        found = self._database.batches.find(_given(domain=domain, kind=kind)).sort(ORDERS["batches"])
        return [_received("batches", document) for document in found]

    def rows_backwards(self, batch: str) -> Iterator[BatchRow]:
        attempt = _attempts(self._database, [batch]).get(batch)
        if attempt is not None:
            found = self._database.batch_rows.find({"_id": _rows_between(attempt)}).sort("_id", DESCENDING)
            yield from (_unflat("batch_rows", document) for document in found)

    def rows_of(self, records: Sequence[str]) -> Iterator[tuple[str, BatchRow]]:
        found = list(self._database.batch_rows.find({"record": {"$in": list(records)}}))
        attempts = _attempts(self._database, {document["batch"] for document in found})
        for document in found:
            if attempts.get(document["batch"]) == document["attempt"]:
                yield document["batch"], _unflat("batch_rows", document)


def _texts_of(pages: Iterable[ObservationColumns]) -> Iterator[Sequence[ObservationTexts]]:
    """Pages in key order as texts of whole students."""
    rows = (row for page in pages for row in zip(page.student, page.kind, page.event, page.version, page.day, page.body,
                                                 strict=True))  # fmt: skip
    students = (list(mine) for _, mine in groupby(rows, key=lambda row: row[0]))
    for some in parts(students):
        kinds = (list(told) for _, told in groupby(chain.from_iterable(some), key=lambda row: row[:2]))
        yield [_text_of(told) for told in kinds]


def _text_of(told: Sequence[tuple[str, str, str, int, int, str]]) -> ObservationTexts:
    """All versions of one kind of one student."""
    student, kind, *_ = told[0]
    return ObservationTexts(student, kind, len(told), "\n".join(SEPARATOR.join(map(str, one[2:])) for one in told))
