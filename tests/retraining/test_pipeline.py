"""A retraining run: decides once, promotes by the policy alone, and survives being killed, doubled and overtaken."""

import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from io import StringIO
from pathlib import Path

import msgspec
import pytest
from rich.console import Console
from rich.table import Table

from advice.case_steps import NewStep
from advice.cases import Writer, take_step
from advice.helped import HELPED_EVENT, HELPED_LEFT_OUT, unhelped
from clock import now
from database.ingest import add_batch
from database.records import BatchRow
from database.withdrawal import rows_withdrawn, withdraw_batch
from model.bundle import EXAMPLES
from model.naive import RULE
from model.predictor import Predictor
from model.registry import activate, collect_garbage, install, learned_from_batch, load_bundle, rollback
from model.render import models_table
from model.workspace import Workspace
from retraining.first_champions import learned_rows
from retraining.policy import PromotionPolicy
from retraining.run import RULE_EVENT, Busy, Result, Run, retrain, retrain_patiently, with_new_labels
from tests.database.making import make_prediction
from tests.model.registry_making import keep, make_bundle
from tests.retraining.conftest import open_at
from tests.training.making import MARK, SCHEMA, few_trees, make_rows, typed

LEASE = "retrain:invented"


def new_rows(n: int = 200, *, shift: float = 0.0, seed: int = 2) -> list[BatchRow]:
    return make_rows(n, seed=seed, shift=shift, first=1000 * seed)


def upload(workspace: Workspace, rows: list[BatchRow]) -> None:
    add_batch(workspace.store, SCHEMA.name, rows, "labeled", name="new.csv")


def run_of(workspace: Workspace, progress: Callable[[str], None] = lambda _: None, **changed: object) -> Run:
    return replace(Run(workspace, SCHEMA, window=20_000, progress=progress), **changed)  # type: ignore[arg-type]


def retrained(workspace: Workspace, progress: Callable[[str], None] = lambda _: None, **changed: object) -> Result:
    (result,) = retrain(run_of(workspace, progress, **changed), [MARK])
    return result


def state(workspace: Workspace) -> tuple[object, ...]:
    store = workspace.store
    return store.successions(MARK), store.models(), store.decisions(), store.drift_reports(), store.batches()


@pytest.fixture(scope="session")
def promoted_folder(begun: Path, prepared: Callable[..., Path]) -> Path:
    """The champion of before, replaced by a challenger that learned what has changed."""

    def replace_champion(folder: Path) -> None:
        workspace = open_at(Path(shutil.copytree(begun, folder, dirs_exist_ok=True)))
        upload(workspace, new_rows())
        with few_trees():
            (result,) = retrain(run_of(workspace), [MARK])
        assert result.promoted, result.decision.reasons
        workspace.close()

    return prepared("promoted", replace_champion)


@pytest.fixture
def promoted(promoted_folder: Path, tmp_path: Path) -> Workspace:
    return open_at(Path(shutil.copytree(promoted_folder, tmp_path / "promoted")))


def test_a_better_challenger_is_promoted_on_rows_that_neither_has_seen(promoted: Workspace) -> None:
    old, new = promoted.store.successions(MARK)
    (decision,) = promoted.store.decisions("invented")
    assert (decision.verdict, decision.champion, decision.challenger) == ("promote", old.version, new.version)
    assert decision.document["promoted"]
    assert decision.document["n"] == 100
    assert decision.document["gain"]["mean"] > 0.01
    assert decision.document["gain"]["lower"] > 0
    assert new.reason == "; ".join(decision.document["reasons"])
    first, second = (load_bundle(promoted.artifacts, one.version).rows for one in (old, new))
    assert first < second
    assert len(second) == 120 + 100  # half of the new rows taught, the other half judged


def test_the_job_delivered_twice_changes_nothing_twice(promoted: Workspace) -> None:
    before = state(promoted)
    upload(promoted, new_rows())
    (again,) = retrain(run_of(promoted), [MARK])
    assert not again.promoted
    assert "these outcomes were judged before" in again.decision.reasons[0]
    assert state(promoted) == before


