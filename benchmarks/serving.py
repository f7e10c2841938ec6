"""Serving beside what others would build or install: CPU of the server for each request, memory, start, losses.

`python -m benchmarks.serving [--quick] [--without-peers] [--only NAME]` from the project's root. Every server is
measured in the same run, in turns, so that other work on the machine burdens all alike; CPU is that of the server's
processes alone. All serve a gradient boosting model. Only ours checks the row by all rules and logs it before it
answers. Two tables are asked about: `school`, 32 columns with 17 of them levels, as institutions keep them, and
`engagement`, five numbers.
"""

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import msgspec
import polars as pl

from benchmarks.commands import GRADEWATCH, SECRET, measured, open_installation, settings_of
from benchmarks.result import Figure, replace_results, write_results
from benchmarks.servers import Running, environment, free_port, start, started, uvicorn, wait
from database.open import open_store
from database.records import ChampionKey
from deployment.loadtest import Load, run_load, target_of
from model.bundle import read_bundle
from model.registry import activate
from model.workspace import Workspace
from preprocessing.schema import DomainSchema, load_domains
from preprocessing.synthetic import generate

CLIENTS = 16
READY = "/ready"
OURS = [sys.executable, "-m", "cli", "serve", "--port", "{port}"]
ENGAGEMENT, SCHOOL = ChampionKey("engagement", "assignment_score", "now"), ChampionKey("school", "G3", "G2")
MANY_ROWS = 10_000
PANDAS_SERVER = "FastAPI + pandas + pipeline.predict"
"""In FastAPI's threads, as its documentation advises for work that blocks; beside it the same in the event loop."""

LEAST_RATIOS: Mapping[str, float] = {
    "LitServe + ONNX": 10,
    "mlflow models serve": 40,
    "BentoML + scikit-learn": 40,
    PANDAS_SERVER: 40,
}
"""How many times our CPU others spend on one row at least, which is what counts; how far a server that does nothing is
away depends on the machine (2.3 to 3.0 times)."""


@dataclass(frozen=True)
class Effort:
    """How long everything is measured: rounds of so many seconds per server; kills, promotions, rows of the file."""

    rounds: int
    seconds: float
    kills: int
    promotions: int
    rows: int
    starts: int


FULL = Effort(rounds=5, seconds=3.0, kills=20, promotions=20, rows=1_000_000, starts=5)
QUICK = Effort(rounds=2, seconds=1.0, kills=2, promotions=4, rows=50_000, starts=1)


@dataclass(frozen=True)
class Server:
    """A server to measure. path, bodies: what it is asked, in turn."""

    name: str
    command: Sequence[str]
    path: str
    bodies: Sequence[bytes]
    settings: Mapping[str, str]
    ready: str = READY
    key: str | None = None


# The model and the requests -----------------------------------------------------------------------------------------


def prepare(folder: Path) -> list[str]:
    """An installation with gradient boosting champions in `folder`, and the same models as others serve them. The
    versions of the two models of engagement, the first of which serves."""
    import training.train
    from training.candidates import VALUE_CANDIDATES

    boosting = tuple(candidate for candidate in VALUE_CANDIDATES if candidate.name == "gradient_boosting")
    setattr(training.train, "candidates_for", lambda _kind: boosting)  # noqa: B010 (all serve the same kind of model)
    workspace = open_installation(folder)
    try:
        _train(workspace, folder, SCHOOL, 1)
        versions = [_train(workspace, folder, ENGAGEMENT, seed) for seed in (1, 2)]
        activate(workspace.store, "engagement", versions[0], all_targets=False, actor="benchmark", reason="the first")
        for key in (ENGAGEMENT, SCHOOL):
            _save_pipeline(workspace.schemas[key.domain], key, folder / f"{key.domain}.csv", folder / key.domain)
            _save_graph(workspace, key, folder / key.domain)
    finally:
        workspace.close()
    return versions


