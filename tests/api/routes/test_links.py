"""An officer links a user to one student by the institution's key; nobody else does, and a wrong key is told."""

from tests.api.guarded import Guarded
from tests.api.serving import UNIVERSITY


def test_an_officer_links_and_unlinks_and_the_users_token_ends_each_time(guarded: Guarded) -> None:
    officer, address = guarded.keys["officer"], "/api/v1/users/lea/link"
    row = UNIVERSITY | {"student_id": "linked-1"}
    said = guarded.ask("POST", "/api/v1/university/predict", guarded.keys["teacher"], json=row).json()
    before = guarded.linked("lea", "student")
    for role in ("teacher", "analyst", "viewer"):
        assert guarded.ask("POST", address, guarded.keys[role], json={"student": "linked-1"}).status_code == 403
    assert guarded.ask("POST", address, officer, json={"student": "nobody-at-all"}).status_code == 404
    guarded.user("theo", "teacher")
    assert guarded.ask("POST", "/api/v1/users/theo/link", officer, json={"student": "linked-1"}).status_code == 422
    linked = guarded.ask("POST", address, officer, json={"student": "linked-1"})
    assert (linked.status_code, linked.json()) == (200, {"user": "lea", "role": "student", "linked": True})
    guarded.server.until(lambda: guarded.ask("GET", "/api/v1/me", before).status_code == 401)
    now = guarded.token("lea")
    assert guarded.ask("GET", "/api/v1/me", now).json()["view"]["domains"][0]["domain"] == "university"
    looks = guarded.entries(action="user linked", domain="university")
    assert (looks[0].actor, looks[0].details) == ("key:a-officer", {"name": "lea", "student": said["student"]})
    assert guarded.ask("DELETE", address, officer).json()["linked"] is False
    assert guarded.ask("DELETE", address, officer).status_code == 404
    assert guarded.ask("DELETE", "/api/v1/users/nobody/link", officer).status_code == 404
    guarded.server.until(lambda: guarded.ask("GET", "/api/v1/me", now).status_code == 401)
