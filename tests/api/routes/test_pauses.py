"""An admin pauses answers over the API: who is told, that it holds at once in the process that answers, and its end."""

from tests.api.guarded import Guarded
from tests.api.serving import UNIVERSITY

PAUSES = "/api/v1/pauses"


def test_a_pause_holds_when_it_is_answered_and_ends_when_that_is_asked(guarded: Guarded) -> None:
    admin, viewer, teacher = (guarded.keys[role] for role in ("admin", "viewer", "teacher"))

    def answered() -> str:
        return guarded.ask("POST", "/api/v1/university/predict", teacher, json=UNIVERSITY).json()["answers"][0]["model"]

    version = answered()
    asked = {"domain": "university", "reason": "marks of a test were lost"}
    made = guarded.ask("POST", PAUSES, admin, json=asked)
    assert made.status_code == 201, made.text
    assert made.json()["answers"] == "plain rule"
    try:
        assert answered() == f"rule-{version}"
        (told,) = guarded.ask("GET", PAUSES, viewer).json()["pauses"]
        assert (told["domain"], told["reason"]) == ("university", asked["reason"])
        refused = {
            "a viewer": guarded.ask("POST", PAUSES, viewer, json=asked),
            "a name": guarded.ask("POST", PAUSES, admin, json=asked | {"reason": "Ana Sousa asked"}),
            "no such domain": guarded.ask("POST", PAUSES, admin, json=asked | {"domain": "kindergarten"}),
            "not paused": guarded.ask("POST", f"{PAUSES}/resume", admin, json={"domain": "school"}),
        }
        codes = {what: one.status_code for what, one in refused.items()}
        assert codes == {"a viewer": 403, "a name": 422, "no such domain": 404, "not paused": 409}
    finally:
        resumed = guarded.ask("POST", f"{PAUSES}/resume", admin, json={"domain": "university"})
    assert (resumed.status_code, resumed.json()) == (200, {"pauses": []})
    assert answered() == version
    assert len(guarded.entries(action="answers paused")) == len(guarded.entries(action="answers resumed")) == 1
