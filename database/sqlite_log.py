"""Appends predictions to SQLite over connections of its own: one INSERT and one commit, with nothing in between.

What the pool and the statement machinery add to a commit costs more than the commit; a log that lives on small commits
leaves them out. Other databases get the store itself: there the way to the server costs more than both.
"""

import os
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from functools import cache
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from database.errors import StoreUnavailable
from database.layout import LAYOUTS, Flat, check_finite, pack_blocks
from database.packed import PackedPredictions
from database.records import Prediction

WAL_BYTES = 16_000_000
"""Of the write-ahead log after which it is written back. A page that many commits changed is written back once: 4,000
pages cost a fifth less CPU per commit than SQLite's own 1,000."""

OVERFULL = 2
"""Times its limit from which the log is written back before anything more is committed: where the thread that does it
beside commits comes too late, or not at all, these slow down instead."""

OVERFULL_WAIT_MS, LONGEST_WAIT_MS = 200, 1_500
"""For which others are waited for then: a reader keeps the log from beginning anew. The second where the log has grown
on: longer than any reader of ours holds a snapshot."""

LOG_LOOK_EVERY = 256
"""Predictions between two looks at the size of the write-ahead log."""


class DatabaseFile:
    """An open database file, by its path. It lives on without a name, or under a new one, and takes every commit: what
    is committed to a deleted file is lost unseen."""

    def __init__(self, path: Path) -> None:
        self._path = str(path.resolve())
        self._known = self._lying_there()

    def check(self) -> None:
        """Raises StoreUnavailable where the file is gone or another lies in its place. To be asked after a commit: then
        what was committed is where it is looked for. Takes two microseconds."""
        if self._lying_there() != self._known:
            raise StoreUnavailable(f"{self._path} was deleted, moved or replaced; put it back or start anew")

    @contextmanager
    def copied(self, source: sqlite3.Connection) -> Iterator[Path]:
        """A copy of the file as it is at one moment, beside it and for its owner alone, while the block lasts.

        Made a few pages at a time, so that no reader keeps the write-ahead log from beginning anew. What is written
        meanwhile makes SQLite begin again; after some tries the copy is made in one go, at the speed of the disk.
        Closes `source`. Raises StoreUnavailable.
        """
        with closing(source), tempfile.TemporaryDirectory(prefix=".copy-", dir=Path(self._path).parent) as folder:
            copy = Path(folder) / "copy.db"
            copy.touch(mode=0o600)
            with _driver_errors(), closing(sqlite3.connect(copy)) as target:
                try:
                    source.backup(target, pages=COPIED_PAGES, progress=_few_restarts(), sleep=0.0)
                except InterruptedError:
                    source.backup(target)
                target.execute("PRAGMA journal_mode=DELETE")
            yield copy

    def wipe(self, connection: sqlite3.Connection, removed: Sequence[bytes]) -> None:
        """Bring the write-ahead log into the file and cut it off, so that no page lies there as it was before; and
        write the file anew where one of the texts that were removed is still found in unused bytes of it. Closes
        `connection`. Raises StoreUnavailable."""
        with closing(connection), _driver_errors():
            _cut_off_log(connection)
            if not removed or not self._holds(removed):
                return
            connection.execute("VACUUM")
            _cut_off_log(connection)
        if self._holds(removed):
            raise StoreUnavailable("what is to be erased came in again meanwhile")

    def _holds(self, texts: Sequence[bytes]) -> bool:
        """Whether one of these stands anywhere in the file or in its write-ahead log."""
        overlap = max(map(len, texts)) - 1
        buffer = bytearray(overlap + SEARCHED_AT_ONCE)
        for path in (self._path, f"{self._path}-wal"):
            if not Path(path).exists():
                continue
            kept = 0
            with Path(path).open("rb", buffering=0) as file, memoryview(buffer) as view:
                while read := file.readinto(view[kept:]):
                    end = kept + read
                    if any(buffer.find(text, 0, end) >= 0 for text in texts):
                        return True
                    kept = min(overlap, end)
                    view[:kept] = view[end - kept : end]
        return False

    def read_page(self) -> None:
        """Read what a database begins with and what came in last, by a connection of its own, which remembers nothing,
        and see that none of its pages is missing. Raises StoreUnavailable."""
        self.check()
        with _driver_errors(), closing(sqlite3.connect(f"{Path(self._path).as_uri()}?mode=rw", uri=True)) as connection:
            connection.execute("SELECT version_num FROM alembic_version").fetchone()
            connection.execute("SELECT id FROM predictions ORDER BY rowid DESC LIMIT 1").fetchone()
            pages, size = (connection.execute(f"PRAGMA page_{name}").fetchone()[0] for name in ("count", "size"))
            if pages * size > sum(map(_size_of, (self._path, f"{self._path}-wal"))):  # a page lies in one of the two
                raise StoreUnavailable(f"{self._path} was cut off; put a backup in its place")

    def _lying_there(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._path)  # noqa: PTH116 (half the time of Path.stat, after every commit)
        except OSError:
            return None
        return found.st_dev, found.st_ino


