"""From rows to a model: honest scores, stated refusals, the same bytes every time."""

import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest
from rich.console import Console
from sklearn.metrics import log_loss

from database.records import BatchRow, ChampionKey, record_id
from drift.profile import Profile
from model.bundle import EXAMPLES, content_digest, read_bundle
from model.predictor import Predictor
from model.scores import ClassScores, ValueScores, deciding
from preprocessing.encode import encode_frame
from preprocessing.schema import load_domains
from preprocessing.split import clusters, folds
from preprocessing.validation.validate import rows_of
from tests.training.making import GRADE, LEVELS, MARK, SCHEMA, make_frame, make_rows, typed
from training.render import render_training, summary
from training.train import NotTrainable, Training, train

pytestmark = pytest.mark.usefixtures("with_few_trees")
Trained = Callable[[ChampionKey], tuple[pl.DataFrame, Training]]
BOTH = pytest.mark.parametrize("key", [MARK, GRADE], ids=["value", "class"])
COURSE = load_domains()["course"]
FINAL = ChampionKey("course", "final_grade", "now")
ROOT = Path(__file__).resolve().parents[2]


def digest_of(training: Training) -> str:
    return content_digest(training.bundle.files())


@BOTH
def test_row_order_and_number_of_threads_change_no_byte(key: ChampionKey, trained: Trained) -> None:
    frame, training = trained(key)
    shuffled = frame.sample(fraction=1.0, shuffle=True, seed=5).with_columns(_row=pl.int_range(pl.len()))
    assert digest_of(train(SCHEMA, key, shuffled, jobs=1)) == digest_of(training)


def test_rows_that_lack_what_counts_most_are_judged_by_themselves() -> None:
    """Those who gave no hours did badly: the model knows it from training, and the plain rule does not."""
    draw, rows = np.random.default_rng(3), []
    for row in make_rows(300, seed=3):
        hours = None if row.number % 3 == 0 else row.inputs["hours"] or 0.0
        mark = float(np.clip((3.0 if hours is None else 4 + 0.4 * float(hours)) + draw.normal(0, 2), 0, 20))
        inputs = {**row.inputs, "hours": hours}
        rows.append(msgspec.structs.replace(row, inputs=inputs, targets={"mark": mark, "grade": "C"}))
    frame = typed(rows)
    training = train(SCHEMA, MARK, frame)
    [pattern] = training.bundle.manifest.patterns
    lacking = frame.sort("_record").select(pl.col("hours").is_null() & pl.col("subject").is_not_null())
    errors = np.abs(training.truth - training.outputs[:, 0])[lacking.to_series().to_numpy()]
    assert (pattern.missing, pattern.n, pattern.verdict) == (("hours",), 90, "better")
    assert pattern.mae == pytest.approx(errors.mean())
    assert pattern.mae < pattern.naive_mae - 1
    assert pattern.half_width == pytest.approx(np.sort(errors)[81])  # the 82nd of 90: ceil(91 * .9)
    assert "rows without hours (90 unseen)" in "".join(summary(training.bundle.manifest))
    asked = {"hours": None, "before": 10.0, "support": "mid", "subject": "art"}
    (answer,) = Predictor(training.bundle, "v").answer([asked], generation=1)
    assert answer.value == pytest.approx(3.0, abs=1.5)
    assert answer.interval is not None


