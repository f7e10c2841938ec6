"""What a worker counted and what state it is in, in the formats that Prometheus and OpenMetrics scrapers read.

Counting is done elsewhere (`api.observe.metrics`); the library for the formats is loaded when somebody asks for the
first time.
"""

import asyncio
import os
import platform
import shutil
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from itertools import accumulate, chain
from multiprocessing import parent_process
from typing import TYPE_CHECKING, NamedTuple

from api.observe.metrics import BOUNDS, Histogram, Metrics
from api.observe.sent_metrics import SentMetrics
from api.state import ServiceState
from clock import now
from database.errors import StoreUnavailable
from jobs.queue import SEEN_SECONDS

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

Sample = tuple[tuple[str, ...], float]
"""(labels' values, value)."""

LABEL_OF_PROCESS = {"process": str(os.getpid())} if parent_process() is not None else {}
"""A label of whatever this process counts for itself where others serve the same address: a scraper that is answered by
one and then by another must not take the numbers of both for one that falls."""

WAITING_SEEN = 1_000  # jobs that wait, and are looked at by a scrape


class Surroundings(NamedTuple):
    """What a service stands on. away: whether the database cannot be read; then nothing is known of workers and jobs.
    free: bytes on the disk of the data folder. overdue: seconds for which a job could have begun."""

    away: bool
    free: int
    workers: int | None = None
    waiting: int | None = None
    overdue: float | None = None


def expose(state: ServiceState, around: Surroundings, *, accept: str) -> tuple[bytes, str]:
    """All metrics as bytes, and their media type. around: by `look_around`. accept: what the scraper says it reads."""
    from prometheus_client.exposition import choose_encoder
    from prometheus_client.registry import Collector, CollectorRegistry

    class Everything(Collector):
        def collect(self) -> Iterator["Metric"]:
            return measured(state, around)

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Everything())
    encode, media_type = choose_encoder(accept)
    return encode(registry), media_type


def measured(state: ServiceState, around: Surroundings) -> Iterator["Metric"]:
    """All metrics, whatever form they are told in."""
    requests = _requests(state.metrics, state.deadlines.at_work)
    for metric in chain(requests, _predicting(state), _cache(state), _champions(state), _process()):
        metric.samples = [one._replace(labels={**one.labels, **LABEL_OF_PROCESS}) for one in metric.samples]
        yield metric
    yield from _surroundings(around)


def _requests(metrics: Metrics, at_work: int) -> Iterator["Metric"]:
    answered = [((route, method, str(status)), float(n)) for (route, method, status), n in metrics.requests.items()]
    yield counter("requests", "Answered requests.", ("route", "method", "status"), answered)
    yield histogram("request_seconds", "From request to answer.", "route", metrics.seconds)
    refused = [((reason, str(status)), float(n)) for (reason, status), n in metrics.refused.items()]
    yield counter("refused", "Requests refused or failed, by the answer's title.", ("reason", "status"), refused)
    yield gauge("requests_at_work", "Requests that are being answered right now.", (), [((), at_work)])


def _predicting(state: ServiceState) -> Iterator["Metric"]:
    yield histogram("stage_seconds", "Parts of predicting.", "stage", state.metrics.stages)
    predictions = [(names, float(n)) for names, n in state.metrics.predictions.items()]
    yield counter("predictions", "Predictions that were logged and answered.", ("domain", "moment"), predictions)
    log = state.log.state
    yield gauge("log_waiting", "Predictions that wait for the database.", (), [((), log.waiting)])
    yield gauge("log_capacity", "Predictions that may wait for the database.", (), [((), log.capacity)])
    yield counter("log_commits", "Commits of the prediction log.", (), [((), log.commits)])
    yield counter("log_logged", "Predictions that the database has kept.", (), [((), log.logged)])
    yield counter(
        "log_failed", "Predictions that the database did not keep; none was answered.", (), [((), log.failed)]
    )


def _cache(state: ServiceState) -> Iterator["Metric"]:
    cache = state.cache.state
    backend = ("backend",)
    for name, words, count in (
        ("hits", "Rows whose answer was known.", cache.hits),
        ("misses", "Rows that were scored.", cache.misses),
        ("evicted", "Answers that made room for others.", cache.evicted),
    ):
        yield counter(f"cache_{name}", words, backend, [((cache.backend,), count)])
    if cache.entries is not None:
        yield gauge("cache_entries", "Answers that are kept.", backend, [((cache.backend,), cache.entries)])
    if state.shared is not None:
        shared = state.shared.state
        yield counter("shared_errors", "Questions that the shared memory failed to answer.", (), [((), shared.errors)])
        yield gauge(
            "shared_paused", "1 while the shared memory is not asked, after a failure.", (), [((), shared.paused)]
        )


