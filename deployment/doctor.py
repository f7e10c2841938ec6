"""`gradewatch doctor`: is this installation fit to work, as seen from this machine? One finding for each thing, with a
remedy where something is wrong.

It mends nothing. It opens the database as every command does, and asks the servers that the settings name.
"""

import os
import re
import shutil
import socket
import ssl
import stat
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from urllib.parse import urlsplit

from clock import now
from database.kafka import KafkaTopic
from database.open import is_log_whole
from database.store import RecordStore
from database.streams import StreamGone
from deployment.security import Finding
from errors import Category, GradewatchError, MissingExtra
from jobs.event_streams import streams_by
from jobs.queue import SEEN_SECONDS
from model.workspace import Workspace
from settings import OFF, Settings

LOCK = Path(__file__).resolve().parents[1] / "requirements.lock"
LEAST_FREE = 1 << 30  # bytes on the disk of the data folder: a day of a busy service, and room to act
MOST_SKEW = 5.0  # seconds between two machines' clocks; half of what an access token's check allows
CERTIFICATE_NOTICE = timedelta(days=14)  # before a certificate ends
SERVER_ANSWER_SECONDS = 5.0
MOST_WAITING = 10_000  # events of a topic: some seconds of a consumer's work
ANY_TOPIC = "gradewatch-events"  # to ask a broker by which nothing has come yet
NAMED_AT_ONCE = 3
OTHERS_MAY = stat.S_IRWXG | stat.S_IRWXO


class NoSuchCheck(GradewatchError):
    """A thing that is not looked at; the message says what is."""

    category = Category.MISUSED


@dataclass(frozen=True)
class Examined:
    """What is looked at; opened when the first look needs it. Close it."""

    settings: Settings

    @property
    def file(self) -> Path | None:
        """Of an embedded database."""
        url = self.settings.database_url
        return Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite:///") else None

    @cached_property
    def workspace(self) -> Workspace:
        return self.settings.open_workspace()

    @cached_property
    def store(self) -> RecordStore:
        """Of the workspace where that is open already, else alone: a worker's look costs no more."""
        return self.workspace.store if "workspace" in self.__dict__ else self.settings.open_store()

    def close(self) -> None:
        for one in ("store", "workspace"):
            if one in self.__dict__:
                self.__dict__[one].close()


Look = Callable[[Examined], Iterator[Finding]]


def examine(settings: Settings, only: Sequence[str] = ()) -> Iterator[Finding]:
    """What is found of each thing, in order; of `only` these. Raises NoSuchCheck."""
    if unknown := set(only) - THINGS_EXAMINED.keys():
        raise NoSuchCheck(f"nothing is called {', '.join(sorted(unknown))}; there are: {', '.join(THINGS_EXAMINED)}")
    examined = Examined(settings)
    try:
        for name in only or [name for name in THINGS_EXAMINED if name not in ON_REQUEST]:
            try:
                yield from THINGS_EXAMINED[name](examined)
            except (GradewatchError, OSError) as error:
                yield Finding(name, False, str(error), ADVICE.get(name, "see what it says"))
    finally:
        examined.close()


def look_at_settings(examined: Examined) -> Iterator[Finding]:
    """Whether they open nothing to strangers, and what they name can be used."""
    settings = examined.settings
    from advice.catalogue import load_catalogue
    from preprocessing.schema import load_domains

    settings.require_safe(None)
    channels, domains = settings.channels(), load_domains(settings.domains_dir)
    load_catalogue(settings.study_catalogue)
    told = f"alerts go to {len(channels)} receivers" if channels else "nobody is sent alerts"
    reading = ", only reads" if settings.read_only != OFF else ""
    yield Finding(
        "settings", True, f"{settings.environment}, sign-in {settings.auth}{reading}, {len(domains)} domains, {told}"
    )


def look_at_database(examined: Examined) -> Iterator[Finding]:
    """Whether it answers, and how fast."""
    if (file := examined.file) is not None and not file.exists():
        yield Finding("database", False, f"{file} is not there", "run `gradewatch setup`, or restore a backup")
        return
    examined.store.ping()
    began = time.perf_counter()
    examined.store.ping()
    kind = urlsplit(url := examined.settings.database_url).scheme
    took = (time.perf_counter() - began) * 1e3
    waits = "; its log is in one table yet: gradewatch database partition" if is_log_whole(url) else ""
    yield Finding("database", True, f"{kind} answers in {took:.1f} ms{waits}")


