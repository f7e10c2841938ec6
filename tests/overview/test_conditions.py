"""Whatever needs a person is found by what makes it in real life, with its figures, and told to whom it concerns."""

import pytest

from access.roles import LOCAL, PERMISSIONS, Principal
from clock import now
from model.workspace import Workspace
from monitoring.evidence_archive import EvidenceArchive
from overview.conditions import find_conditions
from overview.describing import describe
from overview.records import SEEN_BY, ConditionKind, Held
from overview.standing import standings_of
from tests.overview.happening import (
    ENOUGH,
    MAKERS,
    SCHEMA,
    break_coverage,
    drift,
    guess,
    leave_uncounted,
    predict,
    turn_out,
)

HEAD = Principal(name="user:head", permissions=PERMISSIONS["viewer"])
ANALYST = Principal(name="user:ann", permissions=PERMISSIONS["analyst"])
TEACHER = Principal(name="user:tim", permissions=PERMISSIONS["teacher"], groups=frozenset({"a group of nobody"}))


def found(workspace: Workspace, viewer: Principal = LOCAL) -> list[Held]:
    return find_conditions(workspace, viewer)


def test_a_calm_installation_needs_nobody(workspace: Workspace) -> None:
    asked = predict(workspace)
    turn_out(workspace, asked, lambda answer: float(answer.value or 0) + 0.1)
    assert found(workspace) == []


@pytest.mark.parametrize("kind", MAKERS)
def test_each_condition_is_found_said_in_one_sentence_and_told_to_whom_it_concerns(
    workspace: Workspace, kind: ConditionKind
) -> None:
    MAKERS[kind](workspace)
    held = {one.condition.kind: one.condition for one in found(workspace)}
    assert kind in held
    condition = held[kind]
    sentence = describe(condition, workspace.schemas).sentence
    assert "{" not in sentence
    assert sentence[0].isupper() or sentence[0].isdigit() or condition.kind == "late schedule"
    assert condition.since is None or condition.since <= now()
    for viewer in (HEAD, ANALYST, TEACHER):
        told = {one.condition.kind for one in found(workspace, viewer)}
        alone = viewer.groups is not None  # nothing of other groups
        expected = viewer.may(SEEN_BY[kind]) and (not alone or kind in ("broken champion", "examples", "uncounted"))
        assert (kind in told) == expected, viewer.name
    assert [one.id for one in _of_kind(found(workspace), kind)] == [condition.id]  # and the same when asked again


def _of_kind(held: list[Held], kind: ConditionKind) -> list:
    return [one.condition for one in held if one.condition.kind == kind]


def test_figures_are_those_of_what_happened_and_the_most_harmful_comes_first(workspace: Workspace) -> None:
    guess(workspace)
    drift(workspace)
    break_coverage(workspace)
    kinds = [one.condition.kind for one in found(workspace)]
    assert kinds[0] == "coverage"
    assert kinds.index("drift") < kinds.index("guesses")
    by_kind = {one.condition.kind: one.condition.figures for one in found(workspace)}
    assert (by_kind["coverage"]["n"], by_kind["coverage"]["share"]) == (ENOUGH, 0.0)
    assert (by_kind["guesses"]["columns"], by_kind["guesses"]["of"]) == (["subject"], 2 * ENOUGH)
    assert "hours" in by_kind["drift"]["columns"]


def test_a_promotion_answers_an_alarm_and_a_calm_report_ends_it(workspace: Workspace) -> None:
    drift(workspace)
    (alarm,) = found(workspace)
    drift(workspace, hours=38.0, seed=10)
    (still,) = found(workspace)
    assert (still.condition.since, still.condition.id) == (alarm.condition.since, alarm.condition.id)
    assert now() > still.condition.since  # type: ignore[operator]


def test_what_is_not_counted_yet_is_looked_at_once_for_all_that_a_page_asks(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_uncounted(workspace)
    target, looks = SCHEMA.target_by_name["mark"], list[int]()
    look = EvidenceArchive.seen
    monkeypatch.setattr(EvidenceArchive, "seen", lambda *asked: looks.append(1) or look(*asked))
    first, again = (standings_of(workspace, SCHEMA, target) for _ in range(2))
    assert first == again
    assert len(looks) == 1
    assert found(workspace)
    assert len(looks) == 1
