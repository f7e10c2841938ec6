"""Alerts speak of what the service really says, and every one of them rises and falls (by Prometheus' own tool)."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml

from deployment.boards import BOARDS, FOLDER, written
from tests.api.serving import Server
from tests.conftest import absent

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "deployment" / "prometheus" / "gradewatch.rules.yml"
DAY = 24 * 60

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
        {'gradewatch_predictions_total{domain="school"}': f"0+1x{DAY} stale"},
        {'gradewatch_predictions_total{domain="school"}': f"0+1x{2 * DAY}"},
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
    """One of promtool's tests: whether `alert` is on after an hour (of the feed: after a day and three hours)."""
    at = DAY + 180 if alert == "FeedStopped" else 55
    return {
        "interval": "1m",
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
    tests = [
        trial(name, told, fires) for name, two in SERIES.items() for told, fires in zip(two, (True, False), strict=True)
    ]
    file = tmp_path / "test.yml"
    file.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": tests}))
    done = subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


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
