"""Trials over HTTP: begun, reported, stopped, and heard by those who judge models alone."""

from collections.abc import Callable
from typing import Any

from access.keys import create_key
from access.records import Grant
from model.trial import start_trial
from model.workspace import Workspace
from tests.api.serving import ENGAGEMENT, Server
from tests.api.test_service_champions import another_version

TRIALS = "/api/v1/engagement/trials"


PREDICT = "/api/v1/engagement/predict"


def without_identity(said: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in said.items() if name not in ("id", "at")}


def test_a_shadow_is_begun_reported_and_stopped_over_http_and_changes_no_answer(
    serve: Callable[..., Server], workspace: Workspace
) -> None:
    _, challenger = another_version(workspace)
    server = serve()
    before = server.predict("engagement", ENGAGEMENT)
    begun = server.post(TRIALS, {"version": challenger.version[:12], "mode": "shadow", "reason": "curious"})
    assert begun.status_code == 201, begun.text
    trial = begun.json()
    assert begun.headers["location"] == f"{TRIALS}/{trial['id']}"
    server.until(lambda: logged_shadow(server, workspace) == [challenger.version])
    after = server.predict("engagement", ENGAGEMENT)
    assert without_identity(after) == without_identity(before)

    report = server.get(f"{TRIALS}/{trial['id']}")
    assert report["verdict"] == "not enough data"
    assert report["sentence"].startswith("Not enough data yet")
    assert report["differences"]["n"] >= 1
    assert report["differences"]["mean"] == 0.0

    again = server.post(TRIALS, {"version": challenger.version, "mode": "split"})
    assert again.status_code == 409
    assert "runs for" in again.json()["detail"]
    stopped = server.client.delete(f"{TRIALS}/{trial['id']}", params={"reason": "enough"})
    assert stopped.json()["why"].endswith("enough")
    assert logged_shadow(server, workspace) == []
    assert [one["id"] for one in server.get(TRIALS)["trials"]] == [trial["id"]]
    assert server.client.delete(f"{TRIALS}/{trial['id']}").status_code == 404
    assert {one.action for one in workspace.store.accesses()} >= {"trial started", "trial stopped"}


def logged_shadow(server: Server, workspace: Workspace) -> list[str]:
    """Which versions were heard about the row that is asked now."""
    said = server.predict("engagement", ENGAGEMENT)
    assert "shadow" not in said
    logged = workspace.store.prediction(said["id"])
    assert logged is not None
    return [answer.model for answer in logged.shadow]


def test_a_trial_that_cannot_be_is_refused_in_words(serve: Callable[..., Server], workspace: Workspace) -> None:
    champion, _ = another_version(workspace)
    server = serve()
    for body, status, words in (
        ({"version": champion.version, "mode": "shadow"}, 409, "is the champion"),
        ({"version": "0" * 64, "mode": "shadow"}, 404, "no version"),
        ({"version": champion.version, "mode": "loud"}, 400, "mode"),
    ):
        answer = server.post(TRIALS, body)
        assert (answer.status_code, words in answer.text) == (status, True), answer.text
    assert server.client.get(f"{TRIALS}/none").status_code == 404


def test_what_a_shadow_said_is_shown_to_analysts_and_to_no_teacher(
    serve: Callable[..., Server], workspace: Workspace
) -> None:
    champion, challenger = another_version(workspace)
    start_trial(workspace.store, challenger, mode="shadow", actor="test")
    keys = {}
    for role in ("teacher", "analyst"):
        grant = Grant(role=role)
        keys[role] = create_key(workspace.store, role, grant, domains=[], actor="test")[1]
    server = serve(GRADEWATCH_AUTH="on", GRADEWATCH_TOKEN_SECRET="a secret for tokens that is long enough")

    def ask(role: str, method: str, path: str, body: Any = None) -> Any:
        answer = server.client.request(method, path, json=body, headers={"x-api-key": keys[role]})
        assert answer.status_code == 200, answer.text
        return answer.json()

    row = ENGAGEMENT | {"student_id": "s1"}
    asked = ask("teacher", "POST", PREDICT, row)["id"]
    base = "/api/v1/engagement/predictions"
    for role, heard in (("teacher", []), ("analyst", [challenger.version])):
        one = ask(role, "GET", f"{base}/{asked}")
        [listed] = ask(role, "GET", base)["predictions"]
        [found] = ask(role, "POST", f"{base}/find", {"student": "s1"})["predictions"]
        assert one == listed == found
        assert [answer["model"] for answer in one["answers"]] == [champion.version]
        assert [answer["model"] for answer in one["shadow"]] == heard
