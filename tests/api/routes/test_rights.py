"""An officer answers a request over the API: everything is handed out, then erased, with a proof that names nobody."""

import csv
import io
import json
from typing import Any
from zipfile import ZipFile

import pytest

from tests.api.guarded import Guarded
from tests.api.serving import UNIVERSITY

PATH = "/api/v1/university/students"
KEY = "s-4711-x"


@pytest.fixture
def officer(guarded: Guarded) -> str:
    return guarded.keys["officer"]


def unzipped(content: bytes) -> dict[str, bytes]:
    with ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_all_that_is_known_is_handed_out_and_then_erased(guarded: Guarded, officer: str) -> None:
    teacher, analyst = guarded.keys["teacher"], guarded.keys["analyst"]
    row = UNIVERSITY | {"student_id": KEY, "subject": "=1+1"}
    for marks in (11, 12):
        said = guarded.ask("POST", "/api/v1/university/predict", teacher, json=row | {"midterm_marks": marks})
        assert said.status_code == 200, said.text
    outcome = [{"student_id": KEY, "semester": row["semester"], "subject": "=1+1", "final_marks": 61}]
    assert guarded.ask("POST", "/api/v1/university/outcomes", analyst, json=outcome).status_code == 200
    assert guarded.ask("POST", "/api/v1/university/predictions/find", teacher, json={"student": KEY}).status_code == 200
    assert guarded.ask("GET", "/api/v1/university/predictions", teacher).status_code == 200
    refused = guarded.ask("POST", f"{PATH}/export", analyst, json={"student": KEY})
    assert refused.status_code == 403
    files = unzipped(guarded.ask("POST", f"{PATH}/export", officer, json={"student": KEY}).content)
    [known] = json.loads(files["everything.json"])
    assert [one["inputs"]["midterm_marks"] for one in known["predictions"]] == [12, 11]
    assert [one["value"] for one in known["outcomes"]] == [61]
    assert [one["action"] for one in known["looks"]] == ["student looked up"]
    assert "predictions listed" in {one["action"] for one in known["lists"]}
    table = list(csv.DictReader(io.StringIO(files["university/predictions.csv"].decode("utf-8-sig"))))
    assert {one["midterm_marks"] for one in table} == {"12.0", "11.0"}
    assert {one["group"] for one in table} <= {one["group"] for one in table if "=1+1" in one["group"]}
    assert not any(cell.startswith("=") for one in table for cell in one.values())
    assert KEY.encode() not in b"".join(files.values())

    asked = guarded.ask("POST", f"{PATH}/erase", officer, json={"student": KEY, "reason": "a letter of 3 May"})
    assert asked.status_code == 202, asked.text

    def proof() -> dict[str, Any]:
        found = guarded.ask("GET", f"{PATH}/erasures", officer).json()["erasures"]
        return found[0] if found and found[0]["done"] else {}

    guarded.server.until(proof)
    assert (proof()["predictions"], proof()["outcomes"], proof()["reason"]) == (2, 1, "a letter of 3 May")
    assert known["student"] not in json.dumps(proof())
    assert guarded.ask("POST", f"{PATH}/export", officer, json={"student": KEY}).status_code == 404
    found = guarded.ask("POST", "/api/v1/university/predictions/find", teacher, json={"student": KEY})
    assert found.json()["predictions"] == []
    named = {"student": KEY, "reason": "Ana Sousa wrote"}
    assert guarded.ask("POST", f"{PATH}/erase", officer, json=named).status_code in (404, 422)


def test_who_objected_is_answered_no_more_and_in_no_list(guarded: Guarded, officer: str) -> None:
    teacher, row = guarded.keys["teacher"], UNIVERSITY | {"subject": "Algorithms", "midterm_marks": 3}
    one, other = ({**row, "student_id": f"o-{n}"} for n in range(2))
    for asked in (one, other):
        assert guarded.ask("POST", "/api/v1/university/predict", teacher, json=asked).status_code == 200

    def listed() -> tuple[set[str], set[str]]:
        told = guarded.ask("GET", PATH, teacher, params={"top_k": 500}).json()
        ranked = told["students"]
        assert told["ranked"] == len(ranked), "as many are counted as are listed"
        logged = guarded.ask("GET", "/api/v1/university/predictions", teacher).json()["predictions"]
        return {one["student"] for one in ranked}, {one["student"] for one in logged}

    before = listed()
    made = guarded.ask("POST", f"{PATH}/object", officer, json={"student": "o-0", "reason": "by e-mail"})
    assert (made.status_code, made.json()["actor"]) == (201, "key:a-officer")
    assert guarded.ask("POST", f"{PATH}/object", teacher, json={"student": "o-1"}).status_code == 403
    refused = guarded.ask("POST", "/api/v1/university/predict", teacher, json=one)
    assert (refused.status_code, "objected" in refused.json()["problems"][0]["rule"]) == (422, True)
    many = guarded.ask("POST", "/api/v1/university/predict/batch", teacher, json=[other, one])
    assert (many.status_code, [problem["row"] for problem in many.json()["problems"]]) == (422, [2])
    assert guarded.ask("POST", "/api/v1/university/predict", teacher, json=other).status_code == 200
    for was, now in zip(before, listed(), strict=True):
        assert len(was - now) == 1
