"""Appends predictions to SQLite over a connection of its own: one INSERT and one commit, with nothing in between.

What the pool and the statement machinery add to a commit costs more than the commit; a log that lives on small commits
leaves them out. Other databases get the store itself: there the way to the server costs more than both.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from database.layout import LAYOUTS, check_finite
from database.records import Prediction
from database.store import RecordStore, StoreUnavailable

COLUMNS = LAYOUTS["predictions"].names
INSERT = "INSERT INTO predictions ({}) VALUES ({}) ON CONFLICT DO NOTHING".format(
    ", ".join(f'"{name}"' for name in COLUMNS), ", ".join("?" * len(COLUMNS))
)


class SqliteAppender:
    """A connection to a SQLite store that only appends predictions. For one thread at a time; close it before the
    store."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add_predictions(self, predictions: Sequence[Prediction]) -> None:
        """As `PredictionLog.add_predictions`: all or none, ids that are there stay as they are."""
        check_finite(predictions)
        pack = LAYOUTS["predictions"].pack
        rows = [pack(prediction) for prediction in predictions]
        with _driver_errors():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                self._connection.executemany(INSERT, rows)
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()


@contextmanager
def _driver_errors() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StoreUnavailable(f"{type(error).__name__}: {error}") from error


def open_appender(store: RecordStore) -> SqliteAppender | None:
    """An appender for a store on SQLite, else None. Raises StoreUnavailable."""
    from database.sql import SqlStore

    if not isinstance(store, SqlStore):
        return None
    return SqliteAppender(store.detached_connection()) if store.is_sqlite else None
