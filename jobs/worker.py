"""The worker: takes jobs from the queue, runs each in a process of its own, and holds its lease meanwhile.

It loads none of what jobs need: an idle worker costs little, and what a job took is given back with its process. What a
job is, is `jobs.kinds`' word.
"""

import logging
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from clock import new_id
from database.errors import LostJob, StoreUnavailable
from database.records import Job, JobProblem, JobState
from database.store import RecordStore
from jobs.job_settings import JobSettings
from jobs.kinds import JOB_KINDS
from jobs.queue import SEEN_SECONDS, files_of
from jobs.tick import Pass, tick

JOB_LEASE_SECONDS = 30.0
"""A job whose worker died begins again after that. Longer than any stall of a machine that is not dead."""

SIGN_SECONDS = SEEN_SECONDS / 3
HOLD_SECONDS = 1.0  # between two renewals of a lease, which also learn of a wish to cancel
LOOK_AFTER_SECONDS = 0.05  # until a running job is looked after again
TICK_SECONDS = 60.0
TICK_LEASE = "tick"  # of several workers one makes the passes
ENDING_SECONDS = 10.0  # that a job gets to end when it is told to

log = logging.getLogger("gradewatch.jobs")

DIED = "its process ended by itself ({how}); jobs that need more memory than there is end so"


@dataclass
class _Child:
    """A job, the process that does it, and the folder for its files, which goes when the process has ended, however.
    held: when its lease was renewed last (monotonic)."""

    job: Job
    process: subprocess.Popen[bytes]
    folder: str
    held: float


