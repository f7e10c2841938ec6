"""What changed for students is told within ones groups, and that it was looked at is recorded."""

from clock import now
from tests.api.guarded import GROUP, Guarded
from tests.api.routes.test_students import ask_about

PATH = "/api/v1/university/changes"


def test_changes_are_told_within_ones_groups_to_whoever_reads_predictions(guarded: Guarded, confined: str) -> None:
    before = now().isoformat()
    ask_about(guarded)
    everybody, mine = (
        guarded.ask("GET", PATH, key, params={"from": before}).json() for key in (guarded.keys["admin"], confined)
    )
    assert everybody["students"] > mine["students"] == mine["new"] > 0
    assert everybody["entering"]["data"] >= mine["entering"]["data"]
    assert (mine["largest"], mine["by"], mine["version"]) == ([], None, None), "whoever is new has not moved"
    moved = guarded.ask("GET", PATH, confined).json()
    assert {one["group"] for one in moved["largest"]} <= {GROUP}
    assert [GROUP] in [one.details.get("groups") for one in guarded.entries(action="changes read")]
    assert guarded.ask("GET", PATH, guarded.keys["viewer"]).status_code == 403
    assert guarded.ask("GET", PATH, confined, params={"target": "none"}).status_code == 422
    assert guarded.ask("GET", PATH, confined, params={"version": "0" * 12}).status_code == 404
