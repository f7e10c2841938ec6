"""Who may do what, on a real service that asks who they are: roles, groups, and what is recorded."""

import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from access.keys import create_key, revoke_key
from access.records import Grant
from access.users import add_user
from database.errors import StoreUnavailable
from database.records import Access
from tests.api.guarded import GROUP, PASSWORD, TOKEN_SECRET, Guarded, forged
from tests.api.serving import ENGAGEMENT, UNIVERSITY, Server, free_port
from tests.command import ROOT

PREDICT = "/api/v1/university/predict"


READ_ONE = "/api/v1/{domain}/predictions/{id}"


def test_a_refusal_is_recorded_by_method_and_route_also_where_no_route_was_reached(guarded: Guarded) -> None:
    unknown = "gw_" + "x" * 43
    for method, address, route in (
        ("GET", "/api/v1/university/predictions", "GET /api/v1/{domain}/predictions"),
        ("GET", "/api/v1/university/predictions/pupil-0815", "GET /api/v1/{domain}/predictions/{id}"),
        ("POST", "/predict", "POST /api/v1/{domain}/predict"),
        ("DELETE", "/admin/cache", "DELETE /admin/cache"),
        ("GET", "/students/pupil-0815", "ANY unmatched"),
    ):
        assert guarded.ask(method, address, unknown).status_code == 401
        found = guarded.recorded(lambda e, route=route: e.details.get("route") == route and e.details["status"] == 401)
        assert "pupil" not in msgspec.json.encode(found).decode()
    assert guarded.ask("GET", "/api/v1/university/predictions", guarded.keys["viewer"]).status_code == 403
    guarded.recorded(
        lambda e: (e.actor, e.details.get("route")) == ("key:a-viewer", "GET /api/v1/{domain}/predictions")
    )


def test_a_revoked_key_is_refused_within_a_poll_and_recorded_under_its_name(guarded: Guarded) -> None:
    key = guarded.key("soon-revoked", "analyst")
    guarded.until_known(key)
    with guarded.server.store() as store:
        revoke_key(store, "soon-revoked", actor="test")
    assert guarded.until_refused(key).json()["detail"] == "this key was revoked"

    def entry_of_the_refusal() -> Access | None:
        guarded.ask("GET", "/api/v1/domains", key)  # again, while other tests' attempts fill what is written at once
        refusals = (e for e in guarded.entries(limit=1000) if e.action == "refused")
        return next((e for e in refusals if e.actor == "key:soon-revoked"), None)

    entry = guarded.server.until(entry_of_the_refusal, patience=100)
    assert (entry.details["status"], entry.details["reason"]) == (401, "Unauthenticated")
    assert entry.details["address"] == "127.0.0.1"


def test_many_rows_and_files_are_logged_under_whoever_asked(guarded: Guarded) -> None:
    key = {"authorization": f"Bearer {guarded.keys['teacher']}"}
    many = guarded.server.post("/api/v1/engagement/predict/batch", [ENGAGEMENT] * 3, headers=key).json()
    text = ",".join(ENGAGEMENT) + "\n" + ",".join(map(str, ENGAGEMENT.values()))
    file = guarded.server.client.post(
        "/api/v1/engagement/predict/batch", content=text, headers={**key, "content-type": "text/csv"}
    )
    assert file.status_code == 200, file.text
    ids = [one["id"] for one in [*many["predictions"], *_said(file)]]
    with guarded.server.store() as store:
        found = [store.prediction(one) for one in ids]
    assert [one and one.actor for one in found] == ["key:a-teacher"] * 4


def _said(answer: httpx.Response) -> list[Any]:
    return list(answer.json()["predictions"])


@pytest.mark.parametrize(
    "headers",
    [
        [(f"x-{number}", "a") for number in range(200)],
        [("x-long", "a" * 40_000)],
        [("authorization", "Bearer " + "a" * 40_000)],
    ],
    ids=["many", "long", "long key"],
)
def test_a_flood_of_headers_is_turned_away(guarded: Guarded, headers: list[tuple[str, str]]) -> None:
    answer = guarded.server.client.post(PREDICT, json=UNIVERSITY, headers=headers)
    assert answer.status_code in (400, 431)


