"""The open parts of one serving process: workspace, prediction log, readers of requests, counts, background work.

Opened by the application's lifespan and closed by it; routes get it passed. It answers no request.
"""

import asyncio
import contextlib
import gc
import logging
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property

from access.directory import Directory
from access.rates import Limit, parse_limit
from advice.catalogue import Catalogue, load_catalogue
from api.jobs import Background
from api.observe.metrics import Metrics
from api.request.credentials import Credentials
from api.request.deadlines import Deadlines
from api.request.denied import DeniedRequests
from api.request.id_tokens import IdTokens
from api.request.rate_limits import Limiter
from api.request.tokens import Tokens
from database.errors import StoreUnavailable
from database.group_commit import GroupCommitLog
from database.redis import SharedMemory, SharedMemoryGone
from database.store import Appender, RecordStore
from heap import share_one_heap
from jobs.erasures import ERASURE_KIND
from model.cache import AnswerCache, MemoryCache
from model.microbatch import Microbatch
from model.service import PredictionService
from model.workspace import Workspace
from preprocessing.validation.json_bodies import RowReader
from settings import OFF, Settings

SHOWN_DIGITS = 12  # of a version, as lists show it

log = logging.getLogger("gradewatch.api")


@dataclass
class StoreHealth:
    """fault: why the database could not be read when it was last looked at; None where it could."""

    fault: str | None = None

    def look(self, store: RecordStore) -> None:
        """Read something of it now."""
        try:
            store.ping()
        except StoreUnavailable as error:
            self.fault = str(error)
        else:
            self.fault = None


@dataclass(frozen=True)
class ServiceState:
    """predictions: answers rows, logging by `log`. appender: under the log, where the store has one. readers: of
    bodies, by domain. limiter: counts requests by who makes them. denied: refused ones, to be recorded. credentials:
    recognise whoever asks; None where nobody has to say. shared: memory between workers, where there is one. metrics:
    what this worker counts. deadlines: of its requests at work. health: whether the database can be read. prober: a
    thread for whoever asks whether this service is ready, which nothing else may keep waiting."""

    settings: Settings
    workspace: Workspace
    appender: Appender | None
    log: GroupCommitLog
    cache: AnswerCache
    predictions: PredictionService
    readers: Mapping[str, RowReader]
    background: Background
    limiter: Limiter
    denied: DeniedRequests
    credentials: Credentials | None
    shared: SharedMemory | None
    metrics: Metrics
    deadlines: Deadlines
    health: StoreHealth
    prober: Executor

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
        return self.settings.hosts

    @cached_property
    def catalogue(self) -> Catalogue:
        """What students may be advised. Raises BadCatalogue."""
        return load_catalogue(self.settings.study_catalogue)

    @cached_property
    def microbatch(self) -> Microbatch:
        """Scores and logs single rows of requests that arrive together."""
        return Microbatch(self.predictions, self.log)


@contextlib.asynccontextmanager
async def open_state(settings: Settings) -> AsyncIterator[ServiceState]:
    """Everything open and kept fresh; on leaving, what was queued is logged before the store closes."""
    share_one_heap()
    state = await asyncio.to_thread(_open, settings, Deadlines(settings))
    gc.freeze()  # what is open now stays: no later collection needs to look through it
    gc.enable()
    keeper = ThreadPoolExecutor(2, "keeper")  # uploads at work in all other threads must keep no revoked key alive
    kept = [_keep_fresh(state, keeper), _keep_known(state, keeper)]
    kept.append(state.background.keep_working())
    kept += [state.limiter.share(), state.denied.keep_writing()]
    tasks = [asyncio.create_task(one) for one in kept]
    try:
        yield state
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(keeper.shutdown)
        await asyncio.to_thread(state.prober.shutdown)
        await state.background.stop()
        await state.denied.write()
        await asyncio.to_thread(_close, state)