def _train(workspace: Workspace, folder: Path, key: ChampionKey, seed: int) -> str:
    from retraining.examples import example_frame
    from retraining.first_champions import train_domain

    schema, path = workspace.schemas[key.domain], folder / f"{key.domain}.csv"
    generate(schema, rows=1_000, seed=seed).write_csv(path)
    frame = example_frame(path, schema, workspace.secret)
    (trained,) = train_domain(workspace, schema, frame, [key], actor="benchmark", seed=seed)
    if trained.model is None:
        raise RuntimeError(trained.reason)
    return str(trained.model.version)


def _save_graph(workspace: Workspace, key: ChampionKey, folder: Path) -> None:
    """The champion's graph, and how its vectors are made: the peers over ONNX Runtime answer with the same model."""
    champion = next(one for one in workspace.store.champions() if one.key == key)
    files = workspace.artifacts.load(champion.version)
    (folder / "graph.onnx").write_bytes(files["graph.onnx"])
    encoding = read_bundle(files).manifest.encoding
    if any(part.flag_missing or part.center or part.scale != 1.0 for part in encoding.numeric):
        raise RuntimeError("the peers write numbers as they are, and this model wants them otherwise")
    (folder / "encoding.json").write_bytes(msgspec.json.encode(encoding))


def _save_pipeline(schema: DomainSchema, key: ChampionKey, data: Path, folder: Path) -> None:
    """The same model as a scikit-learn pipeline over a DataFrame, as most would keep it."""
    import joblib
    import pandas as pd
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import GradientBoostingRegressor
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    frame = pd.read_csv(data)
    inputs = schema.inputs_at(key.moment)
    parts: list[tuple[str, Any, list[str]]] = [
        ("numbers", StandardScaler(), [f.name for f in inputs if f.kind == "numeric"]),
        ("levels", OneHotEncoder(handle_unknown="ignore"), [f.name for f in inputs if f.kind == "categorical"]),
    ]
    model = GradientBoostingRegressor(
        n_estimators=150, learning_rate=0.05, max_depth=3, subsample=0.7, max_features=0.5, random_state=0
    )
    pipeline = Pipeline([("columns", ColumnTransformer([part for part in parts if part[2]])), ("model", model)])
    folder.mkdir(exist_ok=True)
    joblib.dump(pipeline.fit(frame, frame[key.target]), folder / "pipeline.joblib")


def rows_of(schema: DomainSchema, count: int, seed: int) -> list[dict[str, Any]]:
    """Rows without a student key, all different: an answer kept from the last one helps nobody."""
    names = [feature.name for feature in schema.features]
    return generate(schema, rows=count, seed=seed).select(names).to_dicts()


# CPU of one request -------------------------------------------------------------------------------------------------


def servers(folder: Path, key: str, *, with_peers: bool) -> Iterator[Server]:
    """Everything that answers one row, the floor first."""
    rows = rows_of(load_domains()["engagement"], 20_000, 3)
    bodies = [msgspec.json.encode(row) for row in rows]
    model = {"BENCH_MODEL": str(folder / "engagement")}
    ours = settings_of(folder)
    path = "/api/v1/engagement/predict"
    guarded = ours | {
        "GRADEWATCH_AUTH": "on",
        "GRADEWATCH_TOKEN_SECRET": SECRET,
        "GRADEWATCH_RATE_LIMIT": "100000000/minute",
    }
    yield Server("raw ASGI, no work", uvicorn("benchmarks.peers.asgi:app"), "/", bodies, settings=model)
    yield Server("gradewatch", OURS, path, bodies, settings=ours)
    yield Server("gradewatch, key and limit", OURS, path, bodies, settings=guarded, key=key)
    yield Server("raw ASGI + ONNX", uvicorn("benchmarks.peers.onnx_raw:app"), "/", bodies, settings=model)
    onnx, pandas = uvicorn("benchmarks.peers.fastapi_onnx:app"), uvicorn("benchmarks.peers.fastapi_pandas:app")
    yield Server("FastAPI + pydantic + ONNX", onnx, "/predict", bodies, settings=model)
    yield Server(PANDAS_SERVER, pandas, "/predict", bodies, settings=model)
    yield Server(f"{PANDAS_SERVER}, in the loop", pandas, "/predict/in-loop", bodies, settings=model)
    if with_peers:
        yield from _peers(folder, bodies, rows, model)