def test_a_key_with_a_limit_is_told_what_is_left_and_when_to_come_back(guarded: Guarded) -> None:
    key = guarded.key("hasty", "teacher", rate="3/hour")
    guarded.until_known(key)
    answers = [guarded.ask("POST", PREDICT, key, json=UNIVERSITY) for _ in range(4)]
    last = answers[-1]
    assert last.status_code == 429
    assert last.json()["title"] == "TooManyRequests"
    assert [answer.headers["ratelimit-limit"] for answer in answers] == ["3"] * 4
    assert [answer.headers["ratelimit-remaining"] for answer in answers][-2:] == ["0", "0"]
    assert 0 < int(last.headers["retry-after"]) <= 3600
    assert guarded.ask("GET", "/api/v1/domains", guarded.keys["viewer"]).status_code == 200
    guarded.recorded(lambda e: e.actor == "key:hasty" and e.details.get("status") == 429)


def theirs(guarded: Guarded, row: dict[str, Any]) -> str:
    """The id of a prediction that another teacher made."""
    said = guarded.ask("POST", PREDICT, guarded.keys["teacher"], json=row)
    assert said.status_code == 200, said.text
    return str(said.json()["id"])


def count(guarded: Guarded) -> int:
    with guarded.server.store() as store:
        return store.count_predictions()


def test_a_teacher_predicts_for_the_own_class_only(guarded: Guarded, confined: str) -> None:
    own, other = UNIVERSITY | {"student_id": "s1"}, UNIVERSITY | {"subject": "Biology"}
    assert guarded.ask("POST", PREDICT, confined, json=own).status_code == 200
    before = count(guarded)
    csv = "\n".join(",".join(map(str, line)) for line in (own.keys(), own.values(), [*(own | other).values()]))
    tries = [
        guarded.ask("POST", PREDICT, confined, json=other),
        guarded.ask("POST", "/api/predict/", confined, json=other),
        guarded.ask("POST", PREDICT + "/batch", confined, json=[own, own, other]),
        guarded.ask("POST", PREDICT + "/batch", confined, json=[own] * 60 + [other]),
        guarded.ask("POST", PREDICT + "/batch", confined, content=csv, headers={"content-type": "text/csv"}),
        guarded.ask("POST", "/api/v1/engagement/predict", confined, json=ENGAGEMENT),
        guarded.ask("POST", "/predict", confined, json=ENGAGEMENT),
    ]
    assert [answer.status_code for answer in tries] == [403] * len(tries), [answer.text for answer in tries]
    assert count(guarded) == before
    guarded.recorded(lambda e: e.actor == "key:one-class" and e.details.get("reason") == "Forbidden")


def test_a_row_of_no_class_is_nobody_s_own(guarded: Guarded) -> None:
    key = guarded.key("one-assignment", "teacher", domains=("engagement",), groups=("essay",))
    guarded.until_known(key)
    assert guarded.ask("POST", "/predict", key, json=ENGAGEMENT | {"assignment": "essay"}).status_code == 200
    assert guarded.ask("POST", "/predict", key, json=ENGAGEMENT).status_code == 403


def test_a_teacher_reads_the_own_class_only(guarded: Guarded, confined: str) -> None:
    student = {"student_id": "reader-1"}
    own, other = theirs(guarded, UNIVERSITY | student), theirs(guarded, UNIVERSITY | student | {"subject": "Biology"})
    base = "/api/v1/university/predictions"
    assert guarded.ask("GET", f"{base}/{own}", confined).status_code == 200
    assert guarded.ask("GET", f"{base}/{other}", confined).status_code == 403
    guarded.recorded(lambda e: (e.actor, e.details.get("route")) == ("key:one-class", f"GET {READ_ONE}"))
    assert guarded.ask("GET", f"/api/v1/engagement/predictions/{own}", confined).status_code == 403
    listed = guarded.ask("GET", base, confined).json()["predictions"]
    assert {one["group"] for one in listed} == {GROUP}
    found = guarded.ask("POST", f"{base}/find", confined, json={"student": "reader-1"}).json()["predictions"]
    assert [one["id"] for one in found] == [own]
    everyone = guarded.ask("POST", f"{base}/find", guarded.keys["teacher"], json={"student": "reader-1"}).json()
    assert {one["id"] for one in everyone["predictions"]} == {own, other}


