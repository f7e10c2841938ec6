"""Kibana's searches and its dashboard from one table: `python -m deployment.log_searches` writes logs/kibana.ndjson.

Compose's profile `logs` imports that. Which fields there are is said by the index template beside it.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SEARCHES_FILE = Path(__file__).parent / "logs" / "kibana.ndjson"
INDEX_VIEW = "gradewatch"

LOG_SEARCHES: Mapping[str, tuple[str, str]] = {
    "Faults of ours": (
        "http.response.status_code >= 500 or log.level : error",
        "http.request.id gradewatch.route http.response.status_code message error.stack_trace",
    ),
    "Refused": (
        "http.response.status_code >= 400 and http.response.status_code < 500",
        "http.request.id http.request.method gradewatch.route http.response.status_code",
    ),
    "Slow requests": (
        "event.duration > 500000000",
        "http.request.id gradewatch.route event.duration http.response.status_code",
    ),
    "Jobs": ("gradewatch.job : *", "http.request.id gradewatch.job gradewatch.kind gradewatch.domain message"),
}
"""By title what is looked for (KQL; durations in nanoseconds), and the columns. One request with all that came of it is
found by typing `http.request.id : "…"` above any of them."""


def saved_objects() -> list[dict[str, Any]]:
    """The view of the indexes, the searches, and the dashboard that shows them."""
    view = {"type": "index-pattern", "id": INDEX_VIEW, "references": [],
            "attributes": {"title": "gradewatch-*", "timeFieldName": "@timestamp"}}  # fmt: skip
    searches = [_search(title, query, columns.split()) for title, (query, columns) in LOG_SEARCHES.items()]
    return [view, *searches, _dashboard([one["id"] for one in searches])]


def _search(title: str, query: str, columns: list[str]) -> dict[str, Any]:
    asked = {
        "query": {"query": query, "language": "kuery"},
        "filter": [],
        "indexRefName": "kibanaSavedObjectMeta.searchSourceJSON.index",
    }
    return {
        "type": "search",
        "id": f"gradewatch-{title.lower().replace(' ', '-')}",
        "attributes": {
            "title": title,
            "columns": columns,
            "sort": [["@timestamp", "desc"]],
            "kibanaSavedObjectMeta": {"searchSourceJSON": json.dumps(asked)},
        },
        "references": [{"id": INDEX_VIEW, "name": asked["indexRefName"], "type": "index-pattern"}],
    }


def _dashboard(searches: list[str]) -> dict[str, Any]:
    panels = [
        {"type": "search", "panelIndex": f"{n}", "panelRefName": f"panel_{n}", "embeddableConfig": {},
         "gridData": {"i": f"{n}", "x": 24 * (n % 2), "y": 15 * (n // 2), "w": 24, "h": 15}}
        for n in range(len(searches))
    ]  # fmt: skip
    return {
        "type": "dashboard",
        "id": "gradewatch",
        "attributes": {
            "title": "Gradewatch",
            "panelsJSON": json.dumps(panels),
            "optionsJSON": "{}",
            "timeRestore": False,
            "kibanaSavedObjectMeta": {"searchSourceJSON": json.dumps({"query": {"query": "", "language": "kuery"}})},
        },
        "references": [{"id": one, "name": f"{n}:panel_{n}", "type": "search"} for n, one in enumerate(searches)],
    }


def searches_text() -> str:
    """The file's text."""
    return "".join(f"{json.dumps(one, sort_keys=True)}\n" for one in saved_objects())


if __name__ == "__main__":
    SEARCHES_FILE.write_text(searches_text(), encoding="utf-8")