def test_another_process_with_other_hashes_makes_the_same_bytes(classes: tuple[pl.DataFrame, Training]) -> None:
    program = """
from model.bundle import content_digest
from tests.training.making import GRADE, SCHEMA, few_trees, make_frame
from training.train import train
frame = make_frame(200, seed=2, levels=("F", "D", "C", "A"))
with few_trees():
    print(content_digest(train(SCHEMA, GRADE, frame, jobs=3).bundle.files()))
"""
    kernels = {
        name: value for name, value in os.environ.items() if name.startswith("OPENBLAS_")
    }  # they round otherwise
    env = {**kernels, "PYTHONHASHSEED": "7", "PYTHONPATH": str(ROOT), "PATH": ""}
    run = subprocess.run([sys.executable, "-c", program], env=env, cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == digest_of(classes[1])


def test_another_seed_or_other_outcomes_make_another_model(values: tuple[pl.DataFrame, Training]) -> None:
    frame, training = values
    changed = frame.with_columns(pl.when(pl.col("_row") == 1).then(20 - pl.col("mark")).otherwise("mark").alias("mark"))
    lineage, other = training.bundle.manifest.lineage, train(SCHEMA, MARK, changed, seed=1).bundle.manifest.lineage
    assert other.data != lineage.data
    assert other.training != lineage.training


@BOTH
def test_the_naive_rule_is_scored_first_on_the_same_rows(key: ChampionKey, trained: Trained) -> None:
    manifest = trained(key)[1].bundle.manifest
    _, *others = manifest.scores.values()
    assert next(iter(manifest.scores)) == "naive"
    assert len(others) == (5 if key == MARK else 4)
    assert {scores.n for scores in manifest.scores.values()} == {200}
    assert manifest.beats_naive
    assert not any("NOT" in line for line in summary(manifest))


def test_the_summary_says_when_the_model_does_not_beat_the_naive_rule() -> None:
    copied = make_frame(60, seed=3).with_columns(midterm=pl.col("mark"))
    manifest = train(SCHEMA, ChampionKey("invented", "mark", "half"), copied, source=EXAMPLES).bundle.manifest
    assert not manifest.beats_naive
    assert any("does NOT beat the plain rule" in line for line in summary(manifest))
    assert any("generated examples" in line for line in summary(manifest))


@BOTH
def test_a_target_without_signal_is_refused_with_that_reason(key: ChampionKey) -> None:
    said = [refusal_of(key, make_frame(50 + 5 * seed, seed=seed, signal=0.0)) for seed in range(4)]
    assert said.count("") <= 1
    for number, words in enumerate(said):
        assert not words or ("no signal in these inputs" in words and f"{50 + 5 * number} unseen rows" in words)


def refusal_of(key: ChampionKey, frame: pl.DataFrame) -> str:
    try:
        train(SCHEMA, key, frame)
    except NotTrainable as refusal:
        return str(refusal)
    return ""


def test_a_candidate_above_the_size_budget_gives_way_to_the_next_by_name() -> None:
    draw, rows = np.random.default_rng(3), []
    for row in make_rows(300, seed=3):
        either = (float(row.inputs["hours"] or 0) > 20) != (float(row.inputs["before"] or 0) > 10)  # no line says that
        rows.append(msgspec.structs.replace(row, targets={"mark": float(np.clip(15 * either + draw.normal(2), 0, 20))}))
    frame = typed(rows)
    best = train(SCHEMA, MARK, frame).bundle
    most = 0.999 * best.megabytes
    other = train(SCHEMA, MARK, frame, max_megabytes=most).bundle
    assert other.megabytes <= most
    assert other.manifest.too_large[best.manifest.candidate] == round(best.megabytes, 6)
    scores = {name: deciding(one)[1].value for name, one in other.manifest.scores.items() if name != "naive"}
    left = scores.keys() - other.manifest.too_large.keys()
    assert other.manifest.candidate == min(left, key=scores.__getitem__)
    assert any(f"{best.manifest.candidate} is better, and left out" in line for line in summary(other.manifest))
    with pytest.raises(NotTrainable, match=r"every candidate's graph is above the 1e-05 MB .*ridge 0.000"):
        train(SCHEMA, MARK, frame, max_megabytes=1e-5)


def test_too_few_rows_and_a_single_outcome_are_refused() -> None:
    with pytest.raises(NotTrainable, match="not enough data, 49 complete labelled rows; 50 are needed"):
        train(SCHEMA, MARK, make_frame(49))
    frame = make_frame(60)
    with pytest.raises(NotTrainable, match="every outcome is F"):
        train(SCHEMA, GRADE, frame.with_columns(grade=pl.lit("F")))
    with pytest.raises(NotTrainable, match="every outcome is 11"):
        train(SCHEMA, MARK, frame.with_columns(mark=pl.lit(11.0)))
    with pytest.raises(NotTrainable, match="0 complete labelled rows"):
        train(SCHEMA, MARK, frame.with_columns(before=pl.lit(None, pl.Float64)))
    with pytest.raises(NotTrainable, match="no column mark, before"):
        train(SCHEMA, MARK, frame.drop("mark", "before"))


def test_the_scores_are_those_of_the_unseen_answers_and_the_best_candidate_is_chosen(trained: Trained) -> None:
    training = trained(MARK)[1]
    chosen = training.bundle.manifest.scores[training.bundle.manifest.candidate]
    assert isinstance(chosen, ValueScores)
    assert chosen.mae.value == pytest.approx(np.abs(training.outputs[:, 0] - training.truth).mean())
    assert all(scores.rmse.value >= chosen.rmse.value for scores in candidates_of(training))
    classes = trained(GRADE)[1]
    scores = classes.bundle.manifest.scores[classes.bundle.manifest.candidate]
    assert isinstance(scores, ClassScores)
    assert scores.accuracy.value == pytest.approx((classes.truth == classes.outputs.argmax(axis=1)).mean())
    assert [sum(row) for row in scores.confusion] == [one.n for one in scores.report.values()]


def candidates_of(training: Training) -> list:  # type: ignore[type-arg]
    return [scores for name, scores in training.bundle.manifest.scores.items() if name != "naive"]


def test_probabilities_sum_to_one_and_calibration_loses_nothing(classes: tuple[pl.DataFrame, Training]) -> None:
    manifest, outputs = classes[1].bundle.manifest, classes[1].outputs
    assert np.allclose(outputs.sum(axis=1), 1)
    raw = outputs**manifest.temperature
    raw /= raw.sum(axis=1, keepdims=True)
    truth = classes[1].truth
    assert log_loss(truth, outputs, labels=range(5)) <= log_loss(truth, raw, labels=range(5)) + 1e-6


def test_the_training_prints_what_a_reader_must_know(classes: tuple[pl.DataFrame, Training]) -> None:
    console = Console(width=160, file=io.StringIO())
    console.print(render_training(classes[1].bundle.manifest))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    for words in (
        "plain rule",
        "weighted F1",
        "confusion matrix",
        "Brier",
        "share",
        "beats the plain rule",
        "temperature",
    ):
        assert words in text


@BOTH
def test_a_saved_model_says_what_it_said_when_it_was_fitted(key: ChampionKey, trained: Trained) -> None:
    frame, training = trained(key)
    bundle = read_bundle(training.bundle.files())
    assert bundle == training.bundle
    rows = [row.inputs for row in rows_of(frame, SCHEMA)]
    predictor = Predictor(bundle, "version")
    outputs = predictor.outputs(encode_frame(bundle.manifest.encoding, frame))
    answers = predictor.answer(rows, generation=3)
    assert outputs.shape == (200, 1 if key == MARK else 5)
    if key == MARK:
        assert [answer.value for answer in answers] == pytest.approx(outputs[:, 0].tolist())
        assert np.abs(outputs[:, 0] - frame["mark"].to_numpy()).mean() < 1.0
    else:
        assert [answer.value for answer in answers] == [LEVELS[number] for number in outputs.argmax(axis=1)]
        assert outputs[:, LEVELS.index("B")].max() == pytest.approx(0, abs=1e-6)  # never seen, never answered
        assert np.mean([answer.value == level for answer, level in zip(answers, frame["grade"], strict=True)]) > 0.7
    assert bundle.manifest.lineage.rows == 200


def test_what_is_protected_or_not_yet_known_is_no_input(values: tuple[pl.DataFrame, Training]) -> None:
    frame, training = values
    assert training.bundle.manifest.inputs == ("hours", "before", "support", "subject")
    asked = train(SCHEMA, MARK, frame, with_protected=True).bundle.manifest
    assert asked.inputs == ("hours", "before", "support", "subject", "sex")
    assert asked.importance["sex"] < asked.importance["before"]


def test_importance_finds_what_the_outcome_depends_on(values: tuple[pl.DataFrame, Training]) -> None:
    importance = values[1].bundle.manifest.importance
    assert set(importance) == {"hours", "before", "support", "subject"}
    assert max(importance, key=importance.__getitem__) == "before"
    assert importance["before"] > 1.0 > 10 * importance["subject"] >= 0


def test_the_bundle_holds_no_student_and_the_ids_of_its_rows(values: tuple[pl.DataFrame, Training]) -> None:
    frame, training = values
    assert training.bundle.rows == frozenset(frame["_record"])
    assert not any(b"student 1" in content for content in training.bundle.files().values())


def test_the_stated_interval_covers_new_students_as_often_as_it_says(values: tuple[pl.DataFrame, Training]) -> None:
    fresh = make_frame(2000, seed=99)
    manifest = values[1].bundle.manifest
    outputs = Predictor(values[1].bundle, "v").outputs(encode_frame(manifest.encoding, fresh))[:, 0]
    assert manifest.half_width is not None
    assert manifest.coverage == 0.9
    covered = np.mean(np.abs(outputs - fresh["mark"].to_numpy()) <= manifest.half_width)
    assert 0.84 < covered < 0.96  # 200 rows set the width: its coverage has a standard deviation of .02


def course_rows(groups: int, size: int, *, period: Callable[[int], str | None], pull: float) -> list[BatchRow]:
    """Rows of a course whose groups each have a level of their own (`pull`), which the inputs do not tell."""
    draw = np.random.default_rng(0)
    rows = []
    for group in range(groups):
        level = pull * draw.normal()
        for number in range(size):
            before = float(draw.uniform(30, 90))
            inputs = {
                "gender": "Female",
                "attendance_rate": 80.0,
                "study_hours_per_week": float(draw.uniform(0, 20)),
                "previous_grade": before,
                "extracurricular_activities": float(group % 11),  # tells groups apart
                "parental_support": None,
            }
            mark = float(np.clip(before + level + draw.normal(0, 4), 0, 100))
            student, where, when = f"s{group}-{number}", f"course {group}", period(group)
            rows.append(
                BatchRow(
                    record=record_id("course", student, where, when, inputs),
                    number=len(rows) + 1,
                    inputs=inputs,
                    targets={"final_grade": mark},
                    student=student,
                    group=where,
                    period=when,
                )
            )
    return rows


@pytest.mark.parametrize(
    ("period", "split", "tested"),
    [(lambda _: None, "group", 80), (lambda group: f"2026-{group // 2 + 1}", "period", 60)],
    ids=["group", "period"],
)
def test_rows_are_split_by_group_or_period_where_the_schema_has_them(period, split: str, tested: int) -> None:  # type: ignore[no-untyped-def]
    frame = typed(course_rows(8, 10, period=period, pull=0.0), COURSE)
    training = train(COURSE, FINAL, frame)
    scores = training.bundle.manifest.scores[training.bundle.manifest.candidate]
    assert training.bundle.manifest.lineage.split == split
    assert (scores.n, scores.clusters) == (tested, tested // 10)
    assert int(np.isfinite(training.outputs[:, 0]).sum()) == tested
    said = Profile.from_bytes(training.bundle.profile).columns[f"_prediction:{FINAL.target}"]
    assert (said.present, said.missing) == (tested, 0)  # rows that no fold tested are no missing answers
    ordered = frame.sort("_record")
    numbers = clusters(ordered, COURSE)
    for train_rows, test_rows in folds(ordered, COURSE, k=5, seed=0):
        assert not np.intersect1d(numbers[train_rows], numbers[test_rows]).size


def test_groups_that_are_too_few_are_not_called_no_signal() -> None:
    """Of ten groups eight are tested: students judge. Of twelve ten are, one of them upside down: groups judge."""
    marks = {"few": course_rows(10, 12, period=_term, pull=15.0), "many": course_rows(12, 12, period=_term, pull=15.0)}
    assert train(COURSE, FINAL, typed(marks["few"], COURSE)).bundle.manifest.lineage.split == "period"
    upset = [
        msgspec.structs.replace(row, targets={"final_grade": 100 - row.targets["final_grade"]})
        if row.group == "course 11"
        else row
        for row in marks["many"]
    ]
    with pytest.raises(NotTrainable, match="too few groups, or groups that differ too much"):
        train(COURSE, FINAL, typed(upset, COURSE))


def _term(group: int) -> str:
    return f"2026-{group // 2 + 1}"


def test_columns_that_nobody_filled_in_are_no_obstacle() -> None:
    frame = typed(course_rows(8, 10, period=lambda _: None, pull=0.0), COURSE).drop("parental_support")
    training = train(COURSE, FINAL, frame)
    assert training.bundle.manifest.importance["parental_support"] == 0
