"""The one place that chooses which store, by URL. Below it nobody asks which one it is."""

from database.errors import LogHasNoMonths
from database.store import Durability, RecordStore

POSTGRES = ("postgresql", "postgres")


def open_store(url: str, *, pool_size: int = 10, durability: Durability = "normal") -> RecordStore:
    """The store at `url`: sqlite:///file, postgresql://…, mongodb://… or mongodb+srv://….

    Makes or migrates its tables. durability full: SQLite syncs its file at every commit, PostgreSQL commits
    synchronously whatever its own setting is; MongoDB always waits for the journals of the majority. Raises
    StoreUnavailable when it cannot be reached, ValueError when the scheme is unknown, and MissingExtra
    when the driver is not installed.
    """
    scheme = _scheme(url)
    if scheme == "mongodb":
        from database.mongo import open_mongo

        return open_mongo(url, pool_size=pool_size)
    if scheme in ("sqlite", *POSTGRES):
        from database.sql import open_sql

        return open_sql(url, pool_size=pool_size, durability=durability)
    raise ValueError(f"no store for {scheme!r}: use sqlite:///FILE, postgresql://HOST/NAME or mongodb://HOST/NAME")


def part_log(url: str) -> bool:
    """Bring the log of predictions at a PostgreSQL URL into months while all work goes on; False where it is already.
    Raises LogHasNoMonths for other databases, StoreUnavailable where somebody reads it for long just now."""
    if _scheme(url) not in POSTGRES:
        raise LogHasNoMonths("only a log of predictions on PostgreSQL is in months; there is nothing to be done here")
    from database.sql import part_log_at

    return part_log_at(url)


def is_log_whole(url: str) -> bool:
    """Whether a log on PostgreSQL still waits for `part_log`."""
    if _scheme(url) not in POSTGRES:
        return False
    from database.sql import is_log_whole_at

    return is_log_whole_at(url)


def _scheme(url: str) -> str:
    return url.split(":", 1)[0].split("+", 1)[0]
