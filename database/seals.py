"""A log that cannot be edited unseen: entries of access, events, decisions and changes of champions, sealed in a chain.

Each row is sealed by the digest of a salt and its canonical JSON; digests lie in blocks, each of which holds the digest
of the one before. Salts lie beside, so that what is erased or has been kept long enough leaves a digest that nobody can
guess. Rows are sealed in batches, after they were written: nobody who writes waits, and no two writers can fork the
chain, for a block is a document with its number as name, of which a store keeps one. Predictions are not in it.
"""

import hashlib
import secrets
import struct
from base64 import b64encode
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from clock import new_id, now
from database.errors import Conflict, Damaged
from database.layout import EPOCH, Unreadable, instant, key_of, micros, write_json
from database.records import Access, DecisionRecord, Document, Event, Succession
from database.store import NOBODY_NAMED, Exporter, RecordStore
from heap import no_collections

if TYPE_CHECKING:
    from numpy.typing import NDArray

SealedRecord = Access | DecisionRecord | Event | Succession

SEALED_KINDS = ("accesses", "decisions", "events", "successions")
"""In this order they are numbered in blocks."""

BLOCK_KIND, SALT_KIND = "seal block", "seal salts"
CAME_LATE, AFTER_ERASURE, FORGOTTEN, WITHOUT_MARK = 1, 2, 3, 255
"""Marks of an entry: its row came in long after its time; it is what an erasure left of the row; rows of before its
time were kept long enough; it is none."""

SETTLING = timedelta(minutes=1)
"""After which a row is sealed: by then whoever wrote it has committed, and an erasure that is under way is done."""

LATENESS = timedelta(minutes=10)
"""Before what is sealed already, rows are looked for that came late: from a machine whose clock is behind."""

SEALED_TOGETHER = 10_000
READ_TOGETHER = 100
"""Blocks: there is one for each minute in which anything was written."""
ROWS_TOGETHER = 5_000
NO_SALT = bytes(16)
_ENTRY = struct.Struct("<BBq16s32s")  # kind, mark, microseconds, digest of the row's key, digest of salt and row
ENTRIES = [("kind", "u1"), ("mark", "u1"), ("at", "<i8"), ("row", "V16"), ("seal", "V32")]
"""The same, for numpy."""
_SALT_BYTES = len(NO_SALT)
_EVERYTHING = 10_000_000
"""More rows than ten minutes see."""


class SealEntry(NamedTuple):
    """A row as it is sealed. row: digest of its key, seal: of salt and content."""

    kind: int
    mark: int
    at: int
    row: bytes
    seal: bytes
    salt: bytes = NO_SALT


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """One link. through: what is older, in microseconds, was looked for up to then. content: packed entries. salts: the
    name of the document that holds these."""

    number: int
    at: int
    through: int
    previous: str
    digest: str
    content: bytes
    salts: str

    def entries(self) -> Iterator[tuple[int, int, int, bytes, bytes]]:
        """Kind, mark, microseconds, row, seal of each."""
        return _ENTRY.iter_unpack(self.content)

    @property
    def rows(self) -> int:
        return len(self.content) // _ENTRY.size

    def reckoned(self) -> str:
        """The digest that it must have."""
        return _link(self.previous, self.number, self.at, self.through, self.content)


def _link(previous: str, number: int, at: int, through: int, content: bytes) -> str:
    return hashlib.sha256(b"%s %d %d %d " % (previous.encode(), number, at, through) + content).hexdigest()


def row_digest(kind: int, key: str) -> bytes:
    """By which a row is found again; it says nothing of the row to who does not know its key."""
    return hashlib.blake2b(b"%d\t%s" % (kind, key.encode()), digest_size=16).digest()


def row_digests(kind: int, keys: Iterable[str]) -> bytes:
    """`row_digest` of each, one after the other: what they have in common is hashed once."""
    begun, found = hashlib.blake2b(b"%d\t" % kind, digest_size=16).copy, list[bytes]()
    for key in keys:
        one = begun()
        one.update(key.encode())
        found.append(one.digest())
    return b"".join(found)


