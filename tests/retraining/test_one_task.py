"""Marks and the grade that is a band of them: one distribution answers both, and their models move together."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest

from database.ingest import batch_rows, labeled
from database.records import BatchRow, ChampionKey
from model.bundle import EXAMPLES, Bundle, changes_since
from model.partners import partners_of
from model.predictor import Predictor
from model.registry import activate, install, rollback
from model.trial import TrialRefused, start_trial
from model.workspace import Workspace
from monitoring.profile_archive import store_batch
from preprocessing.reading.files import read_table
from preprocessing.schema import load_domains
from preprocessing.synthetic import generate
from preprocessing.validation.validate import frame_of, validate_table
from retraining.first_champions import keys_of, register, train_domain
from retraining.run import Run, retrain
from tests.command import run_command
from tests.retraining.conftest import SECRET, open_at
from tests.training.making import honest
from training.train import train_task

SCHEMA = load_domains()["university"]
MARKS, GRADE = (ChampionKey("university", name, "midterm") for name in ("final_marks", "final_grade"))
CUTS, LEVELS = SCHEMA.target_by_name["final_marks"].cut_points, SCHEMA.target_by_name["final_grade"].levels


def rows(n: int, seed: int, *, worse: float = 0.0, slips: int = 0) -> list[BatchRow]:
    """Rows of invented students. worse: how many marks fewer than their records tell. slips: every which grade is
    another than the band of its marks; none if 0."""
    frame = generate(SCHEMA, rows=n, seed=seed).with_columns(pl.col("student_id") + f"-{seed}")
    marks = (frame["final_marks"] - worse).clip(0, 100)
    places = np.searchsorted(CUTS, marks.to_numpy(), side="right")
    if slips:
        places[::slips] = (places[::slips] + 2) % len(LEVELS)
    frame = frame.with_columns(final_marks=marks, final_grade=pl.Series([LEVELS[place] for place in places]))
    raw = read_table(frame.write_csv().encode(), name="rows.csv")
    return batch_rows(validate_table(raw, SCHEMA, secret=SECRET).require_clean().frame, SCHEMA, "labeled")


def typed(found: list[BatchRow]) -> pl.DataFrame:
    return frame_of(labeled("university", found), SCHEMA)


@pytest.fixture(scope="module")
def bundles() -> list[Bundle]:
    return [one.bundle for one in train_task(SCHEMA, GRADE, typed(rows(500, 1)), jobs=2)]


def test_every_grade_is_the_band_of_its_marks_alone_and_among_others(bundles: list[Bundle]) -> None:
    marks, grades = (Predictor(bundle, "v") for bundle in bundles)
    asked = [row.inputs for row in rows(1000, 2)]
    said = [one.answer(asked, generation=1) for one in (marks, grades)]
    for mark, grade in zip(*said, strict=True):
        assert isinstance(mark.value, float)
        assert LEVELS[int(np.searchsorted(CUTS, mark.value, side="right"))] == grade.value
        shares = grade.probabilities or {}
        assert (grade.likelier or grade.value) == max(shares, key=shares.__getitem__)
    assert 0 < sum(one.likelier is not None for one in said[1]) < 500
    for number in range(0, 1000, 50):
        alone = [one.answer([asked[number]], generation=1)[0] for one in (marks, grades)]
        assert alone == [one[number] for one in said]
        [explained] = grades.answer([asked[number]], generation=1, explain=3)
        assert explained.value == said[1][number].value


def test_chances_and_grades_are_of_one_distribution_and_hold_for_others(bundles: list[Bundle]) -> None:
    fresh = rows(1000, 2)
    marks, grades = (Predictor(one, "v").answer([row.inputs for row in fresh], generation=1) for one in bundles)
    shares = np.array([[one.probabilities[level] for level in LEVELS] for one in grades if one.probabilities])
    happened = np.array([[row.targets["final_grade"] == level for level in LEVELS] for row in fresh], dtype=float)
    assert np.allclose(shares.sum(axis=1), 1)
    brier, constant = (((part - happened) ** 2).sum(axis=1).mean() for part in (shares, happened.mean(axis=0)))
    assert brier < 0.95 * constant
    said = np.array([one.value for one in marks], dtype=float)
    assert ((shares[:, 0] > 0.5) == (said < CUTS[0])).all()  # whose grade fails is likelier than not to
    known = [one.below_pass for one in marks if not one.out_of_range]
    assert known == [one.below_pass for one in grades if not one.out_of_range]
    assert [one.below_pass for one in (*marks, *grades) if one.out_of_range] == [None] * 2 * (1000 - len(known))
    inside = np.array([not one.out_of_range for one in marks])
    assert known == shares[inside, 0].tolist()
    assert (np.diff(np.array(known)[np.argsort(said[inside])]) <= 0).all()
    assert honest(known, happened[inside, 0], learned=500)


def test_other_cuts_stop_the_model_of_bands_and_are_told_by_that_of_the_value(bundles: list[Bundle]) -> None:
    targets = [msgspec.structs.replace(one, cut_points=(30, *CUTS[1:])) for one in SCHEMA.targets[:1]]
    changed = msgspec.structs.replace(SCHEMA, targets=(*targets, *SCHEMA.targets[1:]))
    found = [[change.effect.name for change in changes_since(one.manifest, changed)] for one in bundles]
    assert found == [["WARN"], ["STOP"]]  # the mark that chances are below


def test_grades_that_are_no_bands_are_learned_by_themselves() -> None:
    assert [one.bundle.manifest.target.name for one in train_task(SCHEMA, MARKS, typed(rows(200, 3, slips=40)))] == [
        "final_marks",
        "final_grade",
    ]
    [alone] = train_task(SCHEMA, GRADE, typed(rows(600, 3, slips=12)))
    assert (alone.bundle.manifest.target.name, alone.bundle.manifest.bands) == ("final_grade", None)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """Champions of marks and grades that learned from 200 students."""
    workspace = replace(open_at(tmp_path), schemas={"university": SCHEMA})
    found = rows(200, 1)
    store_batch(workspace, SCHEMA, found, "labeled", name="first.csv")
    done = list(train_domain(workspace, SCHEMA, typed(found), [GRADE], actor="test"))
    assert [(one.key, one.installed) for one in done] == [(MARKS, True), (GRADE, True)]
    yield workspace
    workspace.close()


def serving(workspace: Workspace) -> dict[ChampionKey, str]:
    return {one.key: one.version for one in workspace.store.champions()}


def test_one_task_is_judged_promoted_activated_and_brought_back_as_one(workspace: Workspace, tmp_path: Path) -> None:
    first = serving(workspace)
    found = rows(400, 5, worse=15)
    store_batch(workspace, SCHEMA, found, "labeled", name="second.csv")
    run = Run(workspace, SCHEMA, window=10_000)
    [result] = retrain(run, keys_of(SCHEMA))
    assert (result.key, result.promoted) == (MARKS, True), result.decision.reasons
    assert "final_grade, one task with it, moves along" in result.decision.reasons
    second = serving(workspace)
    assert second[GRADE] != first[GRADE]
    model = next(one for one in workspace.store.models(MARKS) if one.version == second[MARKS])
    assert [one.version for one in partners_of(workspace.store, model)] == [second[GRADE]]
    rollback(workspace.store, [GRADE], actor="test", reason="test")
    assert serving(workspace) == first
    activate(workspace.store, "university", second[GRADE], all_targets=False, actor="test", reason="test")
    assert serving(workspace) == second
    told = run_command(
        tmp_path,
        "models",
        "rollback",
        "-d",
        "university",
        "--task",
        "classification",
        GRADEWATCH_DATABASE_URL=f"sqlite:///{tmp_path / 'gradewatch.db'}",
        GRADEWATCH_PSEUDONYM_SECRET=SECRET.decode(),
    )
    assert told.returncode == 0, told.stderr
    assert "final_grade is bands of final_marks: one task, which moves as one" in told.stdout
    assert serving(workspace) == first
    with pytest.raises(TrialRefused, match="one task with final_grade"):
        start_trial(workspace.store, model, mode="split", actor="test")


@pytest.mark.parametrize("invented", [MARKS, GRADE])
def test_where_one_of_a_task_is_a_model_of_examples_both_give_way(workspace: Workspace, invented: ChampionKey) -> None:
    examples = train_task(SCHEMA, invented, typed(rows(200, 9)), source=EXAMPLES)
    model = next(
        register(workspace.store, workspace.artifacts, one.bundle)
        for one in examples
        if one.bundle.manifest.target.name == invented.target
    )
    install(workspace.store, [model], action="activate", actor="test", reason="test")
    done = list(train_domain(workspace, SCHEMA, typed(rows(200, 5)), [GRADE], actor="test"))
    assert [(one.key, one.installed) for one in done] == [(MARKS, True), (GRADE, True)]
    assert serving(workspace) == {one.key: one.model.version for one in done if one.model}
    assert [partners_of(workspace.store, one.model)[0].version for one in done if one.model] == [
        one.model.version for one in reversed(done) if one.model
    ]
