"""The domains are listed and told, and their upload templates can be uploaded."""

import re

from preprocessing.schema import load_domains
from tests.api.serving import Server
from tests.api.uploads import upload


def test_every_domain_is_listed_with_what_serves_it_and_told_column_by_column(shared: Server) -> None:
    listed = {one["name"]: one for one in shared.get("/api/v1/domains")["domains"]}
    assert listed.keys() == load_domains().keys()
    assert listed["engagement"]["champions"] == ["assignment_score@now"]
    for name, schema in load_domains().items():
        told = shared.get(f"/api/v1/domains/{name}")
        assert [one["name"] for one in told["features"]] == [one.name for one in schema.features]
    assert shared.client.get("/api/v1/domains/nowhere").status_code == 404


def test_an_upload_template_can_be_uploaded(shared: Server) -> None:
    for kind in ("csv", "xlsx"):
        file = shared.client.get("/api/v1/domains/engagement/template", params={"format": kind})
        assert upload(shared, file.content)[0] in (200, 201)
    assert re.search(r'filename="engagement\.xlsx"', file.headers["content-disposition"])