def test_what_was_rolled_back_does_not_come_back_on_the_same_evidence(promoted: Workspace) -> None:
    rollback(promoted.store, [MARK], actor="test", reason="test", artifacts=promoted.artifacts)
    before = state(promoted)
    assert not retrained(promoted).promoted
    assert state(promoted) == before
    upload(promoted, new_rows(10, seed=3))
    assert retrained(promoted).decision.n > 0  # there is something new to decide on


def test_labels_are_new_until_they_were_learned_from_or_decided_on(workspace: Workspace) -> None:
    def new(**changed: object) -> bool:
        return with_new_labels(run_of(workspace, **changed), [MARK, replace_moment()]) == [MARK]

    assert not new()  # the champion learned from all there is
    upload(workspace, new_rows(60))
    assert new()
    assert retrained(workspace).decision.verdict == "shadow"
    assert not new()  # they left the champion in place: deciding again would decide the same
    assert new(seed=1)
    upload(workspace, new_rows(10, seed=3))
    assert new()


def test_too_few_unseen_rows_leave_the_challenger_in_shadow(workspace: Workspace) -> None:
    upload(workspace, new_rows(60))
    result = retrained(workspace)
    assert (result.decision.verdict, result.promoted) == ("shadow", False)
    assert "not enough data: 30 rows" in result.decision.reasons[0]
    assert result.challenger in {model.version for model in workspace.store.models()}
    assert [one.generation for one in workspace.store.successions(MARK)] == [1]


def test_without_unseen_rows_or_a_champion_there_is_nothing_to_decide(workspace: Workspace) -> None:
    result = retrained(workspace)
    assert (result.decision.verdict, result.challenger) == ("keep", None)
    assert "no labelled rows that the champion has not seen" in result.decision.reasons[0]
    (other,) = retrain(run_of(workspace), [replace_moment()])
    assert "has no champion yet" in other.decision.reasons[0]


def replace_moment():  # type: ignore[no-untyped-def]
    from tests.model.registry_making import KEYS

    return KEYS[1]


def test_a_plain_rule_that_is_better_than_both_models_serves_and_an_event_says_so(workspace: Workspace) -> None:
    rows = make_rows(200, seed=4, first=4000)
    told = [row.inputs["before"] if number % 10 else row.targets["mark"] for number, row in enumerate(rows)]
    upload(workspace, [msgspec.structs.replace(r, targets={"mark": m}) for r, m in zip(rows, told, strict=True)])
    result = retrained(workspace)
    assert (result.promoted, result.decision.winner) == (True, "plain rule"), result.decision.reasons
    champion = load_bundle(workspace.artifacts, workspace.store.successions(MARK)[-1].version)
    assert (champion.manifest.candidate, champion.manifest.inputs) == (RULE, ("before",))
    (happened,) = workspace.store.events("invented", kind=RULE_EVENT)
    assert happened.details["version"] == result.challenger
    answers = Predictor(champion, "").numbers_of(typed(rows))
    assert answers.tolist() == [row.inputs["before"] for row in rows]
    upload(workspace, new_rows())
    assert retrained(workspace).decision.winner == "challenger"


def test_drift_alone_promotes_nothing(workspace: Workspace) -> None:
    rows = [row for row in new_rows(400, shift=3.0, seed=5) if (row.inputs["hours"] or 0) > 20]
    upload(workspace, rows)
    result = retrained(workspace, policy=PromotionPolicy(min_gain=1.0))
    assert result.drift is not None
    assert result.drift.alarm
    assert not result.promoted


@pytest.mark.parametrize("what", ["generated examples", "another schema"])
def test_a_champion_of_examples_or_of_another_schema_gives_way_without_a_contest(
    workspace: Workspace, what: str
) -> None:
    bundle = make_bundle(5.0)
    manifest = msgspec.structs.replace(bundle.manifest, inputs=("a column of before",), learned={})
    if what == "generated examples":
        lineage = msgspec.structs.replace(bundle.manifest.lineage, source=EXAMPLES)
        manifest = msgspec.structs.replace(bundle.manifest, lineage=lineage)
    else:
        manifest = msgspec.structs.replace(manifest, schema="of before")
    before = keep(workspace.store, workspace.artifacts, msgspec.structs.replace(bundle, manifest=manifest))
    install(workspace.store, [before], action="promote", actor="test", reason="the first")
    assert with_new_labels(run_of(workspace), [MARK]) == [MARK]
    (told,) = retrain(run_of(workspace, dry=True), [MARK])
    assert (told.decision.verdict, told.promoted) == ("promote", False)
    result = retrained(workspace)
    assert (result.promoted, result.champion) == (True, before.version)
    assert result.decision.reasons[0].startswith(f"replaces a model of {what}")
    assert "120 records" in result.decision.reasons[0]
    workspace.champions.refresh()
    assert workspace.champions.loaded[MARK].predictor.version == result.challenger
    assert not retrained(workspace).promoted  # of the same records
    assert with_new_labels(run_of(workspace), [MARK]) == []