@dataclass
class Worker:
    """Does jobs of `kinds` until told to stop, `places` at once; the last place is kept for those that are not long. It
    makes the passes of the tick as well.

    command: starts the process of a job; its id, its token, the seconds of a lease and the folder for its files come
    behind it. once: end when nothing is left to do. only: the one job that it does; it is no sign of life, and makes no
    pass. poll: seconds between two looks into the queue.
    """

    store: RecordStore
    command: Sequence[str]
    kinds: Sequence[str] = tuple(JOB_KINDS)
    settings: JobSettings = field(default_factory=JobSettings)
    places: int = 2
    poll: float = 0.2
    lease: float = JOB_LEASE_SECONDS
    once: bool = False
    only: str | None = None
    name: str = field(default_factory=lambda: f"{socket.gethostname()}:{os.getpid()}:{new_id()[-4:]}")
    _children: list[_Child] = field(default_factory=list)
    _due: dict[str, float] = field(default_factory=dict)
    _away: bool = False

    def work(self, stop: threading.Event) -> None:
        """Do jobs until `stop` is set; then what is under way is put back into the queue, as if it had not begun."""
        try:
            while not stop.is_set():
                began = self._survive(self._turn)
                if self.once and not began and not self._children:
                    return
                stop.wait(LOOK_AFTER_SECONDS if self._children else self.poll)
        finally:
            for child in list(self._children):
                self._survive(lambda child=child: self._give_back(child))  # type: ignore[misc]
            if self.only is None:
                self._survive(lambda: self.store.release_lease(TICK_LEASE, self.name))

    def _turn(self) -> bool:
        """Whether a job was begun."""
        for child in list(self._children):
            self._look_after(child)
        if self.only is None and self._is_due("sign", SIGN_SECONDS):
            self.store.see_worker(self.name, self.kinds)
        if self.only is None and self._is_due("tick", TICK_SECONDS):
            self._tick()
        return self._is_due("claim", self.poll) and self._claim()

    def _tick(self) -> None:
        if self.store.try_lease(TICK_LEASE, self.name, TICK_SECONDS):
            return
        for name, error in tick(Pass(self.store, self.settings)).failed.items():
            log.warning("%s: %s", name, error)

    def _is_due(self, what: str, every: float) -> bool:
        if time.monotonic() < self._due.get(what, 0.0):
            return False
        self._due[what] = time.monotonic() + every
        return True

    def _survive(self, do: Callable[[], bool | None]) -> bool:
        """A database that is away is waited for: said once, and when it is back."""
        try:
            done = bool(do())
        except StoreUnavailable as error:
            if not self._away:
                log.warning("the database is away, trying again: %s", error)
            self._away = True
            return False
        if self._away:
            log.info("the database is back")
        self._away = False
        return done

    # One job

    def _claim(self) -> bool:
        free = self.places - len(self._children)
        if free <= 0:
            return False
        busy = free == 1 and self.places > 1 and any(JOB_KINDS[one.job.kind].long for one in self._children)
        kinds = [kind for kind in self.kinds if not (busy and JOB_KINDS[kind].long)]
        job = self.store.claim_job(kinds, self.name, self.lease, id=self.only)
        if job is None:
            return False
        self._due["claim"] = 0.0  # there may be more
        if job.cancelling:
            self._end(job, "cancelled", None)
        elif job.attempts > JOB_KINDS[job.kind].attempts:
            self._end(job, "failed", JobProblem(title="JobDied", detail=DIED.format(how="without a trace")))
        else:
            self._begin(job)
        return True

    def _begin(self, job: Job) -> None:
        folder = tempfile.mkdtemp(prefix="gradewatch-job-")
        command = [*self.command, job.id, str(job.token), str(self.lease), folder]
        own = os.environ | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), folder)  # libraries ask one or the other
        process = subprocess.Popen(  # noqa: S603 (our own command)
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env=own, start_new_session=True
        )  # a session of its own: Ctrl-C at this terminal is meant for the worker, which tells it in order
        self._children.append(_Child(job, process, folder, time.monotonic()))
        _say(job, "begun", attempt=job.attempts)

    def _look_after(self, child: _Child) -> None:
        code = child.process.poll()
        if code is not None:
            self._children.remove(child)
            self._close(child)
            self._after(child.job, code)
        elif time.monotonic() - child.held > min(HOLD_SECONDS, self.lease / 3):
            self._hold(child)

    def _hold(self, child: _Child) -> None:
        job = child.job
        try:
            told = self.store.renew_job(job.id, job.token, self.lease)
        except LostJob:
            if child.process.poll() is not None or self._has_told(job):
                return
            _say(job, "was lost: this worker stood still past its lease")
            self._stop(child)
            return
        child.held = time.monotonic()
        if told.cancelling:
            self._stop(child)
            self._end(job, "cancelled", None)

    def _has_told(self, job: Job) -> bool:
        """Whether the job's process has told its end, and is about to end itself."""
        found = self.store.job(job.id)
        return found is not None and found.token == job.token and found.state != "running"

    def _after(self, job: Job, code: int) -> None:
        """A job's process has ended: it has told how, or it died."""
        found = self.store.job(job.id)
        if found is None or found.token != job.token or found.state != "running":
            how = "is gone" if found is None else f"is {found.state}" if found.token == job.token else "was lost"
            _say(job, how)
            return
        problem = JobProblem(title="JobDied", detail=DIED.format(how=f"signal {-code}" if code < 0 else f"code {code}"))
        pause = JOB_KINDS[job.kind].pause(job.attempts)
        if found.cancelling:
            self._end(job, "cancelled", None)
        elif pause is None:
            self._end(job, "failed", problem)
        else:
            with suppress(LostJob):
                self.store.put_back_job(job.id, job.token, pause=pause, problem=problem)
                _say(job, f"died and is tried again in {pause:g} s")

    def _end(self, job: Job, state: JobState, problem: JobProblem | None) -> None:
        with suppress(LostJob):
            self.store.end_job(job.id, job.token, state, problem=problem)
            self.store.remove_blobs([file["blob"] for file in files_of(job).values()])
            _say(job, state)

    def _give_back(self, child: _Child) -> None:
        self._stop(child)
        with suppress(LostJob):  # it ended just in time
            self.store.put_back_job(child.job.id, child.job.token, counts=False)
            _say(child.job, "given back")

    def _stop(self, child: _Child) -> None:
        """End a job's process: asked first, so that it gives back what it holds, then made to."""
        child.process.terminate()
        try:
            child.process.wait(ENDING_SECONDS)
        except subprocess.TimeoutExpired:
            child.process.kill()
            child.process.wait()
        self._close(child)
        if child in self._children:
            self._children.remove(child)

    @staticmethod
    def _close(child: _Child) -> None:
        if child.process.stdin is not None:
            child.process.stdin.close()
        shutil.rmtree(child.folder, ignore_errors=True)  # what was uploaded for it must not outlive it


def _say(job: Job, what: str, **more: object) -> None:
    """A line about a job, which names it and the request that asked for it."""
    named = {"job": job.id, "kind": job.kind, "domain": job.domain, "request": job.request, **more}
    known = {name: value for name, value in named.items() if value is not None}
    log.info("%s %s", f"{job.kind} of {job.domain}" if job.domain else job.kind, what, extra={"fields": known})
