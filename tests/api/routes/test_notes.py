"""Teachers and officers note what was done about a student; others may not, and who is confined sees its groups."""

from typing import Any

import httpx

from clock import now
from tests.api.guarded import GROUP, Guarded
from tests.api.serving import UNIVERSITY

KEY = "n-0815"


def test_a_note_is_taken_read_and_recorded_by_who_may(guarded: Guarded, confined: str) -> None:
    rows = [UNIVERSITY | {"student_id": KEY}, UNIVERSITY | {"student_id": KEY, "subject": "Algorithms"}]
    said = [guarded.ask("POST", "/api/v1/university/predict", guarded.keys["teacher"], json=row).json() for row in rows]
    student = said[0]["student"]
    path = f"/api/v1/university/students/{student}/notes"

    def take(key: str, **step: Any) -> httpx.Response:
        return guarded.ask("POST", path, key, json=step)

    taken = take(confined, done="talked", text="tutoring on Mondays")
    assert taken.status_code == 201, taken.text
    assert (taken.json()["group"], taken.json()["actor"][:4]) == (GROUP, "key:")
    assert taken.json()["answer"]["prediction"] == said[0]["id"]
    there = {"group": "3 / Algorithms", "target": "final_marks"}
    elsewhere = take(guarded.keys["officer"], done="wrong", text="was on leave", **there)
    assert elsewhere.status_code == 201, elsewhere.text
    assert [one["done"] for one in guarded.ask("GET", path, guarded.keys["admin"]).json()["steps"]] == [
        "wrong",
        "talked",
    ]
    assert [one["done"] for one in guarded.ask("GET", path, confined).json()["steps"]] == ["talked"]
    given = {"kind": "tutoring", "start": "2026-03-02", "end": "2026-04-01", "dose": "2 a week", "owner": "tutors"}
    helped = take(confined, done="helped", help=given)
    assert (helped.status_code, helped.json()["help"]) == (201, given), helped.text
    cases = "/api/v1/university/cases"
    for who, query, stages in (
        (confined, "", ["review_due"]),
        (guarded.keys["officer"], "", ["closed", "review_due"]),
        (guarded.keys["officer"], "?stage=closed&stage=reviewed", ["closed"]),
    ):
        found = guarded.ask("GET", cases + query, who).json()["cases"]
        assert [(one["student"], one["state"]["stage"]) for one in found] == [(student, stage) for stage in stages]
    for key in (guarded.keys["viewer"], guarded.keys["analyst"], guarded.keys["client"]):
        assert take(key, done="talked").status_code == 403
        assert [guarded.ask("GET", address, key).status_code for address in (path, cases)] == [403, 403]
    refused = {
        "a name": take(confined, done="note", text="Ana Sousa was ill"),
        "no text": take(confined, done="note"),
        "another's group": take(confined, done="talked", group="3 / Algorithms"),
        "no such thing": take(confined, done="danced"),
        "no such target": take(confined, done="talked", target="shoes"),
        "a raw key": guarded.ask("GET", "/api/v1/university/students/n-0815/notes", confined),
        "no such help": take(confined, done="helped", help=given | {"kind": "chess"}),
        "no such stage": guarded.ask("GET", f"{cases}?stage=lost", confined),
        "nobody": guarded.ask("POST", path.replace(student, "0" * 64), confined, json={"done": "talked"}),
    }
    codes = {what: one.status_code for what, one in refused.items()}
    assert codes == {
        "a name": 422, "no text": 422, "another's group": 403, "no such thing": 400, "no such target": 422,
        "a raw key": 422, "no such help": 422, "no such stage": 422, "nobody": 404,
    }  # fmt: skip
    found = [one.details for one in guarded.entries(action="student noted")]
    assert [one["done"] for one in found] == ["helped", "wrong", "talked"]
    assert {one["student"] for one in found} == {student}
    assert not any("Mondays" in str(one) for one in found)
    assert len(guarded.entries(action="notes read")) >= 2


def test_steps_of_another_system_come_as_a_file_of_ones_own_groups_whole_or_not_at_all(
    guarded: Guarded, confined: str
) -> None:
    rows = [
        UNIVERSITY | {"student_id": "n-0901"},
        UNIVERSITY | {"student_id": "n-0902", "subject": "Algorithms"},
    ]
    for row in rows:
        assert guarded.ask("POST", "/api/v1/university/predict", guarded.keys["teacher"], json=row).status_code == 200
    day, cases = now().date().isoformat(), "/api/v1/university/cases"
    head = "student,done,when,text\n"
    mine, elsewhere = f"n-0901,talked,{day},on Mondays\n", f"n-0902,talked,{day},\n"

    def send(key: str, text: str) -> httpx.Response:
        return guarded.ask("POST", cases, key, files={"file": ("steps.csv", text)})

    for role in ("viewer", "analyst"):
        assert send(guarded.keys[role], head + mine).status_code == 403
    refused = send(confined, f"{head}{mine}{elsewhere}n-0901,danced,{day},\n")
    assert refused.status_code == 422, refused.text
    assert [one["row"] for one in refused.json()["problems"]] == [3, 4], "of another group, and no word for a step"
    taken = send(confined, head + mine)
    assert (taken.status_code, taken.json()["new"], taken.json()["known"]) == (200, 1, 0), taken.text
    again = send(confined, head + mine)
    assert (again.json()["new"], again.json()["known"]) == (0, 1), "the same file again changes nothing"
    assert guarded.entries(action="steps imported")[0].details["students"] == 1
