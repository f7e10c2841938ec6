"""What became of answers: the figures of others, cut by version, moment and course, or none where there are too few."""

from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path

import msgspec
import numpy as np
import pytest
from rich.console import Console
from sklearn.metrics import accuracy_score, f1_score, mean_absolute_error, root_mean_squared_error

from database.newest import OF_ALL
from database.pairs import LearnedRows
from database.records import Answer, Outcome, Prediction
from database.store import RecordStore
from model.scores import ClassScores, ValueScores
from monitoring.at_risk import at_risk
from monitoring.chances import keep_chances
from monitoring.feedback import Feedback, feed_back
from monitoring.render import feedback_tables
from preprocessing.schema import load_domains
from tests.command import run_command
from tests.database.making import NOON, make_prediction

SCHEMA = load_domains()["university"]
LEVELS = SCHEMA.target_by_name["final_grade"].levels
SINCE = NOON - timedelta(days=180)


def asked(number: int, said: float, shares: np.ndarray, model: str, group: str) -> Prediction:
    plain = {"naive": 50.0, "model": model, "generation": 1}
    marks = Answer(target="final_marks", value=said, interval=(said - 10, said + 10), coverage=0.9,
                   below_pass=float(shares[0]), **plain)  # type: ignore[arg-type]  # fmt: skip
    level = LEVELS[int(shares.argmax())]
    said_of_each = dict.fromkeys(LEVELS, 0.0) | dict(zip(LEVELS, shares.tolist(), strict=False))
    plain = plain | {"naive": "C", "probabilities": said_of_each, "below_pass": float(shares[0])}
    grade = Answer(target="final_grade", value=level, **plain)  # type: ignore[arg-type]
    return make_prediction(
        NOON - timedelta(hours=number), domain="university", moment="midterm", answers=(marks, grade),
        student=f"s{number}", group=group,
    )  # fmt: skip


def told(
    store: RecordStore, *, honest: bool, fewest: int = 30, n: int = 240, seed: int = 7
) -> tuple[Feedback, dict[str, np.ndarray]]:
    """Answers of two versions in four courses, and what became of them. honest: as the chances said."""
    draw = np.random.default_rng(seed)
    truth, shares = draw.uniform(30, 90, n).round(1), draw.dirichlet(np.ones(5), n)
    said = truth + draw.normal(0, 6, n)
    grades = [int(draw.choice(5, p=one if honest else one[::-1])) for one in shares]
    versions = ["old" if number % 3 else "new" for number in range(n)]
    made = [asked(one, float(said[one]), shares[one], versions[one], f"course {one % 4}") for one in range(n)]
    late = made[0], msgspec.structs.replace(made[1], id="0" * 32, at=SINCE - timedelta(days=1))
    store.add_predictions([*made, late[1]])
    outcomes = [("final_marks", truth.tolist()), ("final_grade", [LEVELS[place] for place in grades])]
    store.add_outcomes(
        [
            Outcome(domain="university", target=target, value=value, at=NOON, prediction=one.id)
            for target, values in outcomes
            for one, value in zip(made, values, strict=True)
        ]
    )
    found = feed_back(store, SCHEMA, learned=lambda _: LearnedRows(), since=SINCE, fewest=fewest)
    answered = {"said": said, "truth": truth, "grades": np.array(grades), "answers": shares.argmax(axis=1)}
    return found, answered | {"version": np.array(versions), "below": shares[:, 0]}


@pytest.fixture
def store(sqlite_url: str, opened: Callable[[str], RecordStore]) -> RecordStore:
    return opened(sqlite_url)


