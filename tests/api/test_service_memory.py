"""What a serving worker's memory comes to, when every address of its page has been asked for something valid."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

import httpx
import pytest

from access.records import Grant
from access.users import add_user
from api.older_addresses import OLDER_ADDRESSES, PERIOD_OF_COURSE
from model.workspace import Workspace
from monitoring.earliness import keep_earliness
from reports.archive import keep_report
from tests.api.routes.test_earliness import made_earliness
from tests.api.serving import ENGAGEMENT, PATIENCE, UNIVERSITY, Server
from tests.api.test_service_champions import another_version
from tests.reports.making import WEEK_3
from tests.reports.test_archive import made

MEGABYTES = 165
FORBIDDEN = ("sklearn/", "scipy/", "pandas/", "skl2onnx/", "polars", "_polars_runtime")
PASSWORD = "a password of some length"
DOMAIN = "/api/v1/engagement"
TABLE = ("table.csv", "Pupil,On,Was\ns1,2026-09-14,present\n")
COLUMNS = """source = "sis"
[[files]]
kind = "attendance"
columns = { student = "Pupil", day = "On", status = "Was" }
"""
EVENTS = [
    {"kind": "attendance", "event": "a1", "student": "s1", "at": "2026-09-14", "values": {"status": "present"}},
    {"kind": "enrolment", "event": "n1", "student": "s1", "at": "2026-09-01", "values": {"school": "north"}},
    {"kind": "calendar", "event": "c1", "at": "2026-09-14"},
]


def memory(server: Server) -> float:
    """Resident megabytes of the process that answers."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024


def loaded(server: Server) -> list[str]:
    """Forbidden libraries whose compiled parts are in the process."""
    maps = Path(f"/proc/{server.process.pid}/maps").read_text()
    return [name for name in FORBIDDEN if f"/site-packages/{name}" in maps]


def of_conditions(server: Server) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """What needs a person, which somebody has seen."""
    yield "GET", "/api/v1/conditions", {}
    told = server.get("/api/v1/conditions")["conditions"][0]["id"]
    yield "POST", "/api/v1/conditions", {"json": {"condition": told, "note": "a trial run"}}


