"""A store that answers and keeps nothing: for the hours of a move, a full disk, a doubt about what is being written.

Every store's methods that write begin with one of VERBS, which is how it knows them. Who looked at students is still
recorded: reading them without that would be worse than refusing.
"""

from typing import Any, NoReturn, cast

from database.errors import StoreUnavailable
from database.store import RecordStore

VERBS = frozenset(
    {
        *("add", "put", "remove", "drop", "erase", "forget", "wipe", "sweep", "load", "number", "succeed"),
        *("try", "release", "claim", "renew", "end", "cancel", "fenced", "see"),
    }
)
KEPT_ALL_THE_SAME = frozenset({"add_accesses"})


class ReadOnly(StoreUnavailable):
    """Something was to be kept by an installation that is set to keep nothing."""

    retry_after = 60


def read_only(store: RecordStore) -> RecordStore:
    """`store`, for reading: whatever writes raises ReadOnly."""
    return cast("RecordStore", _ReadOnlyStore(store))


class _ReadOnlyStore:
    def __init__(self, store: RecordStore) -> None:
        self._store = store

    def open_appender(self) -> None:
        """None: it would write past this."""

    def __getattr__(self, name: str) -> Any:
        if name.partition("_")[0] in VERBS and name not in KEPT_ALL_THE_SAME:
            return _refuse
        return getattr(self._store, name)


def _refuse(*_: object, **__: object) -> NoReturn:
    raise ReadOnly("this installation only reads (GRADEWATCH_READ_ONLY is on): nothing was kept")