def _peers(
    folder: Path, bodies: Sequence[bytes], rows: Sequence[Mapping[str, Any]], model: Mapping[str, str]
) -> Iterator[Server]:
    """Model servers in environments of their own; those that do not install are left out, with the reason."""
    here = Path(__file__).parent / "peers"
    try:
        python = environment("litserve")
        script = [str(python), str(here / "litserve_onnx.py"), "{port}"]
        yield Server("LitServe + ONNX", script, "/predict", bodies, ready="/health", settings=model)
    except RuntimeError as error:
        print(f"  left out: {error}")
    try:
        python = environment("mlflow")
        saved = folder / "mlflow"
        if not saved.exists():
            command = [str(python), str(here / "mlflow_save.py"), str(saved)]
            subprocess.run(command, check=True, env=os.environ | model, capture_output=True)
        script = [str(python), "-m", "mlflow", "models", "serve", "-m", str(saved), "--env-manager", "local"]
        script += ["--port", "{port}", "--workers", "1"]
        asked = [msgspec.json.encode({"dataframe_records": [row]}) for row in rows[:2_000]]
        yield Server(
            "mlflow models serve", script, "/invocations", asked, ready="/ping", settings=_path_of(python, model)
        )
    except (RuntimeError, subprocess.CalledProcessError) as error:
        print(f"  left out: {error}")
    try:
        python = environment("bentoml")
        script = [str(python), "-m", "bentoml", "serve", "bentoml_sklearn:Model", "--port", "{port}"]
        script += ["--working-dir", str(here)]
        asked = [msgspec.json.encode({"rows": [row]}) for row in rows[:2_000]]
        quiet = {"BENTOML_DO_NOT_TRACK": "1"}
        yield Server(
            "BentoML + scikit-learn",
            script,
            "/predict",
            asked,
            ready="/readyz",
            settings=_path_of(python, model) | quiet,
        )
    except RuntimeError as error:
        print(f"  left out: {error}")


def _path_of(python: Path, settings: Mapping[str, str]) -> dict[str, str]:
    """`settings` for a program that starts others of its environment by name."""
    return {**settings, "PATH": f"{python.parent}:{os.environ['PATH']}", "PYTHONPATH": ""}


@contextmanager
def all_started(found: Sequence[Server]) -> Iterator[list[tuple[Server, Running]]]:
    """Those of the servers that start; the others are left out with words."""
    with ExitStack() as stack:
        running = []
        for server in found:
            try:
                one = started(server.command, port=free_port(), settings=server.settings, ready=server.ready)
                running.append((server, stack.enter_context(one)))
            except RuntimeError as error:
                print(f"  left out: {server.name}: {error}")
        yield running


def per_request(running: Sequence[tuple[Server, Running]], effort: Effort, *, rows: int = 1) -> dict[str, float]:
    """Median CPU seconds of each server per request, measured in turns; and what they hold afterwards."""
    spent: dict[str, list[float]] = {server.name: [] for server, _ in running}
    for turn in range(effort.rounds + 1):
        for server, process in running:
            before = process.cpu
            target = target_of(process.url, server.path, server.key)
            load = Load(
                target=target,
                bodies=server.bodies,
                rows=rows,
                connections=CLIENTS if rows == 1 else 2,
                seconds=effort.seconds,
            )
            result = run_load(load)
            if result.errors or not result.rows:
                raise RuntimeError(f"{server.name} answered with errors: {dict(result.errors)}")
            if turn:  # the first is for warming up
                spent[server.name].append((process.cpu - before) / result.requests)
    return {name: statistics.median(seconds) for name, seconds in spent.items()}


