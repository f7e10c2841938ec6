"""Reports are read in every form by whoever may read the group's rows, and by nobody else; keys appear by a list."""

from datetime import timedelta
from typing import Any

import pytest

from clock import now
from preprocessing.validation.pii import pseudonym
from reports.archive import keep_report
from reports.schedule import ReportSchedule, plan_reports
from tests.api.guarded import GROUP, Guarded
from tests.api.serving import SECRET, UNIVERSITY
from tests.reports.making import WEEK_3, WEEK_6
from tests.reports.test_archive import everything, made

PATH = "/api/v1/university/reports"
OTHER = "3 / Algorithms"
KEYS = ["r1001", "r1002"]
STUDENTS = [pseudonym(key, SECRET.encode()) for key in KEYS]


@pytest.fixture(scope="module", autouse=True)
def kept(guarded: Guarded) -> None:
    """Two reports on one's own group, one on another."""
    with guarded.server.store() as store:
        for due, group in ((WEEK_3, GROUP), (WEEK_6, GROUP), (WEEK_6, OTHER)):
            keep_report(store, made(due, *STUDENTS, domain="university", group=group))


def test_the_newest_report_is_read_in_every_form_within_ones_groups(guarded: Guarded, confined: str) -> None:
    def read(path: str = "/latest", key: str = confined, **asked: Any) -> Any:
        return guarded.ask("GET", PATH + path, key, params=asked)

    newest = read(group=GROUP, period="2026-1").json()
    assert (newest["due"], [one["student"] for one in newest["students"]]) == (str(WEEK_6), STUDENTS)
    assert read(course=GROUP, period="2026-1").json() == newest
    for form, begins in (("html", b"<!doctype html>"), ("csv", b"student,"), ("xlsx", b"PK")):
        said = read(group=GROUP, period="2026-1", format=form)
        assert said.content.startswith(begins)
        assert (form == "html") == ("content-disposition" not in said.headers)
    listed = read("", group=GROUP).json()["reports"]
    assert [one["due"] for one in listed] == [str(WEEK_6), str(WEEK_3)]
    assert read("").json()["reports"] == listed
    assert len(read("", guarded.keys["admin"]).json()["reports"]) == 3
    assert guarded.ask("GET", listed[1]["address"], confined).json()["due"] == str(WEEK_3)
    others = read("", guarded.keys["admin"], group=OTHER).json()["reports"][0]
    assert guarded.ask("GET", others["address"], confined).status_code == 403
    assert read(group=OTHER, period="2026-1").status_code == 403
    assert read("", group=OTHER).status_code == 403
    assert read(key=guarded.keys["viewer"], group=GROUP, period="2026-1").status_code == 403
    entry = guarded.recorded(lambda one: one.action == "report read")
    assert entry.details["report"] in {one["id"] for one in (*listed, others)}


def test_keys_appear_by_a_class_list_that_nothing_keeps(guarded: Guarded, confined: str) -> None:
    address = guarded.ask("GET", PATH, confined).json()["reports"][0]["address"]
    for form, holds in (("html", b"r1001"), ("csv", b"r1001,")):
        said = guarded.ask("POST", address, confined, params={"format": form}, json={"keys": KEYS})
        assert holds in said.content
    with guarded.server.store() as store:
        assert b"r1001" not in everything(store)


def test_a_refusal_says_when_a_report_is_due_and_what_is_missing(guarded: Guarded, confined: str) -> None:
    def refused(status: int, **asked: Any) -> str:
        said = guarded.ask("GET", PATH + "/latest", confined, params=asked)
        assert said.status_code == status, said.text
        return str(said.json()["detail"])

    assert "none is scheduled" in refused(404, group=GROUP, period="2027-1")
    begins = now().date() + timedelta(days=5)
    planned = ReportSchedule(
        domain="university", group=GROUP, period="2027-1", begins=begins, ends=begins + timedelta(days=100)
    )
    with guarded.server.store() as store:
        plan_reports(store, planned)
    assert f"the next one is due on {begins}" in refused(404, group=GROUP, period="2027-1")
    assert "group=… (or course=…)" in refused(422, period="2026-1")
    assert "say one of them" in refused(422, group=GROUP, course="x", period="2026-1")
    said = guarded.ask("GET", "/api/v1/engagement/reports", guarded.keys["admin"])
    assert (said.status_code, "no class to report on" in said.text) == (422, True)
    assert guarded.ask("GET", f"{PATH}/{'0' * 32}", confined).status_code == 404


def test_a_report_is_made_by_a_worker_once_and_only_on_ones_own_group(guarded: Guarded, confined: str) -> None:
    lines = [",".join(["student_id", "term", *UNIVERSITY])]
    lines += [",".join([f"w{n}", "2026-3", *(str(value) for value in UNIVERSITY.values())]) for n in range(3)]
    headers = {"content-type": "text/csv", "x-file-name": "week.csv"}
    stored = guarded.ask(
        "POST",
        "/api/v1/university/batches",
        guarded.keys["admin"],
        params={"kind": "unlabeled"},
        content="\n".join(lines),
        headers=headers,
    )
    assert stored.status_code == 201, stored.text
    wanted = {"group": GROUP, "period": "2026-3"}
    made_now, again = (guarded.ask("POST", PATH, confined, json=wanted) for _ in range(2))
    assert made_now.status_code == 200, made_now.text
    assert (made_now.json(), made_now.json()["students"]) == (again.json(), 3)
    said = guarded.ask("GET", made_now.json()["address"], confined).json()
    assert {answer["target"] for one in said["students"] for answer in one["answers"]} == {"final_marks", "final_grade"}
    assert guarded.ask("POST", PATH, confined, json=wanted | {"group": OTHER}).status_code == 403
    assert guarded.ask("POST", PATH, confined, json=wanted | {"period": "2031-1"}).status_code == 404