def look_at_artifacts(examined: Examined) -> Iterator[Finding]:
    """Whether the files of every champion can be had here."""
    from retraining.missing import missing_champions, unservable

    if (file := examined.file) is not None and not file.exists():
        return
    broken, champions = unservable(examined.workspace), examined.workspace.store.champions()
    lacking = [schema.name for schema in missing_champions(examined.workspace)]
    if broken:
        told = "; ".join(f"{key}: {why}" for key, why in list(broken.items())[:NAMED_AT_ONCE])
        yield Finding("artifacts", False, told, ADVICE["artifacts"])
    else:
        without = f"; none in {', '.join(lacking)}" if lacking else ""
        advice = "train one: gradewatch train, or gradewatch setup"
        yield Finding("artifacts", bool(champions), f"{len(champions)} champions have their files{without}", advice)


def look_at_redis(examined: Examined) -> Iterator[Finding]:
    """Whether what is shared through Redis, and Celery's broker, answer."""
    settings = examined.settings
    for name, url in (("redis", settings.redis_url), ("broker", settings.celery_url)):
        if url is None:
            yield Finding(name, True, "not used")
            continue
        from database.redis import SharedMemory

        shared = SharedMemory(url.get_secret_value(), secret=b"", patience=SERVER_ANSWER_SECONDS)
        try:
            answers = shared.ask([("PING",)]) is not None
        finally:
            shared.close()
        where = urlsplit(url.get_secret_value()).hostname or "its socket"
        yield Finding(name, answers, f"{where} {'answers' if answers else 'does not answer'}", ADVICE["redis"])


def look_at_kafka(examined: Examined) -> Iterator[Finding]:
    """Whether the broker of events answers, has the topics that they come by, and how much waits there."""
    url = examined.settings.kafka_url
    if url is None:
        yield Finding("kafka", True, "not used")
        return
    where, known = f"{urlsplit(url.get_secret_value()).hostname} answers", streams_by(examined.store, "kafka")
    told, wrong = list[str](), list[str]()
    for domain, name in known or [("", ANY_TOPIC)]:
        try:
            with closing(KafkaTopic(url.get_secret_value(), name)) as topic:
                lag = topic.lag()
        except (StreamGone, MissingExtra) as error:
            yield Finding("kafka", False, str(error), ADVICE["kafka"])
            return
        if lag is None:
            told += [f"there is no topic {name}"] if domain else ["no events have come by it yet"]
            wrong += [f"make the topic {name}, or correct its name where events are consumed"] if domain else []
        else:
            told.append(f"{lag:,} events wait in {name}")
            wrong += [_consume(domain, name)] if lag > MOST_WAITING else []
    yield Finding("kafka", not wrong, "; ".join([where, *told]), "; ".join(wrong))


def _consume(domain: str, name: str) -> str:
    return f"start consumers, or more: gradewatch observations consume -d {domain} --broker kafka --stream {name}"


def look_at_clocks(examined: Examined) -> Iterator[Finding]:
    """Whether this machine's clock is the database's, and nothing kept is of a time to come."""
    ahead = [event.at - now() for event in examined.store.events(limit=1)]
    newest = max((one.total_seconds() for one in ahead), default=0.0)
    seen = examined.store.workers()
    skew = (seen[0].at + timedelta(seconds=seen[0].ago) - now()).total_seconds() if seen else 0.0
    safe = abs(skew) <= MOST_SKEW and newest <= MOST_SKEW
    compared = f"the database's is {skew:+.1f} s from this machine's" if seen else "no worker was seen to compare with"
    told = f"{compared}; the newest event is {newest:.0f} s ahead" if newest > MOST_SKEW else compared
    yield Finding("clocks", safe, told, "set both by NTP (timedatectl set-ntp true): tokens and windows go by them")


def look_at_disk(examined: Examined) -> Iterator[Finding]:
    """Whether there is room: to go on, and for a backup's copy of an embedded database."""
    settings, file = examined.settings, examined.file
    place = settings.data_dir if settings.data_dir.is_dir() else Path()
    free = shutil.disk_usage(place).free
    needed = max(LEAST_FREE, file.stat().st_size if file is not None and file.exists() else 0)
    advice = "make room, or move GRADEWATCH_DATA_DIR: what cannot be kept is refused (503)"
    yield Finding("disk", free >= needed, f"{free / 1e9:.1f} GB free, {needed / 1e9:.1f} GB wanted", advice)


def look_at_permissions(examined: Examined) -> Iterator[Finding]:
    """Whether others of this machine may read what is its owner's alone."""
    data = examined.settings.data_dir
    places = [path for path in (data, data / "pseudonym.secret", Path(".env")) if path.exists()]
    open_to_others = [path for path in places if os.name == "posix" and path.stat().st_mode & OTHERS_MAY]
    if open_to_others:
        told = ", ".join(f"{path} ({stat.S_IMODE(path.stat().st_mode):o})" for path in open_to_others)
        yield Finding(
            "permissions", False, f"others may read {told}", f"chmod go-rwx {' '.join(map(str, open_to_others))}"
        )
    elif data.exists() and not os.access(data, os.W_OK):
        yield Finding("permissions", False, f"{data} cannot be written", "give it to the user that runs this (chown)")
    else:
        yield Finding("permissions", True, f"{data} is its owner's alone")


