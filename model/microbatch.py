"""Rows of requests that arrive together, scored and logged together: a dozen cost little more than one.

The graph, the encoding and the commit each have a price per call. Every row gets the answer that it gets alone, to the
last bit, and one that cannot be answered is its caller's trouble only. There is no timer: a caller alone waits for
nobody.
"""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from database.errors import StoreUnavailable
from database.group_commit import GroupCommitLog, LogFull
from database.records import Prediction
from model.service import PredictionService
from preprocessing.schema import DomainSchema
from preprocessing.validation.json_rows import ValidRow

API_SOURCE = "api"
QUIET_TURNS = 2  # turns of the loop without a new row before the rows are scored
MOST_TOGETHER = 50  # rows that are scored at once: at 10 µs each the loop is held up for half a millisecond

log = logging.getLogger("gradewatch.api")


class Answered(NamedTuple):
    """A logged prediction, and when (perf_counter) it was scored and logged."""

    prediction: Prediction
    scored: float
    logged: float


Tell = Callable[[Answered | Exception], None]
"""Takes what became of a row."""


class _Asked(NamedTuple):
    """A row that waits."""

    row: ValidRow
    tell: Tell


class Microbatch:
    """Scores and logs rows of one event loop."""

    def __init__(self, predictions: PredictionService, log: GroupCommitLog) -> None:
        self._predictions = predictions
        self._log = log
        self._asked: dict[tuple[str, str | None], list[_Asked]] = defaultdict(list)
        self._rows = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def answer(self, schema: DomainSchema, row: ValidRow, actor: str | None) -> Answered:
        """The row's logged prediction. Raises as `PredictionService.score` and `GroupCommitLog.append` do."""
        answer: asyncio.Future[Answered] = asyncio.get_running_loop().create_future()
        self.ask(schema, row, actor, partial(_settle, answer))
        return await answer

    def ask(self, schema: DomainSchema, row: ValidRow, actor: str | None, tell: Tell) -> None:
        """As `answer`, told in a later turn of the loop."""
        self._asked[schema.name, actor].append(_Asked(row, tell))
        self._rows += 1
        if self._rows == 1:
            loop = self._loop
            if loop is None:
                loop = self._loop = asyncio.get_running_loop()  # asked for once: the question is a system call
            loop.call_soon(self._end_turn, loop, 1, 0)

    def _end_turn(self, loop: asyncio.AbstractEventLoop, known: int, idle: int) -> None:
        """Score what has come, unless more is coming. known: rows a turn ago; idle: turns in which none came."""
        idle = idle + 1 if self._rows == known else 0
        if idle < QUIET_TURNS and self._rows < MOST_TOGETHER:
            loop.call_soon(self._end_turn, loop, self._rows, idle)
            return
        asked, self._asked, self._rows = self._asked, defaultdict(list), 0
        for (domain, actor), group in asked.items():
            task = loop.create_task(self._answer(domain, actor, group))
            self._tasks.add(task)  # the loop itself keeps no hold of it
            task.add_done_callback(self._tasks.discard)

    async def _answer(self, domain: str, actor: str | None, group: list[_Asked]) -> None:
        try:
            schema = self._predictions.schemas[domain]
            rows = [one.row for one in group]
            predictions = self._predictions.score(schema, rows, source=API_SOURCE, actor=actor)
            scored = time.perf_counter()
            await self._log.append(predictions)
        except Exception as error:  # told to whoever waits
            if len(group) > 1 and not isinstance(error, StoreUnavailable | LogFull):
                for one in group:
                    await self._answer(domain, actor, [one])
                return
            for one in group:
                _tell(one, error)
            return
        logged = time.perf_counter()
        for one, prediction in zip(group, predictions, strict=True):
            _tell(one, Answered(prediction, scored, logged))


def _tell(asked: _Asked, told: Answered | Exception) -> None:
    try:
        asked.tell(told)
    except Exception as error:  # one caller's trouble; its text may hold a student's values
        log.error("an answer could not be given", extra={"fields": {"error": type(error).__name__}})


def _settle(answer: "asyncio.Future[Answered]", told: Answered | Exception) -> None:
    if answer.done():  # whoever asked has left
        return
    if isinstance(told, Exception):
        answer.set_exception(told)
    else:
        answer.set_result(told)