def test_a_champion_whose_rows_were_withdrawn_gives_way_to_what_came_in_their_place(workspace: Workspace) -> None:
    store, (old,), (champion,) = workspace.store, workspace.store.batches(), workspace.store.champions()
    learned = partial(learned_from_batch, store, workspace.artifacts, SCHEMA.name)
    done = withdraw_batch(store, SCHEMA.name, old.id, reason="by mistake", actor="test", learned=learned)
    assert done.models == {champion.version: 120}
    listed = models_table(store.models(), [champion], rows_withdrawn(store, SCHEMA.name))
    assert "120 withdrawn since" in printed(listed)
    assert not retrained(workspace).promoted  # there is nothing to learn from
    corrected = make_rows(120, seed=1)  # the same students, whose marks were wrong: their rows have the ids of before
    upload(workspace, corrected)
    assert with_new_labels(run_of(workspace), [MARK]) == [MARK]
    result = retrained(workspace)
    assert (result.promoted, result.champion) == (True, champion.version)
    assert result.decision.reasons[0].startswith(
        "replaces a model that learned from 120 of its 120 rows that were with"
    )
    assert with_new_labels(run_of(workspace), [MARK]) == []
    assert not retrained(workspace).promoted


def printed(table: Table) -> str:
    paper = StringIO()
    Console(file=paper, width=200).print(table)
    return paper.getvalue()


def test_a_dry_run_decides_and_changes_nothing(workspace: Workspace) -> None:
    before = state(workspace)
    (result,) = retrain(run_of(workspace, dry=True), [MARK], unstored=new_rows())
    assert result.decision.verdict == "promote"
    assert not result.promoted
    assert state(workspace) == before
    upload(workspace, new_rows())
    (done,) = retrain(run_of(workspace), [MARK])
    assert done.challenger == result.challenger  # it was told which one it would be


def test_a_champion_that_cannot_be_read_is_not_judged(workspace: Workspace) -> None:
    upload(workspace, new_rows(60))
    (champion,) = workspace.store.champions()
    shutil.rmtree(workspace.artifacts.folder / champion.version)
    result = retrained(workspace)
    assert (result.decision.verdict, result.challenger) == ("keep", None)
    assert "no model" in result.decision.reasons[0]


def test_a_second_run_leaves_or_waits(workspace: Workspace) -> None:
    assert workspace.store.try_lease(LEASE, "another run", 60) is None
    with pytest.raises(Busy, match="another run is retraining invented"):
        retrained(workspace)
    said: list[str] = []
    with pytest.raises(Busy):
        retrain_patiently(run_of(workspace, said.append), [MARK], wait=0.2)
    assert "waiting for another run to finish" in said
    workspace.store.release_lease(LEASE, "another run")
    assert retrain_patiently(run_of(workspace), [MARK], wait=0.0)
    assert workspace.store.try_lease(LEASE, "next", 60) is None  # given back


def test_a_run_that_is_alive_keeps_its_lease_however_long_it_takes(workspace: Workspace) -> None:
    upload(workspace, new_rows(60))
    refused = []

    def intrude(_: str) -> None:
        refused.append(workspace.store.try_lease(LEASE, "intruder", 60) is not None)

    retrained(workspace, intrude)
    assert len(refused) > 20
    assert all(refused)


