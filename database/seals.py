"""A log that cannot be edited unseen: entries of access, events, decisions and changes of champions, sealed in a chain.

Each row is sealed by the digest of a salt and its canonical JSON; digests lie in blocks, each of which holds the digest
of the one before. Salts lie beside, so that what is erased or has been kept long enough leaves a digest that nobody can
guess. Rows are sealed in batches, after they were written: nobody who writes waits, and no two writers can fork the
chain, for a block is a document with its number as name, of which a store keeps one. Predictions are not in it.
"""

import hashlib
import secrets
import struct
from base64 import b64decode, b64encode
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from clock import new_id, now
from database.errors import Conflict
from database.layout import instant, key_of, micros, write_json
from database.records import Access, DecisionRecord, Document, Event, Succession
from database.store import NOBODY_NAMED, Exporter, RecordStore
from heap import no_collections

SealedRecord = Access | DecisionRecord | Event | Succession

SEALED_KINDS = ("accesses", "decisions", "events", "successions")
"""In this order they are numbered in blocks."""

BLOCK_KIND, SALT_KIND = "seal block", "seal salts"
CAME_LATE, AFTER_ERASURE, FORGOTTEN = 1, 2, 3
"""Marks of an entry: its row came in long after its time; it is what an erasure left of the row; rows of before its
time were kept long enough."""

SETTLING = timedelta(minutes=1)
"""After which a row is sealed: by then whoever wrote it has committed, and an erasure that is under way is done."""

LATENESS = timedelta(minutes=10)
"""Before what is sealed already, rows are looked for that came late: from a machine whose clock is behind."""

SEALED_TOGETHER = 10_000
READ_TOGETHER = 100
"""Blocks: there is one for each minute in which anything was written."""
NO_SALT = bytes(16)
_ENTRY = struct.Struct("<BBq16s32s")  # kind, mark, microseconds, digest of the row's key, digest of salt and row
_READ = struct.Struct("<cBq16s32s")  # the same, the kind as it begins a row's name
_SALT_BYTES, _SEAL_BYTES = len(NO_SALT), 32
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
    """The end of the chain; None before anything was sealed."""
    found = store.newest_documents(BLOCK_KIND, limit=1)
    return _read(found[0]) if found else None


def block(store: RecordStore, number: int) -> Block | None:
    """The one of this number; they are numbered from 1."""
    found = store.document(BLOCK_KIND, f"{number:09}")
    return _read(found) if found else None


def _read(document: Document) -> Block:
    body = dict(document.body)
    return Block(number=int(document.name), content=b64decode(body.pop("content")), **body)


def append_block(store: RecordStore, entries: Sequence[SealEntry], through: datetime | None = None) -> Block:
    """Chain these entries to the end, whoever else does. through: as of a block; what it was if none."""
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
        except Conflict:  # somebody else's has this number
            continue
        return made


def _document(made: Block) -> Document:
    body: dict[str, Any] = {name: getattr(made, name) for name in ("at", "through", "previous", "digest", "salts")}
    body["content"] = b64encode(made.content).decode()
    return Document(kind=BLOCK_KIND, name=f"{made.number:09}", revision=1, at=instant(made.at), body=body)


def salts_of(store: RecordStore, given: Sequence[Block]) -> list[bytes]:
    """Those of each block's entries, one after the other; zeros where there are none any more."""
    there = {one.name: one.body["salts"] for one in store.documents_named(SALT_KIND, [one.salts for one in given])}
    sizes = [one.rows * _SALT_BYTES for one in given]
    kept = [b64decode(there.get(one.salts, "")) for one in given]
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
    through, waiting, count = last.through if last else 0, list[SealEntry](), 0
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
                count += len(waiting)
                progress(count)
                waiting = []
    if waiting or last is None:
        append_block(store, waiting, horizon)
    elif count:
        append_block(store, (), horizon)
    return count + len(waiting)


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
    """All of them, in order; those that are gone are left out."""
    last = newest_block(store)
    yield from filter(None, (one for page in _pages(store, last.number if last else 0) for one in page.values()))


