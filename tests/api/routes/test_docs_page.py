"""The API's page for people needs nothing from elsewhere and runs its own script alone."""

import re

from tests.api.serving import Server


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
