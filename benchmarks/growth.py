"""Commands and the service as an installation grows: each row of `ROWS` at 10k, 100k and 1M records.

`python -m benchmarks.growth [--quick] [--rows N …] [--only NAME …] [--keep FOLDER]` from the project's root. Every
figure is measured through a command, a route or a page, in processes of their own. A run of some rows leaves the kept
figures of the others; one of other sizes than all three keeps nothing.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from threading import Event, Thread
from typing import Any
from unittest.mock import patch
from urllib.parse import urlencode
from urllib.request import urlopen

import msgspec
import polars as pl
from msgspec.structs import replace

from benchmarks.commands import GRADEWATCH, SECRET, measured, open_installation, settings_of
from benchmarks.result import Figure, cpu_seconds, print_figures, read_results, this_machine, write_results
from benchmarks.servers import ROOT, Running, free_port, start, started, wait
from benchmarks.serving import OURS, READY, ask
from clock import new_ids, now
from database.packed import PackedPredictions
from database.records import ChampionKey, Outcome
from database.sqlite_log import WAL_BYTES
from deployment.loadtest import Load, run_load, target_of
from preprocessing.columns import columns_of
from preprocessing.schema import load_domains
from preprocessing.synthetic import generate
from preprocessing.validation.json_rows import ValidRow
from preprocessing.validation.pii import pseudonym
from preprocessing.validation.validate import rows_of

SIZES, QUICK_SIZES = (10_000, 100_000, 1_000_000), (10_000,)
SCHOOL = ChampionKey("school", "G3", "G2")

Measure = Callable[[Path, Sequence[int]], list[Figure]]
"""Measures one row: in a folder that all rows share, at these numbers of records."""


def main(given: Sequence[str] = ()) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the least size alone, to see that it works")
    parser.add_argument("--rows", type=int, nargs="+", help="numbers of records")
    parser.add_argument("--only", nargs="+", choices=ROWS, metavar="NAME", help=f"of {', '.join(ROWS)}")
    parser.add_argument("--keep", type=Path, help="a folder for what is made, to use again")
    asked = parser.parse_args(given)
    sizes = tuple(asked.rows or (QUICK_SIZES if asked.quick else SIZES))
    with tempfile.TemporaryDirectory(prefix="gradewatch-growth-") as made:
        folder = asked.keep or Path(made)
        folder.mkdir(parents=True, exist_ok=True)
        figures = {name: _named(name, folder, sizes) for name in asked.only or ROWS}
    told = [figure for found in figures.values() for figure in found]
    if sizes == SIZES:
        write_results("growth", [figure for name in ROWS for figure in figures.get(name) or _kept(name)])
    else:
        print_figures("growth", told)


def _named(name: str, folder: Path, sizes: Sequence[int]) -> list[Figure]:
    print(f"  {name}", flush=True)
    return [replace(one, figure=f"{name}: {one.figure}") for one in ROWS[name](folder, sizes)]


def _kept(name: str) -> list[Figure]:
    """The figures of a row that were measured before, on this very machine."""
    known = read_results("growth")
    if known is None or known.machine != this_machine():
        return []
    return [one for one in known.figures if one.figure.startswith(f"{name}: ")]


def at_most(figure: str, value: float, unit: str, goal: float, how: str) -> Figure:
    """A figure that is good when it is small."""
    return Figure(figure, value, unit, f"≤ {goal:g}", value <= goal, how)


# What is measured with ----------------------------------------------------------------------------------------------


def file_of(folder: Path, domain: str, rows: int, suffix: str = ".csv") -> Path:
    """A file of so many invented rows of a domain, outcomes included."""
    path = folder / f"{domain}-{rows}{suffix}"
    if not path.exists():
        made = generate(load_domains()[domain], rows=rows, seed=rows)
        made.write_csv(path) if suffix == ".csv" else made.write_parquet(path)
    return path


def installation(folder: Path, name: str) -> dict[str, str]:
    """The settings of a new installation of one row, without a champion."""
    room = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=folder))
    open_installation(room).close()
    return settings_of(room)


def served_installation(folder: Path, name: str) -> dict[str, str]:
    """The settings of a new installation in which `SCHOOL` has a champion."""
    from retraining.examples import example_frame
    from retraining.first_champions import train_domain

    room = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=folder))
    workspace = open_installation(room)
    try:
        schema = workspace.schemas[SCHOOL.domain]
        frame = example_frame(file_of(folder, SCHOOL.domain, 1_000), schema, SECRET.encode())
        (trained,) = train_domain(workspace, schema, frame, [SCHOOL], actor="benchmark")
    finally:
        workspace.close()
    if trained.model is None:
        raise RuntimeError(trained.reason)
    return settings_of(room)


# Rows ---------------------------------------------------------------------------------------------------------------


def ingest(folder: Path, sizes: Sequence[int]) -> list[Figure]:
    """A labelled file into the store, by the command."""
    figures = []
    for rows in sizes:
        for suffix in (".csv", ".parquet"):
            file = file_of(folder, "school", rows, suffix)
            spent, held = measured(installation(folder, "ingest"), GRADEWATCH, "ingest", str(file), "-d", "school")
            what, how = f"{rows:,} rows of {suffix[1:]}", f"{SCHOOL_TABLE}; start included; a new SQLite database"
            figures.append(at_most(f"{what}, CPU", spent, "CPU s", 1.5 + 28.5 * rows / 1e6, how))
            figures.append(at_most(f"{what}, peak memory", held, "MB", 400, how))
    return figures


def logged_scores(folder: Path, sizes: Sequence[int]) -> list[Figure]:
    """A file answered by `gradewatch score`, every answer logged: in proportion to the rows."""
    figures = []
    for rows in sizes:
        settings = served_installation(folder, "scores")
        file = file_of(folder, "school", rows, ".parquet")
        answers = folder / f"answers-{rows}.parquet"
        spent, held = measured(settings, GRADEWATCH, "score", str(file), "-d", "school", "-o", str(answers))
        how = f"{SCHOOL_TABLE}; start included"
        figures.append(at_most(f"{rows:,} rows, CPU", spent, "CPU s", 1.5 + 28.5 * rows / 1e6, how))
        figures.append(at_most(f"{rows:,} rows, peak memory", held, "MB", 400, how))
    return figures


def worker(folder: Path, sizes: Sequence[int]) -> list[Figure]:
    """A serving process with every champion of `school` in memory, each of which has answered: alone, and a table.

    All are forests, the largest of the candidates: on invented rows a line of some hundred bytes is the best.
    """
    schema, figures = load_domains()["school"], []
    for rows in sorted({min(rows, TAUGHT) for rows in sizes}):
        settings, answered = installation_of_forests(folder, rows), set[int]()
        asked = generate(schema, rows=1_000, seed=1)
        with started(OURS, port=free_port(), settings=settings, ready=READY) as server:
            for moment in schema.moments:
                known = asked.select(feature.name for feature in schema.features_at(moment)).to_dicts()
                for path, body in (("predict", known[0]), ("predict/batch", known)):
                    answered.add(
                        ask(f"{server.url}/api/v1/school/{path}", json.dumps(body).encode(), "application/json")
                    )
            held = server.own_memory
        if answered != {200}:
            raise RuntimeError(f"not every champion answered: {answered}")
        size = sum(path.stat().st_size for path in (Path(settings["GRADEWATCH_DATA_DIR"])).rglob("graph.onnx")) / 1e6
        how = f"{SCHOOL_TABLE}; {size:.1f} MB of graphs; one row and 1,000 answered at each moment; resident memory"
        figures.append(at_most(f"champions of {rows:,} rows, memory", held, "MB", 200, how))
    return figures


def installation_of_forests(folder: Path, rows: int) -> dict[str, str]:
    """The settings of a new installation in which every champion of `school` is a forest."""
    from retraining.examples import example_frame
    from retraining.first_champions import keys_of, train_domain
    from training import candidates

    room = Path(tempfile.mkdtemp(prefix="worker-", dir=folder))
    workspace = open_installation(room)
    try:
        schema = workspace.schemas["school"]
        frame = example_frame(file_of(folder, "school", rows), schema, SECRET.encode())
        forests = tuple(one for one in candidates.VALUE_CANDIDATES if one.name == "random_forest")
        with patch.object(candidates, "VALUE_CANDIDATES", forests):
            trained = list(train_domain(workspace, schema, frame, keys_of(schema), actor="benchmark"))
    finally:
        workspace.close()
    if refused := [one.reason for one in trained if one.model is None]:
        raise RuntimeError("; ".join(refused))
    return settings_of(room)


TAUGHT = 20_000  # rows that a champion learns from, as the setting has it by default


def train_school(rows: int, cpu: float, memory: float) -> Measure:
    """Models of all three moments from one file of `rows`, whatever the sizes of the other rows."""

    def measure(folder: Path, _: Sequence[int]) -> list[Figure]:
        file = file_of(folder, "school", rows)
        spent, held = measured(installation(folder, "train"), GRADEWATCH, "train", "--data", str(file), "-d", "school")
        how = f"{SCHOOL_TABLE}; three moments; start and storing included"
        return [at_most("CPU", spent, "CPU s", cpu, how), at_most("peak memory", held, "MB", memory, how)]

    return measure


def refused_upload(folder: Path, _sizes: Sequence[int]) -> list[Figure]:
    """Fifty million rows in a Parquet file of some kilobytes, sent to the route for batches: refused unread."""
    file = folder / "many.parquet"
    names = [*(feature.name for feature in load_domains()["engagement"].features), "assignment_score"]
    alike = pl.Series([50], dtype=pl.Int64).new_from_index(0, MANY_ROWS)
    pl.DataFrame({names[0]: alike}).with_columns(alike.alias(name) for name in names).write_parquet(file)
    with started(OURS, port=free_port(), settings=served_installation(folder, "refused"), ready=READY) as server:
        with Watched(server) as watched:
            status = ask(f"{server.url}/api/v1/engagement/batches?kind=labeled", file.read_bytes(), PARQUET)
        peak = watched.memory
    how = (
        f"{MANY_ROWS:,} rows in {file.stat().st_size / 1e3:,.0f} kB of Parquet; the service, its worker and the decoder"
    )
    answered = Figure("status", status, "", "413", status == 413, how)
    return [answered, at_most("peak memory of service and worker", peak, "MB", 500, how)]


def uploads_at_once(folder: Path, _sizes: Sequence[int]) -> list[Figure]:
    """Ten files of 30 MB each, sent at the same time, and how long /ready takes meanwhile."""
    row = ",".join(["50"] * 6)
    header = ",".join([*(feature.name for feature in load_domains()["engagement"].features), "assignment_score"])
    bodies = [f"{header}\n{number % 100},{row[3:]}\n".encode() for number in range(UPLOADS)]
    bodies = [body + f"{row}\n".encode() * (UPLOAD_BYTES // (len(row) + 1)) for body in bodies]
    slowest, ended = 0.0, Event()
    with started(OURS, port=free_port(), settings=served_installation(folder, "uploads"), ready=READY) as server:
        url = f"{server.url}/api/v1/engagement/batches?kind=labeled"
        with ThreadPoolExecutor(UPLOADS) as pool, Watched(server) as watched:
            sent = [pool.submit(ask, url, body, "text/csv") for body in bodies]
            while not all(one.done() for one in sent):
                begun = time.perf_counter()
                ask(server.url + READY)
                slowest = max(slowest, time.perf_counter() - begun)
                ended.wait(0.02)
        statuses = sorted({one.result() for one in sent})
    how = f"{UPLOADS} files of {UPLOAD_BYTES / 1e6:.0f} MB at once to the route for batches, answered {statuses}"
    return [
        at_most("slowest /ready", slowest, "s", 1, how),
        at_most("peak memory of service and worker", watched.memory, "MB", 1_500, how),
    ]


def log_under_load(folder: Path, _sizes: Sequence[int]) -> list[Figure]:
    """The write-ahead log while predictions are logged, a file is ingested and drift reads all there is."""
    settings = served_installation(folder, "load")
    log = Path(settings["GRADEWATCH_DATA_DIR"]) / "gradewatch.db-wal"
    names = [feature.name for feature in load_domains()["school"].features]
    rows = generate(load_domains()["school"], rows=5_000, seed=5).select(names).to_dicts()
    bodies = [msgspec.json.encode(row) for row in rows]
    file, sizes = file_of(folder, "school", 100_000), [0]
    since = (datetime.now(UTC) - timedelta(days=365)).date().isoformat()
    with started(OURS, port=free_port(), settings=settings, ready=READY) as server:
        load = Load(
            target=target_of(server.url, "/api/v1/school/predict"), bodies=bodies, connections=16, seconds=300.0
        )
        with ThreadPoolExecutor(2) as pool:
            beside = [
                pool.submit(measured, settings, GRADEWATCH, "ingest", str(file), "-d", "school"),
                pool.submit(measured, settings, GRADEWATCH, "drift", "-d", "school", "--since", since),
            ]

            def is_over() -> bool:
                sizes.append(log.stat().st_size if log.exists() else 0)
                return all(one.done() for one in beside)

            result = run_load(load, until=is_over)
            for one in beside:
                one.result()
    how = f"16 connections, {result.requests:,} predictions logged, 100,000 rows ingested and drift read meanwhile"
    slowest, failed = result.quantile(1.0), sum(result.errors.values())
    return [
        at_most("write-ahead log", max(sizes) / 1e6, "MB", 4 * WAL_BYTES / 1e6, how),
        at_most("slowest prediction", slowest, "s", 1, how),
        Figure("failed predictions", failed, "requests", "0", failed == 0, how),
    ]


def parent_of_run(folder: Path, _sizes: Sequence[int]) -> list[Figure]:
    """What waits for service, worker and dashboard in `gradewatch run`."""
    settings, port, page = installation(folder, "run"), free_port(), free_port()
    command = [sys.executable, "-m", "cli.start", "run", "--api-port", str(port), "--dashboard-port", str(page)]
    parent = start(command, port=port, settings=settings)
    try:
        wait(parent, READY)
        held = parent.own_memory
    finally:
        parent.process.terminate()
        parent.process.wait(60)
    return [at_most("resident memory of the parent", held, "MB", 40, "`gradewatch run`, when the service answers")]


class Watched:
    """The most MB that a server's processes held together while the block ran, looked at every 20 ms."""

    def __init__(self, server: Running) -> None:
        self._server, self.memory = server, 0.0
        self._ended, self._thread = Event(), Thread(target=self._watch)

    def _watch(self) -> None:
        while not self._ended.wait(0.02):
            self.memory = max(self.memory, self._server.memory)

    def __enter__(self) -> "Watched":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()