def seal_of(salt: bytes, content: bytes) -> bytes:
    """Of a row's canonical JSON."""
    return hashlib.sha256(salt + content).digest()


def _entry_of(record: SealedRecord, mark: int = 0) -> SealEntry:
    kind = _kind_number(record)
    salt = secrets.token_bytes(_SALT_BYTES)
    key = row_digest(kind, key_of(SEALED_KINDS[kind], record))
    return SealEntry(kind, mark, micros(record.at), key, seal_of(salt, write_json(record)), salt)


def _kind_number(record: SealedRecord) -> int:
    return (Access, DecisionRecord, Event, Succession).index(type(record))


# Blocks ---------------------------------------------------------------------------------------------------------------


def newest_block(store: RecordStore) -> Block | None:
    """The end of the chain; None before anything was sealed. Raises Damaged where it is none."""
    found = store.newest_documents(BLOCK_KIND, limit=1)
    return _read(found[0]) if found else None


def block(store: RecordStore, number: int) -> Block | None:
    """The one of this number; they are numbered from 1."""
    found = store.document(BLOCK_KIND, f"{number:09}")
    return _read(found) if found else None


class _Body(msgspec.Struct):
    """Of the document that a block is."""

    at: int
    through: int
    previous: str
    digest: str
    salts: str
    content: bytes


def _read(document: Document) -> Block:
    """Raises Damaged where a document is no block, or says another time than its block."""
    try:
        number, body = int(document.name), msgspec.convert(dict(document.body), _Body)
    except ValueError as error:  # and what msgspec raises
        raise _damaged(document) from error
    if micros(document.at) != body.at or len(body.content) % _ENTRY.size:
        raise _damaged(document)
    return Block(number=number, **msgspec.structs.asdict(body))


def _damaged(document: Document) -> Damaged:
    return Damaged(f"block {document.name} of the sealed log was changed by hand: gradewatch audit verify")


def _unpacked(text: str) -> bytes:
    """Of base64, in a quarter of the time that the standard library takes."""
    return msgspec.convert(text, bytes)


def append_block(store: RecordStore, entries: Sequence[SealEntry], through: datetime | None = None) -> Block:
    """Chain these entries to the end, whoever else does. through: as of a block; what it was if none.
    Raises Damaged where there is no end."""
    salts, content = new_id(), b"".join(_ENTRY.pack(*entry[:5]) for entry in entries)
    kept = b64encode(b"".join(entry.salt for entry in entries)).decode()
    store.put_document(Document(kind=SALT_KIND, name=salts, revision=1, at=now(), body={"salts": kept}))
    while True:
        last = newest_block(store)
        number, previous = (last.number + 1, last.digest) if last else (1, "")
        at = max(micros(now()), last.at + 1 if last else 0)
        before = last.through if last else 0
        upto = max(micros(through), before) if through else before
        made = Block(
            number=number,
            at=at,
            through=upto,
            previous=previous,
            digest=_link(previous, number, at, upto, content),
            content=content,
            salts=salts,
        )
        try:
            store.put_document(_document(made))
        except Conflict as error:  # somebody else's has this number
            if newest_block(store) == last:
                raise Damaged(f"block {number} of the sealed log stands there, and is not its end") from error
            continue
        return made


def _document(made: Block) -> Document:
    body: dict[str, Any] = {name: getattr(made, name) for name in ("at", "through", "previous", "digest", "salts")}
    body["content"] = b64encode(made.content).decode()
    return Document(kind=BLOCK_KIND, name=f"{made.number:09}", revision=1, at=instant(made.at), body=body)


def _salts_in(text: Any) -> bytes:
    """None where they were changed to what are none: then no row is what was sealed."""
    try:
        return _unpacked(text)
    except ValueError:
        return b""