def requests(server: Server, folder: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """A valid request to every address of one domain and of the whole: method, address, and the rest of it."""
    text = "\n".join((folder / "examples" / "engagement.csv").read_text().splitlines()[:251])
    csv: dict[str, Any] = {"content": text, "headers": {"content-type": "text/csv", "x-file-name": "t.csv"}}
    today = datetime.now(UTC).date().isoformat()
    get, post, delete = "GET", "POST", "DELETE"
    yield from requests_of_others()
    for path in ("accesses", "domains", "domains/engagement", "models", "jobs"):
        yield get, f"/api/v1/{path}", {}
    for kind in ("csv", "xlsx"):
        yield get, "/api/v1/domains/engagement/template", {"params": {"format": kind}}
    yield get, "/api/v1/models/history", {"params": {"domain": "engagement"}}
    for path, body in (
        ("/predict", ENGAGEMENT),
        ("/predict/batch", [ENGAGEMENT] * 2),
        ("/api/predict/", UNIVERSITY),
        ("/api/predict", UNIVERSITY),
    ):
        yield post, path, {"json": body}
    said = server.predict("engagement", ENGAGEMENT | {"student_id": "s1"})
    yield post, f"{DOMAIN}/predict", {"json": ENGAGEMENT, "params": {"explain": 3}}
    many = [{**ENGAGEMENT, "attention": 20 + place} for place in range(60)]
    yield post, f"{DOMAIN}/predict/batch", {"json": many}
    yield post, f"{DOMAIN}/predict/batch", csv
    yield get, f"{DOMAIN}/predictions", {}
    yield get, f"{DOMAIN}/predictions/{said['id']}", {}
    yield post, f"{DOMAIN}/predictions/find", {"json": {"student": "s1"}}
    for path, question in (("students", {"top_k": 5}), ("changes", {"top_k": 5}), ("changes/reports", {"limit": 5})):
        yield get, f"{DOMAIN}/{path}", {"params": question}
    yield from of_one_student(said["student"], said["id"], csv)
    yield post, f"{DOMAIN}/outcomes", {"json": [{"prediction_id": said["id"], "assignment_score": 70}]}
    for query in ("?dry=true", ""):
        yield post, f"{DOMAIN}/outcomes{query}", csv | {"content": "student_id,assignment_score\ns1,71\n"}
    for path, question in (("performance", {"top": 5}), ("results", {"top": 5}), ("cases", {"stage": "noted"})):
        yield get, f"{DOMAIN}/{path}", {"params": question}
    yield post, f"{DOMAIN}/batches", csv | {"params": {"kind": "labeled"}}
    uploaded = server.get(f"{DOMAIN}/uploads")["uploads"][0]["id"]
    for path in ("batches", "uploads", f"uploads/{uploaded}"):
        yield get, f"{DOMAIN}/{path}", {}
    half = "\n".join(text.splitlines()[:101])
    yield post, f"{DOMAIN}/drift", csv | {"content": half}
    yield post, f"{DOMAIN}/drift/window", {"json": {"since": today}}
    yield from chain(of_conditions(server), of_reports(server), of_warnings(), of_earliness(server))
    yield get, f"{DOMAIN}/drift", {}
    yield get, f"{DOMAIN}/drift/{server.get(f'{DOMAIN}/drift')['reports'][0]['id']}", {}
    headers = csv["headers"] | {"prefer": "respond-async"}
    later = server.client.post(f"{DOMAIN}/predict/batch", **csv | {"headers": headers})
    server.until(lambda: server.get(later.headers["location"])["finished"])
    yield get, later.headers["location"], {}
    yield get, later.headers["location"] + "/answers", {}
    yield delete, later.headers["location"], {}
    version = server.get("/api/v1/models", params={"domain": "engagement"})["champions"][0]["version"]
    yield from changes(server, version)
    yield post, f"{DOMAIN}/retrain", {"json": {"dry_run": True}}
    yield get, f"{DOMAIN}/retrain", {}
    run = server.get(f"{DOMAIN}/retrain")["runs"][0]["id"]
    server.until(lambda: server.get(f"{DOMAIN}/retrain/{run}")["state"] == "finished", patience=2 * PATIENCE)
    yield get, f"{DOMAIN}/retrain/{run}", {}
    yield post, f"{DOMAIN}/train", {"json": {}}
    yield from rights(server)
    yield post, f"{DOMAIN}/withdrawals", {"json": {"predictions": [said["id"]], "reason": "asked by mistake"}}


def of_one_student(student: str, answer: str, csv: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """What is done and told about a student of whom something was answered."""
    yield "GET", f"{DOMAIN}/students/{student}/advice", {}
    for method, body in (("POST", {"json": {"done": "talked"}}), ("GET", {})):
        yield method, f"{DOMAIN}/students/{student}/notes", body
    step = f"student,done,when\n{student},talked,{datetime.now(UTC).date().isoformat()}\n"
    yield "POST", f"{DOMAIN}/cases", csv | {"content": step}
    for path in ("advice", "sheet"):
        yield "GET", f"{DOMAIN}/predictions/{answer}/{path}", {}


def of_warnings() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Whom to warn of: looked at, put into use and taken back."""
    for path, body in (("preview", {}), ("activate", {"reason": "tried"}), ("rollback", {"reason": "tried"})):
        yield "POST", f"{DOMAIN}/warnings/{path}", {"json": body}
    yield "GET", f"{DOMAIN}/warnings/policy", {}
    lots = {"capacity": 2, "by_lot": 1, "threshold": 0.0, "reason": "tried"}
    yield "POST", f"{DOMAIN}/warnings/activate", {"json": lots}
    yield "POST", f"{DOMAIN}/warnings/draws", {"json": {}}
    yield "GET", f"{DOMAIN}/warnings/draws", {}
    yield "GET", f"{DOMAIN}/effects", {}


def of_earliness(server: Server) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """From when on answers can be trusted, as it was found before."""
    kept = made_earliness("engagement", "assignment_score")
    with server.store() as store:
        keep_earliness(store, kept, job="before", rows=300)
    yield "GET", f"{DOMAIN}/earliness", {}
    yield "POST", f"{DOMAIN}/earliness", {"json": {}, "params": {"async": True}}


def of_reports(server: Server) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Reports of a domain that has groups and periods, one of which is kept."""
    with server.store() as store:
        keep_report(store, made(WEEK_3, "a" * 64, "b" * 64, domain="university"))
        keep_report(store, made(WEEK_3, "a" * 64, domain="course", group="all", period="2026-01-12/2026-05-29"))
    path, cohort = "/api/v1/university/reports", {"group": "algebra", "period": "2026-1"}
    yield "GET", path, {}
    for form in ("json", "html", "csv", "xlsx"):
        yield "GET", f"{path}/latest", {"params": {**cohort, "format": form}}
    address = server.get(path)["reports"][0]["address"]
    yield "GET", address, {}
    yield "POST", address, {"json": {"keys": ["s1"]}}
    for call in OLDER_ADDRESSES:
        if call.file and call.path.endswith(PERIOD_OF_COURSE):
            yield call.method, call.path, {"files": {"file": ("students.csv", call.file)}}
    yield "GET", f"/get-report?{PERIOD_OF_COURSE}", {}


def own(server: Server) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """What a student is told, once an officer has linked the user."""
    server.predict("engagement", ENGAGEMENT | {"student_id": "s2"})
    yield "POST", "/api/v1/users/tom/link", {"json": {"student": "s2"}}
    yield "DELETE", "/api/v1/users/tom/link", {}
    yield "POST", "/api/v1/users/tom/link", {"json": {"student": "s2"}}

    def token() -> str:
        form = {"username": "tom", "password": PASSWORD}
        return str(server.client.post("/api/v1/token", data=form).json()["access_token"])

    def known() -> dict[str, str] | None:
        headers = {"authorization": f"Bearer {token()}"}
        return headers if server.client.get("/api/v1/me", headers=headers).status_code == 200 else None

    headers = server.until(known)
    yield "GET", "/api/v1/me", {"headers": headers}
    place = server.client.get("/api/v1/me", headers=headers).json()["view"]["domains"][0]["places"][0]
    yield "GET", f"/api/v1/me/sheets/{place['sheet']}", {"headers": headers}
    yield "POST", "/api/v1/me/objection", {"headers": headers}


def rights(server: Server) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """What an officer answers a student with."""
    yield from own(server)
    yield "POST", f"{DOMAIN}/students/export", {"json": {"student": "s1"}}
    yield "POST", f"{DOMAIN}/students/object", {"json": {"student": "nobody"}}
    yield "POST", f"{DOMAIN}/students/erase", {"json": {"student": "s1", "reason": "asked for"}}
    yield "GET", f"{DOMAIN}/students/erasures", {}


def requests_of_others() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Those of machines, of older systems, and of whoever speaks the Open Inference Protocol."""
    for path in ("/health", "/ready", "/metrics", "/openapi.json", "/admin/cache/stats", "/drift-status"):
        yield "GET", path, {}
    yield "POST", "/api/v1/k12/events", {"json": {"events": EVENTS}}
    yield "POST", "/api/v1/predict", {"json": {"student_id": "s1", "date_range": {"end": "2026-09-14"}}}
    yield "POST", "/api/v1/predict/batch", {"json": {"student_ids": ["s1"]}}
    yield "GET", "/api/v1/metrics", {}
    yield "POST", "/api/v1/train/update", {"json": {}}
    yield (
        "POST",
        "/api/v1/k12/exports",
        {"files": {"file": TABLE, "mapping": ("columns.toml", COLUMNS)}, "params": {"dry": True}},
    )
    yield "POST", "/api/v1/k12/students", {"json": {"students": ["s1"], "factors": True}}
    yield "GET", f"/api/v1/k12/students/{'0' * 64}/week", {}
    for path in ("", "/health/live", "/health/ready", "/models/engagement", "/models/engagement/ready"):
        yield "GET", f"/v2{path}", {}
    columns = [{"name": k, "shape": [1], "datatype": "FP64", "data": [v]} for k, v in ENGAGEMENT.items()]
    yield "POST", "/v2/models/engagement/infer", {"json": {"inputs": columns}}
    for path in ("/admin/cache", "/admin/cache/clear"):
        yield "DELETE", path, {}
    for path in ("/login", "/auth/login"):
        yield "POST", path, {"json": {"username": "ann", "password": PASSWORD}}


def changes(server: Server, champion: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Requests that need a second version: a trial of it, its being made champion, and the way back."""
    others = server.get("/api/v1/models", params={"domain": "engagement"})["models"]
    other = next(one["version"] for one in others if one["version"] != champion)
    trial = server.post(f"{DOMAIN}/trials", {"version": other, "mode": "shadow"})
    assert trial.status_code == 201, trial.text
    yield "GET", f"/api/v1/models/{champion}/download", {"params": {"domain": "engagement"}}
    for form in ("json", "html", "text"):
        yield "GET", f"/api/v1/models/{champion}/card", {"params": {"domain": "engagement", "format": form}}
    yield "GET", f"{DOMAIN}/trials", {}
    yield "GET", trial.headers["location"], {}
    yield "DELETE", trial.headers["location"], {}
    yield "POST", f"{DOMAIN}/trials", {"json": {"version": other, "mode": "shadow"}}
    yield "DELETE", f"{DOMAIN}/trials/{server.get(f'{DOMAIN}/trials')['trials'][0]['id']}", {}
    yield "GET", f"{DOMAIN}/changes", {"params": {"version": other}}
    yield "POST", "/api/v1/models/promote", {"json": {"domain": "engagement", "version": other, "reason": "tried"}}
    yield "POST", "/api/v1/pauses", {"json": {"domain": "engagement", "reason": "tried"}}
    yield "GET", "/api/v1/pauses", {}
    yield "POST", "/api/v1/pauses/resume", {"json": {"domain": "engagement"}}
    yield "POST", "/api/v1/models/activate", {"json": {"domain": "engagement", "version": other, "reason": "tried"}}
    yield "POST", "/api/v1/models/rollback", {"json": {"domain": "engagement", "reason": "tried"}}


def asked(page: Any, method: str, path: str) -> str | None:
    """The operation of the page that a request is to; None for one that it does not list."""
    for template, item in page["paths"].items():
        pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template))
        if re.fullmatch(pattern, path) and method.lower() in item and "{" not in template.partition("{")[0]:
            return f"{method} {template}"
    return None


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read where Linux tells it")
def test_a_worker_that_answered_at_every_address_stays_small_and_loaded_nothing_that_reports_need(
    serve: Callable[..., Server], installation: Path, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    another_version(workspace)
    add_user(workspace.store, "ann", Grant(role="admin"), PASSWORD, domains=[], actor="test")
    add_user(workspace.store, "tom", Grant(role="student"), PASSWORD, domains=[], actor="test")
    server = serve(
        GRADEWATCH_STUDENT_VIEW="on",
        GRADEWATCH_AUTH="on",
        GRADEWATCH_TOKEN_SECRET="t" * 40,
        GRADEWATCH_RATE_LIMIT="off",
    )
    signed_in = server.client.post("/api/v1/token", data={"username": "ann", "password": PASSWORD})
    server.client.headers["authorization"] = f"Bearer {signed_in.json()['access_token']}"
    page = server.get("/openapi.json")
    left = {
        f"{method.upper()} {path}"
        for path, item in page["paths"].items()
        for method in item
        if path not in ("/api/v1/token", "/get-report", "/update-csv")
        and not re.search(r"/(school|university|course|k12)(/|$)", path)
    }
    lines = [f"{memory(server):6.1f} MB  when it answers first"]
    for method, path, how in requests(server, installation):
        answer: httpx.Response = server.client.request(method, path, **how)
        assert answer.status_code < 300, (method, path, answer.text)
        left.discard(asked(page, method, path.replace("/k12/", "/engagement/")) or "")
        lines.append(f"{memory(server):6.1f} MB  {method} {path}")
    with capsys.disabled():
        print("\n" + "\n".join(lines))
    assert loaded(server) == []
    assert memory(server) <= MEGABYTES
    assert sorted(left) == []
