"""Retraining runs in processes of their own, so that a serving process never imports what training needs.

A run's start and end are events in the store: every worker, and whoever comes later, can read what became of it.
How a run decides is not known here.
"""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from datetime import datetime
from typing import Any, Literal

from api.schemas import Retrain, RetrainingRun
from database.errors import StoreUnavailable
from database.records import Event, new_id, now
from database.store import RecordStore
from errors import Category, GradewatchError
from settings import Settings

STARTED, FINISHED = "retraining_started", "retraining_finished"
BUSY = 75  # exit code of the command line: another run has the domain (sysexits.h, EX_TEMPFAIL)
LAST_WORDS = 4_000  # characters of a run's output that are kept
MOST_DECISIONS = 100  # of one run that are told
PATIENCE = 10.0  # seconds that a run gets to stop when the service does

log = logging.getLogger("gradewatch.api")

State = Literal["running", "finished", "failed", "busy", "stopped"]


class Busy(GradewatchError):
    """This service is retraining the domain already."""

    category = Category.CONFLICT
    retry_after = 30


class Jobs:
    """The retraining runs that this process started. Stop it to end them."""

    def __init__(self, settings: Settings, store: RecordStore) -> None:
        self._settings = settings
        self._store = store
        self._busy: set[str] = set()  # domains that are being retrained, or will be in a moment
        self._processes: set[Process] = set()
        self._waiting: set[asyncio.Task[None]] = set()
        self._stopping = False

    async def start(self, domain: str, wanted: Retrain) -> RetrainingRun:
        """Start a run. Raises Busy while this process has one of the domain, StoreUnavailable."""
        if domain in self._busy:
            raise Busy(f"{domain} is being retrained; wait for that run to finish")
        self._busy.add(domain)
        try:
            return await self._start(domain, wanted)
        except BaseException:
            self._busy.discard(domain)
            raise

    async def _start(self, domain: str, wanted: Retrain) -> RetrainingRun:
        job, at = new_id(), now()
        event = Event(id=new_id(), kind=STARTED, at=at, domain=domain, details={"run": job})
        await asyncio.to_thread(self._store.add_event, event)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "retraining.pipeline", *_options(domain, wanted)),
            env=os.environ | _environment(self._settings),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=PIPE,
            stderr=STDOUT,
            start_new_session=True,  # Ctrl-C at the service's terminal is not meant for it
        )
        log.info("retraining started", extra={"fields": {"domain": domain, "run": job}})
        self._processes.add(process)
        task = asyncio.create_task(self._wait(domain, job, at, process))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)
        return RetrainingRun(id=job, domain=domain, state="running", started=at)

    async def _wait(self, domain: str, job: str, began: datetime, process: Process) -> None:
        try:
            output, _ = await process.communicate()
        finally:
            self._processes.discard(process)
            self._busy.discard(domain)
        code = process.returncode
        words = output.decode(errors="replace")[-LAST_WORDS:]
        details: dict[str, Any] = {"run": job, "state": _state(code), "exit_code": code}
        if self._stopping:
            details["state"] = "stopped"
        try:
            details["decisions"] = await asyncio.to_thread(self._decided, domain, began)
            event = Event(id=new_id(), kind=FINISHED, at=now(), domain=domain, details=details | {"words": words})
            await asyncio.to_thread(self._store.add_event, event)
        except StoreUnavailable:  # the decision itself is stored by the run
            log.warning("the end of a retraining run could not be recorded", extra={"fields": {"run": job}})
        log.info("retraining ended", extra={"fields": {"domain": domain, **details}})

    def _decided(self, domain: str, since: datetime) -> list[str]:
        """What was decided in a domain since then, oldest first, in a few words each."""
        decisions = self._store.decisions(domain, limit=MOST_DECISIONS)
        return [f"{one.target}@{one.moment}: {one.verdict}" for one in reversed(decisions) if one.at >= since]

    async def stop(self) -> None:
        """Ask every run to stop, as Ctrl-C does, so that it gives back its lease; wait, then insist."""
        self._stopping = True
        for process in self._processes:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGINT)
        if not self._waiting:
            return
        _, late = await asyncio.wait(self._waiting, timeout=PATIENCE)
        for process in list(self._processes) if late else ():
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        if late:
            await asyncio.wait(late)


def _environment(settings: Settings) -> dict[str, str]:
    """The settings that a run needs, as it reads them: the same installation, wherever these came from."""
    return {
        "GRADEWATCH_DATA_DIR": str(settings.data_dir),
        "GRADEWATCH_DATABASE_URL": settings.database_url,
        "GRADEWATCH_PSEUDONYM_SECRET": settings.secret().decode(),
        "GRADEWATCH_WINDOW": str(settings.window),
        "MONGO_POOL_SIZE": str(settings.mongo_pool_size),
        **({"GRADEWATCH_DOMAINS_DIR": str(settings.domains_dir)} if settings.domains_dir else {}),
    }


def _options(domain: str, wanted: Retrain) -> list[str]:
    options = ["--domain", domain]
    options += ["--target", wanted.target] if wanted.target else []
    options += ["--moment", wanted.moment] if wanted.moment else []
    return options + (["--dry-run"] if wanted.dry_run else [])


def _state(code: int | None) -> State:
    return "finished" if code == 0 else "busy" if code == BUSY else "failed"


def runs(store: RecordStore, domain: str, *, limit: int) -> list[RetrainingRun]:
    """The newest runs of a domain, newest first, whichever process started them."""
    ended = {event.details["run"]: event for event in store.events(domain, kind=FINISHED, limit=limit)}
    started = store.events(domain, kind=STARTED, limit=limit)
    return [_run(event, ended.get(event.details["run"])) for event in started]


def _run(started: Event, ended: Event | None) -> RetrainingRun:
    said: Any = ended.details if ended else {}
    return RetrainingRun(
        id=started.details["run"],
        domain=started.domain or "",
        state=said.get("state", "running"),
        started=started.at,
        finished=ended.at if ended else None,
        exit_code=said.get("exit_code"),
        words=said.get("words", ""),
    )