def _size_of(path: str) -> int:
    return Path(path).stat().st_size if Path(path).exists() else 0


SEARCHED_AT_ONCE = 1 << 20  # bytes


def _cut_off_log(connection: sqlite3.Connection) -> None:
    busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise StoreUnavailable("others have read the database for so long that its log cannot be cut off; try again")


COPIED_PAGES, MOST_RESTARTS = 2_000, 3
"""Pages that are copied between two looks at whether others wrote, 8 MB; and how often a copy is begun again."""


def _few_restarts() -> Callable[[int, int, int], None]:
    """Hears how far a copy is. Raises InterruptedError when it was begun again too often."""
    left, restarts = [sys.maxsize], [0]

    def hear(_status: int, remaining: int, _total: int) -> None:
        restarts[0] += remaining > left[0]
        left[0] = remaining
        if restarts[0] > MOST_RESTARTS:
            raise InterruptedError

    return hear


class SqliteAppender:
    """Two connections to a SQLite store that only append predictions; close it before the store.

    `add_predictions` waits for other writers and the disk and is for one thread at a time. `add_at_once` waits for
    neither, so that it may run where nothing may wait, and is for one other thread.
    """

    def __init__(self, patient: sqlite3.Connection, instant: sqlite3.Connection, *, synced: bool) -> None:
        self._patient = patient
        self._instant = instant
        self._synced = synced
        self._unlooked = 0  # predictions since the last look
        self._due = self._overfull = False
        file = patient.execute("PRAGMA database_list").fetchone()[2]
        self._wal = Path(f"{file}-wal")
        self._file = DatabaseFile(Path(file))
        instant.execute("PRAGMA busy_timeout=0")
        instant.execute("PRAGMA wal_autocheckpoint=0")  # the disk would be waited for: `write_back` does it

    def add_predictions(
        self, predictions: Sequence[Prediction] = (), batches: Sequence[PackedPredictions] = ()
    ) -> None:
        """As `PredictionLog.add_predictions`: all or none, ids that are there stay as they are."""
        statements = _statements(predictions, batches)
        if self._overfull or self._is_overfull():
            with suppress(StoreUnavailable):  # the commit itself finds out whether that lasts
                self.write_back()
        with _driver_errors():
            _insert(self._patient, statements)
        self._file.check()

    def add_at_once(self, predictions: Sequence[Prediction] = (), batches: Sequence[PackedPredictions] = ()) -> bool:
        """As `add_predictions`, or False, and nothing kept, where that would have to wait."""
        if self._synced or self._overfull:
            return False
        statements = _statements(predictions, batches)
        try:
            with _driver_errors():
                _insert(self._instant, statements)
        except StoreUnavailable as error:
            if _is_busy(error.__cause__):
                return False
            raise
        self._file.check()
        self._unlooked += len(predictions) + sum(map(len, batches))
        if self._unlooked >= LOG_LOOK_EVERY:
            self._unlooked, size = 0, self._wal_bytes()
            self._due, self._overfull = size > WAL_BYTES, size > OVERFULL * WAL_BYTES
        return True

    @property
    def wants_write_back(self) -> bool:
        """Whether `write_back` is due; asked after `add_at_once`, in its thread."""
        return self._due

    def write_back(self) -> None:
        """Bring the write-ahead log into the file, in the thread of `add_predictions`.

        First beside other writers, then the small rest while nobody may write (without that the log would only ever
        grow under a steady load). Waits for nobody; but an overfull log is cut off, and others are waited for a little.
        """
        self._due = False
        with _driver_errors():
            self._patient.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            (patience,) = self._patient.execute("PRAGMA busy_timeout").fetchone()
            overfull = self._is_overfull()
            wait = LONGEST_WAIT_MS if self._wal_bytes() > (OVERFULL + 1) * WAL_BYTES else OVERFULL_WAIT_MS
            self._patient.execute(f"PRAGMA busy_timeout={wait if overfull else 0}")
            try:  # a log that is cut off must be made longer again, which costs every commit a little
                self._patient.execute(f"PRAGMA wal_checkpoint({'TRUNCATE' if overfull else 'FULL'})").fetchone()
            finally:
                self._patient.execute(f"PRAGMA busy_timeout={patience}")
        self._overfull = self._is_overfull()

    def _is_overfull(self) -> bool:
        return self._wal_bytes() > OVERFULL * WAL_BYTES

    def _wal_bytes(self) -> int:
        try:
            return self._wal.stat().st_size
        except OSError:
            return 0

    def close(self) -> None:
        """Give the connections back."""
        self._instant.close()
        self._patient.close()