def one_row(folder: Path, key: str, effort: Effort, *, with_peers: bool) -> list[Figure]:
    found = list(servers(folder, key, with_peers=with_peers))
    with all_started(found) as running:
        cpu = per_request(running, effort)
        memory = {server.name: process.memory for server, process in running}
    floor, ours = cpu["raw ASGI, no work"], cpu["gradewatch"]
    for name, seconds in cpu.items():
        print(f"  {name}: {seconds * 1e6:,.0f} µs a request, {memory[name]:,.0f} MB", flush=True)
    how = f"{table(load_domains()['engagement'])}; {CLIENTS} connections, median of {effort.rounds} rounds in turns"

    def ratio(name: str, over: float, under: float, goal: float | None = None) -> Figure:
        value, words = over / under, "(for comparison)" if goal is None else f"≥ {goal:g}"
        holds = goal is None or value >= goal
        return Figure(name, value, "× CPU", words, holds, f"{how}; {over * 1e6:,.0f} against {under * 1e6:,.0f} µs")

    guarded = cpu["gradewatch, key and limit"]
    figures = [
        ratio("one row, checked, scored, durably logged / raw ASGI doing nothing", ours, floor),
        ratio("the same with API key and rate limit / raw ASGI", guarded, floor),
    ]
    own = {"raw ASGI, no work", "gradewatch", "gradewatch, key and limit"}
    figures += [
        ratio(f"{name} / gradewatch", cpu[name], ours, LEAST_RATIOS.get(name)) for name in cpu if name not in own
    ]
    held = memory["gradewatch"]
    figures.append(Figure("memory of one worker, warm", held, "MB", "≤ 130", held <= 130, "PSS after the rounds above"))
    return figures


def wide_row(folder: Path, effort: Effort) -> list[Figure]:
    """One row of a table as institutions keep them."""
    schema = load_domains()["school"]
    bodies = [msgspec.json.encode(row) for row in rows_of(schema, 5_000, 3)]
    model = {"BENCH_MODEL": str(folder / "school")}
    onnx, pandas = uvicorn("benchmarks.peers.fastapi_onnx:app"), uvicorn("benchmarks.peers.fastapi_pandas:app")
    found = [
        Server("gradewatch", OURS, "/api/v1/school/predict", bodies, settings=settings_of(folder)),
        Server("FastAPI + pydantic + ONNX", onnx, "/predict", bodies, settings=model),
        Server(PANDAS_SERVER, pandas, "/predict", bodies, settings=model),
        Server(f"{PANDAS_SERVER}, in the loop", pandas, "/predict/in-loop", bodies, settings=model),
    ]
    with all_started(found) as running:
        cpu = per_request(running, effort)
    figures, ours = [], cpu["gradewatch"]
    goals = {PANDAS_SERVER: 150, f"{PANDAS_SERVER}, in the loop": None, "FastAPI + pydantic + ONNX": None}
    for name, goal in goals.items():
        ratio, words = cpu[name] / ours, "(for comparison)" if goal is None else f"≥ {goal}"
        how = f"{table(schema)}; {CLIENTS} connections; {cpu[name] * 1e6:,.0f} against {ours * 1e6:,.0f} µs"
        holds = goal is None or ratio >= goal
        figures.append(Figure(f"{name} / gradewatch, wide table", ratio, "× CPU", words, holds, how))
    return figures


def table(schema: DomainSchema) -> str:
    """What is asked about, for whoever reads a figure."""
    levels = sum(feature.kind == "categorical" for feature in schema.features)
    return f"`{schema.name}`, {len(schema.features)} columns, {levels} of them levels"


def batches(folder: Path, effort: Effort) -> list[Figure]:
    """Many rows in one request, of the wide table and of the narrow one."""
    return _batches(folder, effort, "school", "≥ 2.5") + _batches(folder, effort, "engagement", "(for comparison)")


