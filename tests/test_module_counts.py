"""How many of the project's own modules a reader meets on the way of one job, on a warm service."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.api.conftest import train_all
from tests.api.serving import ENGAGEMENT, SECRET, free_port
from tests.command import ROOT

PREDICTED = """
import json, os, signal, socket, sys, threading, time
from tests.own_modules import OwnModules

ran, port, row = OwnModules(), int(sys.argv[1]), json.loads(sys.argv[2])

def ask(attention):
    body = json.dumps(row | {"attention": attention}).encode()
    head = b"POST /api/v1/engagement/predict HTTP/1.1\\r\\nhost: 127.0.0.1\\r\\ncontent-type: application/json\\r\\n"
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), 60) as caller:
                caller.sendall(head + b"content-length: %d\\r\\n\\r\\n" % len(body) + body)
                assert caller.recv(65536).startswith(b"HTTP/1.1 200"), "it was not answered"
                return
        except ConnectionRefusedError:
            time.sleep(0.05)

def predict():
    try:
        for attention in range(50, 55):
            ask(attention)
        time.sleep(0.5)  # the lines of these are written
        with ran:
            ask(60)  # a row that no cache knows
            time.sleep(0.5)  # and so is its own
        print(json.dumps(ran.names), flush=True)
    finally:
        os.kill(os.getpid(), signal.SIGTERM)

threading.Thread(target=predict).start()
sys.argv = ["gradewatch", "serve", "--port", str(port)]
from cli.start import main
main()
"""


def test_one_prediction_passes_at_most_twenty_modules_from_socket_to_log_and_back(
    prepared: Callable[..., Path], tmp_path: Path
) -> None:
    environment = {
        "PYTHONPATH": str(ROOT),
        "GRADEWATCH_DATA_DIR": str(shutil.copytree(prepared("service", train_all), tmp_path / "installation")),
        "GRADEWATCH_PSEUDONYM_SECRET": SECRET,
        "GRADEWATCH_POLL_SECONDS": "3600",  # nothing else is done meanwhile
    }
    command = [sys.executable, "-c", PREDICTED, str(free_port()), json.dumps(ENGAGEMENT)]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.stdout, done.stderr
    _check(json.loads(done.stdout), 20, {"api.pipeline", "model.predictor", "database.sqlite_log"})


DRIFTED = """
import json, sys
from pathlib import Path
from database.ingest import read_batch
from monitoring.drift_files import report_file
from monitoring.profile_archive import store_intake
from preprocessing.reading.chunks import open_source
from preprocessing.synthetic import generate
from retraining.examples import secret_of_examples
from tests.api.conftest import open_at
from tests.own_modules import OwnModules

ran, folder, domain, kind, beside = OwnModules(), Path(sys.argv[1]), *sys.argv[2:]
workspace = open_at(folder)
schema = workspace.schemas[domain]
source, secret = open_source(folder / "examples" / f"{domain}.csv"), secret_of_examples(workspace.secret)
with read_batch(source, schema, "labeled", secret=secret) as read:
    store_intake(workspace, schema, read, name="learned from")

def file_of(seed):
    path, rows = folder / f"{seed}.{kind}", generate(schema, rows=600, seed=seed)
    rows.write_parquet(path) if kind == "parquet" else rows.write_csv(path)
    return path

current, reference = file_of(2), file_of(3) if beside == "a file" else None
report_file(workspace, domain, file_of(1), reference)
with ran:
    report = report_file(workspace, domain, current, reference).report
assert report.joint and report.expected, "rows were asked"
print(json.dumps(ran.names))
"""


@pytest.mark.parametrize(
    ("domain", "kind", "beside"),
    [("engagement", "csv", "the champion"), ("university", "parquet", "the champion"), ("school", "csv", "a file")],
)
def test_a_drift_report_of_a_file_passes_at_most_twenty_eight_modules(
    domain: str, kind: str, beside: str, prepared: Callable[..., Path], tmp_path: Path
) -> None:
    folder = shutil.copytree(prepared("service", train_all), tmp_path / "installation")
    command = [sys.executable, "-c", DRIFTED, str(folder), domain, kind, beside]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.stdout, done.stderr
    _check(json.loads(done.stdout), 28, {"monitoring.drift_files", "drift.compare", "database.sql"})


def _check(modules: list[str], most: int, among: set[str]) -> None:
    """Not more than so many, those among them, and the page gives a reason for each."""
    print(f"{len(modules)} modules: {' → '.join(modules)}")
    assert len(modules) <= most, modules
    assert among <= set(modules)
    page = (ROOT / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")
    assert [name for name in modules if f"| `{name}` |" not in page] == [], "each has its reason there"
