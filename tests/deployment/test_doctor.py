"""The doctor finds nothing in an installation that is well, and each fault by its name, with what to do."""

import datetime as dt
import shutil
import ssl
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from socket import socket
from threading import Thread
from typing import Any

import pytest
from msgspec.structs import replace

from clock import now
from database.open import open_store
from deployment import doctor
from deployment.doctor import NoSuchCheck, examine
from deployment.security import Finding
from jobs.event_streams import note_stream, open_stream
from settings import Settings
from tests.api.conftest import train_all
from tests.api.serving import SECRET
from tests.certificates import make_certificate
from tests.command import run_command
from tests.database.making import make_event, make_job
from tests.kafka_server import KafkaServer

NAMES = [name for name in doctor.THINGS_EXAMINED if name not in (*doctor.ON_REQUEST, "certificates")]


@pytest.fixture
def data(prepared: Callable[..., Path], tmp_path: Path) -> Path:
    """An installation with champions, of the test's own."""
    folder = Path(shutil.copytree(prepared("service", train_all), tmp_path / "data"))
    folder.chmod(0o700)
    return folder


def found(data: Path, *only: str, **given: Any) -> dict[str, Finding]:
    usual = {"data_dir": data, "pseudonym_secret": SECRET, "database_url": f"sqlite:///{data / 'gradewatch.db'}"}
    return {one.check: one for one in examine(Settings(**{**usual, **given}), only)}


def test_of_an_installation_that_is_well_every_line_says_so(data: Path) -> None:
    done = run_command(data, "doctor", GRADEWATCH_PSEUDONYM_SECRET=SECRET)
    lines = [line.split()[:2] for line in done.stdout.splitlines()]
    assert lines == [["ok", name] for name in [*NAMES[:4], "broker", *NAMES[4:]]], done.stdout + done.stderr
    assert done.returncode == 0


def lose_a_model(data: Path) -> None:
    for file in (data / "models").glob("*/*.onnx"):
        file.write_bytes(b"")


def keep(data: Path, change: Callable[[Any], object]) -> None:
    store = open_store(f"sqlite:///{data / 'gradewatch.db'}")
    change(store)
    store.close()


FAULTS: dict[str, tuple[str, Callable[[Path], object], dict[str, Any], str]] = {
    "no database": ("database", lambda data: (data / "gradewatch.db").unlink(), {}, "gradewatch setup"),
    "database gone": (
        "database",
        lambda _: None,
        {"database_url": "postgresql://127.0.0.1:9/x"},
        "GRADEWATCH_DATABASE_URL",
    ),
    "bad champion": ("artifacts", lose_a_model, {}, "rollback"),
    "secret lost": ("artifacts", lambda _: None, {"pseudonym_secret": "another one, long enough"}, ""),
    "Redis gone": ("redis", lambda _: None, {"redis_url": "redis://127.0.0.1:9"}, "start it"),
    "Kafka gone": ("kafka", lambda _: None, {"kafka_url": "kafka://127.0.0.1:9"}, "GRADEWATCH_KAFKA_URL"),
    "broker gone": ("broker", lambda _: None, {"celery_url": "redis://127.0.0.1:9"}, "start it"),
    "clock wrong": (
        "clocks",
        lambda data: keep(data, lambda store: store.add_event(replace(make_event(), at=now() + dt.timedelta(hours=1)))),
        {},
        "NTP",
    ),
    "read by others": ("permissions", lambda data: data.chmod(0o755), {}, "chmod go-rwx"),
    "nobody works": (
        "workers",
        lambda data: keep(data, lambda store: store.add_job(make_job())),
        {},
        "gradewatch worker",
    ),
    "open to all": ("settings", lambda _: None, {"environment": "production"}, "settings.md"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_found_by_name_with_what_to_do(fault: str, data: Path) -> None:
    name, spoil, given, remedy = FAULTS[fault]
    spoil(data)
    one = found(data, **given)[name]
    assert not one.safe
    assert remedy in one.advice


@pytest.fixture
def kafka() -> Iterator[KafkaServer]:
    """A broker of Kafka's protocol."""
    server = KafkaServer()
    yield server
    server.stop()


def test_what_waits_in_a_topic_is_counted_and_a_topic_that_is_not_there_is_named(
    data: Path, kafka: KafkaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"kafka_url": kafka.url}
    assert found(data, "kafka", **asked)["kafka"] == Finding(
        "kafka", True, "127.0.0.1 answers; no events have come by it yet"
    )
    kafka.make_topic("events", 2)
    kafka.send("events", [b"{}"] * 5, partitions=[0, 1, 0, 1, 0])
    keep(data, lambda store: note_stream(store, "k12", "kafka", "events"))
    told = found(data, "kafka", **asked)["kafka"]
    assert told.safe
    assert "5 events wait in events" in told.found
    with closing(open_stream({"kafka": kafka.url}, "kafka", "events")) as topic:
        topic.acknowledge(topic.take(10, 30)[:2])
    monkeypatch.setattr(doctor, "MOST_WAITING", 2)
    told = found(data, "kafka", **asked)["kafka"]
    assert not told.safe
    assert "--stream events" in told.advice
    keep(data, lambda store: note_stream(store, "k12", "kafka", "elsewhere"))
    assert "make the topic elsewhere" in found(data, "kafka", **asked)["kafka"].advice


def test_a_full_disk_and_other_packages_are_found(data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(doctor, "LEAST_FREE", 1 << 60)
    monkeypatch.setattr(doctor, "LOCK", tmp_path / "other.lock")
    doctor.LOCK.write_text("numpy==0.1 \\\n    --hash=sha256:00\n")
    told = found(data, "disk", "versions")
    assert not told["disk"].safe
    assert not told["versions"].safe
    assert "numpy" in told["versions"].found


def test_a_worker_that_may_keep_nothing_is_not_called_dead(data: Path) -> None:
    assert not found(data, "worker")["worker"].safe
    assert found(data, "worker", read_only="on")["worker"].safe


def test_what_is_not_looked_at_is_said(data: Path) -> None:
    with pytest.raises(NoSuchCheck, match="database"):
        found(data, "weather")


@pytest.fixture
def expired(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The port of a server whose certificate this machine trusts, and which ended yesterday."""
    certificate, key = make_certificate(tmp_path, until_days=-1)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen()

        def answer() -> None:
            caller, _ = door.accept()
            try:
                context.wrap_socket(caller, server_side=True).close()
            except OSError:
                caller.close()

        answering = Thread(target=answer, daemon=True)
        answering.start()
        yield int(door.getsockname()[1])
        answering.join(5)


def test_a_certificate_that_has_ended_is_found(data: Path, expired: int) -> None:
    told = found(data, "certificates", dashboard_url=f"https://localhost:{expired}")["certificate"]
    assert not told.safe
    assert "expired" in told.found
    assert "renew" in told.advice
