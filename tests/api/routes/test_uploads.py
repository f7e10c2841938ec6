"""Files come as a form's field or as the body itself, and what is none or too large is refused in words."""

from tests.api.serving import Server
from tests.api.uploads import labeled, upload


def test_a_form_without_its_file_and_a_body_without_anything_are_told_what_to_send(shared: Server) -> None:
    for sent in ({"content": b""}, {"files": {"other": b"a,b\n1,2\n"}}):
        answer = shared.client.post("/api/v1/engagement/batches?kind=labeled", **sent)  # type: ignore[arg-type]
        assert (answer.status_code, answer.json()["title"]) == (400, "NoFile")
        assert "file" in answer.json()["detail"]
    long = shared.client.post("/api/v1/models/rollback", content=b'{"domain": "' + b"a" * 100_000 + b'"}')
    assert (long.status_code, long.json()["title"]) == (413, "BodyTooLarge")
    assert shared.client.post("/api/v1/models/rollback", content=b"{").status_code == 400


def test_files_that_cannot_be_read_or_are_too_large_are_refused_in_words(shared: Server) -> None:
    assert upload(shared, b"\x1f\x8b gzip")[0] == 422
    status, answer = upload(shared, b"a,b\n" + b"1,2\n" * 300_000)
    assert (status, "1 MB" in answer["detail"]) == (413, True)
    status, answer = upload(shared, labeled(1001))
    assert (status, "1,000" in answer["detail"]) == (413, True)
    answer = shared.client.post("/api/v1/engagement/batches", content=labeled(3)).json()
    assert answer["problems"][0]["column"] == "kind"