def _batches(folder: Path, effort: Effort, domain: str, goal: str) -> list[Figure]:
    schema = load_domains()[domain]
    bodies = [msgspec.json.encode(rows_of(schema, MANY_ROWS, seed)) for seed in (4, 5, 6)]
    model = {"BENCH_MODEL": str(folder / domain)}
    onnx = uvicorn("benchmarks.peers.fastapi_onnx:app")
    logging = model | {"BENCH_LOG": str(folder / f"{domain}-log.db")}
    found = [
        Server("gradewatch", OURS, f"/api/v1/{domain}/predict/batch", bodies, settings=settings_of(folder)),
        Server("pydantic + ONNX", onnx, "/predict/batch", bodies, settings=model),
        Server("the same, logging", onnx, "/predict/batch", bodies, settings=logging),
    ]
    with all_started(found) as running:
        cpu = per_request(running, effort, rows=MANY_ROWS)
        held = next(process.memory for server, process in running if server.name == "gradewatch")
    figures, ours = [], cpu["gradewatch"]
    for name, words, what in (
        ("pydantic + ONNX", goal, "only ours logs every row"),
        ("the same, logging", "(for comparison)", "both keep every row in SQLite; theirs without identity or interval"),
    ):
        ratio = cpu[name] / ours
        spent = f"{cpu[name] * 1e3:,.0f} against {ours * 1e3:,.0f} ms"
        how = f"{table(schema)}; {MANY_ROWS:,} rows a request; {spent}; {what}"
        holds = words[0] == "(" or ratio >= 2.5
        figures.append(Figure(f"batch of 10,000 of `{domain}`: {name} / gradewatch", ratio, "× CPU", words, holds, how))
    how = f"{table(schema)}; PSS after batches of {MANY_ROWS:,} rows, two at a time"
    figures.append(Figure(f"memory of one worker after batches of `{domain}`", held, "MB", "≤ 130", held <= 130, how))
    return figures


# Files --------------------------------------------------------------------------------------------------------------

PANDAS = """
import sys, joblib, pandas as pd
pipeline = joblib.load(sys.argv[1])
frame = pd.read_parquet(sys.argv[2])
pd.DataFrame({"G3": pipeline.predict(frame)}).to_parquet(sys.argv[3])
"""


def files(folder: Path, effort: Effort) -> list[Figure]:
    schema = load_domains()["school"]
    names = [feature.name for feature in schema.features_at(SCHOOL.moment)]
    data, script = folder / "rows.parquet", folder / "pandas_predict.py"
    generate(schema, rows=effort.rows, seed=9).select(names).write_parquet(data, row_group_size=250_000)
    script.write_text(PANDAS)
    pipeline = str(folder / "school" / "pipeline.joblib")
    ask = [GRADEWATCH, "score", str(data), "-d", "school", "-o", str(folder / "answers.parquet")]
    runs = []
    for _ in range(1 if effort is QUICK else 3):
        ours = measured(settings_of(folder), *ask, "--no-log")
        runs.append((ours, measured({}, str(script), pipeline, str(data), str(folder / "theirs.parquet"))))
    logged = measured(settings_of(folder), *ask)
    (spent, _), (others_spent, others_held) = (min(run[i] for run in runs) for i in (0, 1))
    peak = max(run[0][1] for run in runs)
    what = f"{effort.rows:,} rows of Parquet, 32 columns"
    how = f"{what}; {others_spent:.1f} against {spent:.1f} CPU s with start and checks, unlogged, least of the runs"
    memory = f"{what}; the process and its decoder together; pandas {others_held:,.0f} MB"
    ratio, each = others_spent / spent, logged[0] / effort.rows * 1e6
    return [
        Figure("1M rows of Parquet: pandas pipeline.predict / score", ratio, "× CPU", "≥ 3", ratio >= 3, how),
        Figure("1M rows of Parquet: peak memory", peak, "MB", "≤ 350", peak <= 350, memory),
        Figure("the same, every prediction logged", each, "µs CPU a row", "(for comparison)", True, what),
    ]


# Starting -----------------------------------------------------------------------------------------------------------


