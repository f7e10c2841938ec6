"""A challenger beside the champion: heard but never answering in shadow, answering a stable share in a split."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clock import now
from database.errors import Conflict
from database.pairs import LearnedRows
from database.records import Outcome, Prediction
from database.withdrawal import NamesSomebody
from model.cache import MemoryCache
from model.registry import collect_garbage, install, rollback
from model.service import PredictionService
from model.trial import NoSuchTrial, Trial, TrialRefused, find_trial, start_trial, stop_trial, trials
from model.workspace import Workspace
from monitoring.trial_report import COURSE_POINTS, report_trial
from preprocessing.columns import ColumnRows, Levels, Numbers
from preprocessing.validation.json_rows import ValidRow
from tests.model.registry_making import KEYS, keep, make_bundle, put
from tests.training.making import MARK, SCHEMA

THEN = datetime(2000, 1, 1, tzinfo=UTC)


def row(number: int, student: str | None = None, *, moment: str = "start") -> ValidRow:
    inputs = {"hours": 1.0, "before": float(number % 20), "support": "low", "subject": "art", "sex": "f"}
    return ValidRow(row=number, inputs=inputs, moment=moment, student=student)


def students(count: int) -> list[ValidRow]:
    return [row(number, f"{number:064x}") for number in range(count)]


def service(workspace: Workspace, *, cached: bool = False) -> PredictionService:
    workspace.champions.refresh()
    cache = MemoryCache() if cached else None
    return PredictionService(
        workspace.schemas, workspace.champions, workspace.store, secret=workspace.secret, cache=cache
    )


def begin(
    workspace: Workspace, mode: Any, *, champion: float = 5.0, challenger: float = 8.0, share: float = 0.5
) -> Trial:
    """A champion that always says 5, and a challenger that always says 8, on trial."""
    put(workspace.store, workspace.artifacts, champion)
    model = keep(workspace.store, workspace.artifacts, make_bundle(challenger))
    return start_trial(workspace.store, model, mode=mode, share=share, actor="test", reason="trying")


def values(predictions: Sequence[Prediction]) -> list[float]:
    return [round(float(p.answers[0].value), 3) for p in predictions]  # type: ignore[arg-type]


def what_was_said(predictions: Sequence[Prediction]) -> list[bytes]:
    """Predictions as bytes, without what differs each time and without what was only heard."""
    return [msgspec.json.encode(msgspec.structs.replace(p, id="", at=THEN, shadow=())) for p in predictions]


# Beginning and ending -----------------------------------------------------------------------------------------------


def test_one_trial_runs_per_champion(workspace: Workspace) -> None:
    trial = begin(workspace, "shadow")
    other = keep(workspace.store, workspace.artifacts, make_bundle(9.0))
    with pytest.raises(TrialRefused, match="runs for invented/mark@start already"):
        start_trial(workspace.store, other, mode="split", actor="test")
    stop_trial(workspace.store, trial.id[:20], actor="me", why="seen enough")
    assert start_trial(workspace.store, other, mode="split", actor="test").challenger == other.version
    newest, oldest = trials(workspace.store)
    assert (newest.ended, oldest.why) == (None, "stopped by me: seen enough")


def test_of_two_who_start_at_once_one_is_refused(workspace: Workspace) -> None:
    put(workspace.store, workspace.artifacts, 5.0)
    models = [keep(workspace.store, workspace.artifacts, make_bundle(number)) for number in (8.0, 9.0)]

    def start(model: Any) -> str:
        try:
            return start_trial(workspace.store, model, mode="shadow", actor="test").challenger
        except (Conflict, TrialRefused):
            return ""

    with ThreadPoolExecutor(2) as pool:
        started = [version for version in pool.map(start, models) if version]
    assert [trial.challenger for trial in trials(workspace.store)] == started
    assert len(started) == 1


def test_what_is_no_trial_is_refused_in_words(workspace: Workspace) -> None:
    lonely = keep(workspace.store, workspace.artifacts, make_bundle(8.0))
    with pytest.raises(TrialRefused, match="no champion"):
        start_trial(workspace.store, lonely, mode="shadow", actor="test")
    (champion,) = put(workspace.store, workspace.artifacts, 5.0)
    with pytest.raises(TrialRefused, match="is the champion"):
        start_trial(workspace.store, champion, mode="shadow", actor="test")
    for share in (0.0, 1.0, -1.0, float("nan")):
        with pytest.raises(TrialRefused, match="share"):
            start_trial(workspace.store, lonely, mode="split", share=share, actor="test")
    with pytest.raises(NoSuchTrial, match="no trial"):
        find_trial(workspace.store, "0")
    assert trials(workspace.store) == []


def test_a_new_champion_ends_the_trial_in_words_and_so_does_a_rollback(workspace: Workspace) -> None:
    trial = begin(workspace, "shadow")
    served = service(workspace)
    (model,) = workspace.store.models(MARK)[:1]
    install(workspace.store, [model], action="promote", actor="boss", reason="better")
    ended = find_trial(workspace.store, trial.id)
    assert ended.why == "the champion changed: generation 2 (promote by boss) is the challenger itself"
    assert ended.ended == workspace.store.successions(MARK)[-1].at
    workspace.champions.refresh()
    (prediction,) = served.answer(SCHEMA, [row(1)], source="test")
    assert prediction.shadow == ()
    with pytest.raises(NoSuchTrial, match="runs no more"):
        stop_trial(workspace.store, trial.id, actor="me", why="")

    third = keep(workspace.store, workspace.artifacts, make_bundle(9.0))
    again = start_trial(workspace.store, third, mode="split", actor="test")
    rollback(workspace.store, [MARK], actor="boss", reason="worse")
    assert "generation 3 (rollback by boss)" in find_trial(workspace.store, again.id).why


def test_a_challenger_on_trial_is_not_swept_away(workspace: Workspace) -> None:
    trial = begin(workspace, "shadow")
    for number in range(20, 32):
        keep(workspace.store, workspace.artifacts, make_bundle(number))
    assert trial.challenger not in collect_garbage(workspace.store, workspace.artifacts, older_than=0.0)
    stop_trial(workspace.store, trial.id, actor="me", why="")
    assert trial.challenger in collect_garbage(workspace.store, workspace.artifacts, older_than=0.0)


# Answering ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cached", [False, True])
def test_a_shadow_changes_no_answer_and_is_logged_beside_it(workspace: Workspace, cached: bool) -> None:
    (champion,) = put(workspace.store, workspace.artifacts, 5.0)
    put(workspace.store, workspace.artifacts, 3.0, key=KEYS[1])
    rows = [*students(30), row(7, moment="half"), row(3), row(3)]
    before = service(workspace, cached=cached).answer(SCHEMA, rows, source="test")
    challenger = keep(workspace.store, workspace.artifacts, make_bundle(8.0))
    start_trial(workspace.store, challenger, mode="shadow", actor="test")
    asked = service(workspace, cached=cached)
    for _ in range(2):  # the second time from the cache
        after = asked.answer(SCHEMA, rows, source="test")
        assert what_was_said(after) == what_was_said(before)
        heard = [[(round(float(a.value), 3), a.model) for a in p.shadow] for p in after]  # type: ignore[arg-type]
        own = [(8.0, challenger.version)]
        assert heard == [own if p.moment == "start" else [] for p in after]
    logged = workspace.store.predictions("invented", limit=len(rows))
    assert {p.id: p.shadow for p in logged} == {p.id: p.shadow for p in after}
    assert all(p.answers[0].model == champion.version for p in after if p.moment == "start")


@pytest.mark.parametrize("cached", [False, True])
def test_a_split_answers_each_student_with_one_model_and_those_without_a_key_with_the_champion(
    workspace: Workspace, cached: bool
) -> None:
    trial = begin(workspace, "split")
    asked = service(workspace, cached=cached)
    rows = students(200)
    said = asked.answer(SCHEMA, rows, source="test")
    assert values(said) == [8.0 if trial.tries(r.student) else 5.0 for r in rows]
    versions = {5.0: trial.champion, 8.0: trial.challenger}
    assert [p.answers[0].model for p in said] == [versions[value] for value in values(said)]
    assert {p.answers[0].generation for p in said} == {1}
    assert values(asked.answer(SCHEMA, rows, source="test")) == values(said)
    assert [values(asked.answer(SCHEMA, [r], source="test"))[0] for r in rows] == values(said)
    anonymous = [row(number) for number in range(200)]
    assert set(values(asked.answer(SCHEMA, anonymous, source="test"))) == {5.0}
    assert 60 < values(said).count(8.0) < 140


@pytest.mark.parametrize("mode", ["shadow", "split"])
def test_rows_that_come_by_column_are_tried_on_as_those_that_come_one_by_one(workspace: Workspace, mode: Any) -> None:
    begin(workspace, mode)
    rows = students(80)
    kinds = {feature.name: Numbers if feature.kind == "numeric" else Levels for feature in SCHEMA.features}
    columns = {name: kinds[name].of([one.inputs[name] for one in rows]) for name in rows[0].inputs}
    table = ColumnRows("start", columns, students=[one.student for one in rows])
    asked = service(workspace)
    batches = asked.answer_columns(SCHEMA, [table], source="test")
    found = sorted((one for batch in batches for one in batch), key=lambda one: one.id)
    expected = [asked.answer(SCHEMA, [row], source="test")[0] for row in rows]
    assert what_was_said(found) == what_was_said(expected)
    assert [one.shadow for one in found] == [one.shadow for one in expected]
    assert {one.id: one for one in workspace.store.predictions("invented", limit=160)} == {
        one.id: one for one in (*found, *expected)
    }


def test_splits_of_two_targets_are_drawn_apart(workspace: Workspace) -> None:
    first = begin(workspace, "split")
    second = msgspec.structs.replace(first, id="another")
    both = [(first.tries(r.student), second.tries(r.student)) for r in students(400)]
    counts = [both.count(arms) for arms in ((False, False), (False, True), (True, False), (True, True))]
    assert min(counts) > 60, counts


@given(st.text(min_size=1, max_size=40), st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_a_split_is_stable_and_a_larger_share_keeps_whom_it_had(id: str, one: float, other: float) -> None:
    small, large = sorted([one, other])
    draws = [trial_of(id, small), trial_of(id, large)]
    for student in ("a", "b", "c" * 64):
        less, more = (draw.tries(student) for draw in draws)
        assert less == draws[0].tries(student)
        assert more or not less
        assert not draws[0].tries(None)


@given(st.uuids(), st.sampled_from([0.1, 0.3, 0.5, 0.9]))
def test_a_split_is_near_its_share(id: object, share: float) -> None:
    trial = trial_of(str(id), share)
    tried = np.mean([trial.tries(f"{number:064x}") for number in range(2000)])
    assert abs(tried - share) < 5 * np.sqrt(share * (1 - share) / 2000)


def trial_of(id: str, share: float) -> Trial:
    return Trial(
        id=id, domain="d", target="t", moment="m", mode="split", share=share, champion="a", generation=1,
        challenger="b", started=now(), actor="test", reason="",
    )  # fmt: skip


@pytest.mark.parametrize("mode", ["shadow", "split"])
def test_a_challenger_without_files_leaves_the_champion_alone_and_that_is_said_once(
    workspace: Workspace, mode: str
) -> None:
    trial = begin(workspace, mode)
    workspace.artifacts.sweep({trial.champion}, older_than=0.0)
    asked = service(workspace)
    workspace.champions.refresh()
    said = asked.answer(SCHEMA, students(20), source="test")
    assert set(values(said)) == {5.0}
    assert not any(p.shadow for p in said)
    (event,) = workspace.store.events(kind="challenger_not_loaded")
    assert (event.details["trial"], event.details["version"]) == (trial.id, trial.challenger)


@pytest.mark.parametrize("mode", ["shadow", "split"])
@pytest.mark.parametrize("number", [float("nan"), float("inf"), None])
def test_a_challenger_that_fails_harms_no_answer(
    workspace: Workspace, mode: str, number: float | None, caplog: pytest.LogCaptureFixture
) -> None:
    begin(workspace, mode)
    asked = service(workspace)
    challenger = workspace.champions.at("invented", "start")["mark"].challenger
    assert challenger is not None

    def fail(rows: Sequence[Any], **_: Any) -> Any:
        if number is None:
            raise ValueError("could not convert 'Anna'")
        (one, *_) = right(rows, generation=1)
        return [msgspec.structs.replace(one, value=number) for _ in rows]

    def fail_by_column(columns: Any, **_: Any) -> Any:
        if number is None:
            raise ValueError("could not convert 'Anna'")
        said = right_by_column(columns, generation=1)
        return said._replace(value=Numbers.of([number] * 19))

    right, right_by_column = challenger.predictor.answer, challenger.predictor.answer_columns
    challenger.predictor.answer = fail  # type: ignore[method-assign, assignment]
    challenger.predictor.answer_columns = fail_by_column  # type: ignore[method-assign]
    first, *others = students(20)
    said = [*asked.answer(SCHEMA, [first], source="test"), *asked.answer(SCHEMA, others, source="test")]
    assert set(values(said)) == {5.0}
    assert not any(p.shadow for p in said)
    assert workspace.store.count_predictions("invented") == 20
    assert "a challenger failed" in caplog.text
    assert "Anna" not in caplog.text


# Reporting ----------------------------------------------------------------------------------------------------------


def happen(workspace: Workspace, predictions: Sequence[Prediction], truth: Callable[[int], float]) -> None:
    workspace.store.add_outcomes(
        [
            Outcome(domain="invented", target="mark", value=truth(place), at=now(), prediction=p.id)
            for place, p in enumerate(predictions)
        ]
    )


def noisy(center: float) -> Callable[[int], float]:
    draw = np.random.default_rng(3).normal(center, 1.0, 2000)
    return lambda place: float(draw[place])


def test_a_shadow_report_says_how_far_apart_they_are_before_any_outcome(workspace: Workspace) -> None:
    trial = begin(workspace, "shadow")
    service(workspace).answer(SCHEMA, students(40), source="test")
    report = report_trial(workspace.store, SCHEMA, trial, learned=workspace.learned)
    assert report.differences is not None
    assert (report.differences.n, report.differences.share, report.differences.unanswered) == (40, 1.0, 0)
    assert report.differences.mean == pytest.approx(3.0, abs=1e-3)
    assert (report.verdict, report.gain, report.asked) == ("not enough data", None, 40)
    assert report.sentence.startswith("Not enough data yet")
    of_none = report_trial(workspace.store, SCHEMA, trial, learned=workspace.learned, groups=[])
    assert (of_none.asked, of_none.differences) == (0, None)
    with pytest.raises(NamesSomebody):
        stop_trial(workspace.store, trial.id, actor="a", why="Ana Sousa asked for it")


@pytest.mark.parametrize(
    ("mode", "truth", "verdict"),
    [
        ("shadow", 8.0, "challenger better"),
        ("shadow", 5.0, "champion better"),
        ("shadow", 6.5, "no difference seen"),
        ("split", 8.0, "challenger better"),
        ("split", 5.0, "champion better"),
        ("split", 6.5, "no difference seen"),
    ],
)
def test_a_report_names_the_model_that_was_nearer(workspace: Workspace, mode: str, truth: float, verdict: str) -> None:
    trial = begin(workspace, mode)
    arms = [[r for r in students(500) if trial.tries(r.student) is arm][:150] for arm in (False, True)]
    asked = students(300) if mode == "shadow" else [*arms[0], *arms[1]]  # so that chance draws nothing here
    said = service(workspace).answer(SCHEMA, asked, source="test")
    happen(workspace, said, noisy(truth))
    report = report_trial(workspace.store, SCHEMA, trial, learned=workspace.learned)
    assert report.verdict == verdict
    assert report.gain is not None
    expected = {8.0: 2.2, 5.0: -2.2, 6.5: 0.0}[truth]
    assert report.gain.low < expected < report.gain.high
    sides = report.champion, report.challenger
    assert [side.n for side in sides] == ([300, 300] if mode == "shadow" else [150, 150])
    assert all(side.naive_mae is not None and side.mae is not None for side in sides)
    word = {"challenger better": "The challenger is", "champion better": "The champion is"}.get(
        verdict, "No difference"
    )
    assert report.sentence.startswith(word)


@pytest.mark.parametrize("mode", ["shadow", "split"])
def test_the_course_of_a_trial_ends_where_its_report_stands(workspace: Workspace, mode: str) -> None:
    trial, truth, first = begin(workspace, mode), noisy(7.0), now()
    said = service(workspace).answer(SCHEMA, students(90), source="test")
    came = [first + timedelta(days=place % 30) for place in range(90)]
    workspace.store.add_outcomes(
        [
            Outcome(domain="invented", target="mark", value=truth(place), at=came[place], prediction=p.id)
            for place, p in enumerate(said)
        ]
    )
    report = report_trial(workspace.store, SCHEMA, trial, learned=workspace.learned)
    assert 1 < len(report.course) <= COURSE_POINTS
    assert [point.day for point in report.course] == sorted({point.day for point in report.course})
    last = report.course[-1]
    assert (last.day, last.champion, last.challenger) == (came[29].date(), report.champion.mae, report.challenger.mae)
    if mode == "shadow":
        for point in report.course:
            known = [abs(truth(place) - 5.0) for place in range(90) if came[place].date() <= point.day]
            assert (point.n, point.champion.value) == (len(known), pytest.approx(np.mean(known), abs=1e-3))


def test_one_student_asked_often_is_one_student(workspace: Workspace) -> None:
    trial = begin(workspace, "shadow")
    said = service(workspace).answer(SCHEMA, [row(number, "f" * 64) for number in range(100)], source="test")
    happen(workspace, said, noisy(8.0))
    report = report_trial(workspace.store, SCHEMA, trial, learned=workspace.learned)
    assert (report.verdict, report.champion.n, report.champion.students) == ("not enough data", 20, 1)
    assert report.left_out.repeated == 80  # there are 20 different rows


@pytest.mark.parametrize("mode", ["shadow", "split"])
def test_outcomes_that_all_show_the_same_difference_prove_nothing(workspace: Workspace, mode: str) -> None:
    trial = begin(workspace, mode)
    happen(workspace, service(workspace).answer(SCHEMA, students(200), source="test"), lambda _: 8.0)
    report = report_trial(workspace.store, SCHEMA, trial, learned=workspace.learned)
    assert (report.verdict, report.gain) == ("not enough data", None)
    assert "show the very same difference" in report.sentence


def test_copies_under_other_keys_count_once(workspace: Workspace) -> None:
    trial, truth, hours = begin(workspace, "shadow"), noisy(8.0), noisy(20.0)
    asked = [
        msgspec.structs.replace(one, inputs={**one.inputs, "hours": hours(place % 20)})
        for place, one in enumerate(students(300))
    ]
    happen(workspace, service(workspace).answer(SCHEMA, asked, source="test"), lambda place: truth(place % 20))
    report = report_trial(workspace.store, SCHEMA, trial, learned=workspace.learned)
    assert (report.champion.n, report.left_out.copied, report.verdict) == (20, 280, "not enough data")


def test_rows_that_a_model_was_trained_on_prove_nothing(workspace: Workspace) -> None:
    from database.records import record_id

    trial = begin(workspace, "shadow")
    said = service(workspace).answer(SCHEMA, students(60), source="test")
    happen(workspace, said, noisy(8.0))
    seen = {record_id("invented", p.student, None, None, p.inputs) for p in said[:50]}
    report = report_trial(workspace.store, SCHEMA, trial, learned=lambda _: LearnedRows(seen))
    assert (report.left_out.learned, report.champion.n, report.verdict) == (50, 10, "not enough data")


def test_what_was_answered_before_and_after_the_trial_does_not_count(workspace: Workspace) -> None:
    put(workspace.store, workspace.artifacts, 5.0)
    early = service(workspace).answer(SCHEMA, students(40), source="test")
    model = keep(workspace.store, workspace.artifacts, make_bundle(8.0))
    trial = start_trial(workspace.store, model, mode="split", actor="test")
    during = service(workspace).answer(SCHEMA, students(80), source="test")
    ended = stop_trial(workspace.store, trial.id, actor="me", why="")
    late = service(workspace).answer(SCHEMA, students(40), source="test")
    happen(workspace, [*early, *during, *late], noisy(8.0))
    report = report_trial(workspace.store, SCHEMA, ended, learned=workspace.learned)
    assert report.asked == report.champion.n + report.challenger.n == 80
