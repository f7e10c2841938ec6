"""Grafana's dashboards from one table: `python -m deployment.boards` writes deployment/grafana/boards.

A panel is a title, a unit and queries of what /metrics says; a test holds the names to that. Nothing is measured here.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).parent / "grafana" / "boards"
PANEL_WIDTH, PANEL_HEIGHT, GRID_COLUMNS = 8, 8, 24  # of a panel, in Grafana's grid of 24 columns
DATA_SOURCE = {"type": "prometheus", "uid": "prometheus"}


class BoardPanel(NamedTuple):
    """One graph. queries: by legend, where "" shows the labels; unit: as Grafana calls it."""

    title: str
    unit: str
    queries: Mapping[str, str]


def quantile(share: float, metric: str, by: str) -> str:
    """A quantile of a histogram's last five minutes."""
    return f"histogram_quantile({share}, sum by (le, {by}) (rate({metric}_bucket[5m])))"


BOARDS: Mapping[str, Sequence[BoardPanel]] = {
    "service": (
        BoardPanel("Requests", "reqps", {"{{route}}": "sum by (route) (rate(gradewatch_requests_total[5m]))"}),
        BoardPanel("99th percentile", "s", {"{{route}}": quantile(0.99, "gradewatch_request_seconds", "route")}),
        BoardPanel("Refused", "reqps", {"{{reason}}": "sum by (reason) (rate(gradewatch_refused_total[5m]))"}),
        BoardPanel(
            "Stages of a prediction, median", "s", {"{{stage}}": quantile(0.5, "gradewatch_stage_seconds", "stage")}
        ),
        BoardPanel(
            "Predictions that wait for the database",
            "short",
            {"wait": "sum(gradewatch_log_waiting)", "may wait": "sum(gradewatch_log_capacity)"},
        ),
        BoardPanel(
            "Answers that were known",
            "percentunit",
            {
                "{{backend}}": "sum by (backend) (rate(gradewatch_cache_hits_total[5m])) / sum by (backend) "
                "(rate(gradewatch_cache_hits_total[5m]) + rate(gradewatch_cache_misses_total[5m]))"
            },
        ),
        BoardPanel("Memory", "bytes", {"{{instance}} {{process}}": "process_resident_memory_bytes"}),
        BoardPanel("Processors", "short", {"{{instance}} {{process}}": "rate(process_cpu_seconds_total[5m])"}),
        BoardPanel("Room on the disk", "bytes", {"{{instance}}": "gradewatch_disk_free_bytes"}),
        BoardPanel(
            "Workers and jobs", "short", {"live": "max(gradewatch_workers)", "wait": "max(gradewatch_jobs_waiting)"}
        ),
        BoardPanel("A job could have begun", "s", {"ago": "max(gradewatch_job_overdue_seconds)"}),
        BoardPanel("Database away", "short", {"{{instance}}": "gradewatch_database_away"}),
    ),
    "models": (
        BoardPanel(
            "Predictions",
            "short",
            {"{{domain}} {{moment}}": "sum by (domain, moment) (increase(gradewatch_predictions_total[1h]))"},
        ),
        BoardPanel(
            "Champions by number",
            "short",
            {"{{domain}} {{target}} {{moment}}": "max by (domain, target, moment) (gradewatch_champion_generation)"},
        ),
        BoardPanel(
            "Champions that cannot serve",
            "short",
            {
                "broken": "count(gradewatch_champion_broken) or vector(0)",
                "of another schema": "count(gradewatch_champion_stopped) or vector(0)",
            },
        ),
    ),
}
"""What each board shows."""


def board(name: str, panels: Sequence[BoardPanel]) -> dict[str, Any]:
    """A dashboard in Grafana's form."""
    return {
        "uid": f"gradewatch-{name}",
        "title": f"Gradewatch: {name}",
        "tags": ["gradewatch"],
        "schemaVersion": 39,
        "time": {"from": "now-24h", "to": "now"},
        "refresh": "1m",
        "panels": list(_placed(panels)),
    }


def _placed(panels: Sequence[BoardPanel]) -> Iterator[dict[str, Any]]:
    across = GRID_COLUMNS // PANEL_WIDTH
    for number, panel in enumerate(panels):
        yield {
            "id": number + 1,
            "type": "timeseries",
            "title": panel.title,
            "datasource": DATA_SOURCE,
            "gridPos": {
                "x": number % across * PANEL_WIDTH,
                "y": number // across * PANEL_HEIGHT,
                "w": PANEL_WIDTH,
                "h": PANEL_HEIGHT,
            },
            "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
            "targets": [
                {"refId": chr(ord("A") + place), "expr": query, "legendFormat": legend, "datasource": DATA_SOURCE}
                for place, (legend, query) in enumerate(panel.queries.items())
            ],
        }


def written() -> Iterator[tuple[Path, str]]:
    """Each file, and what stands in it."""
    for name, panels in BOARDS.items():
        yield FOLDER / f"{name}.json", json.dumps(board(name, panels), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for file, text in written():
        file.write_text(text, encoding="utf-8")