def _open(settings: Settings, deadlines: Deadlines) -> ServiceState:
    if settings.study_catalogue is not None:
        load_catalogue(settings.study_catalogue)  # what is wrong with it is told at start
    workspace = replace(settings.open_workspace(), open_graphs=True)
    _warn_of_version(settings.model_version, workspace)
    appender, shared = workspace.store.open_appender(), _open_shared(settings, workspace.secret)
    cache = _open_cache(shared)
    writer = GroupCommitLog(appender or workspace.store, instant=appender, capacity=settings.log_capacity)
    return ServiceState(
        settings=settings,
        workspace=workspace,
        appender=appender,
        log=writer,
        cache=cache,
        predictions=PredictionService(
            workspace.schemas,
            workspace.champions,
            writer,
            secret=workspace.secret,
            cache=cache,
            objections=workspace.objections,
        ),
        readers={name: RowReader(schema, workspace.secret) for name, schema in workspace.schemas.items()},
        background=Background(settings, workspace.store),
        denied=DeniedRequests(workspace.store, pause=settings.poll_seconds),
        credentials=_open_credentials(settings, workspace),
        limiter=Limiter(shared),
        shared=shared,
        metrics=Metrics(),
        deadlines=deadlines,
        health=StoreHealth(),
        prober=ThreadPoolExecutor(1, "prober"),
    )


def _warn_of_version(meant: str, workspace: Workspace) -> None:
    """Say that no champion is the version that whoever started this service means to serve."""
    serving = sorted({one.predictor.version[:SHOWN_DIGITS] for one in workspace.champions.loaded.values()})
    if meant and not any(one.startswith(meant[:SHOWN_DIGITS]) for one in serving):
        there = ", ".join(serving) or "none"
        log.warning("MODEL_VERSION is %s, which no champion is; the registry's serve on: %s", meant[:40], there)


def _open_shared(settings: Settings, secret: bytes) -> SharedMemory | None:
    url = settings.redis_url
    return SharedMemory(url.get_secret_value(), secret=secret) if url else None


def _open_cache(shared: SharedMemory | None) -> AnswerCache:
    if shared is None:
        return MemoryCache()
    from model.redis_cache import SharedCache

    return SharedCache(shared)


def _open_credentials(settings: Settings, workspace: Workspace) -> Credentials | None:
    if settings.auth == OFF:
        return None
    settings.make_first(workspace)
    directory = Directory(workspace.store, linked=settings.student_view != OFF)
    directory.refresh()
    tokens = Tokens(settings.token_key(), timedelta(minutes=settings.token_minutes))
    told = settings.open_sign_on(workspace)
    return Credentials(directory, tokens, id_tokens=IdTokens(told) if told else None)


def _close(state: ServiceState) -> None:
    state.log.close()
    if state.appender:
        state.appender.close()
    if state.shared:
        state.shared.close()
    state.workspace.close()


async def _keep_known(state: ServiceState, keeper: Executor) -> None:
    """Learns of changed keys and users for as long as the process lives."""
    while state.credentials is not None:
        await asyncio.sleep(state.settings.poll_seconds)
        try:
            await asyncio.get_running_loop().run_in_executor(keeper, state.credentials.directory.refresh)
        except StoreUnavailable:
            pass  # the look for champions says so; the state before serves until it is stale
        except Exception:  # as there: a dead poller would keep a revoked key alive
            log.exception("looking for changed keys and users failed; trying again")


async def _keep_fresh(state: ServiceState, keeper: Executor) -> None:
    """Swaps in new champions for as long as the process lives; nothing that goes wrong on the way ends it."""
    reachable, erased = True, None
    while True:
        await asyncio.sleep(state.settings.poll_seconds)
        try:
            await asyncio.get_running_loop().run_in_executor(keeper, state.health.look, state.workspace.store)
            erased = await asyncio.get_running_loop().run_in_executor(keeper, _look_for_requests, state, erased)
            for key in await asyncio.get_running_loop().run_in_executor(keeper, state.workspace.champions.refresh):
                log.info("champion changed", extra={"fields": {"champion": str(key)}})
            reachable = True
        except StoreUnavailable as error:
            if reachable:
                log.warning("the database does not answer; the champions in memory serve on: %s", error)
            reachable = False
        except Exception:  # a poller that died would leave the worker on its old champions for ever
            log.exception("looking for new champions failed; trying again")


def _look_for_requests(state: ServiceState, known: str | None) -> str | None:
    """Who has objected since; and the newest erasure, after which no answer stays cached. known: the one before."""
    state.workspace.objections.refresh()
    newest = state.workspace.store.events(kind=ERASURE_KIND, limit=1)
    if newest and newest[0].id != known:
        with contextlib.suppress(SharedMemoryGone):
            state.cache.clear()
            return newest[0].id
    return known