def starting(folder: Path, effort: Effort) -> list[Figure]:
    naive = uvicorn("benchmarks.peers.fastapi_pandas:app")
    model = {"BENCH_MODEL": str(folder / "engagement")}
    spent: dict[str, list[float]] = {"ours": [], "naive": []}
    for _ in range(effort.starts):
        for name, command, settings in (("ours", OURS, settings_of(folder)), ("naive", naive, model)):
            with started(command, port=free_port(), settings=settings, ready=READY) as process:
                spent[name].append(process.cpu)
    ours, theirs = (statistics.median(spent[name]) for name in ("ours", "naive"))
    how = f"process start to first answer of /ready, median of {effort.starts}; {ours:.2f} against {theirs:.2f} CPU s"
    ratio = ours / theirs
    return [Figure("start to ready / FastAPI + pandas + scikit-learn", ratio, "× CPU", "≤ 0.33", ratio <= 1 / 3, how)]


# Every route --------------------------------------------------------------------------------------------------------


def walked(folder: Path) -> list[Figure]:
    """Memory of a fresh worker that has been asked for everything its page lists, a valid request each where it takes
    one; what background work takes is another process's."""
    row = rows_of(load_domains()["engagement"], 300, 11)
    table = pl.DataFrame(row).write_csv().encode()
    asked: list[tuple[str, bytes, str]] = [
        ("/api/v1/engagement/predict", msgspec.json.encode(row[0]), "application/json"),
        ("/api/v1/engagement/predict?explain=3", msgspec.json.encode(row[0]), "application/json"),
        ("/api/v1/engagement/predict/batch", msgspec.json.encode(row), "application/json"),
        ("/api/v1/engagement/predict/batch", table, "text/csv"),
        ("/api/v1/engagement/batches?kind=unlabeled", table, "text/csv"),
        ("/api/v1/engagement/drift", table, "text/csv"),
    ]
    with started(OURS, port=free_port(), settings=settings_of(folder), ready=READY) as server:
        answered = [ask(server.url + path, body, kind) for path, body, kind in asked]
        with urlopen(server.url + "/openapi.json", timeout=60) as page:
            paths = msgspec.json.decode(page.read())["paths"]
        listed = [path.replace("{domain}", "engagement") for path, found in paths.items() if "get" in found]
        answered += [ask(server.url + path) for path in listed if "{" not in path]
        held = server.own_memory
    good = sum(status < 400 for status in answered)
    how = f"resident; {len(answered)} requests, {good} of them answered with what was asked for, the others refused"
    return [Figure("memory of one worker after every route", held, "MB", "≤ 160", held <= 160, how)]


def ask(url: str, body: bytes | None = None, kind: str = "") -> int:
    """The status of an answer that has been read to its end."""
    request = Request(url, data=body, headers={"content-type": kind} if body else {})
    try:
        with urlopen(request, timeout=120) as answer:
            answer.read()
            return int(answer.status)
    except HTTPError as error:
        error.read()
        return error.code


# Losses -------------------------------------------------------------------------------------------------------------


def losses(folder: Path, effort: Effort, name: str, database: str) -> Figure:
    """Predictions that were answered and are not in the database after kills under load."""
    settings, chance, acknowledged = settings_of(folder, database), random.Random(7), set[str]()
    rows = rows_of(load_domains()["engagement"], 5_000, 8)
    bodies = [msgspec.json.encode(row) for row in rows]
    for _ in range(effort.kills):
        process = start(OURS, port=free_port(), settings=settings)
        wait(process, READY)
        killed = Event()
        target = target_of(process.url, "/api/v1/engagement/predict")
        load = Load(target=target, bodies=bodies, connections=CLIENTS, seconds=60)

        def end(process: Running = process, killed: Event = killed) -> None:
            time.sleep(chance.uniform(0.3, 1.0))
            process.kill()
            killed.set()

        killer = Thread(target=end)
        killer.start()
        run_load(load, until=killed.is_set, hear=lambda body: acknowledged.add(msgspec.json.decode(body)["id"]))
        killer.join()
    store = open_store(database)
    try:
        kept = {prediction.id for prediction in store.predictions("engagement")}
    finally:
        store.close()
    lost = len(acknowledged - kept)
    how = f"{effort.kills} SIGKILLs under {CLIENTS} connections; {len(acknowledged):,} acknowledged"
    return Figure(
        f"acknowledged predictions lost, {name}", lost, "predictions", "0", lost == 0 and bool(acknowledged), how
    )


