"""Students' weeks: what their features, a close and answers cost.

`python -m benchmarks.k12 [--quick] [--only features|close|answers]` from the project's root. Figures in ms are
wall-clock ones of whoever asks: a machine with other work shows larger ones. Which models of weeks are worth having is
another benchmark, `week_models`.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.client import HTTPConnection
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from benchmarks.commands import GRADEWATCH, measured
from benchmarks.result import Figure, print_figures, replace_results
from benchmarks.servers import Running, free_port, started
from benchmarks.weekly import CLOSED_AT, Weekly, weekly_installation
from preprocessing.panel.example import write_district
from preprocessing.schema import DomainSchema, load_domains

STUDENTS, MANY_STUDENTS, QUICK_STUDENTS = 10_000, 100_000, 600
CPU_GOAL, MEMORY_GOAL = 4.0, 600.0
LINEAR_GOAL = 1.2  # of the tenfold: what 100,000 students may take for each of them, against 10,000
DOMAIN = "k12"
CLOSE_GOAL = 10.0  # CPU seconds of a close of all students
ASKED_STUDENTS = 1_000
ASKED, QUICK_ASKED, TOGETHER, CONNECTIONS = 400, 40, 100, 4
ALONE_GOAL, BESIDE_GOAL = 25.0, 60.0  # ms, of one connection and of four
TOGETHER_GOAL, TOGETHER_FACTORS_GOAL = 0.5, 5.0  # s of 100 students, without what moved them and with it
WORKER_GOAL = 250.0  # MB
EVENT_GOAL = 50.0  # CPU ms of an event until its student is answered anew
PARTS = ("features", "close", "answers")


def main(given: Sequence[str] = ()) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few students and one seed, to see that it works")
    parser.add_argument("--only", choices=PARTS, help="this part alone")
    asked = parser.parse_args(given)
    schema, figures = load_domains()[DOMAIN], list[Figure]()
    with tempfile.TemporaryDirectory(prefix="gradewatch-k12-") as made:
        for part in PARTS if asked.only is None else (asked.only,):
            folder = Path(made) / part
            folder.mkdir()
            if part == "features":
                figures += features(folder, schema, quick=asked.quick)
            elif part == "close":
                figures += close(folder / "w", QUICK_STUDENTS if asked.quick else STUDENTS)
            else:
                students = QUICK_STUDENTS if asked.quick else ASKED_STUDENTS
                weekly = weekly_installation(folder / "w", students=students)
                figures += answers(weekly, QUICK_ASKED if asked.quick else ASKED)
    print_figures(DOMAIN, figures) if asked.quick else replace_results(DOMAIN, figures)


# Features -------------------------------------------------------------------------------------------------------------


def features(folder: Path, schema: DomainSchema, *, quick: bool) -> Iterator[Figure]:
    """CPU and memory of the command, start, reading, checks and writing included, and how it grows with students."""
    few, many = (QUICK_STUDENTS, 2 * QUICK_STUDENTS) if quick else (STUDENTS, MANY_STUDENTS)
    seconds = dict[int, float]()
    for students in (few, many):
        print(f"  features of {students:,} students", flush=True)
        district = folder / f"{students}"
        write_district(district, schema, students=students, seed=1)
        command = (GRADEWATCH, "features", str(district), "-d", schema.name, "-o", str(folder / "rows.parquet"))
        seconds[students], memory = min(measured({}, *command) for _ in range(1 if students == many else 3))
        if students == few:
            how = f"gradewatch features, {few:,} students in 39 weeks from Parquet, with start and checks"
            yield Figure("features of a district", round(seconds[few], 2), "s of CPU", f"≤ {CPU_GOAL:g}",
                         seconds[few] <= CPU_GOAL, f"{how}; best of 3")  # fmt: skip
            yield Figure("memory of that", round(memory), "MB", f"≤ {MEMORY_GOAL:g}", memory <= MEMORY_GOAL, how)
    growth = seconds[many] / seconds[few] / (many / few)
    yield Figure("growth with students", round(growth, 2), "of proportion", f"≤ {LINEAR_GOAL:g}", growth <= LINEAR_GOAL,
                 f"{many:,} students: {seconds[many]:.1f} s of CPU")  # fmt: skip


# A close --------------------------------------------------------------------------------------------------------------


def close(folder: Path, students: int) -> Iterator[Figure]:
    """CPU and memory of the command that answers everybody in a week."""
    weekly = weekly_installation(folder, students=students)
    seconds, memory = weekly.run("weeks", "close", "-d", DOMAIN, "--as-of", CLOSED_AT.isoformat())
    how = f"gradewatch weeks close, {students:,} students with a year of events on SQLite, start included"
    yield Figure("a close of all students", round(seconds, 1), "s of CPU", f"≤ {CLOSE_GOAL:g}", seconds <= CLOSE_GOAL,
                 how)  # fmt: skip
    yield Figure("memory of a close", round(memory), "MB", "none", True, how)


# Answers --------------------------------------------------------------------------------------------------------------


class Sent(NamedTuple):
    """seconds: of each request, in order; cpu: of the service, for each."""

    seconds: list[float]
    cpu: float

    @property
    def p99(self) -> float:
        """In ms."""
        return statistics.quantiles(self.seconds, n=100)[98] * 1e3


def answers(weekly: Weekly, count: int) -> Iterator[Figure]:
    """Students from stored events to logged answers, by the route; each is asked about once between restarts, so that
    nothing of it is known before."""
    serve = [sys.executable, "-m", "cli", "serve", "--port", "{port}"]
    for connections, goal in ((1, ALONE_GOAL), (CONNECTIONS, BESIDE_GOAL)):
        port = free_port()
        with started(serve, port=port, settings=weekly.settings, ready="/ready") as server:
            some = weekly.keys[: count + 1]
            send(port, [asking(some[-1:], factors=True)], server)  # loads what only answers need
            sent = send(port, [asking([key], factors=True) for key in some[:-1]], server, connections)
            how = (
                f"{count} students, {connections} connections, wall-clock; {1e3 * sent.cpu:.1f} ms of the service's CPU"
            )
            what = f"one student with factors, {connections} connections: 99th percentile"
            yield Figure(what, round(sent.p99, 1), "ms", f"≤ {goal:g}", sent.p99 <= goal, how)
            if connections == 1:
                yield from _together(port, server, weekly.keys[-2 * TOGETHER :])
                yield _event(port, server, weekly.keys[0], count)
                yield Figure("the service, its worker alone", round(server.own_memory), "MB", f"≤ {WORKER_GOAL:g}",
                             server.own_memory <= WORKER_GOAL, "resident, after all of these")  # fmt: skip


def _together(port: int, server: Running, keys: Sequence[str]) -> Iterator[Figure]:
    """A hundred students in one request, without and with what moved them."""
    for factors, goal in ((False, TOGETHER_GOAL), (True, TOGETHER_FACTORS_GOAL)):
        some = keys[TOGETHER * factors : TOGETHER * (1 + factors)]
        sent = send(port, [asking(some, factors=factors)], server)
        what = f"{TOGETHER} students by the route, {'with' if factors else 'without'} factors"
        how = f"{sent.seconds[0]:.2f} s wall-clock"
        yield Figure(what, round(sent.cpu, 2), "s of CPU", f"≤ {goal:g}", sent.cpu <= goal, how)


def _event(port: int, server: Running, key: str, count: int) -> Figure:
    """An absence is stored, and the student answered anew, over and over."""
    bodies = list[tuple[str, Mapping[str, Any]]]()
    for version in range(count // 4):
        status = ("unexcused", "present")[version % 2]
        event = {"kind": "attendance", "event": "late", "student": key, "at": CLOSED_AT.isoformat(),
                 "values": {"status": status}, "version": version}  # fmt: skip
        bodies += [(f"/api/v1/{DOMAIN}/events", {"events": [event]}), asking([key], factors=False)]
    spent = 2e3 * send(port, bodies, server).cpu
    how = f"{count // 4} corrections of one event, each stored by the route and its student asked about"
    return Figure("an event until its new answer", round(spent, 1), "ms of CPU", f"≤ {EVENT_GOAL:g}",
                  spent <= EVENT_GOAL, how)  # fmt: skip


def asking(keys: Sequence[str], *, factors: bool) -> tuple[str, Mapping[str, Any]]:
    """A question about students, as it is sent."""
    return f"/api/v1/{DOMAIN}/students", {"students": keys, "factors": factors, "as_of": CLOSED_AT.isoformat()}


def send(port: int, requests: Sequence[tuple[str, Mapping[str, Any]]], server: Running, connections: int = 1) -> Sent:
    """These requests, dealt out to so many connections. Raises RuntimeError where one is refused."""
    before = server.cpu
    dealt = [requests[place::connections] for place in range(connections)]
    with ThreadPoolExecutor(connections) as pool:
        seconds = list(chain.from_iterable(pool.map(partial(_send, port), dealt)))
    return Sent(seconds, (server.cpu - before) / len(requests))


def _send(port: int, requests: Sequence[tuple[str, Mapping[str, Any]]]) -> list[float]:
    connection, seconds = HTTPConnection("127.0.0.1", port, timeout=120), list[float]()
    for path, body in requests:
        content, begun = msgspec.json.encode(body), time.perf_counter()
        connection.request("POST", path, content, {"content-type": "application/json"})
        answer = connection.getresponse()
        told = answer.read()
        seconds.append(time.perf_counter() - begun)
        if answer.status != 200:
            raise RuntimeError(f"{path} is answered with {answer.status}: {told[:300]!r}")
    connection.close()
    return seconds


if __name__ == "__main__":
    main(sys.argv[1:])
