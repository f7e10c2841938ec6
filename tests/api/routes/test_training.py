"""Training over HTTP: what an institution uploads replaces the models of generated examples."""

from collections.abc import Callable
from pathlib import Path

import pytest

from database.layout import unpack_ids
from model.artifacts import ArtifactFolder
from tests.api.serving import ENGAGEMENT, Server
from tests.api.uploads import ended, labeled, upload


@pytest.mark.parametrize("road", ["train", "retrain"])
def test_ones_own_data_replaces_the_models_of_examples(
    serve: Callable[..., Server], installation: Path, road: str
) -> None:
    """Even rows that look like the examples to the letter: their keys are other students'."""
    server, address = serve(), f"/api/v1/engagement/{road}"
    assert [one["from_examples"] for one in server.get("/ready")["champions"] if one["domain"] == "engagement"] == [
        True
    ]
    status, stored = upload(server, (installation / "examples" / "engagement.csv").read_text())
    assert (status, stored["batch"]["rows"]) == (201, 200)
    for wrong in ({"task": "classification"}, {"task": "?"}, {"task": "classification", "target": "assignment_score"}):
        assert server.post(address, wrong).status_code in (400, 422)
    started = server.post(address, {"task": "regression"})
    assert started.status_code == 202
    job = ended(server, started.headers["location"])
    told = job["result"]["models"][0]["reason"] if road == "train" else job["decisions"][0]["document"]["reasons"][0]
    assert told.startswith("replaces a model of generated examples")
    server.until(lambda: not any(
        one["from_examples"] for one in server.get("/ready")["champions"] if one["domain"] == "engagement"
    ))  # fmt: skip
    assert server.post(address, {"target": "?"}).status_code == 422
    newest, first = (server.get("/api/v1/models?domain=engagement")["models"][place]["version"] for place in (0, -1))
    rows_of_examples, own = (ArtifactFolder(installation / "models").load(one)["rows.bin"] for one in (first, newest))
    assert set(unpack_ids(rows_of_examples)).isdisjoint(unpack_ids(own))


def test_the_settings_say_whether_a_request_waits_where_it_does_not(serve: Callable[..., Server]) -> None:
    server = serve(ML_TRAIN_ASYNC="false", ML_PREDICT_ASYNC="true")
    upload(server, labeled(20))
    for road in ("train", "retrain"):
        waited = server.post(f"/api/v1/engagement/{road}", {})
        assert (waited.status_code, waited.json()["state"]) in ((200, "done"), (200, "finished"), (422, "failed")), road
        asked = server.post(f"/api/v1/engagement/{road}?async=true", {})
        assert asked.status_code == 202
        ended(server, asked.headers["location"])
    many = "/api/v1/engagement/predict/batch"
    assert [server.post(many + said, [ENGAGEMENT]).status_code for said in ("", "?async=false")] == [202, 200]
