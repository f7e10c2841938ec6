"""Files of labelled rows, and how tests upload them."""

from pathlib import Path
from typing import Any

from tests.api.serving import ENGAGEMENT, Server

CSV = {"content-type": "text/csv", "x-file-name": "term.csv"}


def upload(server: Server, content: str | bytes, *, kind: str = "labeled", skip: bool = False) -> tuple[int, dict]:  # type: ignore[type-arg]
    params = {"kind": kind, "skip_bad_rows": str(skip).lower()}
    answer = server.client.post("/api/v1/engagement/batches", params=params, content=content, headers=CSV)
    return answer.status_code, answer.json()


def labeled(rows: int, *, score: float = 70) -> str:
    header = [*ENGAGEMENT, "assignment_score", "student_id"]
    lines = [[*(value - i / 100 for value in ENGAGEMENT.values()), score, f"b{i}"] for i in range(rows)]
    return "\n".join(",".join(map(str, line)) for line in [header, *lines])


LATER = {"prefer": "respond-async"}


DRIFT = "/api/v1/engagement/drift"


SCORE = "/api/v1/engagement/predict/batch"


def rows_of(folder: Path, count: int) -> str:
    return "\n".join((folder / "examples" / "engagement.csv").read_text().splitlines()[: count + 1])


def ended(server: Server, address: str) -> Any:
    return server.until(lambda: (job := server.get(address))["finished"] and job)
