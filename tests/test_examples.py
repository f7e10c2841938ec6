"""The examples are run as a user runs them, against a service that asks for keys."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import polars as pl
import pytest

from preprocessing.schema import load_domains
from preprocessing.template import template
from tests.api.conftest import start, train_all
from tests.api.serving import ENGAGEMENT, Server
from tests.command import ROOT, run_command

CLIENT = [sys.executable, str(ROOT / "examples" / "client.py")]


@pytest.fixture(scope="module")
def service(prepared: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, str]]:
    """A service with a champion of engagement, and an admin's key."""
    folder = Path(shutil.copytree(prepared("service", train_all), tmp_path_factory.mktemp("examples") / "installation"))
    with ExitStack() as stack:
        server = start(stack, folder, {"GRADEWATCH_AUTH": "on", "GRADEWATCH_TOKEN_SECRET": "x7" * 20})
        server.until(lambda: server.client.get("/ready").status_code == 200)
        made = run_command(folder, "keys", "create", "examples", "--role", "admin", **server.environment)
        yield server, made.stdout.strip()


def run(*command: str, key: str = "") -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"GRADEWATCH_API_KEY": key}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)


def test_the_client_predicts_one_row(service: tuple[Server, str]) -> None:
    server, key = service
    done = run(*CLIENT, server.url, "engagement", "one", json.dumps(ENGAGEMENT), key=key)
    assert done.returncode == 0, done.stderr
    assert ": assignment_score " in done.stdout


def test_the_client_predicts_the_rows_of_a_file(service: tuple[Server, str], tmp_path: Path) -> None:
    server, key = service
    path = tmp_path / "students.csv"
    head = "student_id,comprehension,attention,focus,retention,engagement_time,assignment_score\n"
    path.write_text(head + "".join(f"{student:04d},1,2,3,4,5,50\n" for student in range(501)))
    done = run(*CLIENT, server.url, "engagement", "many", str(path), key=key)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("assignment_score") == 501, "more than one batch"
    mine = {"authorization": f"Bearer {key}"}
    sent = {"file": path.read_bytes()}
    of_file = server.client.post("/api/v1/engagement/predict/batch", files=sent, headers=mine)
    last = server.client.get(
        f"/api/v1/engagement/predictions/{done.stdout.splitlines()[-1].split(':')[0]}", headers=mine
    )
    assert last.json()["student"] == of_file.json()["predictions"][-1]["student"], "0500 is one student on both roads"


def test_the_client_says_what_is_wrong_with_a_row(service: tuple[Server, str]) -> None:
    server, key = service
    done = run(*CLIENT, server.url, "engagement", "one", json.dumps(ENGAGEMENT | {"focus": 500}), key=key)
    assert done.returncode == 1
    assert "focus: must be a number from 0 to 100" in done.stderr


def test_the_client_without_a_key_is_told_so(service: tuple[Server, str]) -> None:
    server, _ = service
    done = run(*CLIENT, server.url, "engagement", "one", json.dumps(ENGAGEMENT))
    assert done.returncode == 1
    assert done.stderr.startswith("401 ")


class Busy(BaseHTTPRequestHandler):
    """Says "not now" twice, then answers."""

    asked = 0

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        Busy.asked += 1
        said = {"id": "p1", "answers": []} if Busy.asked > 2 else {"title": "Busy", "detail": "wait"}
        body = json.dumps(said).encode()
        self.send_response(200 if Busy.asked > 2 else 429 if Busy.asked == 2 else 503)
        self.send_header("retry-after", "0.05")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


def test_the_client_tries_again_when_the_service_says_not_now() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Busy)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        done = run(*CLIENT, f"http://127.0.0.1:{server.server_port}", "engagement", "one", "{}")
    finally:
        server.shutdown()
        server.server_close()
    assert done.returncode == 0, done.stderr
    assert (done.stdout, Busy.asked) == ("p1: \n", 3)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_every_curl_line_is_answered(service: tuple[Server, str]) -> None:
    server, key = service
    assert template(load_domains()["engagement"], format="csv")
    done = run("sh", str(ROOT / "examples" / "curl.sh"), server.url, key=key)
    assert done.returncode == 0, done.stdout + done.stderr
    assert key not in done.stdout + done.stderr


OULAD = ROOT.parent / "shared" / "data" / "oulad"


def test_a_week_of_a_course_knows_nothing_of_later_ones(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if not OULAD.is_dir():
        pytest.skip(f"the OULAD files are not at {OULAD}")
    monkeypatch.syspath_prepend(str(ROOT / "examples" / "oulad"))
    import weeks  # type: ignore[import-not-found]

    monkeypatch.delitem(sys.modules, "weeks")
    monkeypatch.delitem(sys.modules, "prepare")
    schema = load_domains(ROOT / "examples" / "oulad")["oulad_course"]
    shutil.copytree(OULAD, tmp_path / "then")
    kinds = pl.read_parquet(OULAD / "assessments.parquet").select("id_assessment", "assessment_type")
    works = pl.read_parquet(OULAD / "studentAssessment.parquet")
    for week in weeks.WEEKS:
        wait = pl.when(pl.col("assessment_type") == "CMA").then(0).otherwise(weeks.MARKING)
        marked_later = (pl.col("date_submitted") + wait > 7 * week) & (pl.col("is_banked") == 0)
        handed = works.filter(pl.col("date_submitted") <= 7 * week).join(kinds, on="id_assessment")
        unmarked = pl.when(marked_later).then(None).otherwise(pl.col("score")).alias("score")
        handed.with_columns(unmarked).select(works.columns).write_parquet(
            tmp_path / "then" / "studentAssessment.parquet"
        )
        asked = weeks.tables(OULAD)[f"week{week}"].sort(weeks.ENROLMENT).collect()
        assert asked.equals(weeks.tables(tmp_path / "then")[f"week{week}"].sort(weeks.ENROLMENT).collect())
        known = {*schema.context_names, *(one.name for one in schema.features_at(f"week{week}"))}
        assert set(asked.columns) == known
        assert schema.moment_of(asked.columns) == f"week{week}"
