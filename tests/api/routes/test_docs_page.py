"""Pages for people lead on from /, need nothing from elsewhere, and say each address once, in the order of work."""

import re
from collections.abc import Callable

from api.routes.openapi import TAGS
from tests.api.serving import Server


def test_the_first_page_leads_to_the_apis_page_and_the_dashboard(serve: Callable[..., Server]) -> None:
    server = serve(GRADEWATCH_DASHBOARD_URL="https://look.school.example/?a=1&b=2")
    page = server.client.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    leads = re.findall(r'href="([^"]+)"', page.text)
    assert leads == ["/docs/favicon.png", "/docs", "/openapi.json", "https://look.school.example/?a=1&amp;b=2"]
    assert all(server.client.get(lead).status_code == 200 for lead in leads[:3])
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert server.client.post("/").status_code == 405


def test_the_page_says_each_address_once_under_what_it_is_for(shared: Server) -> None:
    page, programs = shared.get("/docs/openapi.json"), shared.get("/openapi.json")
    domains = page["paths"]["/api/v1/{domain}/predict"]["post"]["parameters"][0]["schema"]["enum"]
    told = {path.replace("{domain}", domain) for path in page["paths"] for domain in domains}
    assert told >= programs["paths"].keys()
    assert len(page["paths"]) < len(programs["paths"]) / 2
    used = dict.fromkeys(tag for item in page["paths"].values() for one in item.values() for tag in one["tags"])
    assert [one["name"] for one in page["tags"]] == list(TAGS)
    assert used.keys() == TAGS.keys()
    assert page["info"]["description"].count("\ncurl ") == 5
    body = page["paths"]["/api/v1/{domain}/predict"]["post"]["requestBody"]["content"]["application/json"]
    assert body["examples"].keys() == {*domains}


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
