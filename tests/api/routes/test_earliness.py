"""From when on answers can be trusted, over the API: what is kept, and who may have it found again."""

from model.scores import Estimate
from monitoring.earliness import Earliness, EarlyStage, keep_earliness, kept_earliness
from tests.api.guarded import Guarded

PATH = "/api/v1/university/earliness"


def made_earliness(domain: str, target: str) -> Earliness:
    """Of two moments, at the second of which the model is credibly better."""
    rule, gains = Estimate(4.0, 3.5, 4.5), (Estimate(0.1, -0.2, 0.4), Estimate(2.0, 1.5, 2.5))
    stages = tuple(
        EarlyStage(
            stage=stage, n=150, clusters=150, mae=Estimate(4.0 - gain.value, 3.0, 4.4), naive_mae=rule, gain=gain,
            base=0.2, precision=(0.6, 0.4, 0.8), naive_precision=(0.3, 0.1, 0.5), gap=0.01,
        )
        for stage, gain in zip(("start", "end"), gains, strict=True)
    )  # fmt: skip
    return Earliness(
        domain=domain, target=target, unit="points", learned_from=("2024",), judged="2025", stages=stages,
        trusted_from="end",
    )  # fmt: skip


def test_what_was_found_is_told_to_whoever_sees_figures_and_found_again_by_whoever_compares(guarded: Guarded) -> None:
    viewer, analyst, teacher = (guarded.keys[role] for role in ("viewer", "analyst", "teacher"))
    found = made_earliness("university", "final_marks")
    with guarded.server.store() as store:
        if kept_earliness(store, "university", "final_marks") is None:
            assert guarded.ask("GET", PATH, viewer, params={"target": "final_marks"}).status_code == 404
        keep_earliness(store, found, job="a", rows=300)
    told = guarded.ask("GET", PATH, viewer, params={"target": "final_marks"})
    assert told.status_code == 200, told.text
    assert (told.json()["rows"], told.json()["found"]["trusted_from"]) == (300, "end")
    assert [one["n"] for one in told.json()["found"]["stages"]] == [150, 150]
    assert guarded.ask("GET", PATH, viewer, params={"target": "none"}).status_code == 422
    for key in (viewer, teacher):
        assert guarded.ask("POST", PATH, key, json={}).status_code == 403
    assert guarded.ask("POST", PATH, analyst, json={"target": "none"}).status_code == 422
    asked = guarded.ask("POST", PATH, analyst, json={}, params={"async": True})
    assert asked.status_code == 202, asked.text
    job = guarded.ask("GET", asked.headers["location"], analyst)
    assert (job.json()["kind"], job.json()["actor"]) == ("earliness", "key:a-analyst")
    assert guarded.ask("GET", asked.headers["location"], viewer).status_code == 404