class _Statement(NamedTuple):
    """An INSERT and what it is run with, once for each. received: each takes the number of the newest upload last."""

    text: str
    runs: list[tuple[Flat | bytes, ...]]
    received: bool = True


NEWEST_UPLOAD = "SELECT number FROM uploads"

BLOCK_TEXT = "INSERT INTO prediction_blocks (id, body) VALUES (?, ?) ON CONFLICT DO NOTHING"

ROWS_OF_INSERT = 100
"""Rows of one run of an INSERT of many: each run takes and gives the interpreter's lock, for which others wait. A third
less CPU than a row at a time while another thread computes, a fifth less without one."""


def _statements(predictions: Sequence[Prediction], batches: Sequence[PackedPredictions]) -> list[_Statement]:
    """INSERTs of predictions; of those by column blocks, and a row of each that says who, when and where in a block."""
    check_finite(predictions)
    found = []
    if predictions:
        packed = LAYOUTS["predictions"].pack_columns(predictions)
        found += _inserts({}, dict(zip(LAYOUTS["predictions"].names, packed, strict=True)))
    for part in chain.from_iterable(map(pack_blocks, batches)):
        found.append(_Statement(BLOCK_TEXT, [(part.id, part.body)], received=False))
        found += _inserts(part.alike, part.columns)
    return found


def _inserts(alike: Mapping[str, Flat], columns: Mapping[str, Sequence[Flat]]) -> list[_Statement]:
    """INSERTs of rows. alike: what is the same in all. They name no column which is empty in all of them: the driver
    looks for an adapter of every None, which costs a row of four as much as the rest of its binding. Of many, what is
    the same in all is bound once a run."""
    n = len(columns["id"])
    whole = n - n % ROWS_OF_INSERT
    if whole:
        same = [name for name, column in columns.items() if name != "id" and column.count(column[0]) == n]
        alike = {**alike, **{name: columns[name][0] for name in same}}
        columns = {name: column for name, column in columns.items() if name not in same}
    alike = {name: value for name, value in alike.items() if value is not None}
    columns = {name: column for name, column in columns.items() if column.count(None) < n}
    found = []
    for rows, start, stop in ((ROWS_OF_INSERT, 0, whole), (1, whole, n)):
        if start < stop:
            head, size = tuple(alike.values()), rows * len(columns)
            cells = [
                cell for row in zip(*[column[start:stop] for column in columns.values()], strict=True) for cell in row
            ]
            runs = [head + tuple(cells[at : at + size]) for at in range(0, len(cells), size)]
            found.append(_Statement(_insert_text(tuple(alike), tuple(columns), rows), runs))
    return found


@cache
def _insert_text(shared: tuple[str, ...], each: tuple[str, ...], rows: int) -> str:
    """An INSERT of `rows` rows. shared, each: columns that are given once, and for each row.

    OR ROLLBACK: where a row is refused, all is undone. By itself a statement of many rows is undone alone, for which
    SQLite keeps a copy of every page before it changes it: half of all that it writes.
    """
    columns = ", ".join(f'"{name}"' for name in (*shared, *each, "receipt"))
    values, last = [], len(shared) + rows * len(each) + 1
    for row in range(rows):
        first = len(shared) + row * len(each)
        places = (*range(1, len(shared) + 1), *range(first + 1, first + len(each) + 1), last)
        values.append(f"({', '.join(f'?{place}' for place in places)})")
    return f"INSERT OR ROLLBACK INTO predictions ({columns}) VALUES {', '.join(values)} ON CONFLICT DO NOTHING"


def _insert(connection: sqlite3.Connection, statements: Sequence[_Statement]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        newest = connection.execute(NEWEST_UPLOAD).fetchone() or (0,)
        for statement in statements:
            runs = [(*run, *newest) for run in statement.runs] if statement.received else statement.runs
            connection.executemany(statement.text, runs)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _is_busy(error: BaseException | None) -> bool:
    """Whether another connection is writing: SQLITE_BUSY in any of its forms."""
    return isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY


@contextmanager
def _driver_errors() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StoreUnavailable(f"{type(error).__name__}: {error}") from error


def open_appender(patient: sqlite3.Connection, instant: sqlite3.Connection) -> SqliteAppender:
    """An appender over two connections of its own. Raises StoreUnavailable."""
    with _driver_errors():
        (synchronous,) = patient.execute("PRAGMA synchronous").fetchone()
        return SqliteAppender(patient, instant, synced=synchronous > 1)