def salts_of(store: RecordStore, given: Sequence[Block]) -> list[bytes]:
    """Those of each block's entries, one after the other; zeros where there are none any more."""
    there = {one.name: one.body.get("salts") for one in _named(store, SALT_KIND, [one.salts for one in given])}
    sizes = [one.rows * _SALT_BYTES for one in given]
    kept = [_salts_in(there.get(one.salts, "")) for one in given]
    return [salts[:size].ljust(size, b"\0") for salts, size in zip(kept, sizes, strict=True)]


# Sealing --------------------------------------------------------------------------------------------------------------


def seal(store: RecordStore, at: datetime, *, progress: Callable[[int], None] = lambda _: None) -> int:
    """Seal what came in since it was done last, up to a minute before `at`; how many rows. Everything, the first time.

    What is written by several at once, or twice, is sealed once or twice, which changes nothing."""
    last = newest_block(store)
    if last is None:
        return seal_all(store, at, progress=progress)
    horizon, since = at - SETTLING, instant(last.through) - LATENESS
    known = _sealed_since(store, last, micros(since))
    found = [one for one in _rows_since(store, since) if one.at <= horizon]
    entries = [entry for entry in (_entry_of(one) for one in found) if (entry.kind, entry.row) not in known]
    if entries:
        _append(store, entries, horizon)
    return len(entries)


def seal_all(store: RecordStore, at: datetime, *, progress: Callable[[int], None] = lambda _: None) -> int:
    """Seal every row that is not sealed, however old: those of a database from before, or that were loaded."""
    known = {(kind, row) for one in blocks(store) for kind, _mark, _at, row, _seal in one.entries()}
    last, horizon = newest_block(store), at - SETTLING
    through, waiting, done = last.through if last else 0, list[SealEntry](), 0
    for kind, name in enumerate(SEALED_KINDS):
        for key, content in exported(store, name):
            row, record = row_digest(kind, key), msgspec.json.decode(content, type=_Timed)
            if (kind, row) in known or record.at > horizon:
                continue
            salt, when = secrets.token_bytes(_SALT_BYTES), micros(record.at)
            mark = CAME_LATE if when <= through else 0
            waiting.append(SealEntry(kind, mark, when, row, seal_of(salt, content), salt))
            if len(waiting) == SEALED_TOGETHER:
                append_block(store, waiting)
                done += len(waiting)
                progress(done)
                waiting = []
    if waiting or last is None:
        append_block(store, waiting, horizon)
    elif done:
        append_block(store, (), horizon)
    return done + len(waiting)


class _Timed(msgspec.Struct):
    at: datetime


def _append(store: RecordStore, entries: Sequence[SealEntry], horizon: datetime) -> None:
    ordered = sorted(entries, key=lambda one: (one.at, one.kind, one.row))
    parts = [ordered[begin : begin + SEALED_TOGETHER] for begin in range(0, len(ordered), SEALED_TOGETHER)]
    for part in parts[:-1]:
        append_block(store, part, instant(part[-1].at))
    append_block(store, parts[-1], horizon)


def _sealed_since(store: RecordStore, last: Block, since: int) -> set[tuple[int, bytes]]:
    """Rows from then on that are sealed already: they lie in the newest blocks, by what these looked up to."""
    found, one = set[tuple[int, bytes]](), last
    while True:
        found.update((kind, row) for kind, _mark, at, row, _seal in one.entries() if at >= since)
        before = block(store, one.number - 1)
        if before is None or before.through < since:
            return found
        one = before


def _rows_since(store: RecordStore, since: datetime) -> Iterator[SealedRecord]:
    yield from store.accesses(since=since, limit=_EVERYTHING)
    yield from _newest(store.events, since)
    yield from _newest(store.decisions, since)
    for champion in store.champions():
        yield from (one for one in store.successions(champion.key) if one.at >= since)


