"""Requests from where they must not come, and addresses as they are counted."""

import socket
from collections.abc import Callable

import pytest

from api.request.admission import network
from tests.api.serving import ENGAGEMENT, Server

PREDICT = "/api/v1/engagement/predict"


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"host": "evil.example"},
        {"host": "evil.example", "origin": "http://evil.example"},
    ],
)
@pytest.mark.parametrize("address", [PREDICT, "/predict", "/api/v1/models/rollback"])
def test_a_page_of_another_site_changes_nothing(shared: Server, headers: dict[str, str], address: str) -> None:
    with shared.store() as store:
        before = store.count_predictions()
    answer = shared.client.post(address, json=ENGAGEMENT, headers=headers)
    assert answer.status_code == 403
    assert answer.json()["title"] in ("ForeignPage", "UnknownHost")
    with shared.store() as store:
        assert store.count_predictions() == before


def test_a_name_that_leads_here_reads_nothing(shared: Server) -> None:
    assert shared.client.get("/api/v1/models", headers={"host": "evil.example"}).status_code == 403


def test_the_services_own_page_may_ask(shared: Server) -> None:
    headers = {"origin": shared.url, "sec-fetch-site": "same-origin"}
    assert shared.client.post(PREDICT, json=ENGAGEMENT, headers=headers).status_code == 200


ONE, MANY = "/api/v1/engagement/predict", "/api/v1/engagement/predict/batch"


def answer_to(server: Server, head: bytes) -> bytes:
    """The first line of the answer to a head as it stands."""
    port = int(server.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=120) as connection:
        connection.sendall(head)
        return connection.makefile("rb").readline()


@pytest.mark.parametrize(
    "host",
    ["[", "[x]", "evil@127.0.0.1", "127.0.0.1/evil", "127.0.0.1:x", "", "\xff", "evil\r\nHost: 127.0.0.1",
     "127.0.0.1\r\nHost: evil"],
)  # fmt: skip
def test_a_host_that_is_none_or_not_the_only_one_is_refused(shared: Server, host: str) -> None:
    head = f"GET /health HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode("latin-1")
    assert answer_to(shared, head).split()[1] in (b"400", b"403")


@pytest.mark.parametrize("origin", ["http://[", "null", "://", "127.0.0.1", "http://127.0.0.1@evil"])
def test_an_origin_that_is_none_of_ours_changes_nothing(shared: Server, origin: str) -> None:
    answer = shared.client.post(ONE, json={}, headers={"origin": origin})
    assert answer.status_code == 403, answer.text


@pytest.mark.parametrize(
    "said",
    [
        "Content-Length: 5\r\nTransfer-Encoding: chunked", "Content-Length: 5\r\nContent-Length: 6",
        "Transfer-Encoding: xchunked", "Transfer-Encoding : chunked", "Content-Length: -1", "Content-Length: +5",
        "Content-Length: 99999999999999999999999", "X-A: a\r\n b", "X-A: a\nX-B: b",
    ],
)  # fmt: skip
def test_a_head_that_can_be_read_in_two_ways_is_read_in_none(shared: Server, said: str) -> None:
    head = f"POST {ONE} HTTP/1.1\r\nHost: 127.0.0.1\r\n{said}\r\n\r\n0\r\n\r\nGET /health HTTP/1.1\r\n\r\n"
    assert answer_to(shared, head.encode()).split()[1] == b"400"


def test_an_address_of_ipv6_is_counted_with_all_that_its_caller_has() -> None:
    assert network("10.1.2.3") == "10.1.2.3"
    assert network("::ffff:10.1.2.3") == "10.1.2.3"
    assert network("2001:db8:1:2::1") == network("2001:db8:1:2:ffff::9") == "2001:db8:1:2::/64"
    assert network("2001:db8:1:3::1") != network("2001:db8:1:2::1")
    assert network("fe80::1%eth0") == "fe80::/64"
    assert network("unknown:socket") == "unknown:socket"


def test_who_has_many_addresses_has_one_limit(serve: Callable[..., Server]) -> None:
    server = serve(GRADEWATCH_AUTH="on", GRADEWATCH_TOKEN_SECRET="x" * 40, GRADEWATCH_RATE_LIMIT="4/day")

    def ask(peer: str) -> int:
        return server.client.get("/api/v1/domains", headers={"x-forwarded-for": peer}).status_code

    assert [ask(f"2001:db8:1:2::{place}") for place in range(1, 6)] == [401] * 4 + [429]
    assert [ask("2001:db8:1:3::1"), ask("192.0.2.1")] == [401, 401]