def _pages(store: RecordStore, end: int) -> Iterator[dict[int, Block | None]]:
    """Blocks up to that number, some at a time, by number; None for those that are gone."""
    for begin in range(1, end + 1, READ_TOGETHER):
        names = {f"{number:09}": number for number in range(begin, min(begin + READ_TOGETHER, end + 1))}
        there = {one.name: one for one in store.documents_named(BLOCK_KIND, list(names))}
        yield {number: _read(there[name]) if name in there else None for name, number in names.items()}


def exported(store: Exporter, kind: str, page: int = 5000) -> Iterator[tuple[str, bytes]]:
    """Every row of a kind by its key, as canonical JSON."""
    after: str | None = None
    while rows := store.export(kind, after=after, limit=page):
        yield from rows
        after = rows[-1][0]


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
        salts = bytearray(b64decode(found.body["salts"]))
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
    """Something that is not as it was sealed. what: in words. at: the time of the row, or when the block was made."""

    what: str
    kind: str
    at: datetime
    row: str = ""


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What was found. rows: that are there; sealed: of these, as they were sealed; waiting: too young to be sealed;
    late: sealed long after their time. erased: rows that an erasure changed, forgotten: entries of rows that were kept
    long enough, or changed since by an erasure. number, digest: of the newest block, to be compared with what was
    anchored elsewhere. faults: the first ones of fault_count."""

    number: int
    digest: str
    rows: int
    sealed: int
    waiting: int
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
    """The first ones, and how many."""

    def __init__(self) -> None:
        self.first: list[Fault] = []
        self.count = 0

    def add(self, what: str, kind: str, at: int, row: str = "") -> None:
        self.count += 1
        if len(self.first) < SHOWN_FAULTS:
            self.first.append(Fault(what=what, kind=kind, at=instant(at), row=row))


class _Known(NamedTuple):
    """What blocks say. holding: by kind and row, where the entry lies that holds: the first one, for whoever edits a
    row could seal it once more; of an entry of access what the newest erasure left. horizon: before it entries of
    access were kept long enough."""

    content: bytes
    salts: bytes
    holding: dict[bytes, int]
    horizon: int
    through: int
    last: Block | None


def verify(store: RecordStore, anchors: Mapping[int, str] | None = None) -> Verified:
    """Compare every row, and every block, with what was sealed. anchors: digests of blocks by number, as they were
    noted elsewhere."""
    faults = _Faults()
    with no_collections():
        known = _read_chain(store, anchors or {}, faults)
    counts = dict.fromkeys(("rows", "sealed", "waiting", "late", "erased", "forgotten"), 0)
    seen = bytearray(len(known.content) // _ENTRY.size)
    for kind, name in enumerate(SEALED_KINDS):
        with no_collections():
            counts["sealed"] += _check_rows(known, kind, exported(store, name), seen, counts, faults)
    for identity, place in known.holding.items():
        if not seen[place]:
            _check_gone(known, identity, place, counts, faults)
    last = known.last
    return Verified(
        number=last.number if last else 0,
        digest=last.digest if last else "",
        faults=tuple(faults.first),
        fault_count=faults.count,
        **counts,
    )


def _read_chain(store: RecordStore, anchors: Mapping[int, str], faults: _Faults) -> _Known:
    last = newest_block(store)
    end, previous, through = last.number if last else 0, "", 0
    contents, salts = list[bytes](), list[bytes]()
    for page in _pages(store, end):
        for number, one in page.items():
            if one is None:
                faults.add(f"block {number} of the chain is gone", "block", last.at if last else 0)
                previous = ""
                continue
            if one.reckoned() != one.digest or (one.previous != previous and (previous or number == 1)):
                faults.add(f"block {number} is not what was sealed", "block", one.at)
            if anchors.get(number, one.digest) != one.digest:
                faults.add(f"block {number} is not the one that was anchored", "block", one.at)
            contents.append(_late_marked(one.content, through))
            previous, through = one.digest, max(through, one.through)
        salts += salts_of(store, [one for one in page.values() if one is not None])
    for number in sorted(number for number in anchors if not 1 <= number <= end):
        faults.add(f"block {number} of the chain is gone", "block", last.at if last else 0)
    content = b"".join(contents)
    return _Known(content, b"".join(salts), *_holding(content), through, last)


def _late_marked(content: bytes, through: int) -> bytes:
    """A block's entries; those of rows from long before what had been looked for are late, whatever they say."""
    import numpy as np  # which whoever only seals does without

    found = np.frombuffer(bytearray(content), dtype=[("kind", "u1"), ("mark", "u1"), ("at", "<i8"), ("rest", "V48")])
    late = (found["mark"] == 0) & (found["at"] < through - LATENESS // timedelta(microseconds=1))
    found["mark"][late] = CAME_LATE
    return found.tobytes()


def _holding(content: bytes) -> tuple[dict[bytes, int], int]:
    """As `_Known` has them: which entry of a row holds, and the horizon."""
    holding, horizon = dict[bytes, int](), 0
    for place, (identity, mark, at, row, _seal) in enumerate(_READ.iter_unpack(content)):
        if not mark or mark == CAME_LATE:
            holding.setdefault(identity + row, place)
        elif mark == FORGOTTEN:
            horizon = max(horizon, at)
        elif identity == b"\0":  # what an erasure left of an entry of access
            holding[identity + row] = place
    return holding, horizon


def _check_rows(
    known: _Known,
    kind: int,
    rows: Iterable[tuple[str, bytes]],
    seen: bytearray,
    counts: dict[str, int],
    faults: _Faults,
) -> int:
    """How many are as they were sealed. A million of them pass here, so names are looked up once, and whatever is not
    usual is told elsewhere."""
    find, content, salts, size = known.holding.get, known.content, known.salts, _ENTRY.size
    mark, first, begin = bytes([kind]), size - _SEAL_BYTES, b"%d\t" % kind
    hashed, short, whole = hashlib.sha256, hashlib.blake2b, 0
    for key, row in rows:
        counts["rows"] += 1
        place = find(mark + short(begin + key.encode(), digest_size=16).digest())
        if place is None:
            _tell_unsealed(known, kind, key, row, counts, faults)
            continue
        seen[place] = 1
        salt, at = salts[place * _SALT_BYTES : (place + 1) * _SALT_BYTES], place * size
        if hashed(salt + row).digest() == content[at + first : at + size]:
            whole += 1
            if content[at + 1]:
                counts["late"] += content[at + 1] == CAME_LATE
                counts["erased"] += content[at + 1] == AFTER_ERASURE
        else:
            _tell_changed(known, kind, key, place, counts, faults)
    return whole


def _tell_unsealed(known: _Known, kind: int, key: str, row: bytes, counts: dict[str, int], faults: _Faults) -> None:
    when = micros(msgspec.json.decode(row, type=_Timed).at)
    if when > known.through - LATENESS // timedelta(microseconds=1):
        counts["waiting"] += 1
    else:
        faults.add("was never sealed, though younger rows are", SEALED_KINDS[kind], when, key)


def _tell_changed(known: _Known, kind: int, key: str, place: int, counts: dict[str, int], faults: _Faults) -> None:
    at = _ENTRY.unpack_from(known.content, place * _ENTRY.size)[2]
    salt = known.salts[place * _SALT_BYTES : (place + 1) * _SALT_BYTES]
    if salt == NO_SALT and kind == 0 and at < known.horizon:
        counts["forgotten"] += 1
    else:
        faults.add("is not what was sealed", SEALED_KINDS[kind], at, key)


def _check_gone(known: _Known, identity: bytes, place: int, counts: dict[str, int], faults: _Faults) -> None:
    kind, (_, _, at, _, _) = identity[0], _ENTRY.unpack_from(known.content, place * _ENTRY.size)
    if kind == 0 and at < known.horizon:
        counts["forgotten"] += 1
    else:
        faults.add("was sealed and is gone", SEALED_KINDS[kind], at)
