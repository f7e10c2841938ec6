"""The images are built from Debian's packages and run as a stranger's machine would: `make images-test`.

Nobody (uid 1000) on a read-only root trains in one, predicts in another, stops without losing what was acknowledged; a
second build has the same layers; the list of what is in an image is what is in it.
"""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Thread
from uuid import uuid4

import httpx
import pytest

from database.migrate import compare
from database.open import open_store
from tests.api.serving import ENGAGEMENT
from tests.conftest import Mongo
from tests.deployment.containers import PATIENCE, ROOT, Builder, Container, Image

pytestmark = [
    pytest.mark.images,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(
        os.geteuid() != 0 or not (shutil.which("buildah") and shutil.which("debootstrap")),
        reason="needs root, buildah and debootstrap: make images-test installs these",
    ),
]

LIMITS = {"api": 600, "worker": 800, "dashboard": 800}  # MB, all layers unpacked
KEY = "gw_a-first-key-for-the-images-test"
AUTHORIZED = {"authorization": f"Bearer {KEY}"}
NODES = (8011, 8012)
SERVE = ("gradewatch", "serve", "--host", "0.0.0.0", "--port")


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Builder:
    builder = Builder(tmp_path_factory.mktemp("containers"))
    builder.make_base()
    return builder


class _Images(dict[str, Image]):
    """Each is built when it is first asked for."""

    def __init__(self, builder: Builder) -> None:
        super().__init__()
        self._builder = builder

    def __missing__(self, name: str) -> Image:
        self[name] = image = self._builder.make(name)
        return image


@pytest.fixture(scope="module")
def images(builder: Builder) -> dict[str, Image]:
    return _Images(builder)


@pytest.fixture(scope="module")
def settings(mongo_server: Mongo) -> dict[str, str]:
    return {
        "MONGO_URI": mongo_server.url(f"test_{uuid4().hex}"),
        "GRADEWATCH_ENVIRONMENT": "production",
        "GRADEWATCH_PSEUDONYM_SECRET": "a secret of pseudonyms for this test",
        "GRADEWATCH_AUTH": "on",
        "GRADEWATCH_TOKEN_SECRET": "a secret of tokens that is long enough",
        "GRADEWATCH_FIRST_KEY": KEY,
        "GRADEWATCH_ALLOWED_HOSTS": "127.0.0.1",
        "GRADEWATCH_TRAIN_AFTER": "0",
        "GRADEWATCH_POLL_SECONDS": "0.2",
    }


@pytest.fixture
def data(tmp_path: Path) -> Callable[[str], Path]:
    def make(name: str) -> Path:
        (tmp_path / name).mkdir()
        return tmp_path / name

    return make


def until(holds: Callable[[], bool], running: Container) -> None:
    """Wait for what a container will do, as long as it runs: how long that takes says how busy the machine is."""
    deadline = time.monotonic() + PATIENCE
    while running.poll() is None and time.monotonic() < deadline:
        with suppress(httpx.TransportError):
            if holds():
                return
        time.sleep(0.1)
    raise AssertionError(running.words)


def train_in(worker: Image, place: Path, settings: dict[str, str]) -> None:
    """A first model, of invented rows."""
    rows = "/var/lib/gradewatch/s.csv"
    worker.does(place, "gradewatch", "sample", "--domain", "engagement", "--rows", "300", "--output", rows, **settings)
    worker.does(place, "gradewatch", "train", "-d", "engagement", "--data", rows, **settings)


def test_a_worker_trains_an_api_answers_and_stops_and_nothing_is_lost(
    images: dict[str, Image], settings: dict[str, str], data: Callable[[str], Path]
) -> None:
    work, answer = data("worker"), data("api")
    train_in(images["worker"], work, settings)
    acknowledged: list[str] = []
    with (
        images["api"].run(answer, **settings) as api,
        httpx.Client(base_url="http://127.0.0.1:8000") as client,
    ):
        client.headers["authorization"] = f"Bearer {KEY}"
        until(lambda: client.get("/ready").status_code == 200, api)
        assert images["api"].is_healthy(answer, **settings)

        def ask() -> None:
            while (got := client.post("/api/v1/engagement/predict", json=ENGAGEMENT)).status_code == 200:
                acknowledged.append(got.json()["id"])

        def ask_until_it_is_gone() -> None:
            with suppress(httpx.TransportError):
                ask()

        asking = Thread(target=ask_until_it_is_gone)
        asking.start()
        until(lambda: len(acknowledged) > 100, api)
        api.send_signal(signal.SIGTERM)
        assert api.wait(30) in (0, -signal.SIGTERM), "not killed"  # uvicorn passes on what it was stopped by
        asking.join(10)
        assert not images["api"].is_healthy(answer, **settings)
    store = open_store(settings["MONGO_URI"])
    assert [one for one in acknowledged if store.prediction(one) is None] == []
    store.close()


def test_the_dashboard_shows_itself(
    images: dict[str, Image], settings: dict[str, str], data: Callable[[str], Path]
) -> None:
    place = data("dashboard")
    with images["dashboard"].run(place, **settings) as dashboard:
        until(lambda: httpx.get("http://127.0.0.1:8501/_stcore/health").status_code == 200, dashboard)
        assert "streamlit" in httpx.get("http://127.0.0.1:8501/").text.lower()
        assert images["dashboard"].is_healthy(place, **settings)


