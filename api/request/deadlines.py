"""The requests at work in this worker: how long each may take, and what becomes of them when the worker must stop.

A request waits for its caller at most so long, and its caller for it; whatever work a thread has begun is not undone.
"""

import asyncio
import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from starlette.types import Message, Receive

from errors import Category, GradewatchError
from settings import Settings

SWEEPING = 1.0  # seconds between two looks at the requests at work
EARNS = 50_000  # bytes of a body that earn its sender a second more: a slow school line sends 100 MB, a trickle ends
CLOSE = (b"connection", b"close")


class SlowBody(GradewatchError):
    """The caller did not send the request's body in time."""

    status = 408

    headers = {"connection": "close"}  # noqa: RUF012 (read by the answer, never changed)


class TookTooLong(GradewatchError):
    """The request could not be answered in time."""

    category = Category.UNAVAILABLE
    retry_after = 30


class Stopping(GradewatchError):
    """The worker is being stopped and could not wait for this request any longer."""

    category = Category.UNAVAILABLE
    retry_after = 2

    headers = {"connection": "close"}  # noqa: RUF012


class Work:
    """One request at work. waited: seconds for its caller so far; since: when it began to wait for more, if it does.

    end: ends it, once `late` says why. task: in which it is answered, if in one of its own.
    """

    __slots__ = ("_clock", "_receive", "begun", "end", "got", "late", "received", "since", "task", "waited")

    def __init__(
        self,
        clock: Callable[[], float],
        receive: Receive,
        end: Callable[[], object] | None,
        task: "asyncio.Task[Any] | None" = None,
    ) -> None:
        self.task = task
        self.end = end
        self._receive = receive
        self._clock = clock
        self.begun = clock()
        self.waited = 0.0
        self.since: float | None = None
        self.received = False
        self.got = 0
        self.late: Exception | None = None

    async def receive(self) -> Message:
        """The next message of the server, with the time noted that it waits for the body; waiting for a caller to leave
        is no such time."""
        if self.received:
            return await self._receive()
        begun = self.since = self._clock()
        message = await self._receive()
        self.waited += self._clock() - begun
        self.since = None
        self.got += len(message.get("body", b""))
        self.received = not message.get("more_body")
        return message


class Deadlines:
    """Ends requests that outstay their limits by an exception within them.

    To be used from one event loop. The requests at work are looked through once a second, so that one costs no timer.
    """

    def __init__(self, settings: Settings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._loop = asyncio.get_running_loop()  # asked for once: the question is a system call
        self._working: set[Work] = set()
        self._sweep_planned = False
        self._ends: float | None = None

    @property
    def at_work(self) -> int:
        """How many requests are being answered right now."""
        return len(self._working)

    @property
    def stopping(self) -> bool:
        """Whether this worker has been told to stop."""
        return self._ends is not None

    def stop(self, seconds: float) -> None:
        """From now on tell callers to go elsewhere; what is at work after `seconds` is ended."""
        self._ends = self._clock() + seconds
        self._plan_sweep()

    def begin(self, receive: Receive) -> Work:
        """A request has come; it is to receive its messages through what this gives back."""
        task = asyncio.current_task(self._loop)
        return self._add(Work(self._clock, receive, task.cancel if task else None, task))

    def begin_whole(self, end: Callable[[], object]) -> Work:
        """A request has come with all of its body. end: called in its loop when it must end now."""
        return self._add(Work(self._clock, _received, end))

    def _add(self, work: Work) -> Work:
        self._working.add(work)
        if not self._sweep_planned:
            self._plan_sweep()
        return work

    def end(self, work: Work) -> None:
        """A request was answered, or cannot be."""
        self._working.discard(work)
        work.end = None  # it may know the work: together they would wait for a collection

    @staticmethod
    def reason(work: Work) -> Exception | None:
        """Why this cancelled a request; None where somebody else did."""
        return None if work.late is None or work.task is None or work.task.uncancel() else work.late

    def _plan_sweep(self) -> None:
        limits = self._settings
        self._sweep_planned = True
        pause = min(SWEEPING, limits.body_seconds / 4, limits.request_seconds / 4)
        self._loop.call_later(pause, self._sweep)

    def _sweep(self) -> None:
        limits, at = self._settings, self._clock()
        for work in list(self._working):  # those that end leave it
            if work.late is None and work.end is not None:
                work.late = self._late(work, at, limits.body_seconds, limits.request_seconds)
                if work.late is not None:
                    work.end()
        self._sweep_planned = False
        if self._working:
            self._plan_sweep()

    def _late(self, work: Work, at: float, body_seconds: float, request_seconds: float) -> Exception | None:
        """Why `work` must end now; None: it need not."""
        waiting = 0.0 if work.since is None else at - work.since
        waited = work.waited + waiting
        if work.since is not None and waited > body_seconds + work.got / EARNS:
            return SlowBody(f"the body did not come within {body_seconds:g} seconds; nothing of this request was kept")
        if at - work.begun - waited > request_seconds:
            return TookTooLong(f"no answer within {request_seconds:g} seconds; what was asked may still be done")
        if self._ends is not None and at > self._ends:
            return Stopping("this worker is being stopped; ask again")
        return None


async def _received() -> Message:
    """What a request without a body to come receives."""
    return {"type": "http.disconnect"}


@contextlib.contextmanager
def told_to_stop(stop: Callable[[], None], *, notice_seconds: float) -> Iterator[None]:
    """While this lasts, `stop` is called as soon as the process is asked to end, `notice_seconds` before its server is.

    The server, which handled the signal before, takes no new connection when it learns of it; with notice, a load
    balancer sends no more by then. Ctrl-C waits for nobody. Elsewhere than in a main thread there are no
    signals to take.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def take(number: int, frame: FrameType | None) -> None:
        server = before[signal.Signals(number)]
        signal.signal(number, server)
        loop.call_soon_threadsafe(stop)
        if callable(server):
            notice = notice_seconds if number == signal.SIGTERM else 0.0
            loop.call_soon_threadsafe(loop.call_later, notice, server, number, frame)

    for number, server in before.items():
        if callable(server):
            signal.signal(number, take)
    try:
        yield
    finally:
        for number, server in before.items():
            if signal.getsignal(number) is take:
                signal.signal(number, server)
