"""How uploads are numbered on MongoDB, and how a reader gets what there was as of one number.

An upload is marked as under way from before it has its number until it is done. Whoever reads as of a number takes one,
waits for those that were under way, and leaves out what has a later one. Nothing here needs a transaction.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

from pymongo import ReturnDocument
from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.errors import PyMongoError

from clock import new_id
from database.errors import StoreUnavailable
from database.mongo_jobs import server_time

Bson = dict[str, Any]

UPLOADS_DOCUMENT = "uploads"
"""The document of `meta` that counts uploads, and says which are under way since when."""

READING = "snapshot"
"""The name of the lease of whoever reads as of a number; nothing is taken back meanwhile."""

READING_SECONDS = 60.0
"""For which it is held after each page."""

LONGEST_UPLOAD = timedelta(seconds=90)
"""After which one that is under way is taken for dead: MongoDB itself ends a transaction after 60 seconds."""

LOOK_AGAIN = 0.02  # seconds


def newest_receipt(database: Database[Bson], session: ClientSession | None = None) -> int:
    """The number of the newest upload."""
    return int((database.meta.find_one({"_id": UPLOADS_DOCUMENT}, session=session) or {"number": 0})["number"])


def count_to(database: Database[Bson], number: int) -> None:
    """Number the next upload higher than `number`."""
    database.meta.update_one({"_id": UPLOADS_DOCUMENT}, {"$max": {"number": number}}, upsert=True)


@contextmanager
def next_receipt(database: Database[Bson]) -> Iterator[int]:
    """The number of an upload, which is under way as long as the block lasts."""
    token = f"open.{new_id()}"
    try:
        yield _count(database, {"$currentDate": {token: True}})["number"]
    finally:
        with suppress(PyMongoError):  # then it is taken for dead after a while
            database.meta.update_one({"_id": UPLOADS_DOCUMENT}, {"$unset": {token: ""}})


def settled_receipt(database: Database[Bson]) -> int:
    """A number that no upload has, at a time when all with lower ones are done."""
    found = _count(database)
    number, waited_for = int(found["number"]), set(_under_way(database, found))
    while waited_for:
        time.sleep(LOOK_AGAIN)
        waited_for &= set(_under_way(database, database.meta.find_one({"_id": UPLOADS_DOCUMENT}) or {}))
    return number


def require_nobody_reads(database: Database[Bson]) -> None:
    """Raises StoreUnavailable while somebody reads as of a number: what is there then must stay."""
    if database.leases.find_one({"_id": READING, "expires": {"$gt": server_time(database)}}):
        raise StoreUnavailable(
            "a backup is being made, and nothing is taken back meanwhile: try again when it has ended"
        )


def _count(database: Database[Bson], beside: Mapping[str, Any] | None = None) -> Bson:
    one_more, after = {"$inc": {"number": 1}, **(beside or {})}, ReturnDocument.AFTER
    found: Bson | None = database.meta.find_one_and_update(
        {"_id": UPLOADS_DOCUMENT}, one_more, upsert=True, return_document=after
    )
    return found or {"number": 1}


def _under_way(database: Database[Bson], uploads: Mapping[str, Any]) -> list[str]:
    oldest = database.client.admin.command("hello")["localTime"] - LONGEST_UPLOAD
    return [token for token, since in uploads.get("open", {}).items() if since > oldest]