def test_figures_are_those_of_scikit_learn_whole_and_by_version_moment_and_course(store: RecordStore) -> None:
    found, known = told(store, honest=True)
    assert found.enough
    marks, grades = found.targets
    cuts = ["all", *["version"] * 2, "moment", *["course"] * 4]
    for one in (marks, grades):
        assert [part.by for part in one.parts] == cuts
        assert [sum(part.n for part in one.parts if part.by == cut) for cut in set(cuts)] == [240] * 4
    for part in (marks.parts[0], *[part for part in marks.parts if part.by == "version"]):
        rows = known["version"] == part.name if part.name else np.ones(240, dtype=bool)
        assert isinstance(part.scores, ValueScores)
        assert part.scores.mae.value == pytest.approx(mean_absolute_error(known["truth"][rows], known["said"][rows]))
        assert part.scores.rmse.value == pytest.approx(
            root_mean_squared_error(known["truth"][rows], known["said"][rows])
        )
        assert part.scores.rmse.low < part.scores.rmse.value < part.scores.rmse.high
        assert part.coverage is not None
        assert part.coverage.share == np.mean(np.abs(known["truth"] - known["said"])[rows] <= 10)
    whole = grades.parts[0]
    assert isinstance(whole.scores, ClassScores)
    assert whole.scores.accuracy.value == pytest.approx(accuracy_score(known["grades"], known["answers"]))
    f1 = f1_score(known["grades"], known["answers"], average="weighted")
    assert whole.scores.weighted_f1.value == pytest.approx(f1)
    assert whole.calibration is not None
    assert whole.below_pass is not None
    assert whole.below_pass.happened == np.mean(known["grades"] == 0)
    assert whole.below_pass.gap.value == pytest.approx(known["below"].mean() - whole.below_pass.happened)
    assert whole.calibration.kept
    untold = 240 - sum(one.n for one in whole.below_pass.bins)
    assert min(one.n for one in whole.below_pass.bins) >= 10
    assert untold == 0 or untold >= 10
    for one in whole.below_pass.bins:
        rows = (known["below"] * 10).astype(int) == int(one.said * 10)
        assert (one.n, one.said, one.right) == (
            rows.sum(), pytest.approx(known["below"][rows].mean()), pytest.approx(np.mean(known["grades"][rows] == 0)),
        )  # fmt: skip


def test_boasting_chances_are_told_and_too_few_answers_tell_nothing(store: RecordStore) -> None:
    found, _ = told(store, honest=False, fewest=70)
    marks, grades = found.targets
    assert grades.parts[0].calibration is not None
    assert not grades.parts[0].calibration.kept
    assert {part.by for part in marks.parts if part.scores is None} == {"course"}  # of 60 answers each
    few = feed_back(store, SCHEMA, ["final_marks"], learned=lambda _: LearnedRows(), since=SINCE, fewest=241)
    assert (few.enough, few.targets[0].parts[0].n) == (False, 240)
    nobody = feed_back(store, SCHEMA, learned=lambda _: None, since=SINCE, fewest=30)
    assert [one.left_out.unknown for one in nobody.targets] == [240, 240]


def test_a_list_says_that_its_chances_were_off_until_feedback_finds_them_kept(
    store: RecordStore, opened: Callable[[str], RecordStore], tmp_path: Path
) -> None:
    def listed(store: RecordStore, **who: bool) -> str | None:
        return at_risk(store, SCHEMA, "final_grade", which=OF_ALL, **who).warning  # type: ignore[arg-type]

    assert listed(store) is None
    boasting, _ = told(store, honest=False)
    keep_chances(store, boasting, NOON)
    chance = boasting.targets[1].parts[0].below_pass
    assert chance is not None
    warning = listed(store) or ""
    assert f"of 240 answers since {SINCE:%Y-%m-%d} {chance.said:.0%} were said and {chance.happened:.0%}" in warning
    assert listed(store, sees_all=False) is None
    honest, _ = told(opened(f"sqlite:///{tmp_path / 'other.db'}"), honest=True, seed=8)
    keep_chances(store, honest, NOON + timedelta(days=1))
    assert listed(store) is None


@pytest.mark.parametrize("honest", [True, False])
def test_what_is_shown_has_its_n_and_interval_and_says_what_its_marks_mean(store: RecordStore, honest: bool) -> None:
    console = Console(width=1_000, record=True, file=StringIO())
    found, _ = told(store, honest=honest, fewest=30)
    console.print(*feedback_tables(found))
    shown = console.export_text()
    held, chance = found.targets[0].parts[0].coverage, found.targets[0].parts[0].below_pass
    assert held is not None
    assert chance is not None
    assert f"{held.share:.1%} [{held.low:.1%}, {held.high:.1%}] of 240" in shown
    assert f"{chance.gap.value:+.1%} [{chance.gap.low:+.1%}, {chance.gap.high:+.1%}]" in shown
    assert ("(!): not what was promised" in shown) == (" (!)" in shown)


def test_the_command_ends_with_6_where_there_is_not_enough(tmp_path: Path) -> None:
    found = run_command(tmp_path, "feedback", "--lookback-days", "180", "--min-samples", "30")
    assert (found.returncode, "not enough data" in found.stderr) == (6, True)
