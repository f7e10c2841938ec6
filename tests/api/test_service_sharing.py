"""Workers that share answers and counts through Redis, and go on without it."""

from collections.abc import Callable

from tests.api.serving import ENGAGEMENT, Server
from tests.redis_server import RedisServer


def test_two_services_share_answers_and_both_log_them(serve: Callable[..., Server], redis_server: RedisServer) -> None:
    one, two = (serve(GRADEWATCH_REDIS_URL=redis_server.url) for _ in range(2))
    first = one.predict("engagement", ENGAGEMENT)
    second = two.predict("engagement", ENGAGEMENT)
    assert first["answers"] == second["answers"]
    rows = [ENGAGEMENT | {"focus": focus} for focus in range(5)]
    many = [one.predict("engagement", row) for row in rows]
    again = [two.predict("engagement", row) for row in [*rows, ENGAGEMENT]]
    assert [row["answers"] for row in again] == [row["answers"] for row in [*many, first]]
    stats = two.get("/admin/cache/stats")
    assert (stats["backend"], stats["hits"], stats["misses"], stats["errors"]) == ("redis", 7, 0, 0)
    with two.store() as store:
        assert len(store.predictions("engagement")) == 13
    assert two.client.delete("/admin/cache").json() == {"cleared": 6}
    one.predict("engagement", ENGAGEMENT)
    assert one.get("/admin/cache/stats")["hits"] == 0


def test_whatever_becomes_of_the_server_every_row_is_answered_and_logged(
    serve: Callable[..., Server], redis_server: RedisServer
) -> None:
    server = serve(GRADEWATCH_REDIS_URL=redis_server.url)
    right = server.predict("engagement", ENGAGEMENT)["answers"]
    with redis_server.full():
        assert server.predict("engagement", ENGAGEMENT)["answers"] == right
        assert server.predict("engagement", ENGAGEMENT | {"focus": 3})["answers"] != right
    redis_server.restart()
    assert server.predict("engagement", ENGAGEMENT)["answers"] == right
    with redis_server.stalled():
        assert server.predict("engagement", ENGAGEMENT)["answers"] == right
        assert server.get("/admin/cache/stats")["paused"]
        assert server.client.delete("/admin/cache").status_code == 503
    redis_server.stop()
    assert server.predict("engagement", ENGAGEMENT)["answers"] == right
    with server.store() as store:
        assert len(store.predictions("engagement")) == 6
    assert "Traceback" not in server.words()
    assert server.words().count("the shared memory failed") <= 3
