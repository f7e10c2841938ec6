"""Whoever speaks the Open Inference Protocol gets the answers that everybody gets, in its form."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests.api.guarded import Guarded
from tests.api.serving import ENGAGEMENT, UNIVERSITY, Server

INFER = "/v2/models/{}/infer"


def tensors(rows: list[dict[str, Any]], **other: Any) -> dict[str, Any]:
    """A request of the protocol that asks about these rows."""
    inputs = [
        {"name": name, "shape": [len(rows), 1], "datatype": "BYTES" if isinstance(rows[0][name], str) else "FP64",
         "data": [row[name] for row in rows]}
        for name in rows[0]
    ]  # fmt: skip
    return {"id": "42", "inputs": inputs, **other}


def read(answer: httpx.Response) -> dict[str, Any]:
    """The tensors of an answer by name, as arrays of objects."""
    assert answer.status_code == 200, answer.text
    outputs = answer.json()["outputs"]
    return {one["name"]: np.array(one["data"], dtype=object).reshape(one["shape"]) for one in outputs}


def test_tensors_are_answered_as_rows_are_and_logged(shared: Server) -> None:
    rows = [UNIVERSITY | {"student_id": f"s{n}", "quiz_marks": n} for n in range(5)]
    answer = shared.post(INFER.format("university"), tensors(rows))
    ours = shared.post("/api/v1/university/predict/batch", rows).json()
    assert (answer.json()["id"], answer.json()["model_name"]) == ("42", "university")
    assert answer.json()["parameters"] == {"warning": ours["warning"]}
    found, predictions = read(answer), ours["predictions"]
    for place, target in enumerate(("final_grade", "final_marks")):
        said = [one["answers"][place] for one in predictions]
        for part in ("value", "naive", "below_pass", "model"):
            name = target if part == "value" else f"{target}.{part}"
            assert found[name].tolist() == [one[part] for one in said], name
    marks, grades = ([one["answers"][place] for one in predictions] for place in (1, 0))
    assert found["final_marks.interval"].tolist() == [one["interval"] or [None, None] for one in marks]
    assert found["final_grade.probabilities"].tolist() == [list(one["probabilities"].values()) for one in grades]
    with shared.store() as store:
        logged = [store.prediction(one) for one in found["prediction_id"]]
    assert [one.student for one in logged if one] == [one["student"] for one in predictions]


def test_outputs_are_those_that_are_asked_for_and_nulls_are_what_is_not_known(shared: Server) -> None:
    schools = shared.get("/v2/models/school")
    row = {one["name"]: None for one in schools["inputs"]}
    example = shared.get("/openapi.json")["components"]["schemas"]["SchoolRow"]["examples"][0]
    rows = [row | example, row | example | {"G2": None}, row | example | {"G2": None, "G1": None}]
    asked = tensors(rows, outputs=[{"name": "moment"}, {"name": "G3"}])
    found = read(shared.post(INFER.format("school"), asked))
    assert list(found) == ["moment", "G3"]
    assert found["moment"].tolist() == ["G2", "G1", "start"]
    earlier = read(shared.post(INFER.format("school"), asked | {"parameters": {"moment": "start"}}))
    assert earlier["moment"].tolist() == ["start"] * 3
    assert len(set(earlier["G3"].tolist())) == 1


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"inputs": []}, 422, "one tensor or more"),
        ({"outputs": [{"name": "G9"}]}, 422, "no output is called 'G9'"),
        ({"parameters": {"moment": "never"}}, 422, "is none of now"),
        ({"inputs": [{"name": "focus", "shape": [2], "datatype": "FP64", "data": [1]}]}, 422, "1 values came"),
        ({"inputs": [{"name": "focus", "shape": [1, 3], "datatype": "FP64", "data": [1, 2, 3]}]}, 422, "[rows, 1]"),
        ({"inputs": [{"name": "focus", "shape": [1], "datatype": "FP8", "data": [1]}]}, 422, "is none of BYTES, FP16"),
        ({"inputs": [{"name": "focus", "shape": [1], "datatype": "FP64", "data": ["1"]}]}, 422, "texts are BYTES"),
        ({"inputs": [{"name": "focus", "shape": [1], "datatype": "FP64", "data": [101]}]}, 422, "from 0 to 100"),
        ({"inputs": None}, 400, "Open Inference Protocol"),
    ],
)
def test_what_is_no_request_is_refused_in_the_form_of_the_protocol(
    shared: Server, change: dict[str, Any], status: int, words: str
) -> None:
    answer = shared.post(INFER.format("engagement"), tensors([ENGAGEMENT]) | change)
    assert (answer.status_code, list(answer.json())) == (status, ["error"])
    assert words in answer.json()["error"]
    assert answer.headers["content-type"] == "application/json"


def test_what_is_not_there_and_who_may_not_are_refused_in_that_form_too(guarded: Guarded) -> None:
    request = tensors([ENGAGEMENT])
    assert guarded.ask("GET", "/v2/health/live").json() == {"live": True}
    assert guarded.ask("GET", "/v2/health/ready").json() == {"ready": True}
    assert guarded.ask("GET", "/v2").json()["extensions"] == []
    assert guarded.ask("GET", "/v2/models/engagement/ready", guarded.keys["client"]).json()["ready"] is True
    for method, path, role, status in (
        ("POST", INFER.format("engagement"), None, 401),
        ("POST", INFER.format("engagement"), "viewer", 403),
        ("POST", INFER.format("nothing"), "client", 404),
        ("GET", "/v2/models/engagement", None, 401),
        ("GET", "/v2/models/course/ready", "client", 503),
        ("GET", "/v2/nothing", "client", 404),
        ("GET", INFER.format("engagement"), "client", 405),
    ):
        options = {"json": request} if method == "POST" else {}
        answer = guarded.ask(method, path, guarded.keys[role] if role else None, **options)
        assert answer.status_code == status, (path, answer.text)
        assert answer.json().keys() in ({"error"}, {"name", "ready"})


def test_a_confined_key_asks_about_its_groups_only(guarded: Guarded, confined: str) -> None:
    other = tensors([UNIVERSITY, UNIVERSITY | {"subject": "Algorithms"}])
    assert guarded.ask("POST", INFER.format("university"), confined, json=tensors([UNIVERSITY])).status_code == 200
    assert guarded.ask("POST", INFER.format("university"), confined, json=other).status_code == 403


CLIENT = """
import json, sys
import numpy as np
import tritonclient.http as client