def _champions(state: ServiceState) -> Iterator["Metric"]:
    champions = state.workspace.champions
    names = ("domain", "target", "moment")
    serving = [((k.domain, k.target, k.moment), one.generation) for k, one in sorted(champions.loaded.items())]
    yield gauge("champion_generation", "The registry's number of the champion that serves.", names, serving)
    broken = [((k.domain, k.target, k.moment), number) for k, number in sorted(champions.broken.items())]
    yield gauge("champion_broken", "Champions that could not be loaded; the one before serves.", names, broken)
    stopped = [((k.domain, k.target, k.moment), one.generation) for k, one in sorted(champions.stopped.items())]
    yield gauge("champion_stopped", "Champions that learned another schema; nobody serves.", names, stopped)


def look_around(state: ServiceState) -> Surroundings:
    """What `state` stands on. Of a database that did not answer a moment ago nothing is asked; else it waits for it."""
    away, free = state.health.fault is not None, shutil.disk_usage(state.settings.data_dir).free
    if away:
        return Surroundings(away, free)
    try:
        living = sum(one.ago < SEEN_SECONDS for one in state.workspace.store.workers())
        waiting = state.workspace.store.jobs(states=("waiting",), limit=WAITING_SEEN)
    except StoreUnavailable:
        return Surroundings(True, free)
    overdue = max(((now() - job.due).total_seconds() for job in waiting), default=0.0)
    return Surroundings(away, free, living, len(waiting), max(0.0, overdue))


async def keep_sending(state: ServiceState, sent: SentMetrics) -> None:
    """Send all metrics now and then (OTLP), for as long as this lives, and once more when it is told to stop."""
    try:
        while True:
            await asyncio.sleep(sent.seconds)
            around = await asyncio.to_thread(look_around, state)
            await asyncio.to_thread(sent.send, list(measured(state, around)))
    finally:
        around = Surroundings(state.health.fault is not None, shutil.disk_usage(state.settings.data_dir).free)
        await asyncio.to_thread(sent.send, list(measured(state, around)))
        await asyncio.to_thread(sent.close)


def _surroundings(found: Surroundings) -> Iterator["Metric"]:
    yield gauge("database_away", "1 while the database cannot be read.", (), [((), found.away)])
    yield gauge("disk_free_bytes", "Room on the disk of the data folder.", (), [((), found.free)])
    for name, words, value in (
        ("workers", "Workers that have given a sign of life.", found.workers),
        ("jobs_waiting", "Jobs that wait, a thousand at most.", found.waiting),
        ("job_overdue_seconds", "For how long a job could have begun.", found.overdue),
    ):
        if value is not None:
            yield gauge(name, words, (), [((), value)])


def _process() -> Iterator["Metric"]:
    from prometheus_client.process_collector import ProcessCollector

    known = ("version", "python", "process")
    values = (version("gradewatch"), platform.python_version(), str(os.getpid()))
    yield gauge("build_info", "Which program answers, in which process.", known, [(values, 1)])
    yield from ProcessCollector(registry=None).collect()


def counter(name: str, words: str, labels: tuple[str, ...], rows: Iterable[Sample]) -> "Metric":
    """A metric that only grows."""
    from prometheus_client.metrics_core import CounterMetricFamily

    family = CounterMetricFamily(f"gradewatch_{name}", words, labels=labels)
    for values, value in rows:
        family.add_metric(values, value)
    return family


def gauge(name: str, words: str, labels: tuple[str, ...], rows: Iterable[Sample]) -> "Metric":
    """A metric that goes up and down."""
    from prometheus_client.metrics_core import GaugeMetricFamily

    family = GaugeMetricFamily(f"gradewatch_{name}", words, labels=labels)
    for values, value in rows:
        family.add_metric(values, value)
    return family


def histogram(name: str, words: str, label: str, rows: Mapping[str, Histogram]) -> "Metric":
    """Durations in seconds."""
    from prometheus_client.metrics_core import HistogramMetricFamily
    from prometheus_client.utils import floatToGoString

    family = HistogramMetricFamily(f"gradewatch_{name}", words, labels=(label,))
    bounds = [*map(floatToGoString, BOUNDS), "+Inf"]
    for value, times in rows.items():
        family.add_metric((value,), list(zip(bounds, accumulate(times.counts), strict=True)), times.sum)
    return family
