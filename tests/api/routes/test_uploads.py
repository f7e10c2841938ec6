"""Files come as a form's field or as the body itself, and what is none or too large is refused in words."""

import io

import xlsxwriter

from tests.api.serving import ENGAGEMENT, Server
from tests.api.uploads import SCORE, labeled, upload


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


def test_every_route_that_takes_a_file_takes_a_sheet_of_it_and_leaves_bad_rows_out(shared: Server) -> None:
    takes = 0
    for path, item in shared.get("/openapi.json")["paths"].items():
        for operation in item.values() if path.startswith("/api/") else ():  # callers of older systems know none
            if "multipart/form-data" in operation.get("requestBody", {}).get("content", ()):
                asked = {one["name"] for one in operation["parameters"]}
                sheets = set() if path.endswith("/exports") else {"sheet"}  # a bundle of files has none
                assert {"skip_bad_rows", *sheets} <= asked, path
                takes += 1
    assert takes >= 4


def test_an_answer_to_a_file_names_its_row_whatever_was_left_out(shared: Server) -> None:
    header, *rows = labeled(3).split("\n")
    lines = [header.split(","), *(row.split(",") for row in rows)]
    lines[2:2] = [["500", *lines[1][1:-1], "b9"], lines[1]]  # one that is bad, and one that says the same again
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"strings_to_numbers": True}) as book:
        for name, some in (("other", lines[:2]), ("marks", lines)):
            sheet = book.add_worksheet(name)
            for number, cells in enumerate(some):
                sheet.write_row(number, 0, cells)
    sent = {
        "content": out.getvalue(),
        "headers": {"content-type": "application/octet-stream", "x-file-name": "m.xlsx"},
    }
    refused = shared.client.post(SCORE, params={"sheet": "marks"}, **sent)  # type: ignore[arg-type]
    assert (refused.status_code, [p["row"] for p in refused.json()["problems"]]) == (422, [3])
    told = shared.client.post(SCORE, params={"sheet": "2", "skip_bad_rows": "true"}, **sent).json()  # type: ignore[arg-type]
    assert [one["row"] for one in told["predictions"]] == [2, 5, 6]
    assert [p["row"] for p in told["problems"]] == [3]
    assert "row 4 says again what an earlier row says" in told["note"]
    assert "1 bad row left out" in told["note"]
    for asked in ({"skip_bad_rows": "true"}, {"sheet": "1"}, {"skip_bad_rows": "perhaps"}):
        refused = shared.client.post(SCORE, params=asked, json=[ENGAGEMENT])
        assert (refused.status_code, "are for files" in refused.json()["detail"]) == (422, True)
    assert shared.client.post(SCORE, params={"sheet": "", "skip_bad_rows": "false"}, json=[ENGAGEMENT]).is_success
