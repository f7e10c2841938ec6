"""Alerts on changes of state: kept in the store first, sent from there, each once per channel as far as can be had.

An alert that was sent but not yet marked when the process was killed is sent again, under the same id. No alert holds
student data: column names, verdicts and counts only. How a channel sends is `monitoring.channels`'s.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from clock import now
from database.errors import Conflict
from database.records import Document, digest
from database.store import Documents
from monitoring.channels import Channel, Message, NotDelivered

if TYPE_CHECKING:
    from model.pauses import Pause

ALERT_KIND = "alert"
CLAIM = timedelta(seconds=60)  # longer than a try can take; a sender that died is out of the way after that
FIRST_RETRY, LONGEST_RETRY = timedelta(seconds=5), timedelta(hours=1)
GIVE_UP = timedelta(days=3)
REMEMBERED = timedelta(days=400)
TROUBLED, SEVERAL = timedelta(days=30), 3  # how long something not taken is told as such, and after how many tries

State = Literal["waiting", "sent", "given up"]


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """Something to tell. about: the same for the same occurrence, so that it is told once however often it is found."""

    about: str
    domain: str
    subject: str
    text: str
    body: Mapping[str, Any]
    at: datetime

    @property
    def id(self) -> str:
        return digest([self.domain, self.about])


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """An alert on its way through one channel. next: when it may be tried (again); error: of the last try; final: it
    was given up at once, because trying again would not have helped."""

    alert: Alert
    channel: str
    to: str
    state: State = "waiting"
    attempts: int = 0
    next: datetime
    sent: datetime | None = None
    error: str = ""
    final: bool = False

    @property
    def kind(self) -> str:
        """What sort of channel it is: webhook or email."""
        return self.channel.split()[0]


def post(store: Documents, alerts: Sequence[Alert], channels: Mapping[str, Channel]) -> int:
    """Put every alert into the outbox, once for each channel; how many are new. One that is there already stays."""
    new = 0
    for alert in alerts:
        for channel in channels.values():
            delivery = Delivery(alert=alert, channel=channel.name, to=channel.to, next=alert.at)
            document = _document(f"{alert.id}:{channel.name}", 1, delivery)
            with suppress(Conflict):
                store.put_document(document)
                new += 1
    return new


def deliver(store: Documents, channels: Mapping[str, Channel], *, at: datetime | None = None) -> list[Delivery]:
    """Try everything that is due, oldest first; the deliveries that were tried, as they stand now.

    What a channel has not taken holds back what came after it, so that nobody reads the end before the beginning. What
    waits for a channel that is no longer set is given up after three days as well.
    """
    tried, blocked = [], set[str]()
    for document, delivery in _outbox(store, (at or now()) - 10 * GIVE_UP):
        moment = at or now()  # trying takes long: a claim counts from when it is made
        if delivery.state != "waiting" or delivery.channel in blocked:
            continue
        if delivery.channel not in channels:
            tried += _abandon(store, document, delivery, moment)
            continue
        due = delivery.next <= moment
        done = _try(store, document, delivery, channels[delivery.channel], moment) if due else None
        if done is None or done.state == "waiting":
            blocked.add(delivery.channel)
        tried += [done] if done else []
    return tried


def deliveries(store: Documents, *, domain: str | None = None, limit: int = 50) -> list[Delivery]:
    """What was or will be sent, newest first."""
    found = [delivery for _, delivery in _outbox(store, now() - REMEMBERED) if domain in (None, delivery.alert.domain)]
    return found[::-1][:limit]


def troubled_deliveries(store: Documents, at: datetime) -> dict[str, list[Delivery]]:
    """What channels have not taken, by channel, oldest first: given up, or refused SEVERAL times, and nothing sent
    there since."""
    found: dict[str, list[Delivery]] = {}
    for _, one in _outbox(store, at - TROUBLED):
        if one.state == "sent":
            found.pop(one.channel, None)
        elif one.state == "given up" or one.attempts >= SEVERAL:
            found.setdefault(one.channel, []).append(one)
    return found


def sweep(store: Documents, *, at: datetime | None = None) -> int:
    """Forget what was settled more than 400 days ago; how many."""
    before = (at or now()) - REMEMBERED
    return sum(store.remove_document(ALERT_KIND, one.name) for one in store.documents(ALERT_KIND, until=before))


def is_waiting(store: Documents, channels: Mapping[str, Channel]) -> bool:
    """Whether anything for one of `channels` has not been taken yet."""
    found = _outbox(store, now() - 10 * GIVE_UP)
    return any(delivery.state == "waiting" and delivery.channel in channels for _, delivery in found)


def next_delivery(store: Documents) -> datetime | None:
    """When the outbox is to be looked at again; None where nothing waits."""
    first: dict[str, datetime] = {}
    for _, delivery in _outbox(store, now() - 10 * GIVE_UP):
        if delivery.state == "waiting":
            first.setdefault(delivery.channel, delivery.next)  # it holds back what came after it
    return min(first.values(), default=None)


def deliver_patiently(
    store: Documents, channels: Mapping[str, Channel], say: Callable[[str], None], seconds: float
) -> None:
    """Deliver what is due, and try again for `seconds` what was not taken."""
    ends, pause = now() + timedelta(seconds=seconds), threading.Event()
    _tell_deliveries(store, channels, say)
    while is_waiting(store, channels) and now() < ends:
        pause.wait(0.5)
        _tell_deliveries(store, channels, say)
    if is_waiting(store, channels):
        say("some alerts wait for the next try")


def _tell_deliveries(store: Documents, channels: Mapping[str, Channel], say: Callable[[str], None]) -> None:
    for one in deliver(store, channels):
        error = f": {one.error}" if one.error else ""
        say(f"alert {one.alert.id[:8]} by {one.kind} to {one.to}: {one.state}{error}")


def post_pause(store: Documents, made: "Pause", channels: Mapping[str, Channel]) -> None:
    """Tell that answers are paused."""
    from model.pauses import EVERY_DOMAIN  # with what answers, which a worker that waits does without

    domain = "" if made.domain == EVERY_DOMAIN else made.domain
    where = domain or "every domain"
    body = {
        "kind": "pause",
        "at": made.at.isoformat(),
        "summary": f"{where}: answers are paused",
        "reason": made.reason,
    }
    text = f"{where}: {made}\nBy {made.actor}. gradewatch pause resume ends it.\n"
    about = f"pause {made.at.isoformat()}"
    subject = f"[gradewatch] {where}: answers are paused"
    post(store, [Alert(about=about, domain=domain, subject=subject, text=text, body=body, at=made.at)], channels)


def post_test(store: Documents, channels: Mapping[str, Channel]) -> None:
    """Put a test message into the outbox of every channel."""
    at = now()
    about = f"test {at.isoformat()}"
    text = "This is a test of the alerts of Gradewatch. Nothing has happened.\n"
    body = {"kind": "test", "at": at.isoformat(), "summary": "a test: nothing has happened"}
    alert = Alert(about=about, domain="", subject="[gradewatch] test", text=text, body=body, at=at)
    post(store, [alert], channels)


def _outbox(store: Documents, since: datetime) -> list[tuple[Document, Delivery]]:
    documents = store.documents(ALERT_KIND, since=since)
    found = [(document, msgspec.convert(document.body, Delivery)) for document in documents]
    return sorted(found, key=lambda one: (one[1].alert.at, one[0].name))


def _try(store: Documents, document: Document, delivery: Delivery, channel: Channel, at: datetime) -> Delivery | None:
    """One try, claimed first so that no other sender makes it too; None where another has claimed it."""
    claimed = msgspec.structs.replace(delivery, attempts=delivery.attempts + 1, next=at + CLAIM)
    try:
        store.put_document(_document(document.name, document.revision + 1, claimed))
    except Conflict:
        return None
    alert = delivery.alert
    try:
        channel.send(Message(alert.id, alert.subject, alert.text, alert.body), at)
        done = msgspec.structs.replace(claimed, state="sent", sent=at, error="")
    except NotDelivered as failure:
        over = failure.final or at - alert.at > GIVE_UP
        pause = min(LONGEST_RETRY, FIRST_RETRY * 2 ** min(20, delivery.attempts))
        state: State = "given up" if over else "waiting"
        done = msgspec.structs.replace(claimed, state=state, next=at + pause, error=str(failure), final=failure.final)
    with suppress(Conflict):  # someone else took the claim for lapsed: it is sent twice then, under one id
        store.put_document(_document(document.name, document.revision + 2, done))
    return done


def _abandon(store: Documents, document: Document, delivery: Delivery, at: datetime) -> list[Delivery]:
    """The delivery given up, if it has waited for too long for someone who is no receiver any more."""
    if at - delivery.alert.at <= GIVE_UP:
        return []
    given_up = msgspec.structs.replace(delivery, state="given up", error="no longer among the channels that are set")
    with suppress(Conflict):
        store.put_document(_document(document.name, document.revision + 1, given_up))
    return [given_up]


def _document(name: str, revision: int, delivery: Delivery) -> Document:
    alert = delivery.alert
    body = msgspec.to_builtins(delivery)
    return Document(kind=ALERT_KIND, name=name, revision=revision, body=body, at=alert.at, domain=alert.domain)
