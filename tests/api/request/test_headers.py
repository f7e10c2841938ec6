"""What every answer tells a browser, and floods of headers that end before they are read."""

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
