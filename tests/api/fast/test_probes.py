"""Whether the service lives and is ready is told to anybody, what serves to those who may see it."""

from tests.api.guarded import Guarded


def test_whoever_asks_nobody_is_told_whether_it_is_ready_not_what_serves(guarded: Guarded) -> None:
    assert guarded.server.get("/ready")["champions"] == []
    told = guarded.ask("GET", "/ready", guarded.keys["viewer"]).json()
    assert len(told["champions"]) > 0
