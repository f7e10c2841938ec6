"""The open parts of one serving process: installation, prediction log, readers of requests, retraining runs.

Opened by the application's lifespan and closed by it; routes get it passed. It answers no request.
"""

import asyncio
import contextlib
import ctypes
import gc
import logging
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

from access.directory import Directory
from api.jobs import Jobs
from api.request.credentials import Credentials
from api.request.denied import Attempts
from api.request.rate_limits import Limit, Limiter, parse_limit
from api.request.tokens import Tokens
from api.schemas import EXAMPLES_WARNING, Remarks
from database.errors import StoreUnavailable
from database.group_commit import GroupCommitLog
from database.records import Prediction
from database.redis import SharedMemory
from database.sqlite_log import SqliteAppender, open_appender
from database.store import RecordStore
from model.cache import AnswerCache, MemoryCache
from model.microbatch import Together
from model.service import PredictionService
from model.workspace import Workspace
from preprocessing.validation.json_bodies import RowReader
from settings import OFF, Settings

ARENAS = -8
"""The number of heaps among the parameters of glibc's mallopt (M_ARENA_MAX)."""

log = logging.getLogger("gradewatch.api")


@dataclass(frozen=True)
class Running:
    """predictions: the road to an answer, logging by `log`. appender: under the log, where the store has one. readers:
    of request bodies, by domain. limiter: counts requests by who makes them. attempts: refused ones, to be
    recorded. credentials: recognise whoever asks; None where nobody has to say. shared: memory between
    workers, where there is one."""

    settings: Settings
    workspace: Workspace
    appender: SqliteAppender | None
    log: GroupCommitLog
    cache: AnswerCache
    predictions: PredictionService
    readers: Mapping[str, RowReader]
    jobs: Jobs
    limiter: Limiter
    attempts: Attempts
    credentials: Credentials | None
    shared: SharedMemory | None

    @cached_property
    def rate_limit(self) -> Limit | None:
        """How many requests one user or key may make; None: any number."""
        return None if self.settings.rate_limit == OFF else parse_limit(self.settings.rate_limit)

    @cached_property
    def origins(self) -> frozenset[str]:
        """The sites whose pages may ask for changes, beside this service's own."""
        return frozenset(name.strip() for name in self.settings.cors_origins.split(",") if name.strip())

    @cached_property
    def hosts(self) -> frozenset[str]:
        """The names that this service goes by, without port; "*" admits all."""
        return frozenset(name.strip() for name in self.settings.allowed_hosts.split(",") if name.strip())

    @cached_property
    def together(self) -> Together:
        """Scores and logs single rows of requests that arrive together."""
        return Together(self.predictions, self.log)

    def remarks(self, *predictions: Prediction) -> Remarks:
        """What must be said with answers: that a model behind one of them learned from examples, and the rules that the
        naive answers beside them come from."""
        models = frozenset(answer.model for prediction in predictions for answer in prediction.answers)
        return self._remarks.get(models) or self._remark(models)

    def _remark(self, models: frozenset[str]) -> Remarks:
        serving = self.workspace.champions.all().values()
        seated = [one.predictor for one in serving]
        seated += [one.challenger.predictor for one in serving if one.challenger]
        known = {one.version: one for one in seated if one.version in models}
        warning = EXAMPLES_WARNING if any(one.from_examples for one in known.values()) else None
        remarks = Remarks(warning, {version: str(one.manifest.naive) for version, one in sorted(known.items())})
        if len(known) == len(models):  # one that was replaced this very moment is looked for again
            self._remarks[models] = remarks
        return remarks

    @cached_property
    def _remarks(self) -> dict[frozenset[str], Remarks]:
        """By the versions that answered, which are their contents' digests."""
        return {}


@contextlib.asynccontextmanager
async def open_running(settings: Settings) -> AsyncIterator[Running]:
    """Everything open and kept fresh; on leaving, what was queued is logged before the store closes."""
    _share_one_heap()
    running = await asyncio.to_thread(_open, settings)
    gc.freeze()  # what is open now stays: no later collection needs to look through it
    gc.enable()
    keeper = ThreadPoolExecutor(2, "keeper")  # uploads at work in all other threads must keep no revoked key alive
    kept = [_keep_fresh(running, keeper), _keep_known(running, keeper)]
    kept += [running.limiter.share(), running.attempts.keep_writing()]
    tasks = [asyncio.create_task(one) for one in kept]
    try:
        yield running
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(keeper.shutdown)
        await running.jobs.stop()
        await running.attempts.write()
        await asyncio.to_thread(_close, running)


def _share_one_heap() -> None:
    """Where the C library is glibc: a heap per thread keeps what a batch once needed in that thread."""
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).mallopt(ARENAS, 1)


def _open(settings: Settings) -> Running:
    workspace = settings.open_workspace()
    appender, shared = open_appender(workspace.store), _open_shared(settings, workspace.secret)
    cache = _open_cache(shared)
    writer = GroupCommitLog(appender or workspace.store, instant=appender, capacity=settings.log_capacity)
    return Running(
        settings=settings,
        workspace=workspace,
        appender=appender,
        log=writer,
        cache=cache,
        predictions=PredictionService(
            workspace.schemas, workspace.champions, writer, secret=workspace.secret, cache=cache
        ),
        readers={name: RowReader(schema, workspace.secret) for name, schema in workspace.schemas.items()},
        jobs=Jobs(settings, workspace.store),
        attempts=Attempts(workspace.store, pause=settings.poll_seconds),
        credentials=_open_credentials(settings, workspace.store),
        limiter=Limiter(shared),
        shared=shared,
    )


def _open_shared(settings: Settings, secret: bytes) -> SharedMemory | None:
    url = settings.redis_url
    return SharedMemory(url.get_secret_value(), secret=secret) if url else None


def _open_cache(shared: SharedMemory | None) -> AnswerCache:
    if shared is None:
        return MemoryCache()
    from model.redis_cache import SharedCache

    return SharedCache(shared)


def _open_credentials(settings: Settings, store: RecordStore) -> Credentials | None:
    if settings.auth == OFF:
        return None
    directory = Directory(store)
    directory.refresh()
    return Credentials(directory, Tokens(settings.token_key(), timedelta(minutes=settings.token_minutes)))


def _close(running: Running) -> None:
    running.log.close()
    if running.appender:
        running.appender.close()
    if running.shared:
        running.shared.close()
    running.workspace.close()


async def _keep_known(running: Running, keeper: Executor) -> None:
    """Learns of changed keys and users for as long as the process lives."""
    while running.credentials is not None:
        await asyncio.sleep(running.settings.poll_seconds)
        try:
            await asyncio.get_running_loop().run_in_executor(keeper, running.credentials.directory.refresh)
        except StoreUnavailable:
            pass  # the look for champions says so; the state before serves until it is stale
        except Exception:  # as there: a dead poller would keep a revoked key alive
            log.exception("looking for changed keys and users failed; trying again")


async def _keep_fresh(running: Running, keeper: Executor) -> None:
    """Swaps in new champions for as long as the process lives; nothing that goes wrong on the way ends it."""
    reachable = True
    while True:
        await asyncio.sleep(running.settings.poll_seconds)
        try:
            for key in await asyncio.get_running_loop().run_in_executor(keeper, running.workspace.champions.refresh):
                log.info("champion changed", extra={"fields": {"champion": str(key)}})
            reachable = True
        except StoreUnavailable as error:
            if reachable:
                log.warning("the database does not answer; the champions in memory serve on: %s", error)
            reachable = False
        except Exception:  # a poller that died would leave the worker on its old champions for ever
            log.exception("looking for new champions failed; trying again")
