"""The open parts of one serving process: installation, prediction log, readers of requests, retraining runs.

Opened by the application's lifespan and closed by it; routes get it passed. It answers no request.
"""

import asyncio
import contextlib
import gc
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from api.jobs import Jobs
from api.limits import Limit, Limiter, parse_limit
from api.wire import EXAMPLES_WARNING
from database.append import SqliteAppender, open_appender
from database.records import Prediction
from database.store import StoreUnavailable
from model.cache import AnswerCache
from model.home import Home
from model.log import GroupCommitLog
from model.service import PredictionService
from preprocessing.bodies import RowReader
from settings import OFF, Settings

log = logging.getLogger("gradewatch.api")


@dataclass(frozen=True)
class Running:
    """predictions: the road to an answer, logging by `log`. appender: under the log, where the store has one. readers:
    of request bodies, by domain. limiter: counts requests by who makes them."""

    settings: Settings
    home: Home
    appender: SqliteAppender | None
    log: GroupCommitLog
    cache: AnswerCache
    predictions: PredictionService
    readers: Mapping[str, RowReader]
    jobs: Jobs
    limiter: Limiter

    @cached_property
    def rate_limit(self) -> Limit | None:
        """How many requests one user or key may make; None: any number."""
        return None if self.settings.rate_limit == OFF else parse_limit(self.settings.rate_limit)

    @cached_property
    def hosts(self) -> frozenset[str]:
        """The names that this service goes by, without port; "*" admits all."""
        return frozenset(name.strip() for name in self.settings.allowed_hosts.split(",") if name.strip())

    def warning(self, prediction: Prediction) -> str | None:
        """What must be said with an answer: that its model learned from examples."""
        versions = {answer.model for answer in prediction.answers}
        serving = self.home.champions.all().values()
        learned = any(one.predictor.from_examples for one in serving if one.predictor.version in versions)
        return EXAMPLES_WARNING if learned else None


@contextlib.asynccontextmanager
async def open_running(settings: Settings) -> AsyncIterator[Running]:
    """Everything open and kept fresh; on leaving, what was queued is logged before the store closes."""
    running = await asyncio.to_thread(_open, settings)
    gc.freeze()  # what is open now stays: no later collection needs to look through it
    poller = asyncio.create_task(_keep_fresh(running))
    try:
        yield running
    finally:
        poller.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await poller
        await running.jobs.stop()
        await asyncio.to_thread(_close, running)


def _open(settings: Settings) -> Running:
    home = settings.open_home()
    appender, cache = open_appender(home.store), AnswerCache()
    writer = GroupCommitLog(appender or home.store)
    return Running(
        settings=settings,
        home=home,
        appender=appender,
        log=writer,
        cache=cache,
        predictions=PredictionService(home.schemas, home.champions, writer, secret=home.secret, cache=cache),
        readers={name: RowReader(schema, home.secret) for name, schema in home.schemas.items()},
        jobs=Jobs(settings, home.store),
        limiter=Limiter(),
    )


def _close(running: Running) -> None:
    running.log.close()
    if running.appender:
        running.appender.close()
    running.home.close()


async def _keep_fresh(running: Running) -> None:
    """Swaps in new champions for as long as the process lives; nothing that goes wrong on the way ends it."""
    reachable = True
    while True:
        await asyncio.sleep(running.settings.poll_seconds)
        try:
            for key in await asyncio.to_thread(running.home.champions.refresh):
                log.info("champion changed", extra={"fields": {"champion": str(key)}})
            reachable = True
        except StoreUnavailable as error:
            if reachable:
                log.warning("the database does not answer; the champions in memory serve on: %s", error)
            reachable = False
        except Exception:  # a poller that died would leave the worker on its old champions for ever
            log.exception("looking for new champions failed; trying again")