def test_a_teacher_of_one_class_learns_nothing_of_others_by_cutting_figures(guarded: Guarded, confined: str) -> None:
    path, admin = "/api/v1/university", guarded.keys["admin"]
    rows = [UNIVERSITY | {"student_id": f"cut-{place}"} | ({"subject": "Biology"} if place % 2 else {})
            for place in range(24)]  # fmt: skip
    said = [theirs(guarded, row) for row in rows]
    before = guarded.ask("GET", f"{path}/performance", confined).json()["targets"][0]

    def tell(places: Sequence[int]) -> dict[str, Any]:
        outcomes = [{"prediction_id": said[place], "final_marks": 40 + place} for place in places]
        assert guarded.ask("POST", f"{path}/outcomes", admin, json=outcomes).status_code == 200
        return {
            query: guarded.ask("GET", f"{path}/performance?target=final_marks{query}", confined).json()["targets"][0]
            for query in ("", "&limit=13", "&since=2020-01-01T00:00:00Z")
        }

    first = tell(range(0, 24, 2))
    assert first[""]["n"] - before["n"] == 12
    assert tell([1]) == first  # one more of the other class changes no figure, whichever way it is asked
    assert guarded.ask("GET", f"{path}/performance?limit=20", guarded.keys["viewer"]).status_code == 403
    assert guarded.ask("GET", f"{path}/performance", guarded.keys["viewer"]).json()["targets"][0]["n"] > first[""]["n"]


def test_nothing_that_a_teacher_of_one_class_may_read_is_changed_by_what_others_do(
    guarded: Guarded, confined: str
) -> None:
    page = guarded.server.get("/openapi.json")["paths"]
    asked = [path.replace("{domain}", "university") for path, operations in page.items() if "get" in operations]
    more = {"history": "?domain=university", "changes": "?from=2026-01-12T08:00:00Z"}
    asked = [path + more.get(path.rpartition("/")[2], "") for path in asked if "{" not in path]
    theirs(guarded, UNIVERSITY | {"student_id": "own-1"})

    def read() -> dict[str, str]:
        found = {path: guarded.ask("GET", path, confined) for path in asked}
        return {path: answer.text for path, answer in found.items() if answer.status_code == 200}

    before = read()
    assert {"/api/v1/university/performance", "/api/v1/university/trials", "/api/v1/jobs"} <= set(before)
    said = [theirs(guarded, UNIVERSITY | {"student_id": f"far-{n}", "subject": "Biology"}) for n in range(12)]
    outcomes = [{"prediction_id": one, "final_marks": 55} for one in said]
    assert guarded.ask("POST", "/api/v1/university/outcomes", guarded.keys["admin"], json=outcomes).status_code == 200
    assert read() == before


def test_one_confined_to_a_domain_sees_and_changes_no_other(guarded: Guarded) -> None:
    key = guarded.key("one-domain", "admin", domains=("university",))
    guarded.until_known(key)
    assert [one["name"] for one in guarded.ask("GET", "/api/v1/domains", key).json()["domains"]] == ["university"]
    models = guarded.ask("GET", "/api/v1/models", key).json()
    assert (
        {one["domain"] for one in models["models"]} == {one["domain"] for one in models["champions"]} == {"university"}
    )
    for path in ("models?domain=engagement", "models/history?domain=engagement", "engagement/drift",
                 "domains/engagement", "engagement/performance", "models/history?domain=",
                 "accesses", "accesses?domain=engagement"):  # fmt: skip
        assert guarded.ask("GET", f"/api/v1/{path}", key).status_code == 403, path
    for path in ("/admin/cache/stats", "/metrics"):
        assert guarded.ask("GET", path, key).status_code == 403, path
    rollback = {"domain": "engagement", "reason": "mine"}
    assert guarded.ask("POST", "/api/v1/models/rollback", key, json=rollback).status_code == 403
    activate = {"domain": "engagement", "version": models["models"][0]["version"]}
    assert guarded.ask("POST", "/api/v1/models/activate", key, json=activate).status_code == 403
    assert guarded.ask("GET", "/api/v1/university/drift", key).status_code == 200