def performance(folder: Path, sizes: Sequence[int]) -> list[Figure]:
    """How answers turned out, by command, route and page: predictions of ninety days, a tenth with their outcomes."""
    figures = []
    for rows in sizes:
        settings = served_installation(folder, "performance")
        spent = tell_outcomes(Path(settings["GRADEWATCH_DATA_DIR"]), rows)
        command = (GRADEWATCH, "performance", "-d", "school", "--target", SCHOOL.target)
        first, *runs = [measured(settings, *command) for _ in range(4)]
        page_first, page, page_held = page_seconds(settings)
        route, route_held = route_seconds(settings)
        how = f"{SCHOOL_TABLE}; {rows // 10:,} outcomes; kept since the first look, of {first[0]:.1f} CPU s and "
        how += f"{first[1]:.0f} MB; the upload of the outcomes took {spent:.1f}"
        what, seconds = f"{rows:,} predictions", statistics.median(run[0] for run in runs)
        figures += [
            at_most(f"{what}, gradewatch performance", seconds, "CPU s", 2, f"{how}; start included"),
            at_most(f"{what}, its memory", max(run[1] for run in runs), "MB", 300, how),
            at_most(f"{what}, a click on the page", page, "CPU s", 1, f"{how}; the first drawing {page_first:.1f}"),
            at_most(f"{what}, the page's memory", page_held, "MB", 300, "the whole process, with Streamlit"),
            at_most(f"{what}, the route", route, "CPU s", 1, how),
            at_most(f"{what}, the service's memory", route_held, "MB", 300, how),
        ]
    return figures