def test_a_run_that_stood_still_too_long_finds_out_and_changes_nothing(workspace: Workspace) -> None:
    upload(workspace, new_rows())
    taken: list[str | None] = []

    def stand_still(step: str) -> None:
        if step == "random_forest" and not taken:
            while taken[-1:] != [None]:
                taken.append(workspace.store.try_lease(LEASE, "the next run", 60))

    before = state(workspace)
    with pytest.raises(Busy, match="the next run"):
        retrained(workspace, stand_still, lease=0.5)
    assert state(workspace) == before
    assert (
        workspace.store.try_lease(LEASE, "the next run", 60) is None
    )  # still its own: the stale run took nothing back


def test_a_champion_installed_meanwhile_is_not_replaced_by_a_comparison_with_its_predecessor(
    workspace: Workspace,
) -> None:
    upload(workspace, new_rows())
    other = keep(workspace.store, workspace.artifacts, make_bundle(5.0))

    def interfere(step: str) -> None:
        if step.endswith("promotion"):
            activate(workspace.store, "invented", other.version, all_targets=False, actor="someone", reason="test")

    result = retrained(workspace, interfere)
    assert (result.decision.verdict, result.promoted) == ("shadow", False)
    assert "another champion was installed meanwhile" in result.decision.reasons[0]
    assert [one.version for one in workspace.store.successions(MARK)][1:] == [other.version]
    (decision,) = workspace.store.decisions()
    assert not decision.document["promoted"]


def die_in_the_middle(folder: str, step: str, lease: float) -> None:
    workspace = open_at(Path(folder))

    def die(said: str) -> None:
        if said.endswith(step):
            os.kill(os.getpid(), signal.SIGKILL)

    with few_trees():
        retrained(workspace, die, lease=lease)


@pytest.mark.parametrize("step", ["random_forest", "promotion"])
def test_a_run_that_is_killed_hinders_the_next_for_a_lease_at_most(
    workspace: Workspace, folder: Path, step: str
) -> None:
    upload(workspace, new_rows())
    process = multiprocessing.get_context("spawn").Process(target=die_in_the_middle, args=(str(folder), step, 5.0))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert [one.generation for one in workspace.store.successions(MARK)] == [1]
    assert workspace.store.decisions() == []
    (result,) = retrain_patiently(run_of(workspace), [MARK], wait=60)
    assert result.promoted
    assert [one.generation for one in workspace.store.successions(MARK)] == [1, 2]
    assert len(workspace.store.models()) == 2  # the killed run's challenger and this one's are the same
    collect_garbage(workspace.store, workspace.artifacts, older_than=-1)
    assert set(workspace.artifacts.digests()) == {model.version for model in workspace.store.models()}


def test_records_of_helped_students_teach_and_judge_none_unless_the_policy_says_so(workspace: Workspace) -> None:
    rows = new_rows()
    answered = [
        make_prediction(
            now() - timedelta(days=9), domain=SCHEMA.name, student=row.student, group=row.group, period=row.period
        )
        for row in rows[:60]
    ]
    workspace.store.add_predictions(answered)
    for one in answered[:50]:
        take_step(workspace.store, SCHEMA, one.student or "", NewStep("helped"), Writer("t"))
    take_step(workspace.store, SCHEMA, answered[55].student or "", NewStep("wrong", "was ill"), Writer("t"))
    upload(workspace, rows)
    records = workspace.store.labeled_records(SCHEMA.name)
    whole, none, some = (unhelped(workspace.store, SCHEMA.name, records, share) for share in (1.0, 0.0, 0.3))
    assert (whole.helped, len(whole.left_out), len(none.left_out)) == (50, 0, 50)
    assert 20 < len(some.left_out) < 50
    assert {one.id for one in none.records} < {one.id for one in some.records} < {one.id for one in records}
    result = retrained(workspace)
    assert result.decision.left_out[HELPED_LEFT_OUT] == 50
    (told,) = workspace.store.events(kind=HELPED_EVENT)
    assert dict(told.details) == {"records": len(records), "helped": 50, "left_out": 50}
    learned = learned_rows(workspace, workspace.store.successions(MARK)[-1])
    assert learned.isdisjoint({one.id for one in records} - {one.id for one in none.records})
    assert retrained(workspace).decision.verdict != "promote"
    assert len(workspace.store.events(kind=HELPED_EVENT)) == 1
    kept = retrained(workspace, policy=PromotionPolicy(helped=1.0))
    assert HELPED_LEFT_OUT not in kept.decision.left_out