def test_a_job_is_seen_by_who_may_ask_for_one_and_answers_about_students_by_their_asker_alone(
    guarded: Guarded, confined: str
) -> None:
    row = UNIVERSITY | {"student_id": "s1"}
    csv = {"content": "\n".join(",".join(map(str, line)) for line in (row.keys(), row.values()))}
    later = csv | {"headers": {"content-type": "text/csv", "prefer": "respond-async"}}
    scored = guarded.ask("POST", PREDICT + "/batch", confined, **later).headers["location"]
    judged = guarded.ask("POST", "/api/v1/university/drift", guarded.keys["analyst"], **later).headers["location"]

    def seen(key: str) -> list[bool]:
        listed = {f"/api/v1/jobs/{one['id']}" for one in guarded.ask("GET", "/api/v1/jobs", key).json()["jobs"]}
        shown = [guarded.ask("GET", address, key).status_code == 200 for address in (scored, judged)]
        assert shown == [address in listed for address in (scored, judged)]
        return shown

    elsewhere = guarded.key("elsewhere", "admin", domains=("engagement",))
    guarded.until_known(elsewhere)
    assert seen(confined) == [True, False]
    assert [seen(guarded.keys[role]) for role in ("analyst", "admin")] == [[False, True]] * 2
    assert [seen(key) for key in (guarded.keys["viewer"], elsewhere)] == [[False, False]] * 2
    for address in (scored + "/answers", scored):
        assert guarded.ask("DELETE" if address == scored else "GET", address, guarded.keys["admin"]).status_code == 404
    guarded.server.until(lambda: guarded.ask("GET", scored, confined).json()["state"] == "done")
    assert guarded.ask("GET", scored + "/answers", confined).json()["count"] == 1


def test_every_look_at_predictions_is_recorded_before_it_is_answered(guarded: Guarded) -> None:
    key, base = guarded.key("reader", "analyst"), "/api/v1/university/predictions"
    guarded.until_known(key)
    logged_id = theirs(guarded, UNIVERSITY | {"student_id": "recorded-1"})
    guarded.ask("GET", base, key)
    guarded.ask("POST", f"{base}/find", key, json={"student": "recorded-1"})
    guarded.ask("GET", f"{base}/{logged_id}", key)
    entries = guarded.entries(actor="key:reader", domain="university")  # at once: no waiting
    assert [entry.action for entry in entries] == ["prediction read", "student looked up", "predictions listed"]
    with guarded.server.store() as store:
        logged = store.prediction(logged_id)
    assert logged is not None
    assert entries[0].details == {"prediction": logged_id, "student": logged.student}
    assert entries[1].details == {"student": logged.student, "found": 1}
    assert "recorded-1" not in msgspec.json.encode(guarded.entries(limit=1000)).decode()


def test_a_look_that_cannot_be_recorded_is_not_answered(guarded: Guarded) -> None:
    logged_id = theirs(guarded, UNIVERSITY | {"student_id": "unrecorded-1"})
    with guarded.server.locked_database():
        answer = guarded.ask("GET", f"/api/v1/university/predictions/{logged_id}", guarded.keys["teacher"])
    assert answer.status_code == 503, answer.text
    assert logged_id not in answer.text


