"""Signing in and drift at the addresses of the systems before this one."""

from tests.api.guarded import PASSWORD, Guarded


def test_the_newest_drift_report_is_told_in_short(older: Guarded) -> None:
    key = older.keys["admin"]
    assert older.ask("GET", "/drift-status", key).json()["status"] == "unknown"
    rows = (older.server.folder / "examples" / "school.csv").read_text().splitlines()[:121]
    file = {"content": "\n".join(rows), "headers": {"content-type": "text/csv"}}
    made = older.ask("POST", "/api/v1/school/drift", key, **file).json()
    told = older.ask("GET", "/drift-status", key).json()
    assert (told["status"], told["report"], told["drift_detected"]) == ("known", made["id"], made["alarm"])
    moved = [name for name, one in told["details"].items() if one["drift_detected"]]
    assert told["drifted_features_count"] == len(moved)
    assert "G1" in told["details"]


def test_a_name_and_a_password_sign_in_as_json_and_nothing_else_does(older: Guarded) -> None:
    client = older.server.client
    token = client.post("/login", json={"username": "older", "password": PASSWORD}).json()["access_token"]
    assert older.ask("GET", "/admin/cache/stats", token).status_code == 200
    assert client.post("/login", json={"username": "older", "password": "wrong"}).status_code == 401
    for body in (b"", b"{}", b"username=older", b'{"username": 1, "password": "x"}', b"[" * 10_000):
        assert client.post("/auth/login", content=body).status_code == 422
