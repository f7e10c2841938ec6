"""The weekly system before this one: its callers read what the canonical addresses say, in their own form."""

import shutil
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.api.conftest import start
from tests.api.guarded import Guarded
from tests.api.serving import Server
from tests.monitoring.weekly_making import SECRET, begin_weeks

DAY = "2025-12-14"
KEYS = [f"example-{number:07d}" for number in range(1, 9)]


def test_scores_are_those_of_the_canonical_address(prepared: Callable[..., Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(prepared("weeks", begin_weeks), tmp_path / "installation"))
    with ExitStack() as stack:
        server = start(stack, folder, {"GRADEWATCH_PSEUDONYM_SECRET": SECRET.decode()})
        asked = {"students": KEYS, "factors": True, "as_of": DAY}
        known = dict(zip(KEYS, server.post("/api/v1/k12/students", asked).json()["students"], strict=True))
        for key, ours in known.items():
            body = {"student_id": key, "include_factors": True, "date_range": {"end": DAY}}
            told = server.post("/api/v1/predict", body).json()
            said = told["prediction"]
            assert (said["student_id"], said["risk_score"], said["risk_category"]) == (key, ours["risk"], ours["level"])
            assert (said["confidence"], told["why_not"]) == (None, ours["why_not"])
            assert said["interval"] == ours["interval"]
            assert (said["interval"] is None) == (said["risk_score"] is None)
            named = [(one["factor"], one["weight"]) for one in told["contributing_factors"]]
            assert named == [(one["theme"], one["points"]) for one in ours["factors"]]
        assert any(one["factors"] for one in known.values())
        assert server.client.post("/api/v1/predict", json={"student_id": "nobody"}).status_code == 404
        ranked = server.post("/api/v1/predict/batch", {"student_ids": [*KEYS, "nobody"], "top_k": 3}).json()
        scores = [one["risk_score"] for one in ranked["predictions"]]
        assert (scores, len(scores) <= 3) == (sorted(scores, reverse=True), True)
        assert ranked["unanswered"][-1]["student_id"] == "nobody"
        figures = server.get("/api/v1/metrics")
        assert figures["performance_metrics"]["target"] == "at_risk_event"
        assert figures["data_coverage"]["predictions"] >= len(KEYS)


def test_rows_that_are_no_outcomes_start_no_training(shared: Server) -> None:
    answer = shared.client.post("/api/v1/train/update", json={"student_outcomes": [{"student_id": "a", "mood": 1}]})
    assert answer.status_code == 422
    assert "outcomes" in answer.json()["detail"]


@pytest.mark.parametrize("address", ["/api/v1/predict", "/api/v1/train/update"])
def test_who_may_do_nothing_in_the_domain_is_refused(guarded: Guarded, address: str) -> None:
    body = {"student_id": KEYS[0]} if address.endswith("predict") else {}
    assert guarded.ask("POST", address, guarded.keys["viewer"], json=body).status_code == 403
    assert guarded.ask("POST", address, None, json=body).status_code == 401