def test_what_cannot_be_recorded_does_not_happen(guarded: Guarded) -> None:
    """The database goes away between an entry and what it is about, as far as a table that is gone can tell."""
    analyst = guarded.keys["analyst"]
    logged_id = theirs(guarded, UNIVERSITY | {"student_id": "unrecorded"})
    outcomes = [{"prediction_id": logged_id, "final_marks": 61}]
    header = ",".join([*UNIVERSITY, "student_id", "final_marks", "final_grade"])
    batch = f"{header}\n{','.join(map(str, UNIVERSITY.values()))},unrecorded,61,C\n"
    with guarded.server.store() as store:
        before = len(store.batches("university"))
        with sqlite3.connect(guarded.server.folder / "gradewatch.db") as connection:
            connection.execute("ALTER TABLE accesses RENAME TO accesses_away")
        try:
            answers = [
                guarded.ask("POST", "/api/v1/university/outcomes", analyst, json=outcomes),
                guarded.ask("POST", "/api/v1/university/batches?kind=labeled", analyst, content=batch),
            ]
            with pytest.raises(StoreUnavailable):
                create_key(store, "unrecorded", Grant(role="viewer"), domains=[], actor="test")
            with pytest.raises(StoreUnavailable):
                add_user(store, "unrecorded", Grant(role="viewer"), PASSWORD, domains=[], actor="test")
        finally:
            with sqlite3.connect(guarded.server.folder / "gradewatch.db") as connection:
                connection.execute("ALTER TABLE accesses_away RENAME TO accesses")
        assert [answer.status_code for answer in answers] == [503, 503]
        assert not [outcome for found, outcome, _ in store.pairs("university", "final_marks") if found.id == logged_id]
        assert len(store.batches("university")) == before
        assert store.document("key", "unrecorded") is None
        assert store.document("user", "unrecorded") is None
    kept = [guarded.ask("POST", "/api/v1/university/outcomes", analyst, json=outcomes)]
    kept += [guarded.ask("POST", "/api/v1/university/batches?kind=labeled", analyst, content=batch)]
    assert [answer.status_code for answer in kept] == [200, 201]


def test_what_is_uploaded_and_changed_is_recorded(guarded: Guarded) -> None:
    analyst, admin = guarded.keys["analyst"], guarded.keys["admin"]
    logged_id = theirs(guarded, UNIVERSITY | {"student_id": "recorded-2"})
    target = next(iter(guarded.ask("GET", "/api/v1/domains/university", analyst).json()["targets"]))["name"]
    outcome = guarded.ask(
        "POST", "/api/v1/university/outcomes", analyst, json=[{"prediction_id": logged_id, target: 60}]
    )
    assert outcome.status_code == 200, outcome.text
    champion = guarded.ask("GET", "/api/v1/models?domain=engagement", admin).json()["champions"][0]
    activate = {"domain": "engagement", "version": champion["version"]}
    guarded.ask("POST", "/api/v1/models/activate", admin, json=activate)
    guarded.ask("DELETE", "/admin/cache", admin)
    assert [e.action for e in guarded.entries(actor="key:a-analyst", action="outcomes uploaded")]
    assert [e.action for e in guarded.entries(actor="key:a-admin", action="cache emptied")]
    said = guarded.ask("GET", "/api/v1/accesses?actor=key:a-admin", admin).json()["accesses"]
    assert said[0]["action"] == "cache emptied"


def test_no_secret_is_in_the_log_or_the_record(guarded: Guarded, anna: str) -> None:
    guarded.sign_in("anna", "a wrong password, typed here")
    guarded.sign_in("my password in the wrong field", "x")
    guarded.ask("GET", f"/api/v1/domains?key={guarded.keys['admin']}")
    last = guarded.ask("GET", "/api/v1/domains", guarded.keys["admin"] + "x").headers["x-request-id"]
    guarded.recorded(lambda e: e.details.get("route") == "POST /api/v1/token")
    guarded.server.until(lambda: last in guarded.server.words())  # request lines are written together
    kept = guarded.server.words() + msgspec.json.encode(guarded.entries(limit=10_000)).decode()
    assert '"route":"/api/v1/token"' in kept
    secrets = [*guarded.keys.values(), anna, TOKEN_SECRET, PASSWORD, "a wrong password", "wrong field", forged()[:40]]
    assert [secret for secret in secrets if secret in kept] == []
    assert not re.search(r"gw_[A-Za-z0-9_-]{20}", kept)
    assert not re.search(r"eyJ[A-Za-z0-9_-]{10}", kept)


