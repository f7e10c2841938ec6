"""What needs a person over HTTP: told in a sentence with figures, seen once for all, by who may judge."""

from collections.abc import Callable

from tests.api.guarded import Guarded
from tests.api.serving import Server

CONDITIONS = "/api/v1/conditions"


def test_examples_are_told_until_somebody_has_seen_them_and_who_did_stays(serve: Callable[..., Server]) -> None:
    server = serve()
    (told,) = server.get(CONDITIONS)["conditions"]
    assert (told["kind"], told["figures"]["domains"]) == ("examples", ["engagement", "school", "university"])
    assert "invented students" in told["sentence"]
    assert "seen_by" not in told or told["seen_by"] is None
    seen = server.post(CONDITIONS, {"condition": told["id"][:10], "note": "a trial run"})
    assert (seen.status_code, seen.json()["seen_by"]) == (201, "local")
    (again,) = server.get(CONDITIONS)["conditions"]
    assert (again["id"], again["seen_by"], again["note"]) == (told["id"], "local", "a trial run")
    assert server.post(CONDITIONS, {"condition": "unknown"}).status_code == 404
    assert server.post(CONDITIONS, {"condition": told["id"], "note": "ask anna.berg@school.example"}).status_code == 422
    assert server.get(CONDITIONS, params={"domain": "course"})["conditions"] == []


def test_a_head_is_told_and_says_nothing_for_all(guarded: Guarded) -> None:
    told = guarded.ask("GET", CONDITIONS, guarded.keys["viewer"]).json()["conditions"]
    assert [one["kind"] for one in told] == ["examples"]
    wanted = {"condition": told[0]["id"]}
    assert guarded.ask("POST", CONDITIONS, guarded.keys["viewer"], json=wanted).status_code == 403
    assert guarded.ask("POST", CONDITIONS, guarded.keys["analyst"], json=wanted).status_code == 201
    assert guarded.recorded(lambda entry: entry.action == "condition acknowledged").actor == "key:a-analyst"