def _newest(ask: Callable[..., Sequence[Any]], since: datetime) -> Iterator[Any]:
    """Events or decisions from then on, the newest first, a page at a time."""
    page = ask(limit=1000)
    while page:
        young = [one for one in page if one.at >= since]
        yield from young
        if len(young) < len(page):
            return
        page = ask(before=(page[-1].at, page[-1].id), limit=1000)


def blocks(store: RecordStore) -> Iterator[Block]:
    """All of them, in order; those that are gone are left out. Raises Damaged."""
    for page in _pages(store):
        yield from (_read(one) for one in page.values())


def _pages(store: RecordStore) -> Iterator[dict[int, Document]]:
    """Documents of blocks by number, some at a time: up to the newest, and behind it as long as there are any."""
    try:
        newest = store.newest_documents(BLOCK_KIND, limit=1)
    except Damaged:  # then as far as there are any
        newest = []
    end = int(newest[0].name) if newest and newest[0].name.isdecimal() else 0
    begin = 1
    while True:
        names = [f"{number:09}" for number in range(begin, begin + READ_TOGETHER)]
        there = {int(one.name): one for one in _named(store, BLOCK_KIND, names)}
        if not there and begin > end:
            return
        yield dict(sorted(there.items()))
        begin = begin + READ_TOGETHER if there else max(begin + READ_TOGETHER, end)  # nobody counts up to any number


def _named(store: RecordStore, kind: str, names: Sequence[str]) -> Sequence[Document]:
    """Those that there are; one that cannot be read holds nothing."""
    try:
        return store.documents_named(kind, names)
    except Damaged:
        found = [_or_nothing(store, kind, name) for name in names]
        return [one for one in found if one is not None]


def _or_nothing(store: RecordStore, kind: str, name: str) -> Document | None:
    try:
        return store.document(kind, name)
    except Damaged:
        return Document(kind=kind, name=name, revision=0, at=EPOCH, body={})


def exported(store: Exporter, kind: str) -> Iterator[tuple[str, bytes]]:
    """Every row of a kind by its key, as canonical JSON."""
    for keys, rows in _exported_pages(store, kind):
        yield from zip(keys, rows, strict=True)


def _exported_pages(
    store: Exporter, kind: str, *, unreadable: bool = False
) -> Iterator[tuple[Sequence[str], Sequence[bytes]]]:
    """The same, some at a time: keys, and rows."""
    after: str | None = None
    while page := store.export(kind, after=after, limit=ROWS_TOGETHER, unreadable=unreadable):
        yield [key for key, _ in page], [row for _, row in page]
        after = page[-1][0]


# What goes ------------------------------------------------------------------------------------------------------------


def before_erasure(store: RecordStore, looks: Iterable[Access], student: str) -> None:
    """Seal entries of access as they will be when they name nobody in the place of `student`, and forget the salts of
    what they are and were, for another erasure may have left this student in them: of the digests that stay nobody can
    find out whom they were about."""
    if newest_block(store) is None:
        return
    entries, gone = list[SealEntry](), set[bytes]()
    for one in looks:
        left = write_json(one).replace(student.encode(), NOBODY_NAMED.encode())
        salt, row = secrets.token_bytes(_SALT_BYTES), row_digest(0, one.id)
        entries.append(SealEntry(0, AFTER_ERASURE, micros(one.at), row, seal_of(salt, left), salt))
        gone.add(row)
    if entries:
        _forget_salts(store, lambda kind, _mark, _at, row: kind == 0 and row in gone)
        append_block(store, entries)


def before_forgetting(store: RecordStore, before: datetime) -> None:
    """Seal that entries of access of before then have been kept long enough, and forget their salts."""
    if newest_block(store) is None:
        return
    until = micros(before)
    _forget_salts(store, lambda kind, _mark, at, _row: kind == 0 and at < until)
    append_block(store, [SealEntry(0, FORGOTTEN, until, bytes(16), bytes(32))])