def test_from_a_clean_folder_to_a_backup_that_came_back_elsewhere(
    images: dict[str, Image], settings: dict[str, str], data: Callable[[str], Path], mongo_server: Mongo
) -> None:
    """Two nodes, a worker and a dashboard of the images on one new database; a node is killed under load."""
    first, other = (mongo_server.url(f"test_{uuid4().hex}") for _ in range(2))
    told, place = {**settings, "MONGO_URI": first}, data("keeps")
    train_in(images["worker"], place, told)
    acknowledged: list[str] = []
    with ExitStack() as stack:
        stack.enter_context(images["worker"].run(data("works"), **told))
        dashboard = stack.enter_context(images["dashboard"].run(data("shows"), **told))
        nodes = [
            stack.enter_context(images["api"].run(data(f"node {port}"), *SERVE, str(port), **told)) for port in NODES
        ]
        clients = [
            stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=AUTHORIZED)) for port in NODES
        ]
        for client, node in zip(clients, nodes, strict=True):
            until(lambda client=client: client.get("/ready").status_code == 200, node)  # type: ignore[misc]
        until(lambda: httpx.get("http://127.0.0.1:8501/_stcore/health").status_code == 200, dashboard)

        def ask(client: httpx.Client) -> None:
            with suppress(httpx.TransportError):
                while len(acknowledged) < 400 and (
                    (answer := client.post("/api/v1/engagement/predict", json=ENGAGEMENT)).status_code == 200
                ):
                    acknowledged.append(answer.json()["id"])

        asking = [Thread(target=ask, args=(client,)) for client in clients]
        for one in asking:
            one.start()
        until(lambda: len(acknowledged) > 100, nodes[1])
        nodes[0].kill()
        for one in asking:
            one.join(120)
    assert len(acknowledged) >= 400, "the other node went on"
    (place / "passphrase").write_text("a passphrase that is long")
    os.chown(place / "passphrase", 1000, 1000)
    kept = ("/var/lib/gradewatch/kept.zip", "--passphrase-file", "/var/lib/gradewatch/passphrase")
    images["worker"].does(place, "gradewatch", "backup", *kept, **told)
    (elsewhere := data("elsewhere")).rmdir()
    elsewhere.mkdir(mode=0o700)
    for name in ("kept.zip", "passphrase"):
        os.chown(shutil.copy(place / name, elsewhere / name), 1000, 1000)
    said = images["worker"].does(elsewhere, "gradewatch", "restore", *kept, **{**told, "MONGO_URI": other})
    assert "the same to the last byte" in said
    here, there = open_store(first), open_store(other)
    assert [one for one in acknowledged if here.prediction(one) is None] == []
    known = {one.kind: one for one in compare(here, there)}
    assert known["predictions"].equal
    assert known["predictions"].target_count >= 400
    here.close()
    there.close()


SHOWN = """
from streamlit.testing.v1 import AppTest
import fastexcel, numpy, pandas, plotly.express, plotly.graph_objects, polars, scipy.special
from streamlit.dataframe_util import convert_anything_to_arrow_bytes
frame = pandas.DataFrame({"student": ["a", "b"], "value": [1.0, numpy.nan]})
assert len(convert_anything_to_arrow_bytes(frame)) > 100
assert polars.from_pandas(frame).to_pandas().equals(frame)
figure = plotly.graph_objects.Figure(plotly.graph_objects.Scatter(x=[1], y=[2]), layout={"template": "plotly_white"})
assert "scatter" in figure.to_json()
page = AppTest.from_file("dashboard/dashboard.py", default_timeout=120).run()
assert not page.exception, page.exception
print("shown:", page.title)
"""
"""What pages are made of, and one of them."""


def test_the_dashboards_image_has_what_its_pages_are_made_of(
    images: dict[str, Image], settings: dict[str, str], data: Callable[[str], Path]
) -> None:
    assert "shown:" in images["dashboard"].does(data("shown"), "python3", "-c", SHOWN, **settings)


def test_a_worker_is_healthy_while_it_gives_signs_of_life(
    images: dict[str, Image], settings: dict[str, str], data: Callable[[str], Path]
) -> None:
    place = data("worker")
    with images["worker"].run(place, **settings) as worker:
        until(lambda: images["worker"].is_healthy(place, **settings), worker)


@pytest.mark.parametrize("name", LIMITS)
def test_an_image_is_small_nobodys_and_says_what_it_is(images: dict[str, Image], name: str) -> None:
    image = images[name]
    print(f"{name}: {image.megabytes:.0f} MB")
    assert image.megabytes <= LIMITS[name]
    assert image.config["User"] == "1000:1000"
    labels = {key.rpartition(".")[2]: value for key, value in image.config["Labels"].items()}
    assert labels["licenses"] == "Apache-2.0"
    assert labels["revision"] == subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=ROOT, text=True).strip()
    writable = [
        path for path in (image.root / "srv").rglob("*") if not path.is_symlink() and path.stat().st_mode & 0o022
    ]
    assert writable == []


@pytest.mark.parametrize("name", LIMITS)
def test_the_list_of_what_is_in_an_image_is_true(images: dict[str, Image], name: str) -> None:
    subprocess.run(["make", f"sbom-{name}"], cwd=ROOT, check=True, capture_output=True)
    told = json.loads((ROOT / "dist" / f"gradewatch-{name}.cdx.json").read_text())
    assert told["bomFormat"] == "CycloneDX"
    listed = {(one["name"].lower().replace("_", "-").replace(".", "-"), one["version"]) for one in told["components"]}
    assert images[name].packages() <= listed
    assert all(one.get("externalReferences") or one.get("hashes") for one in told["components"])


def test_the_same_commit_gives_the_same_layers(images: dict[str, Image], builder: Builder) -> None:
    first = images["api"].layers
    assert builder.make("api", tag="gradewatch-again").layers == first


@pytest.fixture(autouse=True, scope="module")
def unmount(builder: Builder) -> Iterator[None]:
    yield
    builder("umount", "--all")