def mongo_losses(folder: Path, effort: Effort) -> list[Figure]:
    """The same over MongoDB's wire protocol, whose server stays."""
    from database.migrate import copy
    from tests.conftest import running_mongo

    with suppress(ImportError), running_mongo() as server:
        url = server.url("benchmark")
        source, target = open_store(f"sqlite:///{folder / 'fresh.db'}"), open_store(url)
        copy(source, target)
        source.close()
        target.close()
        return [losses(folder, effort, "MongoDB's wire protocol", url)]
    return []


def promotions(folder: Path, effort: Effort, versions: Sequence[str]) -> list[Figure]:
    """Requests that fail while champions change."""
    workspace, seen = open_installation(folder), set[int]()
    bodies = [msgspec.json.encode(row) for row in rows_of(load_domains()["engagement"], 5_000, 10)]
    settings = settings_of(folder) | {"GRADEWATCH_POLL_SECONDS": "0.1"}  # every generation serves for a while
    with started(OURS, port=free_port(), settings=settings, ready=READY) as process:
        done = Event()

        def promote() -> None:
            for number in range(effort.promotions):
                time.sleep(0.5)
                version = versions[(number + 1) % 2]
                activate(workspace.store, "engagement", version, all_targets=False, actor="benchmark", reason="in turn")
            time.sleep(0.5)
            done.set()

        def hear(body: bytes) -> None:
            seen.add(msgspec.json.decode(body)["answers"][0]["generation"])

        thread = Thread(target=promote)
        thread.start()
        load = Load(
            target=target_of(process.url, "/api/v1/engagement/predict"),
            bodies=bodies,
            connections=CLIENTS,
            seconds=300,
        )
        result = run_load(load, until=done.is_set, hear=hear)
        thread.join()
    workspace.close()
    failed = sum(result.errors.values())
    how = f"{effort.promotions} promotions, {result.requests:,} requests, {len(seen)} generations answered"
    holds = failed == 0 and len(seen) > effort.promotions / 2
    return [Figure("failed requests during promotions under load", failed, "requests", "0", holds, how)]


def main(given: Sequence[str] = ()) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two minutes, to see that it works")
    parser.add_argument("--without-peers", action="store_true", help="install and start nobody else's server")
    parser.add_argument("--only", choices=ROWS, help="one row alone; the kept figures of the others stay")
    arguments = parser.parse_args(given)
    effort = QUICK if arguments.quick or os.environ.get("GRADEWATCH_BENCH_QUICK") else FULL
    with tempfile.TemporaryDirectory(prefix="gradewatch-bench-") as name:
        folder = Path(name)
        versions = prepare(folder)
        for suffix in ("db", "db-wal", "db-shm"):  # as it is before anything is asked
            with suppress(FileNotFoundError):
                (folder / f"fresh.{suffix}").write_bytes((folder / f"gradewatch.{suffix}").read_bytes())
        if arguments.only:
            replace_results("serving", ROWS[arguments.only](folder, effort))
            return
        figures = one_row(folder, make_key(folder), effort, with_peers=not arguments.without_peers)
        for measure in ROWS.values():
            figures += measure(folder, effort)
        figures += promotions(folder, effort, versions) + walked(folder)
        figures.append(losses(folder, effort, "SQLite", f"sqlite:///{folder / 'gradewatch.db'}"))
        figures += mongo_losses(folder, effort)
        write_results("serving", figures)


ROWS = {"wide": wide_row, "batches": batches, "files": files, "starting": starting}
"""Rows that need nothing but the installation."""


def make_key(folder: Path) -> str:
    command = [sys.executable, "-m", "cli", "keys", "create", "benchmark", "--role", "analyst"]
    done = subprocess.run(command, check=True, env=os.environ | settings_of(folder), capture_output=True, text=True)
    return done.stdout.strip()


if __name__ == "__main__":
    main(sys.argv[1:])
