"""What only some need: it is locked apart, agrees with everything else, and whoever lacks it reads how to add it."""

import logging
import re
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from api.observe.tracing import open_telemetry
from cluster import map_on
from database.open import open_store
from database.redis import SharedMemory
from errors import MissingExtra
from reports.pdf import pdf_of
from tests.reports.making import WEEK_3
from tests.reports.test_archive import made

ROOT = Path(__file__).resolve().parents[1]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
APART = [extra for extra in EXTRAS if extra != "dashboard"]
LOCKS = [
    ROOT / "requirements.lock",
    *sorted((ROOT / "requirements" / "images").glob("*.lock")),
    *(ROOT / "requirements" / f"{extra}.lock" for extra in APART),
]


def pins(lock: Path) -> dict[str, set[str]]:
    """The hashes of each `name==version`; markers differ by who needs it."""
    found: dict[str, set[str]] = {}
    for requirement, hashes in re.findall(r"^([\w.-]+==\S+)[^\n]*\n((?:    --hash=.+\n)+)", lock.read_text(), re.M):
        found.setdefault(requirement, set()).update(re.findall(r"sha256:\w+", hashes))
    assert found
    return found


def names(lock: Path) -> set[str]:
    return {requirement.partition("==")[0] for requirement in pins(lock)}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_every_lock_is_a_part_of_the_development_lock(lock: Path) -> None:
    assert pins(lock).items() <= pins(ROOT / "requirements-dev.lock").items()


def test_the_plain_installation_has_no_extra_but_the_dashboard() -> None:
    brought = {re.split(r"[\[>]", one)[0] for extra in APART for one in EXTRAS[extra]}
    assert brought & names(ROOT / "requirements.lock") == set()
    assert brought <= set().union(*(names(lock) for lock in LOCKS))


def test_no_lock_names_an_address_and_none_holds_torch() -> None:
    for lock in [*ROOT.glob("*.lock"), *ROOT.glob("requirements/**/*.lock")]:
        assert "://" not in lock.read_text()
        assert "torch" not in names(lock), lock


@pytest.mark.parametrize(
    ("extra", "library", "use"),
    [
        ("postgres", "psycopg", lambda: open_store("postgresql://127.0.0.1/none")),
        ("mongo", "bson", lambda: open_store("mongodb://127.0.0.1/none")),
        ("redis", "redis", lambda: SharedMemory("redis://127.0.0.1", secret=b"secret")),
        ("pdf", "typst", lambda: pdf_of(made(WEEK_3))),
        ("dask", "distributed", lambda: list(map_on("tcp://127.0.0.1:1", pow, [1], 2))),
    ],
)
def test_who_lacks_an_extra_reads_how_to_add_it(
    extra: str, library: str, use: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.delitem(sys.modules, "database.mongo", raising=False)
    with pytest.raises(MissingExtra, match=f"`make {extra}`.*requirements/{extra}.lock"):
        use()


def test_without_the_library_of_traces_the_service_starts_and_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with caplog.at_level(logging.WARNING):
        assert open_telemetry({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}) is None
    assert "`make telemetry`" in caplog.text
