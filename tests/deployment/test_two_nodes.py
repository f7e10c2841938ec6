"""Two nodes behind one balancer on one database: one is killed under load, another is drained, and nothing that was
acknowledged is lost; a backup of it comes back elsewhere with the same digests."""

import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

import httpx

from database.open import open_store
from tests.api.conftest import train_all
from tests.api.guarded import ON
from tests.api.serving import ENGAGEMENT, PATIENCE, SECRET, Server, free_port
from tests.api.test_service_losses import moved
from tests.command import run_command
from tests.conftest import absent

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "deployment" / "nginx" / "gradewatch.conf"
KEY = "gw_a-first-key-for-the-test-of-two-nodes"
CALLERS = 4


@contextmanager
def balancer(folder: Path, nodes: list[Server]) -> Iterator[str]:
    """nginx by the shipped file, on other ports; its address."""
    if (nginx := shutil.which("nginx")) is None:
        absent("nginx", "Debian's package nginx-light has it")
    port, text = free_port(), SHIPPED.read_text(encoding="utf-8")
    for place, node in zip(("8001", "8002"), nodes, strict=True):
        text = text.replace(f"127.0.0.1:{place}", node.url.removeprefix("http://"))
    (folder / "gradewatch.conf").write_text(text.replace("listen 8080", f"listen 127.0.0.1:{port}"))
    places = "".join(
        f"{name}_temp_path {folder / name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    main = (
        f"daemon off; master_process off; pid {folder / 'pid'}; error_log {folder / 'error.log'};"
        f"events {{}} http {{ access_log off; {places} include {folder / 'gradewatch.conf'}; }}"
    )
    (folder / "nginx.conf").write_text(main)
    process = subprocess.Popen([nginx, "-p", str(folder), "-c", str(folder / "nginx.conf")], stderr=subprocess.DEVNULL)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(PATIENCE)


class Callers:
    """Ask for one row after the other until told to stop; what was acknowledged, and every other status."""

    def __init__(self, url: str) -> None:
        self.acknowledged: list[str] = []
        self.refused: list[int] = []
        self._stop, self._url = Event(), url
        self._threads = [Thread(target=self._ask) for _ in range(CALLERS)]
        for thread in self._threads:
            thread.start()

    def _ask(self) -> None:
        with httpx.Client(base_url=self._url, timeout=PATIENCE, headers={"authorization": f"Bearer {KEY}"}) as client:
            while not self._stop.is_set():
                with suppress(httpx.TransportError):
                    answer = client.post("/api/v1/engagement/predict", json=ENGAGEMENT)
                    if answer.status_code == 200:
                        self.acknowledged.append(answer.json()["id"])
                    else:
                        self.refused.append(answer.status_code)

    def until(self, more: int) -> None:
        """Wait until so many more were acknowledged."""
        wanted, deadline = len(self.acknowledged) + more, time.monotonic() + PATIENCE * 2
        while len(self.acknowledged) < wanted:
            assert time.monotonic() < deadline, (len(self.acknowledged), self.refused[-5:])
            time.sleep(0.05)

    def end(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(PATIENCE)


def test_a_killed_and_a_drained_node_lose_nothing_and_the_backup_comes_back_elsewhere(
    prepared: Callable[..., Path], postgres_url: str, tmp_path: Path
) -> None:
    trained = Path(shutil.copytree(prepared("service", train_all), tmp_path / "trained"))
    moved(trained, postgres_url)
    told = {**ON, "GRADEWATCH_DATABASE_URL": postgres_url, "GRADEWATCH_FIRST_KEY": KEY}
    run_command(
        trained, "setup", "--no-models", GRADEWATCH_DATABASE_URL=postgres_url, GRADEWATCH_PSEUDONYM_SECRET=SECRET
    )
    with ExitStack() as stack:
        nodes = []
        for name in ("one", "two"):
            (folder := tmp_path / name).mkdir(mode=0o700)
            nodes.append(Server(folder, told))
            stack.callback(nodes[-1].stop)
        for node in nodes:
            node.until(lambda node=node: node.client.get("/ready").status_code == 200)  # type: ignore[misc]
        (place := tmp_path / "nginx").mkdir()
        callers = Callers(stack.enter_context(balancer(place, nodes)))
        stack.callback(callers.end)
        callers.until(100)
        nodes[0].kill()
        callers.until(100)
        nodes[1].process.terminate()
        nodes[1].process.wait(PATIENCE)
        callers.end()
    store = open_store(postgres_url)
    assert [one for one in callers.acknowledged if store.prediction(one) is None] == []
    store.close()
    secret = {"GRADEWATCH_PSEUDONYM_SECRET": SECRET}
    file, typed = str(tmp_path / "kept.zip"), "a passphrase that is long\n"
    kept = run_command(trained, "backup", file, typed=typed, GRADEWATCH_DATABASE_URL=postgres_url, **secret)
    assert kept.returncode == 0, kept.stderr
    (elsewhere := tmp_path / "elsewhere").mkdir()
    back = run_command(elsewhere, "restore", file, typed=typed, **secret)
    assert "the same to the last byte" in back.stdout, back.stderr
    count = re.search(r"([\d,]+) documents", back.stdout)
    assert count is not None
    assert int(count[1].replace(",", "")) >= len(callers.acknowledged)