def _forget_salts(store: RecordStore, gone: Callable[[int, int, int, bytes], bool]) -> None:
    for one in blocks(store):
        places = [place for place, entry in enumerate(one.entries()) if gone(*entry[:4])]
        if places:
            _without_salts(store, one, places)


def _without_salts(store: RecordStore, one: Block, places: Collection[int]) -> None:
    while True:
        found = store.document(SALT_KIND, one.salts)
        if found is None:
            return
        salts = bytearray(_unpacked(found.body["salts"]))
        for place in places:
            salts[place * _SALT_BYTES : (place + 1) * _SALT_BYTES] = NO_SALT
        body: Mapping[str, Any] = {"salts": b64encode(bytes(salts)).decode()}
        if body == found.body:
            return
        try:
            store.put_document(msgspec.structs.replace(found, revision=found.revision + 1, at=now(), body=body))
        except Conflict:
            continue
        return


# Verifying ------------------------------------------------------------------------------------------------------------


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is not as it was sealed. what: in words. at: the time of the row, or when the block was made;
    None of what cannot be read and was not sealed yet."""

    what: str
    kind: str
    at: datetime | None
    row: str = ""


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What was found. rows: that are there; sealed: of these, as they were sealed; waiting: not sealed yet,
    waiting_since: the oldest of them; late: sealed long after their time. erased: rows that an erasure changed,
    forgotten: entries of rows that were kept long enough, or changed since by an erasure. number, digest: of the newest
    block, to be compared with what was anchored elsewhere. faults: the first ones of fault_count."""

    number: int
    digest: str
    rows: int
    sealed: int
    waiting: int
    waiting_since: datetime | None
    late: int
    erased: int
    forgotten: int
    faults: tuple[Fault, ...]
    fault_count: int

    @property
    def whole(self) -> bool:
        return self.fault_count == 0


SHOWN_FAULTS = 100


class _Faults:
    """The first ones, and how many; and the time of the oldest row that waits, which is none yet."""

    def __init__(self) -> None:
        self.first: list[Fault] = []
        self.count = self.waiting_since = 0

    def add(self, what: str, kind: str, at: int | None, row: str = "") -> None:
        self.count += 1
        if len(self.first) < SHOWN_FAULTS:
            when = None if at is None else instant(at)
            self.first.append(Fault(what=what, kind=kind, at=when, row=row))


class _Known(NamedTuple):
    """What blocks say. entries: of all blocks, of the type ENTRIES, and one behind them that is none. salts: (n,) of 16
    bytes each. horizon: before it entries of access were kept long enough."""

    entries: "NDArray[Any]"
    salts: "NDArray[Any]"
    horizon: int
    through: int
    last: Block | None


class _Holding(NamedTuple):
    """Which entries hold of a kind, by the digests of their rows in ascending order: first and second half of each
    digest, and where the entry lies."""

    first: "NDArray[Any]"
    second: "NDArray[Any]"
    places: "NDArray[Any]"

    def find(self, digests: bytes) -> "NDArray[Any]":
        """Where the entry of each of these rows lies, -1 where there is none."""
        import numpy as np

        halves = np.frombuffer(digests, dtype=">u8").astype(np.uint64).reshape(-1, 2)
        if not len(self.places):
            return np.full(len(halves), -1)
        at = np.minimum(np.searchsorted(self.first, halves[:, 0]), len(self.places) - 1)
        while True:
            behind = (self.first[at] == halves[:, 0]) & (self.second[at] < halves[:, 1]) & (at < len(self.places) - 1)
            if not behind.any():  # two digests that begin alike are made, never met
                break
            at = at + behind
        there = (self.first[at] == halves[:, 0]) & (self.second[at] == halves[:, 1])
        return np.where(there, self.places[at], -1)


