"""What help did, over the API: who is told, and who may choose."""

from tests.api.guarded import Guarded


def test_what_help_did_is_told_and_choosing_takes_the_permission_to_read(guarded: Guarded) -> None:
    path, viewer = "/api/v1/university/effects", guarded.keys["viewer"]
    told = guarded.ask("GET", path, viewer)
    assert told.status_code == 200, told.text
    assert [one["who"] for one in told.json()["misses"]] == ["helped", "not helped", "all"]
    assert guarded.ask("GET", path, viewer, params={"kind": "talked"}).status_code == 403
    assert guarded.ask("GET", path, guarded.keys["teacher"], params={"kind": "talked"}).status_code == 200
    assert guarded.ask("GET", path, viewer, params={"target": "none"}).status_code == 422
