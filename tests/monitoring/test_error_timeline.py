"""Errors by window, against training: worse is called worse, chance is not, few outcomes get no verdict."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest

from database.pairs import LearnedRows
from database.records import Answer, Outcome, Prediction
from database.store import RecordStore
from model.expected_error import tabulate
from model.scores import Estimate
from monitoring.error_timeline import ErrorTimeline, KnownModels, follow
from monitoring.evidence import columns_of
from monitoring.evidence_archive import EvidenceArchive
from monitoring.performance import measure_target
from monitoring.render import promise, timeline_tables
from preprocessing.schema import DomainSchema, Feature, Target

START = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday
MARKS = DomainSchema(
    name="marks",
    title="",
    features=(Feature(name="x", kind="numeric"),),
    targets=(
        Target(name="mark", minimum=0, maximum=20, unit="points"),
        Target(name="grade", kind="ordered_class", levels=("fail", "pass")),
    ),
)
TABLE = tabulate(np.linspace(5, 15, 300), np.linspace(1.4, 0.2, 300), np.arange(300))
MANIFEST = SimpleNamespace(candidate="c", scores={"c": SimpleNamespace(mae=Estimate(0.8, 0.75, 0.85))}, errors=TABLE)


def asked(number: int, week: int, answer: float = 10.0, group: str | None = None) -> Prediction:
    said = Answer(
        target="mark", value=answer, naive=10.0, model="m", generation=1, interval=(answer - 1.5, answer + 1.5),
        coverage=0.9,
    )  # fmt: skip
    sure = Answer(
        target="grade", value="pass", naive="pass", model="m", generation=1, probabilities={"fail": 0.1, "pass": 0.9}
    )
    at = START + timedelta(weeks=week, minutes=number)
    return Prediction(
        id=f"{number:05}", domain="marks", moment="now", inputs={}, answers=(said, sure), source="api", at=at,
        group=group, period=f"term {week // 2}",
    )  # fmt: skip


def outcome(prediction: Prediction, value: float | str, target: str = "mark") -> Outcome:
    return Outcome(domain="marks", target=target, value=value, at=prediction.at, prediction=prediction.id)


@pytest.fixture
def log(sqlite_url: str, opened: Callable[[str], RecordStore]) -> RecordStore:
    return opened(sqlite_url)


def fill(log: RecordStore, spreads: list[float], *, rows: int = 80, groups: int = 0, seed: int = 0) -> None:
    """A window per spread of the errors; normal errors of spread 1 have a mean of 0.8."""
    generator = np.random.default_rng(seed)
    predictions, outcomes = [], []
    for week, spread in enumerate(spreads):
        shift = generator.normal(0, 1.5, groups) if groups else None
        for row in range(rows):
            one = asked(len(predictions), week, group=f"class {row % groups}" if groups else None)
            common = 0.0 if shift is None else shift[row % groups]
            predictions.append(one)
            outcomes.append(outcome(one, float(10 + generator.normal(0, spread) + common)))
    log.add_predictions(predictions)
    log.add_outcomes(outcomes)


def timeline(log: RecordStore, target: str = "mark", manifest: object = MANIFEST, **options) -> ErrorTimeline:
    models = KnownModels(lambda _: manifest, lambda _: LearnedRows())
    about = MARKS.target_by_name[target]
    matched = EvidenceArchive(log, MARKS, models.learned).matched(about)
    return follow(MARKS, about, "now", models, matched, log.predictions("marks"), **options)


def test_a_week_of_larger_errors_is_worse_than_in_training_and_dated(log: RecordStore) -> None:
    fill(log, [1.0, 1.0, 1.0, 2.2, 2.2])
    found = timeline(log)
    assert [w.verdict for w in found.windows] == ["no change shown"] * 3 + ["worse than in training"] * 2
    worst = found.windows[3]
    assert worst.label == "2026-W05"
    assert 0 < worst.excess.low < worst.excess.value == pytest.approx(worst.mae.value - 0.8)
    assert not worst.covered.kept
    assert promise(worst).startswith("90% to lie within; ")
    assert promise(worst).endswith(" did: fewer than promised")
    assert promise(found.windows[0]).endswith(" did: no shortfall shown")
    assert found.windows[0].covered.low < 0.87 < found.windows[0].covered.high
    (change,) = found.changes
    assert abs(change.at - (START + timedelta(weeks=3))) < timedelta(days=1, weeks=1)
    assert change.low > 0


def test_without_change_a_year_of_weeks_is_hardly_ever_called_worse(log: RecordStore) -> None:
    fill(log, [1.0] * 26, rows=40)
    found = timeline(log)
    assert len(found.windows) == 26
    verdicts = [window.verdict for window in found.windows]
    assert "worse than in training" not in verdicts
    assert verdicts.count("no change shown") >= 25  # errors are skewed: a lucky week looks surer than it is
    assert found.changes == ()


@pytest.mark.parametrize("spreads", [[1.0] * 12, [1.0, 1.0, 1.35, 1.0, 1.4, 1.0], [1.0, 2.2, 1.2, 2.2]])
def test_an_interval_of_an_excess_holds_nothing_just_where_no_change_is_shown(
    log: RecordStore, spreads: list[float]
) -> None:
    fill(log, spreads, rows=60)
    for window in timeline(log).windows:
        assert (window.excess.low <= 0 <= window.excess.high) == (window.verdict == "no change shown")


def test_few_outcomes_get_figures_but_no_verdict(log: RecordStore) -> None:
    fill(log, [5.0], rows=20)
    (window,) = timeline(log).windows
    assert (window.verdict, window.n, window.p_adjusted) == ("not enough data", 20, None)


def test_fewer_than_ten_students_get_no_figure_at_all(log: RecordStore) -> None:
    fill(log, [1.0, 1.0], rows=9)
    found = timeline(log)
    for window in found.windows:
        assert (window.students, window.verdict) == (9, "not enough data")
        assert (window.mae, window.bias, window.excess, window.covered) == (None, None, None, None)
    assert (found.whole.students, found.whole.mae is None) == (18, False)


@pytest.mark.parametrize("groups", [0, 4, 12])
def test_a_window_and_a_target_have_the_same_intervals_for_the_same_rows(log: RecordStore, groups: int) -> None:
    fill(log, [1.0, 1.0], rows=60, groups=groups)
    mark = MARKS.target_by_name["mark"]
    whole, other = timeline(log).whole, measure_target(mark, columns_of(mark, log.pairs("marks", "mark")))
    assert (whole.mae, whole.bias, whole.clusters) == (other.mae, other.bias, other.clusters)
    assert whole.naive_mae == other.naive_mae
    assert whole.clusters == (12 if groups == 12 else 120)  # of four classes, students count
    weeks = msgspec.structs.replace(mark, within=(4,))  # an outcome that all rows of a student share
    assert measure_target(weeks, columns_of(weeks, log.pairs("marks", "mark"))).clusters == 120


def test_classes_that_go_wrong_together_count_as_classes(log: RecordStore) -> None:
    fill(log, [1.0], rows=240, groups=12)
    (window,) = timeline(log).windows
    assert window.clusters == 12
    assert window.excess.high - window.excess.low > 0.3


def test_windows_are_days_weeks_months_or_periods(log: RecordStore) -> None:
    fill(log, [1.0] * 6, rows=5)
    labels = {by: [w.label for w in timeline(log, by=by).windows] for by in ("week", "month", "period")}
    assert labels["week"][0] == "2026-W02"
    assert labels["month"] == ["2026-01", "2026-02"]
    assert labels["period"] == ["term 0", "term 1", "term 2"]
    assert sum(w.n for w in timeline(log, by="day").windows) == 30


def test_answers_that_wait_for_outcomes_are_given_an_estimate(log: RecordStore) -> None:
    log.add_predictions([asked(number, 0, answer=6.0) for number in range(50)])
    found = timeline(log)
    assert (found.windows, found.whole, found.waiting) == ((), None, 50)
    assert found.expected.after > found.expected.before
    assert found.expected.n_current == 50
    log.add_predictions([asked(100 + number, 3, answer=14.0) for number in range(30)])
    first, later = timeline(log).waits
    assert (first.label, later.label, later.n) == ("2026-W02", "2026-W05", 30)
    assert first.expected == found.expected
    assert later.expected.after < first.expected.after
    log.add_predictions([asked(200 + number, 5) for number in range(9)])
    told = {one.label: one.expected is not None for one in timeline(log).waits}
    assert told == {"2026-W02": True, "2026-W05": False, "2026-W07": False}, "few are given away by no difference"


def test_classes_are_judged_by_their_probabilities(log: RecordStore) -> None:
    predictions = [asked(number, 0) for number in range(100)]
    log.add_predictions(predictions)
    log.add_outcomes([outcome(one, "pass" if n % 2 else "fail", "grade") for n, one in enumerate(predictions)])
    (window,) = timeline(log, "grade").windows
    assert window.calibration.overconfidence.value == pytest.approx(0.4)
    assert not window.calibration.kept
    assert promise(window).startswith("90% to be right; 50% of 100 were [gap +")
    assert promise(window).endswith(": surer than right")
    assert window.covered is None
    assert [one.n for one in window.calibration.bins] == [100]


def test_a_lost_model_leaves_errors_without_comparison(log: RecordStore) -> None:
    fill(log, [1.0])
    found = timeline(log, manifest=None)
    assert (found.whole.held_out, found.whole.excess, found.expected) == (None, None, None)
    assert found.whole.mae.value > 0


def test_the_tables_show_every_window_with_n_and_interval(log: RecordStore) -> None:
    from rich.console import Console

    fill(log, [1.0, 2.5])
    log.add_predictions([asked(9_999, 3)])
    console = Console(width=150)
    with console.capture() as capture:
        console.print(*timeline_tables(timeline(log)))
    text = capture.get()
    for part in ("2026-W02", "worse than in training", "80", "the mean error for mark", "an estimate without outcomes"):
        assert part in text
