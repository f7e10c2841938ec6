"""Two machines behind one name: how many predictions a second they log, and what becomes of them when one is killed.

`python -m benchmarks.nodes [--quick]` from the project's root. Two services of two processes each, nginx by the shipped
file, PostgreSQL or a server of MongoDB's protocol beside them, and whoever asks, all on this one machine: what counts
is the CPU of a prediction in each part, of which `docs/explanation/scaling.md` reckons what more machines would do.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Thread

import msgspec

from benchmarks.commands import open_installation, settings_of
from benchmarks.jobs import mongodb, postgres
from benchmarks.result import Figure, print_figures, write_results
from benchmarks.servers import ROOT, Running, clean_environment, free_port, start, wait
from database.migrate import copy
from database.open import open_store
from deployment.loadtest import Load, LoadResult, run_load, target_of
from model.registry import activate
from preprocessing.synthetic import generate
from retraining.examples import example_frame
from retraining.first_champions import keys_of, train_domain

DOMAIN, ROWS, BODIES = "engagement", 400, 200
CONNECTIONS, PROCESSES = 32, 2  # connections of the load; processes of each service
PLAIN_SECONDS, QUICK_SECONDS = 20.0, 4.0
PROMOTIONS = 10  # while the load runs
LONGEST_P99 = 0.25  # seconds, where two cores carry everything


def main(given: Sequence[str] = ()) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few seconds each, to see that it works")
    quick = parser.parse_args(given).quick
    seconds = QUICK_SECONDS if quick else PLAIN_SECONDS
    figures = []
    with tempfile.TemporaryDirectory(prefix="gradewatch-nodes-") as made:
        trained = Path(made) / "trained"
        versions = train(trained)
        for database in (postgres, mongodb):
            print(f"  two nodes on {database.__name__}", flush=True)
            with (
                database(Path(made)) as url,
                two_nodes(Path(made) / f"{database.__name__}-nodes", trained, url) as nodes,
            ):
                figures += measure(database.__name__, nodes, versions, seconds)
    print_figures("nodes", figures) if quick else write_results("nodes", figures)


def train(folder: Path) -> list[str]:
    """Two versions of a model in an installation of its own."""
    folder.mkdir()
    workspace, versions = open_installation(folder), []
    try:
        schema = workspace.schemas[DOMAIN]
        for seed in (1, 2):
            path = folder / f"{seed}.csv"
            generate(schema, rows=ROWS, seed=seed).write_csv(path)
            frame = example_frame(path, schema, workspace.secret)
            done = list(train_domain(workspace, schema, frame, keys_of(schema), actor="benchmark", source="records"))
            versions += [one.model.version for one in done if one.model][:1]
    finally:
        workspace.close()
    return versions


class Nodes(msgspec.Struct):
    """What was started. url: the balancer's."""

    url: str
    database: str
    services: list[Running]
    balancer: Running


@contextmanager
def two_nodes(folder: Path, trained: Path, url: str) -> Iterator[Nodes]:
    """Two services on a database that holds what was trained, behind nginx."""
    folder.mkdir()
    source, target = open_store(settings_of(trained)["GRADEWATCH_DATABASE_URL"]), open_store(url)
    copy(source, target)
    source.close()
    target.close()
    told = settings_of(trained, url) | {"GRADEWATCH_RATE_LIMIT": "off"}
    setup = [sys.executable, "-m", "cli", "setup", "--no-models"]
    subprocess.run(setup, cwd=ROOT, env={**clean_environment(), **told}, check=True, stdout=subprocess.DEVNULL)
    with ExitStack() as stack:
        services = []
        for name in ("one", "two"):
            (own := folder / name).mkdir(mode=0o700)
            port = free_port()
            command = [sys.executable, "-m", "cli", "serve", "--port", "{port}", "--workers", str(PROCESSES)]
            services.append(start(command, port=port, settings={**told, "GRADEWATCH_DATA_DIR": str(own)}))
            stack.callback(services[-1].kill)
        for service in services:
            wait(service, "/ready")
        balancer = balance(folder, services)
        stack.callback(balancer.kill)
        wait(balancer, "/health")
        yield Nodes(balancer.url, url, services, balancer)