def test_without_sign_in_only_this_machine_is_answered(shared: Server) -> None:
    assert shared.client.get("/api/v1/domains").status_code == 200
    for forged_headers in (
        {"x-forwarded-for": "203.0.113.5"},
        {"x-forwarded-for": "203.0.113.5", "host": "localhost"},
        {"x-forwarded-for": "127.0.0.1"},
        {"forwarded": "for=203.0.113.5"},
        {"x-real-ip": "127.0.0.1"},
        {"via": "1.1 proxy"},
    ):
        for method, path in (("GET", "/api/v1/domains"), ("POST", "/predict"), ("GET", "/metrics")):
            answer = shared.client.request(method, path, headers=forged_headers)
            assert answer.status_code == 403, (forged_headers, path)
            assert answer.json()["title"] == "NotLocal"
    with shared.store() as store:
        shared.until(lambda: [e for e in store.accesses(action="refused") if e.details["reason"] == "NotLocal"])


UNSAFE: list[tuple[list[str], dict[str, str], str]] = [
    (["--host", "0.0.0.0"], {}, "GRADEWATCH_AUTH=on"),
    ([], {"UVICORN_HOST": "0.0.0.0"}, "GRADEWATCH_AUTH=on"),
    ([], {"GRADEWATCH_ALLOWED_HOSTS": "127.0.0.1,predict.school.example"}, "GRADEWATCH_AUTH=on"),
    ([], {"GRADEWATCH_AUTH": "on"}, "set GRADEWATCH_TOKEN_SECRET"),
]


@pytest.mark.parametrize(("options", "environment", "words"), UNSAFE, ids=str)
def test_the_service_does_not_start_where_it_would_let_anyone_in(
    tmp_path: Path, options: list[str], environment: dict[str, str], words: str
) -> None:
    command = [sys.executable, "-m", "uvicorn", "api.app:app", "--port", str(free_port()), *options]
    settings = {"GRADEWATCH_DATA_DIR": str(tmp_path), "PYTHONPATH": str(ROOT), **environment}
    ended = subprocess.run(command, cwd=tmp_path, env=settings, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode != 0
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "gradewatch.db").exists()


def test_a_service_set_up_by_the_variables_of_the_oldest_system_takes_its_request(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    password, key = tmp_path / "password", "the-key-of-an-old-system"
    password.write_text(PASSWORD + "\n")
    theirs = {"API_KEY": key, "JWT_SECRET_KEY": TOKEN_SECRET}
    ours = {"GRADEWATCH_FIRST_USER": "anna", "GRADEWATCH_FIRST_PASSWORD_FILE": str(password)}
    server = serve(GRADEWATCH_AUTH="on", **theirs, **ours)
    form = {"username": "anna", "password": PASSWORD}
    token = server.until(lambda: server.client.post("/api/v1/token", data=form).json().get("access_token"))
    for headers in (
        {"authorization": f"Bearer {token}", "x-api-key": key},
        {"x-api-key": key},
        {"authorization": f"Bearer {key}"},
    ):
        assert server.client.post("/predict", json=ENGAGEMENT, headers=headers).status_code == 200
        assert server.client.get("/admin/cache/stats", headers=headers).status_code == 200
    assert server.client.post("/predict", json=ENGAGEMENT, headers={"x-api-key": key + "s"}).status_code == 401
    for beyond in ("/api/v1/engagement/predictions", "/api/v1/accesses", "/metrics", "/api/v1/engagement/performance"):
        assert server.client.get(beyond, headers={"x-api-key": key}).status_code == 403, "it opens no more than it did"
    with server.store() as store:
        assert {one.actor for one in store.predictions("engagement")} == {"user:anna", "key:first"}
