"""The cache of answers is seen and emptied over HTTP."""

from collections.abc import Callable

from tests.api.serving import ENGAGEMENT, Server


def test_a_row_asked_again_is_not_scored_again_but_logged_again(serve: Callable[..., Server]) -> None:
    server = serve()
    first, second = (server.predict("engagement", ENGAGEMENT) for _ in range(2))
    assert first["answers"] == second["answers"]
    stats = server.get("/admin/cache/stats")
    assert (stats["hits"], stats["misses"], stats["entries"]) == (1, 1, 1)
    rows = [ENGAGEMENT, ENGAGEMENT | {"focus": 1}, ENGAGEMENT]
    batch = server.post("/api/v1/engagement/predict/batch", rows).json()["predictions"]
    assert batch[0]["answers"] == batch[2]["answers"] == first["answers"] != batch[1]["answers"]
    with server.store() as store:
        assert len({one.id for one in store.predictions("engagement")}) == 5
    assert server.client.delete("/admin/cache").json() == {"cleared": 1}
    assert server.get("/admin/cache/stats")["entries"] == 0