def balance(folder: Path, services: Sequence[Running]) -> Running:
    """nginx by the shipped file, on other ports, without the headers of a proxy: nobody signs in here."""
    if (nginx := shutil.which("nginx")) is None:
        raise RuntimeError("nginx is not installed: Debian's package nginx-light has it")
    port = free_port()
    text = (ROOT / "deployment" / "nginx" / "gradewatch.conf").read_text(encoding="utf-8")
    for place, service in zip(("8001", "8002"), services, strict=True):
        text = text.replace(f"127.0.0.1:{place}", service.url.removeprefix("http://"))
    text = text.replace("listen 8080", f"listen 127.0.0.1:{port}")
    lines = [line for line in text.splitlines() if "Forwarded" not in line]
    (folder / "gradewatch.conf").write_text("\n".join(lines))
    places = "".join(f"{one}_temp_path {folder / one};" for one in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    whole = (
        f"daemon off; master_process off; pid {folder / 'pid'}; error_log {folder / 'error.log'};"
        f"events {{}} http {{ access_log off; {places} include {folder / 'gradewatch.conf'}; }}"
    )
    (folder / "nginx.conf").write_text(whole)
    return start([nginx, "-p", str(folder), "-c", str(folder / "nginx.conf")], port=port, settings={})


def measure(name: str, nodes: Nodes, versions: Sequence[str], seconds: float) -> list[Figure]:
    load(nodes, 1.0)  # connections and caches are there
    before = [sum(one.cpu for one in nodes.services), nodes.balancer.cpu]
    calm, _ = load(nodes, seconds)
    spent = [sum(one.cpu for one in nodes.services) - before[0], nodes.balancer.cpu - before[1]]
    promoted, _ = load(nodes, seconds / 2, meanwhile=lambda: promote(nodes, versions, seconds / 2))
    killed, acknowledged = load(nodes, seconds / 2, meanwhile=lambda: kill_one(nodes, seconds / 4))
    store = open_store(nodes.database)
    lost = sum(store.prediction(one) is None for one in acknowledged)
    store.close()
    errors, failed = sum(calm.errors.values()) + sum(promoted.errors.values()), sum(killed.errors.values())
    service, balancer = (1000 * one / max(1, calm.rows) for one in spent)
    where = f"{CONNECTIONS} connections, 2 services of {PROCESSES} processes, nginx, database and load on this machine"
    how, p99 = f"{where}; {len(calm.latencies):,} requests", calm.quantile(0.99)
    many = f"{PROMOTIONS} promotions under load; {len(promoted.latencies):,} requests"
    one_killed = f"one service killed (SIGKILL) under load; {len(acknowledged):,} answers looked up afterwards"
    told: list[tuple[str, float, str, str, bool, str]] = [
        ("predictions logged and answered", round(calm.rows / calm.seconds), "/s", "", True, how),
        ("99th percentile", round(p99, 4), "s", f"≤ {LONGEST_P99}", p99 <= LONGEST_P99, how),
        ("CPU of a prediction, services", round(service, 3), "ms", "", True, how),
        ("CPU of a prediction, balancer", round(balancer, 3), "ms", "", True, how),
        ("errors, promotions included", errors, "requests", "0", errors == 0, many),
        ("acknowledged and lost", lost, "predictions", "0", lost == 0, one_killed),
        ("failed as one was killed", failed, "requests", f"≤ {CONNECTIONS}", failed <= CONNECTIONS, one_killed),
    ]
    if name == "postgres":
        told.append(("a prediction in the database", *bytes_of_a_prediction(nodes.database)))
    return [Figure(f"{name}: {one[0]}", *one[1:]) for one in told]


def bytes_of_a_prediction(url: str) -> tuple[float, str, str, bool, str]:
    """As PostgreSQL says, with its indexes."""
    import psycopg

    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT pg_total_relation_size('predictions'), count(*) FROM predictions").fetchone()
    size, count = found or (0, 1)
    return round(size / count), "bytes", "", True, f"{count:,} predictions of `{DOMAIN}`, each logged by itself"


def load(nodes: Nodes, seconds: float, *, meanwhile: Callable[[], None] | None = None) -> tuple[LoadResult, list[str]]:
    """A load through the balancer, and the ids of what was acknowledged. Rows differ: a known answer costs less."""
    from preprocessing.schema import load_domains

    frame = generate(load_domains()[DOMAIN], rows=BODIES, seed=int(time.time()))
    target = load_domains()[DOMAIN].target_by_name
    rows = [{k: v for k, v in row.items() if k not in target and v is not None} for row in frame.iter_rows(named=True)]
    acknowledged: list[str] = []
    asked = Load(
        target=target_of(nodes.url, f"/api/v1/{DOMAIN}/predict"),
        bodies=[msgspec.json.encode(row) for row in rows],
        connections=CONNECTIONS,
        seconds=seconds,
    )
    thread = Thread(target=meanwhile) if meanwhile else None
    if thread:
        thread.start()
    result = run_load(asked, hear=lambda body: acknowledged.append(msgspec.json.decode(body)["id"]))
    if thread:
        thread.join()
    return result, acknowledged


def promote(nodes: Nodes, versions: Sequence[str], seconds: float) -> None:
    store = open_store(nodes.database)
    for number in range(PROMOTIONS):
        time.sleep(seconds / (PROMOTIONS + 1))
        activate(store, DOMAIN, versions[number % 2], all_targets=False, actor="benchmark", reason="in turn")
    store.close()


def kill_one(nodes: Nodes, after: float) -> None:
    time.sleep(after)
    nodes.services[0].kill()


if __name__ == "__main__":
    main(sys.argv[1:])
