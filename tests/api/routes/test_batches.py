"""Uploaded files are stored once, whole or without their bad rows."""

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


def test_what_a_kind_may_be_is_said_to_whoever_names_none(shared: Server) -> None:
    sent = {"file": ("term.csv", labeled(5))}
    refused = shared.client.post("/api/v1/engagement/batches", files=sent)
    [problem] = refused.json()["problems"]
    rule = "is needed: add it to the address, kind=labeled or kind=unlabeled"
    assert (refused.status_code, problem["column"], problem["rule"]) == (422, "kind", rule)


def test_a_file_with_bad_rows_is_refused_whole_unless_they_may_be_skipped(shared: Server) -> None:
    content = labeled(5, score=41) + "\n" + ",".join([*["500"] * 5, "12", "b9"])
    status, refused = upload(shared, content)
    assert status == 422
    assert {(p["file"], p["row"]) for p in refused["problems"]} == {("term.csv", 7)}
    assert len(refused["problems"]) == 5
    status, kept = upload(shared, content, skip=True)
    assert (status, kept["batch"]["rows"], kept["skipped"], len(kept["problems"])) == (201, 5, 1, 5)


def test_what_was_noticed_while_a_file_was_read_is_told(shared: Server) -> None:
    content = labeled(20, score=43) + "\n" + ",".join([*["50"] * 5, "12", "Average"])
    header, *rows = content.split("\n")
    turned = "\n".join(",".join([cells[-1], *cells[:-1]]) for cells in (row.split(",") for row in [header, *rows]))
    status, stored = upload(shared, turned)
    assert (status, stored["batch"]["rows"]) == (201, 20)
    assert stored["notes"] == ["row 22 ('Average') sums up others: left out"]
