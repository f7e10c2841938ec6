"""Alerts speak of what the service really says, and every one of them rises and falls (by Prometheus' own tool)."""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import yaml

from deployment.boards import BOARDS, FOLDER, written
from deployment.log_searches import LOG_SEARCHES, SEARCHES_FILE, searches_text
from tests.api.serving import Server, free_port
from tests.conftest import absent

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "deployment" / "prometheus" / "gradewatch.rules.yml"
WEEK = 7 * 24 * 6  # in steps of ten minutes

FEED = "FeedStopped"
SERIES: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "ServiceDown": ({'up{job="gradewatch"}': "0x60"}, {'up{job="gradewatch"}': "1x60"}),
    "DatabaseGone": ({"gradewatch_database_away": "1x60"}, {"gradewatch_database_away": "0x60"}),
    "PredictionsNotKept": ({"gradewatch_log_failed_total": "0+1x60"}, {"gradewatch_log_failed_total": "5x60"}),
    "LogQueueFillsUp": (
        {"gradewatch_log_waiting": "60x60", "gradewatch_log_capacity": "100x60"},
        {"gradewatch_log_waiting": "40x60", "gradewatch_log_capacity": "100x60"},
    ),
    "DiskFillsUp": ({"gradewatch_disk_free_bytes": "1000000000x60"}, {"gradewatch_disk_free_bytes": "9000000000x60"}),
    "ChampionNotLoaded": ({'gradewatch_champion_broken{domain="school"}': "3x60"}, {}),
    "ChampionStopped": ({'gradewatch_champion_stopped{domain="school"}': "3x60"}, {}),
    "WorkersDisagreeOnChampion": (
        {  # of two processes each scrape reaches one
            'gradewatch_champion_generation{domain="school",process="1"}': f"1 stale {'1 stale ' * 29}",
            'gradewatch_champion_generation{domain="school",process="2"}': f"_ 2 {'stale 2 ' * 29}",
        },
        {f'gradewatch_champion_generation{{domain="school",process="{n}"}}': "1x50 2x10" for n in (1, 2)},
    ),
    "FeedStopped": (  # the service has begun anew since, and knows of no such domain
        {'gradewatch_predictions_total{domain="school"}': f"0+1x{WEEK} stale"},
        {
            'gradewatch_predictions_total{domain="school"}': f"0+1x{WEEK + 20}",
            'gradewatch_predictions_total{domain="rests"}': f"0x20 1+1x{WEEK - 144} stale",  # as a week ago
        },
    ),
    "WorkerStuck": ({"gradewatch_job_overdue_seconds": "3600x60"}, {"gradewatch_job_overdue_seconds": "60x60"}),
    "NobodyWorks": (
        {"gradewatch_workers": "0x60", "gradewatch_jobs_waiting": "2x60"},
        {"gradewatch_workers": "1x60", "gradewatch_jobs_waiting": "2x60"},
    ),
    "RedisGone": ({"gradewatch_shared_paused": "1x60"}, {"gradewatch_shared_paused": "0x60"}),
    "FaultsOfOurs": (
        {'gradewatch_requests_total{status="500"}': "0+1x60"},
        {'gradewatch_requests_total{status="200"}': "0+1x60"},
    ),
    "SlowPredictions": (
        {
            f'gradewatch_request_seconds_bucket{{route="/api/v1/{{domain}}/predict",le="{le}"}}': values
            for le, values in (("0.1", "0+1x60"), ("0.5", "0+9x60"), ("+Inf", "0+9x60"))
        },
        {
            f'gradewatch_request_seconds_bucket{{route="/api/v1/{{domain}}/predict",le="{le}"}}': "0+9x60"
            for le in ("0.1", "0.5", "+Inf")
        },
    ),
    "SomebodyTriesKeys": (
        {'gradewatch_refused_total{status="401"}': "0+120x60"},
        {'gradewatch_refused_total{status="401"}': "0+1x60"},
    ),
    "ClockWrong": ({"node_timex_offset_seconds": "-3x60"}, {"node_timex_offset_seconds": "0x60"}),
    "CertificateEnds": (
        {"probe_ssl_earliest_cert_expiry": "864000x60"},
        {"probe_ssl_earliest_cert_expiry": "8640000x60"},
    ),
    "BrokerGone": ({"redis_up": "0x60"}, {"redis_up": "1x60"}),
}


def rules() -> dict[str, dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def trial(alert: str, series: dict[str, str], firing: bool) -> dict[str, Any]:
    """One of promtool's tests: whether `alert` is on after an hour (of the feed: after a week and three hours)."""
    step, at = (10, 10 * (WEEK + 18)) if alert == FEED else (1, 55)
    return {
        "interval": f"{step}m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {
                "expr": f'count(ALERTS{{alertname="{alert}", alertstate="firing"}})',
                "eval_time": f"{at}m",
                "exp_samples": [{"value": 1}] if firing else [],
            }
        ],
    }