def verify(store: RecordStore, anchors: Mapping[int, str] | None = None) -> Verified:
    """Compare every row, and every block, with what was sealed. anchors: digests of blocks by number, as they were
    noted elsewhere."""
    faults = _Faults()
    known = _read_chain(store, anchors or {}, faults)
    counts = dict.fromkeys(("rows", "sealed", "waiting", "late", "erased", "forgotten"), 0)
    for kind in range(len(SEALED_KINDS)):
        with no_collections():
            _check_kind(store, known, kind, counts, faults)
    last = known.last
    return Verified(
        number=last.number if last else 0,
        digest=last.digest if last else "",
        faults=tuple(faults.first),
        fault_count=faults.count,
        waiting_since=instant(faults.waiting_since) if faults.waiting_since else None,
        **counts,
    )


def _read_chain(store: RecordStore, anchors: Mapping[int, str], faults: _Faults) -> _Known:
    import numpy as np  # which whoever only seals does without

    last, previous, through, end = None, "", 0, 0
    contents, salts = list["NDArray[Any]"](), list[bytes]()
    for page in _pages(store):
        read = list[Block]()
        for number, document in page.items():
            for gone in range(end + 1, min(number, end + SHOWN_FAULTS)):
                faults.add(f"block {gone} of the chain is gone", "block", micros(document.at))
            previous, end = previous if number == end + 1 else "", number
            try:
                one = _read(document)
            except Damaged:
                faults.add(f"block {number} is not what was sealed", "block", micros(document.at))
                previous = ""
                continue
            if one.reckoned() != one.digest or (one.previous != previous and (previous or number == 1)):
                faults.add(f"block {number} is not what was sealed", "block", one.at)
            if anchors.get(number, one.digest) != one.digest:
                faults.add(f"block {number} is not the one that was anchored", "block", one.at)
            contents.append(_entries_in(one, through, faults))
            previous, through, last = one.digest, max(through, one.through), one
            read.append(one)
        salts += salts_of(store, read)
    for number in sorted(number for number in anchors if not 1 <= number <= end):
        faults.add(f"block {number} of the chain is gone", "block", last.at if last else micros(now()))
    nothing = np.zeros(1, dtype=ENTRIES)  # the last one, with which rows without an entry are compared
    nothing["mark"] = WITHOUT_MARK
    entries = np.concatenate([*contents, nothing])
    kept = entries["at"][(entries["kind"] == 0) & (entries["mark"] == FORGOTTEN)]
    horizon = int(kept.max()) if len(kept) else 0
    return _Known(entries, np.frombuffer(b"".join([*salts, NO_SALT]), dtype=f"V{_SALT_BYTES}"), horizon, through, last)


def _entries_in(one: Block, through: int, faults: _Faults) -> "NDArray[Any]":
    """A block's entries; those of rows from long before what had been looked for are late, whatever they say, and what
    no sealing writes holds nothing."""
    import numpy as np

    found = np.frombuffer(bytearray(one.content), dtype=ENTRIES)
    late = (found["mark"] == 0) & (found["at"] < through - _micros_of(LATENESS))
    found["mark"][late] = CAME_LATE
    marks, kinds = found["mark"], found["kind"]
    forged = (marks > FORGOTTEN) | (kinds >= len(SEALED_KINDS)) | ((marks > CAME_LATE) & (kinds > 0))
    forged |= (marks == FORGOTTEN) & (found["at"] > one.at)
    for _ in range(int(forged.sum())):
        faults.add(f"block {one.number} holds an entry that no sealing writes", "block", one.at)
    marks[forged] = WITHOUT_MARK
    return found


def _micros_of(time: timedelta) -> int:
    return time // timedelta(microseconds=1)


def _holding(known: _Known, kind: int) -> _Holding:
    """The first entry of a row holds, for whoever edits a row could seal it once more; of an entry of access what the
    newest erasure left."""
    import numpy as np

    mine, marks = known.entries["kind"] == kind, known.entries["mark"]
    places = np.concatenate(
        [np.flatnonzero(mine & (marks == AFTER_ERASURE))[::-1], np.flatnonzero(mine & (marks <= CAME_LATE))]
    )
    halves = known.entries["row"][places].view(">u8").astype(np.uint64).reshape(-1, 2)
    order = np.lexsort((halves[:, 1], halves[:, 0]))
    first, second = halves[order].T
    new = np.ones(len(order), dtype=bool)
    new[1:] = (first[1:] != first[:-1]) | (second[1:] != second[:-1])
    return _Holding(first[new].copy(), second[new].copy(), places[order][new])


