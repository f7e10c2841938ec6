"""A warning policy over the API: what is refused and by whom, a preview that changes nothing, use, and the way back."""

from tests.api.guarded import GROUP, Guarded
from tests.api.routes.test_students import ask_about
from tests.api.serving import UNIVERSITY

PATH = "/api/v1/university/warnings"
REASON = "three advisors, one student each"


def test_a_policy_is_previewed_put_into_use_and_taken_back_by_whoever_may(guarded: Guarded, confined: str) -> None:
    admin, teacher, viewer = (guarded.keys[role] for role in ("admin", "teacher", "viewer"))
    ask_about(guarded)
    other = UNIVERSITY | {"student_id": "w-elsewhere", "subject": "Algorithms"}
    assert guarded.ask("POST", "/api/v1/university/predict", teacher, json=other).status_code == 200
    before = guarded.ask("GET", f"{PATH}/policy", viewer).json()
    assert before["policy"]["threshold"] == 0.5
    proposed = {"threshold": 0.0, "capacity": 1}
    looked = guarded.ask("POST", f"{PATH}/preview", teacher, json=proposed)
    assert looked.status_code == 200, looked.text
    found = looked.json()
    assert found["generation"] == before["generation"]
    assert found["lists"]["proposed"]["warned"] > 0
    assert guarded.ask("GET", f"{PATH}/policy", viewer).json() == before, "a preview changes nothing"
    mine = guarded.ask("POST", f"{PATH}/preview", confined, json={"threshold": 0.0}).json()
    everybody = guarded.ask("POST", f"{PATH}/preview", admin, json={"threshold": 0.0}).json()
    assert 0 < mine["lists"]["proposed"]["students"] < everybody["lists"]["proposed"]["students"]
    assert [GROUP] in [one.details.get("groups") for one in guarded.entries(action="students listed")]
    wanted = {**proposed, "reason": REASON, "generation": found["generation"]}
    for key in (teacher, viewer, confined):
        assert guarded.ask("POST", f"{PATH}/activate", key, json=wanted).status_code == 403
    made = guarded.ask("POST", f"{PATH}/activate", admin, json=wanted)
    assert made.status_code == 201, made.text
    assert (made.json()["generation"], made.json()["actor"]) == (found["generation"] + 1, "key:a-admin")
    assert made.json()["preview"]["lists"]["proposed"] == found["lists"]["proposed"]
    try:
        again = guarded.ask("POST", f"{PATH}/activate", admin, json=wanted)
        assert again.status_code == 409, "compared with a policy that is not in use any more"
        listed = guarded.ask("GET", "/api/v1/university/students", teacher, params={"warned": True}).json()
        assert listed["warned"] == found["lists"]["proposed"]["warned"]
    finally:
        back = guarded.ask("POST", f"{PATH}/rollback", admin, json={"reason": "too few"})
    assert (back.status_code, back.json()["policy"]) == (200, before["policy"]), back.text
    assert [one["action"] for one in guarded.ask("GET", f"{PATH}/policy", viewer).json()["history"]][-2:] == [
        "activate", "rollback"
    ]  # fmt: skip
    for key, told in ((admin, True), (confined, False)):  # counts of all groups
        history = guarded.ask("GET", f"{PATH}/policy", key).json()["history"]
        assert any(one["preview"] for one in history) == told
    kept = [guarded.entries(action=f"warning policy {what}") for what in ("activated", "rolled back")]
    assert list(map(len, kept)) == [1, 1]


def test_slots_are_drawn_by_whoever_may_and_drawn_again_by_whoever_sees_figures(
    guarded: Guarded, confined: str
) -> None:
    admin, teacher, viewer = (guarded.keys[role] for role in ("admin", "teacher", "viewer"))
    ask_about(guarded)
    assert guarded.ask("POST", f"{PATH}/draws", teacher, json={}).status_code == 403
    none = guarded.ask("POST", f"{PATH}/draws", admin, json={})
    assert (none.status_code, "by lot" in none.text) == (409, True)
    lots = {"threshold": 0.0, "capacity": 2, "by_lot": 1, "seed": 7, "reason": REASON}
    assert guarded.ask("POST", f"{PATH}/activate", admin, json=lots).status_code == 201
    try:
        made = guarded.ask("POST", f"{PATH}/draws", admin, json={})
    finally:
        guarded.ask("POST", f"{PATH}/rollback", admin, json={"reason": "tried"})
    assert made.status_code == 201, made.text
    assert (made.json()["seed"], made.json()["wrong"], made.json()["gone"]) == (7, [], 0)
    assert made.json()["stood"] >= made.json()["drew"]
    told = guarded.ask("GET", f"{PATH}/draws", viewer)
    assert told.json()["draws"][-1] == made.json()
    assert guarded.ask("GET", f"{PATH}/draws", confined).status_code == 403


def test_everything_that_is_wrong_is_said_at_once(guarded: Guarded) -> None:
    wrong = {"threshold": 2, "capacity": 0, "cuts": [0.5, 0.5], "levels": ["one"], "target": "none", "reason": " "}
    refused = guarded.ask("POST", f"{PATH}/activate", guarded.keys["admin"], json=wrong)
    assert refused.status_code == 422
    fields = [one["column"] for one in refused.json()["problems"]]
    assert fields == ["threshold", "capacity", "cuts", "levels", "target", "reason"]
    named = guarded.ask("POST", f"{PATH}/rollback", guarded.keys["admin"], json={"reason": "Ana Sousa asked"})
    assert [one["column"] for one in named.json()["problems"]] == ["reason"]
    for body, status in [({"threshold": "high"}, 400), ({"treshold": 0.4}, 400), ({"capacity": 3}, 200)]:
        asked = guarded.ask("POST", f"{PATH}/preview", guarded.keys["teacher"], json=body)
        assert asked.status_code == status, asked.text
