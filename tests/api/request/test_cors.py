"""Pages of other sites ask only where they are admitted, and are counted like everybody."""

from collections.abc import Callable

from tests.api.serving import ENGAGEMENT, Server

PORTAL = "https://portal.school.example"


def test_without_a_setting_no_page_of_another_site_may_ask(shared: Server) -> None:
    asked = {"origin": PORTAL, "access-control-request-method": "POST"}
    assert "access-control-allow-origin" not in shared.client.options("/api/v1/domains", headers=asked).headers
    answer = shared.client.get("/api/v1/domains", headers={"origin": PORTAL})
    assert "access-control-allow-origin" not in answer.headers
    assert shared.post("/api/v1/engagement/predict", ENGAGEMENT, headers={"origin": PORTAL}).status_code == 403


def test_a_page_that_is_admitted_may_ask_and_read_and_others_may_not(serve: Callable[..., Server]) -> None:
    server = serve(GRADEWATCH_CORS_ORIGINS=f"https://other.example, {PORTAL}")
    predict = "/api/v1/engagement/predict"
    asked = {
        "origin": PORTAL,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization, content-type, x-api-key",
    }
    before = server.client.options(predict, headers=asked)
    assert (before.status_code, before.headers["access-control-allow-origin"]) == (200, PORTAL)
    assert "access-control-allow-credentials" not in before.headers
    theirs = {"origin": PORTAL, "sec-fetch-site": "cross-site"}
    answer = server.post(predict, ENGAGEMENT, headers=theirs)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, PORTAL)
    assert "x-request-id" in answer.headers["access-control-expose-headers"]
    refused = server.post(predict, {}, headers=theirs)
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (422, PORTAL)
    foreign = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
    assert server.post(predict, ENGAGEMENT, headers=foreign).status_code == 403
    assert server.client.options(predict, headers=asked | foreign).status_code == 400


def test_what_a_browser_asks_beforehand_is_counted_limited_and_told_like_every_request(
    serve: Callable[..., Server],
) -> None:
    page = "https://portal.school.example"
    server = serve(GRADEWATCH_AUTH="on", GRADEWATCH_TOKEN_SECRET="x" * 40, GRADEWATCH_RATE_LIMIT="4/day",
                   GRADEWATCH_CORS_ORIGINS=page)  # fmt: skip
    asked = {"origin": page, "access-control-request-method": "POST", "x-forwarded-for": "192.0.2.9"}
    addresses = ("/predict", "/api/v1/engagement/predict", "/api/v1/domains", "/nowhere")
    answers = [server.client.options(address, headers=asked) for address in addresses]
    for answer in answers:
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, page)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-request-id"]
    assert [answer.headers["ratelimit-remaining"] for answer in answers] == ["3", "2", "1", "0"]
    assert server.client.options("/api/v1/domains", headers=asked).status_code == 429
    server.until(lambda: server.words().count('"route":"preflight","status":200') == 4)