def _check_kind(store: RecordStore, known: _Known, kind: int, counts: dict[str, int], faults: _Faults) -> None:
    import numpy as np

    holding, seen = _holding(known, kind), np.zeros(len(known.entries), dtype=bool)
    for keys, rows in _exported_pages(store, SEALED_KINDS[kind], unreadable=True):
        _check_rows(known, holding, kind, (keys, rows), seen, counts, faults)
    gone = holding.places[~seen[holding.places]]
    at = known.entries["at"][np.sort(gone)]
    kept_long_enough = (at < known.horizon) if kind == 0 else np.zeros(len(at), dtype=bool)
    counts["forgotten"] += int(kept_long_enough.sum())
    for when in at[~kept_long_enough].tolist():
        faults.add("was sealed and is gone", SEALED_KINDS[kind], when)


def _check_rows(
    known: _Known,
    holding: _Holding,
    kind: int,
    page: tuple[Sequence[str], Sequence[bytes]],
    seen: "NDArray[Any]",
    counts: dict[str, int],
    faults: _Faults,
) -> None:
    """A million rows pass here, so names are looked up once, what digests say is compared of all at once, and whatever
    is not usual is told elsewhere."""
    import numpy as np

    keys, rows = page
    hashed = hashlib.sha256
    places = holding.find(row_digests(kind, keys))
    sealed, counts["rows"] = places >= 0, counts["rows"] + len(rows)
    seen[places[sealed]] = True
    salts = known.salts[places].tolist()  # of a row that is not sealed the last
    seals = b"".join([hashed(salt + row).digest() for salt, row in zip(salts, rows, strict=True)])
    same = np.frombuffer(seals, dtype="<u8").reshape(-1, 4) == known.entries["seal"][places].view("<u8").reshape(-1, 4)
    whole = sealed & same.all(axis=1)
    marks = known.entries["mark"][places[whole]]
    counts["sealed"] += len(marks)
    counts["late"] += int((marks == CAME_LATE).sum())
    counts["erased"] += int((marks == AFTER_ERASURE).sum())
    for number in np.flatnonzero(~whole).tolist():
        if sealed[number]:
            _tell_changed(known, kind, keys[number], rows[number], int(places[number]), counts, faults)
        elif isinstance(rows[number], Unreadable):
            faults.add(_unread(rows[number]), SEALED_KINDS[kind], None, keys[number])
        else:
            _tell_unsealed(known, kind, keys[number], rows[number], counts, faults)


def _tell_unsealed(known: _Known, kind: int, key: str, row: bytes, counts: dict[str, int], faults: _Faults) -> None:
    when = micros(msgspec.json.decode(row, type=_Timed).at)
    if when > known.through - _micros_of(LATENESS):
        counts["waiting"] += 1
        faults.waiting_since = min(when, faults.waiting_since or when)
    else:
        faults.add("was never sealed, though younger rows are", SEALED_KINDS[kind], when, key)


def _unread(row: bytes) -> str:
    return f"cannot be read: {row.decode()}"


def _tell_changed(
    known: _Known, kind: int, key: str, row: bytes, place: int, counts: dict[str, int], faults: _Faults
) -> None:
    at = int(known.entries["at"][place])
    if known.salts[place].tobytes() == NO_SALT and kind == 0 and at < known.horizon:
        counts["forgotten"] += 1
    else:
        changed = "is not what was sealed"
        what = f"{changed}, and {_unread(row)}" if isinstance(row, Unreadable) else changed
        faults.add(what, SEALED_KINDS[kind], at, key)