def test_every_alert_rises_and_falls(tmp_path: Path) -> None:
    assert SERIES.keys() == rules().keys()
    if shutil.which("promtool") is None:
        absent("promtool", "Debian's package prometheus has it")
    for every, names in (("1m", SERIES.keys() - {FEED}), ("10m", {FEED})):
        tests = [
            trial(name, told, fires) for name in names for told, fires in zip(SERIES[name], (True, False), strict=True)
        ]
        file = tmp_path / f"{every}.yml"
        file.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": every, "tests": tests}))
        done = subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_who_is_told_hears_of_an_alert_once_and_not_of_what_follows_from_it(tmp_path: Path) -> None:
    """A real Alertmanager by the shipped file, whose waiting is cut short; Debian's is older than `url_file`."""
    if (program := shutil.which("prometheus-alertmanager")) is None:
        absent("alertmanager", "Debian's package prometheus-alertmanager has it")
    got = Receiver()
    text = (RULES.parent / "alertmanager.yml").read_text(encoding="utf-8")
    text = text.replace("url_file: /etc/gradewatch/alerts.url", f"url: {got.url}")
    (tmp_path / "config.yml").write_text(re.sub(r"group_wait: \w+", "group_wait: 1s", text))
    port = free_port()
    options = [f"--config.file={tmp_path / 'config.yml'}", f"--storage.path={tmp_path / 'kept'}",
               f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="]  # fmt: skip
    process = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        api = f"http://127.0.0.1:{port}/api/v2/alerts"
        until(lambda: httpx.get(api).status_code == 200)
        raised = [("DatabaseGone", "page"), ("LogQueueFillsUp", "page"), ("DiskFillsUp", "page")]
        alerts = [{"labels": {"alertname": name, "severity": severity}} for name, severity in raised]
        assert httpx.post(api, json=alerts).status_code == 200
        until(lambda: len(got.told) == 2)
        assert {one["groupLabels"]["alertname"] for one in got.told} == {"DatabaseGone", "DiskFillsUp"}
    finally:
        process.terminate()
        process.wait(30)
        got.stop()


class Receiver:
    """Hears what Alertmanager tells."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        told = self.told

        class Hears(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                told.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Hears)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def until(holds: Callable[[], bool]) -> None:
    for _ in range(600):
        with suppress(httpx.TransportError):
            if holds():
                return
        time.sleep(0.1)
    raise AssertionError("never held")


def test_dashboards_ask_what_prometheus_understands(tmp_path: Path) -> None:
    if shutil.which("promtool") is None:
        absent("promtool", "Debian's package prometheus has it")
    queries = [query for panels in BOARDS.values() for panel in panels for query in panel.queries.values()]
    rules = [{"record": "asked:once", "expr": query} for query in queries]
    file = tmp_path / "queries.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "boards", "rules": rules}]}))
    done = subprocess.run(
        ["promtool", "check", "rules", "--lint=none", str(file)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_leads_to_a_section_that_is_there() -> None:
    for rule in rules().values():
        page, _, section = rule["annotations"]["runbook"].partition("#")
        titles = re.findall(r"^## (.+)$", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
        assert section in {title.lower().replace(" ", "-") for title in titles}


def test_dashboards_are_as_their_table_has_them() -> None:
    assert [file.name for file, text in written() if file.read_text(encoding="utf-8") != text] == []
    assert {file for file, _ in written()} == set(FOLDER.iterdir()), "run python -m deployment.boards"


def test_searches_are_as_their_table_has_them_and_columns_are_what_the_index_knows() -> None:
    assert SEARCHES_FILE.read_text(encoding="utf-8") == searches_text(), "run python -m deployment.log_searches"
    columns = {column for _, columns in LOG_SEARCHES.values() for column in columns.split()}
    assert columns <= indexed()


def indexed() -> set[str]:
    """The fields of the index template."""
    template = json.loads(SEARCHES_FILE.with_name("template.json").read_text(encoding="utf-8"))

    def leaves(at: str, known: dict[str, Any]) -> Iterator[str]:
        for name, field in known.items():
            yield from leaves(f"{at}{name}.", field["properties"]) if "properties" in field else [f"{at}{name}"]

    return set(leaves("", template["template"]["mappings"]["properties"]))


def test_what_alerts_and_dashboards_speak_of_is_what_the_service_says(shared: Server) -> None:
    said = set(re.findall(r"^# TYPE (\w+)", shared.client.get("/metrics").text, re.MULTILINE))
    said |= {"gradewatch_shared_paused", "gradewatch_shared_errors_total"}  # said where there is Redis
    queries = [query for panels in BOARDS.values() for panel in panels for query in panel.queries.values()]
    spoken = {
        name
        for query in [*queries, *(rule["expr"] for rule in rules().values())]
        for name in re.findall(r"\b(?:gradewatch|process)_\w+", query)
    }
    assert {re.sub(r"_(bucket|sum|count)$", "", name) for name in spoken} - said == set()
