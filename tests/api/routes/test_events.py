"""Events of schools by the route: kept once, corrected by later versions, refused all together with every reason."""

import pytest

from database.observed_frames import observation_frames
from tests.api.guarded import Guarded
from tests.api.serving import Server

PATH = "/api/v1/k12/events"
EVENTS = [
    {"kind": "attendance", "event": "a1", "student": "e1", "at": "2026-09-14", "values": {"status": "unexcused"}},
    {"kind": "grades", "event": "r1", "student": "e1", "at": "2026-09-14T16:20:00Z", "version": 1,
     "values": {"subject": "math", "points": 14, "max_points": 20}},
    {"kind": "incidents", "event": "i1", "student": "e1", "at": "2026-09-15",
     "values": {"category": "noise", "severity": 2}},
    {"kind": "enrolment", "event": "n1", "student": "e1", "at": "2026-09-01", "values": {"school": "north"}},
    {"kind": "calendar", "event": "c1", "at": "2026-09-14"},
]  # fmt: skip
WRONG = [
    ({"at": "14.9.2026"}, "at (day)"),
    ({"student": ""}, "student must"),
    ({"event": ""}, "event must"),
    ({"values": {"status": "ill"}}, "status must be one of"),
    ({"values": {"status": "present", "mood": 1}}, "and nothing else"),
    ({"version": -1}, "version must"),
    ({"kind": "grades", "values": {"subject": "math", "max_points": 0}}, "max_points must"),
    ({"kind": "grades", "values": {"subject": "math", "max_points": 9}}, "points must be given"),
    ({"kind": "incidents", "values": {"category": "Ana Sousa", "severity": 1}}, "names nobody"),
    ({"kind": "incidents", "values": {"category": "noise", "severity": 2.5}}, "severity must"),
    ({"kind": "enrolment", "values": {"grade_level": "7"}}, "school must"),
    ({"kind": "enrolment", "values": {"school": "north", "end": "2026-09-14"}}, "end must be after"),
    ({"source": "Ana Sousa"}, "source must"),
]


def test_events_are_kept_once_and_corrected_by_later_versions(shared: Server) -> None:
    def send(*events: dict[str, object]) -> dict[str, int]:
        answer = shared.post(PATH, {"events": events})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    assert send(*EVENTS) == {"events": 5, "new": 5, "corrected": 0, "known": 0}
    assert send(*EVENTS) == {"events": 5, "new": 0, "corrected": 0, "known": 5}
    later = EVENTS[1] | {"version": 3, "values": {"subject": "math", "points": 16, "max_points": 20}}
    assert send(later, EVENTS[1] | {"version": 2}) == {"events": 2, "new": 0, "corrected": 1, "known": 1}
    assert send(EVENTS[2] | {"removed": True})["corrected"] == 1
    with shared.store() as store:
        [part] = observation_frames(store, "k12")
    assert part.grades["points"].to_list() == [16.0]
    assert (part.attendance.height, part.incidents.height, part.enrolment.height, part.calendar.height) == (1, 0, 1, 1)
    assert "e1" not in part.attendance["student"].to_list()


@pytest.mark.parametrize(("change", "told"), WRONG)
def test_one_that_is_wrong_is_named_by_its_number_and_nothing_is_kept(
    shared: Server, change: dict[str, object], told: str
) -> None:
    wrong = {**EVENTS[0], "event": "w1", "student": "w1", **change}
    answer = shared.post(PATH, {"events": [{**EVENTS[0], "student": "w2"}, wrong]})
    assert answer.status_code == 422, answer.text
    [problem] = answer.json()["problems"]
    assert (problem["row"], told in problem["rule"]) == (2, True), problem
    good = shared.post(PATH, {"events": [{**EVENTS[0], "student": f"of {told}"}]})
    assert good.json()["new"] == 1


def test_other_domains_and_other_bodies_are_refused(shared: Server) -> None:
    assert shared.post("/api/v1/engagement/events", {"events": []}).status_code == 422
    assert shared.post(PATH, {"events": [{"kind": "moods"}]}).status_code == 400
    assert shared.post("/api/v1/none/events", {"events": []}).status_code == 404


def test_who_is_confined_to_groups_or_only_looks_on_sends_none(
    guarded: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guarded, "domains", [*guarded.domains, "k12"])
    one_school = guarded.key("one-school", "teacher", domains=("k12",), groups=("north",))
    guarded.until_known(one_school)
    for key in (None, one_school, guarded.keys["viewer"]):
        assert guarded.ask("POST", PATH, key, json={"events": EVENTS}).status_code == (403 if key else 401)
    answer = guarded.ask("POST", PATH, guarded.keys["teacher"], json={"events": EVENTS})
    assert (answer.status_code, answer.json().get("new")) == (200, len(EVENTS)), answer.text
