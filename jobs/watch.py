"""The process that watches a domain: looks when it is due, alone among several, and delivers alerts beside it.

A process of its own, never a worker that answers requests. What a look does is `jobs.drift_watch`'s.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta

from database.errors import StoreUnavailable
from database.records import new_id, now
from jobs.drift_watch import Plan, Say, look_and_act
from model.workspace import Workspace
from monitoring.alerts import Alert, deliver, is_waiting, post
from monitoring.channels import Channel
from retraining.run import Busy

WATCH_LEASE_SECONDS = 60.0
POLL_SECONDS = 2.0  # until the schedule, the stop sign and the outbox are looked at again


def watch_once(
    workspace: Workspace, plan: Plan, channels: Mapping[str, Channel], say: Say, *, patience: float = 30.0
) -> None:
    """One look at what is due, its consequences, and `patience` seconds for its alerts. Raises Busy."""
    with _alone(workspace, plan.domain) as holder:
        if holder is None:
            raise Busy(f"another process is watching {plan.domain}")
        look_and_act(workspace, plan, channels, threading.Event(), say, step=plan.days)
    deliver_patiently(workspace, channels, say, patience)


def watch(
    workspace: Workspace,
    plan: Plan,
    channels: Mapping[str, Channel],
    stop: threading.Event,
    say: Say,
    *,
    poll: float = POLL_SECONDS,
) -> None:
    """Look whenever it is due until `stop` is set. What was missed while nobody looked is judged first, oldest first.

    Of several processes one looks and the others stand by. A database that is away is waited for.
    """
    courier = threading.Thread(target=_carry, args=(workspace, channels, stop, say, poll), name="alerts")
    courier.start()
    try:
        while not stop.is_set():
            with _survive(say), _alone(workspace, plan.domain) as holder:
                while holder and holder.alive and not stop.is_set():
                    look_and_act(workspace, plan, channels, stop, say)
                    stop.wait(poll)
            stop.wait(poll)
    finally:
        stop.set()
        courier.join()


@contextmanager
def _survive(say: Say) -> Iterator[None]:
    try:
        yield
    except StoreUnavailable as error:
        say(f"the database is away, trying again: {error}")


class _Holder:
    """A lease that renews itself in the background until it is lost or given back."""

    def __init__(self, workspace: Workspace, name: str) -> None:
        self._workspace, self._name, self._id = workspace, name, new_id()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)
        self.alive = workspace.store.try_lease(name, self._id, WATCH_LEASE_SECONDS) is None
        if self.alive:
            self._thread.start()

    def _renew(self) -> None:
        while not self._end.wait(WATCH_LEASE_SECONDS / 3):
            try:
                self.alive = self._workspace.store.try_lease(self._name, self._id, WATCH_LEASE_SECONDS) is None
            except StoreUnavailable:
                self.alive = False
            if not self.alive:
                return

    def release(self) -> None:
        self._end.set()
        if self._thread.is_alive():
            self._thread.join()
        self._workspace.store.release_lease(self._name, self._id)


@contextmanager
def _alone(workspace: Workspace, domain: str) -> Iterator[_Holder | None]:
    """The watch of a domain to oneself; None where another process has it."""
    holder = _Holder(workspace, f"watch:{domain}")
    try:
        yield holder if holder.alive else None
    finally:
        holder.release()


def _carry(workspace: Workspace, channels: Mapping[str, Channel], stop: threading.Event, say: Say, poll: float) -> None:
    """Deliver what is due, beside the watch, so that a slow receiver holds nothing up."""
    while not stop.wait(poll):
        with _survive(say):
            _tell_deliveries(workspace, channels, say)


def _tell_deliveries(workspace: Workspace, channels: Mapping[str, Channel], say: Say) -> None:
    for one in deliver(workspace.store, channels):
        error = f": {one.error}" if one.error else ""
        say(f"alert {one.alert.id[:8]} by {one.kind} to {one.to}: {one.state}{error}")


def deliver_patiently(workspace: Workspace, channels: Mapping[str, Channel], say: Say, seconds: float) -> None:
    """Deliver what is due, and try again for `seconds` what was not taken."""
    ends, pause = now() + timedelta(seconds=seconds), threading.Event()
    _tell_deliveries(workspace, channels, say)
    while is_waiting(workspace.store, channels) and now() < ends:
        pause.wait(0.5)
        _tell_deliveries(workspace, channels, say)
    if is_waiting(workspace.store, channels):
        say("some alerts wait for the next run")


def post_test(workspace: Workspace, channels: Mapping[str, Channel]) -> None:
    """Put a test message into the outbox of every channel."""
    at = now()
    about = f"test {at.isoformat()}"
    text = "This is a test of the alerts of Gradewatch. Nothing has happened.\n"
    body = {"kind": "test", "at": at.isoformat(), "summary": "a test: nothing has happened"}
    alert = Alert(about=about, domain="", subject="[gradewatch] test", text=text, body=body, at=at)
    post(workspace.store, [alert], channels)
