"""Requests from where they must not come."""

import pytest

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


def test_all_problems_come_as_a_file_for_one_who_asks_for_csv(shared: Server) -> None:
    answer = shared.client.post(
        PREDICT, json=ENGAGEMENT | {"attention": 140, "focus": "x"}, headers={"accept": "text/csv"}
    )
    assert answer.status_code == 422
    assert answer.headers["content-type"].startswith("text/csv")
    lines = answer.text.splitlines()
    assert lines[0] == "file,row,column,value,rule"
    assert [line.split(",")[2] for line in lines[1:]] == ["attention", "focus"]
