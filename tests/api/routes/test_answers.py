"""What a worker answered of a file is read from the log, as it is told at once."""

from pathlib import Path
from typing import Any

from tests.api.serving import Server
from tests.api.uploads import CSV, LATER, SCORE, ended, rows_of


def test_the_answers_of_a_file_that_is_scored_later_are_those_that_are_told_at_once(
    shared: Server, trained: Path
) -> None:
    content = rows_of(trained, 60)
    at_once = shared.client.post(SCORE, content=content, headers=CSV).json()
    later = shared.client.post(SCORE, content=content, headers=CSV | LATER)
    job = ended(shared, later.headers["location"])
    told = shared.get(job["result"]["address"])
    assert (told["count"], told["note"]) == (60, at_once["note"])

    def said(answer: Any) -> list[Any]:
        return [[one["answers"], one["student"]] for one in answer["predictions"]]

    assert said(told) == said(at_once)
    assert {name for name in told if told[name] != at_once[name]} == {"predictions"}  # whose ids are others
    lines = shared.client.get(job["result"]["address"], headers={"accept": "application/x-ndjson"}).text
    assert lines.count("\n") == 60
    logged = shared.get(f"/api/v1/engagement/predictions/{told['predictions'][7]['id']}")
    assert logged["answers"][0]["value"] == told["predictions"][7]["answers"][0]["value"]
    assert shared.client.get(f"/api/v1/jobs/{'0' * 32}/answers").status_code == 404


def test_an_answer_keeps_its_row_when_others_are_withdrawn(shared: Server, trained: Path) -> None:
    later = shared.client.post(SCORE, content=rows_of(trained, 4), headers=CSV | LATER)
    address = ended(shared, later.headers["location"])["result"]["address"]
    rows = {one["id"]: one["row"] for one in shared.get(address)["predictions"]}
    wrong = [one for one, row in rows.items() if row in (2, 4)]
    taken = shared.client.post(
        "/api/v1/engagement/withdrawals", json={"predictions": wrong, "reason": "sent by mistake"}
    )
    assert taken.json()["count"] == len(wrong) == 2
    left = {one["id"]: one["row"] for one in shared.get(address)["predictions"]}
    assert left == {one: row for one, row in rows.items() if one not in wrong}
