"""The queue of jobs on MongoDB: every step is one atomic change of the job's document.

Leases are measured by the server's clock. Nothing here needs a transaction.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from pymongo import ReturnDocument
from pymongo.database import Database

from database.fence import SECOND, Fence, lost
from database.layout import instant, micros
from database.records import Before, Job, JobProblem, JobProgress, JobState, SeenWorker

Bson = dict[str, Any]


def server_time(database: Database[Bson]) -> int:
    """Microseconds since 1970 by the server's clock."""
    return micros(database.client.admin.command("hello")["localTime"].replace(tzinfo=UTC))


def begun_at(database: Database[Bson], job: Job, pause: float) -> Job:
    """`job` as it is asked for now, to be begun after `pause` seconds."""
    at = server_time(database)
    return msgspec.structs.replace(job, at=instant(at), due=instant(at + round(pause * SECOND)))


def claim(
    database: Database[Bson], kinds: Sequence[str], worker: str, seconds: float, id: str | None = None
) -> Bson | None:
    """The next job, held by `worker`. id: only this one."""
    at = server_time(database)
    waiting, stale = {"state": "waiting", "due": {"$lte": at}}, {"state": "running", "expires": {"$lte": at}}
    held = {"state": "running", "worker": worker, "started": at, "expires": at + round(seconds * SECOND)}
    only = {} if id is None else {"_id": id}
    return database.jobs.find_one_and_update(
        {**only, "kind": {"$in": list(kinds)}, "$or": [waiting, stale]},
        {"$set": held | {"progress": "null"}, "$inc": {"attempts": 1, "token": 1}},
        sort=[("due", 1), ("_id", 1)],
        return_document=ReturnDocument.AFTER,
    )


def hold(database: Database[Bson], fence: Fence) -> None:
    """Raises LostJob where a job is not held now."""
    if database.jobs.find_one(_held(database, fence), {"_id": 1}) is None:
        raise lost(fence.id)


def renew(database: Database[Bson], fence: Fence, seconds: float, progress: JobProgress | None) -> Bson:
    """Hold a job for `seconds` more. Raises LostJob."""
    values: Bson = {"expires": server_time(database) + round(seconds * SECOND)}
    if progress is not None:
        values["progress"] = _json(progress)
    return _change(database, fence, {"$set": values})


def end(
    database: Database[Bson], fence: Fence, state: JobState, result: Any = None, problem: JobProblem | None = None
) -> Bson:
    """Nothing more becomes of a job. Raises LostJob."""
    told = {"state": state, "result": _json(result), "problem": _json(problem)}
    return _change(database, fence, {"$set": told | {"finished": server_time(database), "expires": None}})


def put_back(
    database: Database[Bson], fence: Fence, pause: float, problem: JobProblem | None = None, *, counts: bool = True
) -> Bson:
    """A job waits again. Raises LostJob."""
    due = server_time(database) + round(pause * SECOND)
    values = {"state": "waiting", "expires": None, "problem": _json(problem), "due": due}
    return _change(database, fence, {"$set": values, "$inc": {"attempts": 0 if counts else -1}})


def cancel(database: Database[Bson], id: str) -> None:
    """A waiting job ends at once; a running one is to."""
    ended = {"state": "cancelled", "cancelling": True, "finished": server_time(database)}
    database.jobs.update_one({"_id": id, "state": "waiting"}, {"$set": ended})
    database.jobs.update_one({"_id": id, "state": "running"}, {"$set": {"cancelling": True}})


def newest(given: Bson, states: Sequence[JobState], before: Before | None) -> Bson:
    """Which jobs are asked for. before: (at, id) of the last one of the page before."""
    where = given | ({"state": {"$in": list(states)}} if states else {})
    if before is not None:
        at, last = micros(before[0]), before[1]
        where["$or"] = [{"at": {"$lt": at}}, {"at": at, "_id": {"$lt": last}}]
    return where


def ended_before(instant: datetime) -> Bson:
    """Jobs of which nothing becomes any more since then."""
    return {"state": {"$in": ["done", "failed", "cancelled"]}, "finished": {"$lt": micros(instant)}}


def seen(database: Database[Bson]) -> list[SeenWorker]:
    """Every worker on record, the one that was seen last first."""
    now = server_time(database)
    return [
        SeenWorker(id=one["_id"], kinds=tuple(one["kinds"]), at=instant(one["at"]), ago=(now - one["at"]) / SECOND)
        for one in database.workers.find({}).sort([("at", -1), ("_id", 1)])
    ]


def _held(database: Database[Bson], fence: Fence) -> Bson:
    alive = {"$gt": server_time(database)}
    return {"_id": fence.id, "token": fence.token, "state": "running", "expires": alive}


def _change(database: Database[Bson], fence: Fence, change: Bson) -> Bson:
    found = database.jobs.find_one_and_update(_held(database, fence), change, return_document=ReturnDocument.AFTER)
    if found is None:
        raise lost(fence.id)
    return found


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
