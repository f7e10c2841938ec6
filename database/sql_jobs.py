"""The queue of jobs on SQLite and PostgreSQL: statements over one connection, whose transaction `database.sql` begins.

A lease is measured by the clock that all users of the database share, so no worker's own clock counts.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from clock import now
from database.fence import SECOND, Fence, lost
from database.layout import LAYOUTS, Flat, instant, micros
from database.records import Before, Job, JobProblem, JobProgress, JobState, SeenWorker
from database.tables import JOBS, WORKERS

COLUMNS = [JOBS.c[name] for name in LAYOUTS["jobs"].names]


def database_time(connection: sa.Connection) -> int:
    """Microseconds since 1970 by the clock that all users of the database share: the installation's where a file is
    the database, the server's elsewhere."""
    if connection.dialect.name == "sqlite":
        return micros(now())
    seconds = sa.func.extract("epoch", sa.func.clock_timestamp())
    return int(connection.execute(sa.select(sa.cast(seconds * SECOND, sa.BigInteger))).scalar_one())


def begun_at(connection: sa.Connection, job: Job, pause: float) -> Job:
    """`job` as it is asked for now, to be begun after `pause` seconds."""
    at = database_time(connection)
    return msgspec.structs.replace(job, at=instant(at), due=instant(at + round(pause * SECOND)))


def find(connection: sa.Connection, id: str) -> Job | None:
    """The job of that id."""
    row = connection.execute(sa.select(*COLUMNS).where(JOBS.c.id == id)).one_or_none()
    return None if row is None else _job(row)


def claimable(connection: sa.Connection, kinds: Sequence[str], id: str | None = None) -> sa.Select[Any]:
    """The id of the job that is to be done next: of those that are due or whose worker gave no sign of life. id: only
    this one."""
    at = database_time(connection)
    waiting = sa.and_(JOBS.c.state == "waiting", JOBS.c.due <= at)
    lost = sa.and_(JOBS.c.state == "running", JOBS.c.expires <= at)
    statement = sa.select(JOBS.c.id).where(sa.or_(waiting, lost), JOBS.c.kind.in_(kinds))
    if id is not None:
        return statement.where(JOBS.c.id == id)
    return statement.order_by(JOBS.c.due, JOBS.c.id).limit(1)


def claim(
    connection: sa.Connection, kinds: Sequence[str], worker: str, seconds: float, id: str | None = None
) -> Job | None:
    """The next job, held by `worker`. SQLite has its one write lock; PostgreSQL passes by what others are claiming."""
    found = connection.execute(claimable(connection, kinds, id).with_for_update(skip_locked=True)).scalar()
    if found is None:
        return None
    at = database_time(connection)
    values: dict[str, Any] = {
        "state": "running",
        "worker": worker,
        "attempts": JOBS.c.attempts + 1,
        "token": JOBS.c.token + 1,
        "started": at,
        "expires": at + round(seconds * SECOND),
        "progress": "null",
    }
    change = JOBS.update().where(JOBS.c.id == found).values(values).returning(*COLUMNS)
    return _job(connection.execute(change).one())


def hold(connection: sa.Connection, fence: Fence) -> None:
    """Make sure that a job is held until the transaction ends: nobody can claim it meanwhile. Raises LostJob."""
    held = sa.select(JOBS.c.id).where(*_held(connection, fence)).with_for_update(read=True)
    if connection.execute(held).scalar() is None:
        raise lost(fence.id)


def renew(connection: sa.Connection, fence: Fence, seconds: float, progress: JobProgress | None) -> Job:
    """Hold a job for `seconds` more. Raises LostJob."""
    values: dict[str, Any] = {"expires": database_time(connection) + round(seconds * SECOND)}
    if progress is not None:
        values["progress"] = _json(progress)
    return _change(connection, fence, values)


def end(
    connection: sa.Connection, fence: Fence, state: JobState, result: Any = None, problem: JobProblem | None = None
) -> Job:
    """Nothing more becomes of a job. Raises LostJob."""
    told = {"state": state, "result": _json(result), "problem": _json(problem)}
    return _change(connection, fence, told | {"finished": database_time(connection), "expires": None})


def put_back(
    connection: sa.Connection, fence: Fence, pause: float, problem: JobProblem | None = None, *, counts: bool = True
) -> Job:
    """A job waits again. Raises LostJob."""
    values: dict[str, Any] = {"state": "waiting", "expires": None, "problem": _json(problem)}
    values["due"] = database_time(connection) + round(pause * SECOND)
    values["attempts"] = JOBS.c.attempts - (0 if counts else 1)
    return _change(connection, fence, values)


def cancel(connection: sa.Connection, id: str) -> Job | None:
    """A waiting job ends at once; a running one is to."""
    at = database_time(connection)
    ended: dict[str, Any] = {"state": "cancelled", "cancelling": True, "finished": at}
    connection.execute(JOBS.update().where(JOBS.c.id == id, JOBS.c.state == "waiting").values(ended))
    connection.execute(JOBS.update().where(JOBS.c.id == id, JOBS.c.state == "running").values(cancelling=True))
    return find(connection, id)


def newest(
    given: Sequence[sa.ColumnElement[bool]], states: Sequence[JobState], before: Before | None, limit: int
) -> sa.Select[Any]:
    """Jobs, newest first; before: (at, id) of the last one of the page before."""
    statement = sa.select(*COLUMNS).where(*given).order_by(JOBS.c.at.desc(), JOBS.c.id.desc()).limit(limit)
    if states:
        statement = statement.where(JOBS.c.state.in_(states))
    if before is not None:
        place = sa.tuple_(sa.literal(micros(before[0])), sa.literal(before[1]))
        statement = statement.where(sa.tuple_(JOBS.c.at, JOBS.c.id) < place)
    return statement


def ended_before(instant: datetime) -> sa.ColumnElement[bool]:
    """Jobs of which nothing becomes any more since then."""
    return sa.and_(JOBS.c.state.in_(("done", "failed", "cancelled")), JOBS.c.finished < micros(instant))


def seen(connection: sa.Connection) -> list[SeenWorker]:
    """Every worker on record, the one that was seen last first."""
    now = database_time(connection)
    rows = connection.execute(sa.select(WORKERS).order_by(WORKERS.c.at.desc(), WORKERS.c.id))
    return [
        SeenWorker(
            id=row.id, kinds=tuple(msgspec.json.decode(row.kinds)), at=instant(row.at), ago=(now - row.at) / SECOND
        )
        for row in rows
    ]


def _held(connection: sa.Connection, fence: Fence) -> list[sa.ColumnElement[bool]]:
    alive = JOBS.c.expires > database_time(connection)
    return [JOBS.c.id == fence.id, JOBS.c.token == fence.token, JOBS.c.state == "running", alive]


def _change(connection: sa.Connection, fence: Fence, values: dict[str, Any]) -> Job:
    row = connection.execute(
        JOBS.update().where(*_held(connection, fence)).values(values).returning(*COLUMNS)
    ).one_or_none()
    if row is None:
        raise lost(fence.id)
    return _job(row)


def _job(row: Sequence[Flat]) -> Job:
    job: Job = LAYOUTS["jobs"].unpack(row)
    return job


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