address, row = sys.argv[1], json.loads(sys.argv[2])
with client.InferenceServerClient(address) as triton:
    assert triton.is_server_live() and triton.is_server_ready()
    assert triton.is_model_ready("engagement") and not triton.is_model_ready("course")
    assert triton.get_server_metadata()["name"] == "gradewatch"
    described = {one["name"]: one for one in triton.get_model_metadata("engagement")["inputs"]}
    inputs = []
    for name, value in row.items():
        tensor = client.InferInput(name, [2], described[name]["datatype"])
        tensor.set_data_from_numpy(np.array([value, 50.0]), binary_data=False)
        inputs.append(tensor)
    key = client.InferInput("student_id", [2], described["student_id"]["datatype"])
    key.set_data_from_numpy(np.array(["t1", "t2"], dtype=object), binary_data=False)
    wanted = [client.InferRequestedOutput(name, binary_data=False) for name in ("assignment_score", "prediction_id")]
    result = triton.infer("engagement", [*inputs, key], outputs=wanted, request_id="7")
    assert result.get_response()["id"] == "7"
    told = {"score": float(result.as_numpy("assignment_score")[0]), "id": str(result.as_numpy("prediction_id")[1])}
    try:
        triton.infer("engagement", inputs[:1])
    except client.InferenceServerException as error:
        told["refused"] = error.message()
    print(json.dumps(told))
"""


def test_a_client_of_the_protocol_talks_to_the_service(shared: Server) -> None:
    python = Path(sys.prefix) / "apart" / "tritonclient" / "bin" / "python"
    if not python.exists():
        pytest.skip("needs `make apart-tritonclient`")
    asked = [shared.url.removeprefix("http://"), json.dumps(ENGAGEMENT)]
    done = subprocess.run([python, "-c", CLIENT, *asked], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["score"] == shared.predict("engagement", ENGAGEMENT)["answers"][0]["value"]
    assert "missing; it is required" in told["refused"]
    with shared.store() as store:
        assert store.prediction(told["id"].strip("b'")) is not None
