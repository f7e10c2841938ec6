"""A challenger that could not prove itself at once gathers evidence in shadow, and is judged on it once."""

from dataclasses import replace

from database.ingest import add_batch
from database.records import BatchRow
from model.trial import Trial, running_trial, start_trial, trials
from model.workspace import Workspace
from retraining.policy import PromotionPolicy
from retraining.run import Result, Run, retrain
from tests.model.registry_making import keep, make_bundle
from tests.training.making import MARK, SCHEMA, make_rows

POLICY = PromotionPolicy(trial_rows=60)


def upload(workspace: Workspace, n: int, *, seed: int) -> list[BatchRow]:
    rows = make_rows(n, seed=seed, first=1000 * seed)
    add_batch(workspace.store, SCHEMA.name, rows, "labeled", name=f"{seed}.csv")
    return rows


def retrained(workspace: Workspace, **changed: object) -> Result:
    run = replace(Run(workspace, SCHEMA, window=20_000, policy=POLICY), **changed)  # type: ignore[arg-type]
    (result,) = retrain(run, [MARK])
    return result


def running(workspace: Workspace) -> Trial | None:
    return running_trial(workspace.store, workspace.store.successions(MARK)[-1])


def test_a_shadow_verdict_begins_a_trial_and_pooled_outcomes_promote_its_challenger(workspace: Workspace) -> None:
    upload(workspace, 98, seed=2)
    first = retrained(workspace)
    trial = running(workspace)
    assert first.decision.verdict == "shadow"
    assert trial is not None
    assert (trial.challenger, trial.mode) == (first.challenger, "shadow")
    assert trial.id in first.decision.reasons[-1]

    upload(workspace, 80, seed=3)
    assert retrained(workspace, dry=True).decision.verdict == "promote"
    assert running(workspace) == trial
    result = retrained(workspace)
    assert (result.promoted, result.challenger) == (True, trial.challenger)
    assert result.decision.n == 80
    assert result.decision.reasons[0] == f"shadow trial {trial.id}"
    assert workspace.store.successions(MARK)[-1].version == trial.challenger
    assert running(workspace) is None
    assert trials(workspace.store)[0].why.endswith("is the challenger itself")


def test_a_trial_goes_on_until_it_has_enough_new_outcomes(workspace: Workspace) -> None:
    upload(workspace, 98, seed=2)
    retrained(workspace)
    trial = running(workspace)
    upload(workspace, 40, seed=3)
    again = retrained(workspace, policy=PromotionPolicy(trial_rows=60, min_rows=1000))
    assert running(workspace) == trial
    assert "not tried in shadow" in again.decision.reasons[-1]


def test_a_challenger_that_fails_its_trial_makes_room_for_the_next(workspace: Workspace) -> None:
    useless = keep(workspace.store, workspace.artifacts, make_bundle(1.0))
    trial = start_trial(workspace.store, useless, mode="shadow", actor="test")
    upload(workspace, 70, seed=3)
    result = retrained(workspace)
    failed = trials(workspace.store)[-1]
    assert (failed.id, failed.ended is None) == (trial.id, False)
    assert "on 70 new rows" in failed.why
    assert result.challenger != useless.version
    assert workspace.store.successions(MARK)[-1].version != useless.version


def test_a_split_is_never_decided_by_a_retraining(workspace: Workspace) -> None:
    useless = keep(workspace.store, workspace.artifacts, make_bundle(1.0))
    trial = start_trial(workspace.store, useless, mode="split", actor="test")
    upload(workspace, 70, seed=3)
    retrained(workspace, policy=PromotionPolicy(trial_rows=60, min_rows=1000))
    assert running(workspace) == trial


def test_a_challenger_whose_files_are_gone_ends_its_trial(workspace: Workspace) -> None:
    useless = keep(workspace.store, workspace.artifacts, make_bundle(1.0))
    start_trial(workspace.store, useless, mode="shadow", actor="test")
    workspace.artifacts.sweep({workspace.store.successions(MARK)[-1].version}, older_than=0.0)
    upload(workspace, 70, seed=3)
    retrained(workspace)
    assert useless.version[:12] in trials(workspace.store)[-1].why or "files" in trials(workspace.store)[-1].why


def test_without_trial_rows_nothing_is_tried(workspace: Workspace) -> None:
    upload(workspace, 98, seed=2)
    assert retrained(workspace, policy=PromotionPolicy(trial_rows=0)).decision.verdict == "shadow"
    assert trials(workspace.store) == []