def look_at_versions(_: Examined) -> Iterator[Finding]:
    """Whether packages are those that the tests ran with."""
    here = f"gradewatch {version('gradewatch')}, Python {sys.version.split()[0]}"
    if not LOCK.exists():
        yield Finding("versions", True, f"{here}; no lock lies here to compare with")
        return
    others = sorted(_other_versions(LOCK.read_text(encoding="utf-8")))
    told = f"{here}; other than in the lock: {', '.join(others[:NAMED_AT_ONCE])}" if others else f"{here}, as locked"
    yield Finding("versions", not others, told, "pip install --require-hashes -r requirements.lock")


def _other_versions(lock: str) -> Iterator[str]:
    """Packages that are here in a version that the lock has for no Python and platform."""
    locked: dict[str, list[str]] = {}
    for name, pinned in re.findall(r"^([\w.-]+)==([^\s;]+)", lock, re.MULTILINE):
        locked.setdefault(name, []).append(pinned)
    for name, pins in locked.items():
        with suppress(PackageNotFoundError):  # of another platform, or of the dashboard
            if (found := version(name)) not in pins:
                yield f"{name} {found} (locked: {' or '.join(pins)})"


def look_at_certificates(examined: Examined) -> Iterator[Finding]:
    """How long those of the addresses hold that people and alerts use."""
    settings = examined.settings
    for url in (settings.dashboard_url, settings.alert_webhook.get_secret_value()):
        parts = urlsplit(url)
        if parts.scheme == "https" and parts.hostname:
            yield _certificate(parts.hostname, parts.port or 443)


def _certificate(host: str, port: int) -> Finding:
    try:
        with (
            socket.create_connection((host, port), timeout=SERVER_ANSWER_SECONDS) as connection,
            ssl.create_default_context().wrap_socket(connection, server_hostname=host) as secure,
        ):
            told = secure.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        return Finding("certificate", False, f"{host}: {error.verify_message}", ADVICE["certificate"])
    except OSError as error:
        return Finding("certificate", False, f"{host} cannot be reached: {error}", "see whether it runs")
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(told["notAfter"])), UTC)
    return Finding(
        "certificate", ends - now() > CERTIFICATE_NOTICE, f"{host}: until {ends:%Y-%m-%d}", ADVICE["certificate"]
    )


def look_at_workers(examined: Examined) -> Iterator[Finding]:
    """Whether any lives, where jobs wait for one."""
    living = [one for one in examined.store.workers() if one.ago < SEEN_SECONDS]
    waiting = len(examined.store.jobs(states=("waiting",)))
    advice = "start one (gradewatch worker), or run `gradewatch tick` every five minutes"
    yield Finding("workers", bool(living) or not waiting, f"{len(living)} live, {waiting} jobs wait", advice)


def look_at_own_worker(examined: Examined) -> Iterator[Finding]:
    """Whether a worker of this very machine lives: what a container's health is asked by. One that may keep nothing
    gives no sign of life, and is left alone."""
    if examined.settings.read_only != OFF:
        yield Finding("worker", True, "takes no job: this installation only reads")
        return
    name = socket.gethostname()
    ages = [one.ago for one in examined.store.workers() if one.id.rpartition(":")[0].rpartition(":")[0] == name]
    told = f"last seen {min(ages):.0f} s ago on {name}" if ages else f"none was seen on {name}"
    yield Finding(
        "worker", any(age < SEEN_SECONDS for age in ages), told, "restart it: its jobs are put back by themselves"
    )


THINGS_EXAMINED: Mapping[str, Look] = {
    "settings": look_at_settings,
    "database": look_at_database,
    "artifacts": look_at_artifacts,
    "redis": look_at_redis,
    "kafka": look_at_kafka,
    "clocks": look_at_clocks,
    "disk": look_at_disk,
    "permissions": look_at_permissions,
    "versions": look_at_versions,
    "certificates": look_at_certificates,
    "workers": look_at_workers,
    "worker": look_at_own_worker,
}
"""What is looked at, by name."""

ON_REQUEST = frozenset({"worker"})
"""Of these what is looked at when it is asked for by name."""

ADVICE = {
    "settings": "correct it in the environment or .env; docs/reference/settings.md has them all",
    "database": "start it, or correct GRADEWATCH_DATABASE_URL: until it answers nothing is predicted",
    "artifacts": "run `gradewatch setup` where the models lie, or `gradewatch models rollback`, or restore a backup",
    "redis": "start it: until then each process counts and remembers for itself",
    "kafka": "start it, or correct GRADEWATCH_KAFKA_URL: until then events wait where they are made",
    "certificate": "renew it, and have the proxy read the new one",
    "clocks": "see the database's line",
    "workers": "see the database's line",
    "worker": "see whether the database answers",
}
"""What to do where a look found nothing better to say."""
