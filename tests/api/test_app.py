"""The application called as servers call it, without one; its import does nothing."""

import asyncio
import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from api.app import create_app
from settings import Settings
from tests.api.serving import ENGAGEMENT, SECRET
from tests.command import ROOT

T = TypeVar("T")


@pytest.fixture(autouse=True)
def loggers() -> Iterator[None]:
    """The loggers that a service turns into JSON lines are other tests' too."""
    kept = {name: logging.getLogger(name) for name in ("gradewatch", "uvicorn", "uvicorn.access")}
    before = {name: (one.handlers, one.propagate, one.level) for name, one in kept.items()}
    yield
    for name, one in kept.items():
        one.handlers, one.propagate, one.level = before[name]


@asynccontextmanager
async def alive(app: Any) -> AsyncIterator[None]:
    """The application between its start and its end, as a server sees it."""
    said: asyncio.Queue[Any] = asyncio.Queue()
    heard: asyncio.Queue[Any] = asyncio.Queue()
    life = asyncio.create_task(app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, said.get, heard.put))
    await said.put({"type": "lifespan.startup"})
    assert (await heard.get())["type"] == "lifespan.startup.complete"
    yield
    await said.put({"type": "lifespan.shutdown"})
    await life


def asked(folder: Path, prefix: str, questions: Callable[[httpx.AsyncClient], Awaitable[T]]) -> T:
    """What comes of asking an application without champions that is served under `prefix`."""
    app: Any = create_app(Settings(data_dir=folder, pseudonym_secret=SECRET, _env_file=None))

    async def ask() -> T:
        transport = httpx.ASGITransport(app=app, root_path=prefix, client=("127.0.0.1", 40_000))
        async with alive(app), httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await questions(client)

    return asyncio.run(ask())


def test_verbs_that_callers_make_up_are_counted_as_one(tmp_path: Path) -> None:
    async def invent(client: httpx.AsyncClient) -> str:
        for number in range(5):
            assert (await client.request(f"VERB{number}", "/api/v1/domains")).status_code == 405
        return (await client.get("/metrics")).text

    assert 'gradewatch_requests_total{method="ANY",route="/api/v1/domains",status="405"} 5.0' in asked(
        tmp_path, "", invent
    )


@pytest.mark.parametrize("path", ["/api/v1/engagement/predict", "/predict"])
def test_behind_a_proxy_s_prefix_the_fast_path_is_found_too(tmp_path: Path, path: str) -> None:
    async def predict(client: httpx.AsyncClient) -> httpx.Response:
        return await client.post(f"/school{path}", json=ENGAGEMENT)

    answer = asked(tmp_path, "/school", predict)
    assert answer.json()["title"] == "NoChampion"  # and not a row that was not understood


def test_importing_the_service_opens_nothing_and_reads_no_setting(tmp_path: Path) -> None:
    script = "import api.app; api.app.app; api.app.app.framework().openapi()"
    environment = {"PYTHONPATH": str(ROOT), "GRADEWATCH_WINDOW": "no number"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr, list(tmp_path.iterdir())) == (0, "", [])


@pytest.mark.parametrize("switch", ["on", "off"])
def test_requests_that_came_whole_are_taken_unless_that_is_switched_off(tmp_path: Path, switch: Any) -> None:
    settings = Settings(data_dir=tmp_path, pseudonym_secret=SECRET, whole_requests=switch, tree_lookup=switch)
    app: Any = create_app(settings)

    async def taken() -> bool:
        async with alive(app):
            assert app.state.workspace.tree_lookup == (switch == "on")
            return app.whole_requests is not None

    assert asyncio.run(taken()) == (switch == "on")