def erase(folder: Path, sizes: Sequence[int]) -> list[Figure]:
    """One student, with a prediction and an outcome, erased from among so many predictions by the command."""
    figures = []
    for rows in sizes:
        settings = served_installation(folder, "erase")
        tell_outcomes(Path(settings["GRADEWATCH_DATA_DIR"]), rows)
        measured(settings, GRADEWATCH, "students", "list", "-d", "school", "--top", "1")  # fills the newest answers
        run = (GRADEWATCH, "students", "erase", str(rows // 2), "--reason", "asked for", "--later")
        spent, held = measured(settings, *run)
        how = f"{SCHOOL_TABLE}; rows, outcomes, sums and the search of all files for what is left; start included"
        figures.append(at_most(f"{rows:,} predictions, CPU", spent, "CPU s", 1, how))
        figures.append(at_most(f"{rows:,} predictions, peak memory", held, "MB", 300, how))
    return figures


def at_risk(folder: Path, sizes: Sequence[int]) -> list[Figure]:
    """The students likeliest to fail, by the route: ten predictions of each, all classes, one class, the next page."""
    figures = []
    for rows in sizes:
        settings = served_installation(folder, "at-risk")
        students = rows // 10
        tell_outcomes(Path(settings["GRADEWATCH_DATA_DIR"]), rows, students=students)
        measured(settings, GRADEWATCH, "students", "list", "-d", "school", "--top", "1")  # fills the newest answers
        seconds, first = list_seconds(settings)
        how = f"{SCHOOL_TABLE}; {rows:,} predictions in {CLASSES} classes; {len(seconds):,} questions of 100 students "
        how += f"each, one after another; the first question of all took {first:.1f} s"
        p99 = statistics.quantiles(seconds, n=100)[98] * 1e3
        figures.append(at_most(f"list of {students:,} students, p99", p99, "ms", 200, how))
    return figures


def list_seconds(settings: Mapping[str, str]) -> tuple[list[float], float]:
    """How long each question for the list took, and the very first."""
    with started(OURS, port=free_port(), settings=settings, ready=READY) as service:

        def asked(**about: str | int) -> tuple[float, dict[str, Any]]:
            begun = time.perf_counter()
            with urlopen(f"{service.url}/api/v1/school/students?{urlencode(about)}", timeout=600) as answer:
                said = json.loads(answer.read())
            return time.perf_counter() - begun, said

        (first, page), seconds = asked(), []
        for number in range(LISTS // 3):
            for about in ({}, {"group": f"class {number % CLASSES}"}, {"after": page["next"]}):
                took, said = asked(**about)
                page = said if said.get("next") else page
                seconds.append(took)
    return seconds, first


LISTS, CLASSES = 600, 400
DAYS, DAY = 90, timedelta(days=1)


def tell_outcomes(folder: Path, rows: int, *, students: int | None = None) -> float:
    """Store so many predictions on the last `DAYS` days, by the writer of many; then outcomes of a tenth of them. CPU
    seconds of the latter. students: so many take turns; else each prediction is of another."""
    from retraining.examples import example_frame

    workspace = open_installation(folder)
    try:
        schema = workspace.schemas[SCHOOL.domain]
        frame = example_frame(file_of(folder.parent, SCHOOL.domain, 1_000), schema, SECRET.encode())
        taught = rows_of(frame, schema)
        known = {feature.name for feature in schema.features_at(SCHOOL.moment)}
        asked = [
            ValidRow(row=one.row, inputs={name: one.inputs[name] for name in known}, moment=SCHOOL.moment)
            for one in taught
        ]
        (table,) = columns_of(asked, schema)
        (said,) = workspace.service.score_columns(schema, [table], source="api")
        outcomes: list[Outcome] = []
        for number in range(DAYS):
            places = range(rows * number // DAYS, rows * (number + 1) // DAYS)
            at = now() - DAY * (DAYS - number)
            for start in range(places.start, places.stop, len(said)):
                part = range(start, min(start + len(said), places.stop))
                workspace.store.add_predictions(batches=[said_at(said, at, part, students or rows)])
                told = [
                    (student_of(place % (students or rows)), row)
                    for row, place in zip(taught, part, strict=False)
                    if place % 10 == 0
                ]
                outcomes += [told_of(student, row.targets[SCHOOL.target], at) for student, row in told]
        with cpu_seconds() as watch:
            workspace.store.add_outcomes(outcomes)
    finally:
        workspace.close()
    return watch.seconds


def student_of(place: int) -> str:
    """As students are stored."""
    return pseudonym(str(place), SECRET.encode())


def told_of(student: str, value: float | str, at: datetime) -> Outcome:
    return Outcome(domain=SCHOOL.domain, target=SCHOOL.target, at=at, student=student, value=value)


def said_at(said: PackedPredictions, at: datetime, places: range, students: int) -> PackedPredictions:
    """The same answers to as many other students, on another day. students: so many there are."""
    count = len(places)
    return PackedPredictions(
        said.common._replace(at=at),
        new_ids(count),
        {name: column.take(range(count)) for name, column in said.inputs.items()},
        [column.take(range(count)) for column in said.answers],
        students=[student_of(place % students) for place in places],
        groups=[f"class {place % students % CLASSES}" for place in places],
        periods=[None] * count,
    )


PAGE = """
import json, time
from pathlib import Path
from streamlit.testing.v1 import AppTest
script = "from dashboard.pages import show\\nfrom dashboard.views.results import results\\nshow(results)\\n"
app = AppTest.from_string(script, default_timeout=600)
app.query_params["domain"] = "school"
spent = [time.process_time()]
for _ in range(4):
    app = app.run()
    assert not app.exception and app.metric, app
    spent.append(time.process_time())
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
held = int(status["VmHWM"].split()[0]) / 1e3  # what getrusage says begins with what the parent held
print(json.dumps([*spent, held]))
"""


def page_seconds(settings: Mapping[str, str]) -> tuple[float, float, float]:
    """CPU seconds of the first drawing, and of one after it; the most MB that the process held."""
    run = [sys.executable, "-c", PAGE]
    where = {**os.environ, **settings, "PYTHONPATH": str(ROOT), "GRADEWATCH_AUTH": "off"}
    done = subprocess.run(run, env=where, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    *spent, held = json.loads(done.stdout.splitlines()[-1])
    return spent[1] - spent[0], statistics.median(b - a for a, b in pairwise(spent[1:])), held


def route_seconds(settings: Mapping[str, str]) -> tuple[float, float]:
    """CPU seconds of a question to a service that has been asked before, and what it holds then."""
    with started(OURS, port=free_port(), settings=settings, ready=READY) as service:
        spent = []
        for _ in range(4):
            before = service.cpu
            with urlopen(f"{service.url}/api/v1/school/performance?target={SCHOOL.target}") as answer:
                answer.read()
            spent.append(service.cpu - before)
        return statistics.median(spent[1:]), service.memory


SCHOOL_TABLE = "`school`, 32 columns"
PARQUET = "application/vnd.apache.parquet"
MANY_ROWS, UPLOADS, UPLOAD_BYTES = 50_000_000, 10, 30_000_000

ROWS: Mapping[str, Measure] = {
    "ingest": ingest,
    "logged scores": logged_scores,
    "worker": worker,
    "train school 10k": train_school(10_000, 20, 600),
    "train school 100k": train_school(100_000, 180, 1_000),
    "50 million rows refused": refused_upload,
    "ten uploads": uploads_at_once,
    "log under load": log_under_load,
    "gradewatch run": parent_of_run,
    "performance": performance,
    "erase": erase,
    "at risk": at_risk,
}
"""By name, with which its figures begin."""


if __name__ == "__main__":
    main(sys.argv[1:])
