"""Uploaded files are stored once, whole or without their bad rows."""

import re

from tests.api.serving import Server
from tests.api.uploads import labeled, upload


def test_the_same_content_twice_is_stored_once_and_said_so(shared: Server) -> None:
    content = labeled(20)
    first, second = upload(shared, content), upload(shared, content + "\n\n")
    assert (first[0], first[1]["new"]) == (201, True)
    assert (second[0], second[1]["new"]) == (200, False)
    assert first[1]["batch"] == second[1]["batch"] | {"at": first[1]["batch"]["at"]}
    stored = [one["id"] for one in shared.get("/api/v1/engagement/batches", params={"kind": "labeled"})["batches"]]
    assert stored.count(first[1]["batch"]["id"]) == 1


def test_a_file_with_bad_rows_is_refused_whole_unless_they_may_be_skipped(shared: Server) -> None:
    content = labeled(5, score=41) + "\n" + ",".join([*["500"] * 5, "12", "b9"])
    status, refused = upload(shared, content)
    assert status == 422
    assert {(p["file"], p["row"]) for p in refused["problems"]} == {("term.csv", 7)}
    assert len(refused["problems"]) == 5
    status, kept = upload(shared, content, skip=True)
    assert (status, kept["batch"]["rows"], kept["skipped"], len(kept["problems"])) == (201, 5, 1, 5)


def test_files_that_cannot_be_read_or_are_too_large_are_refused_in_words(shared: Server) -> None:
    assert upload(shared, b"\x1f\x8b gzip")[0] == 422
    status, answer = upload(shared, b"a,b\n" + b"1,2\n" * 300_000)
    assert (status, "1 MB" in answer["detail"]) == (413, True)
    status, answer = upload(shared, labeled(1001))
    assert (status, "1,000" in answer["detail"]) == (413, True)
    answer = shared.client.post("/api/v1/engagement/batches", content=labeled(3)).json()
    assert answer["problems"][0]["column"] == "kind"


def test_an_upload_template_can_be_uploaded(shared: Server) -> None:
    for kind in ("csv", "xlsx"):
        file = shared.client.get("/api/v1/domains/engagement/template", params={"format": kind})
        assert upload(shared, file.content)[0] in (200, 201)
    assert re.search(r'filename="engagement\.xlsx"', file.headers["content-disposition"])
