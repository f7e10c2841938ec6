"""What browsers are told: nothing is sniffed, framed or kept; pages of other sites ask only where they are admitted."""

import re
from collections.abc import Callable

import pytest

from tests.api.serving import ENGAGEMENT, Server

STANDARD = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "cross-origin-resource-policy": "same-origin",
}
PORTAL = "https://portal.school.example"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/v1/engagement/predict"),
        ("GET", "/api/v1/domains"),
        ("GET", "/health"),
        ("GET", "/nowhere"),
        ("DELETE", "/health"),
        ("POST", "/api/v1/nowhere/predict"),
    ],
)
def test_every_answer_carries_the_security_headers(shared: Server, method: str, path: str) -> None:
    answer = shared.client.request(method, path, json=ENGAGEMENT if method == "POST" else None)
    assert {name: answer.headers.get(name) for name in STANDARD} == STANDARD
    assert "strict-transport-security" not in answer.headers


def test_only_what_came_by_https_is_told_to_stay_there(shared: Server) -> None:
    answer = shared.client.get("/health", headers={"x-forwarded-proto": "https"})
    assert answer.headers["strict-transport-security"] == "max-age=31536000"


def test_the_page_of_the_api_needs_nothing_from_elsewhere(shared: Server) -> None:
    page = shared.client.get("/docs")
    sources = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(sources) == 3
    for source in sources:
        assert source.startswith("/docs/")
        file = shared.client.get(source)
        assert file.status_code == 200
        assert len(file.content) > 1000
        assert "max-age" in file.headers["cache-control"]
    assert "https://" not in page.text
    assert shared.client.get("/docs/passwd").status_code == 404


def test_the_page_of_the_api_runs_no_script_but_its_own(shared: Server) -> None:
    policy = shared.client.get("/docs").headers["content-security-policy"]
    assert re.search(r"script-src 'self' 'sha256-[A-Za-z0-9+/]{43}='(;|$)", policy)
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy


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
