"""When a challenger replaces the champion: a table of cases, and how often luck alone would do it."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import ttest_rel

from clock import now
from database.records import DecisionRecord
from model.decision import COMPARED, PromotionDecision, decision_of
from model.scores import paired_gain
from model.standing import standing_of
from retraining.policy import PromotionEvidence, PromotionPolicy, decide, slice_gains
from tests.model.registry_making import make_bundle

N = 200
Floats, Rows = NDArray[np.float64], NDArray[np.int64]


def evidence(
    gain: float,
    *,
    n: int = N,
    noise: float = 0.3,
    groups: int | None = None,
    worse_for: float | None = None,
    naive: float = 1.0,
) -> PromotionEvidence:
    """Errors of a champion and of a challenger whose errors are smaller by `gain`, and larger for every fifth row.

    naive: how much larger those of the plain rule are than the champion's.
    """
    draw = np.random.default_rng(4)
    wobble = draw.normal(0, noise, n)
    champion = 3 + draw.normal(0, 0.5, n)
    challenger = champion - gain + wobble - (wobble.mean() if n else 0)
    kinds = np.where(np.arange(n) % 5 == 0, "m", "f")
    if worse_for is not None:
        challenger[kinds == "m"] += worse_for - (challenger - champion)[kinds == "m"].mean()
    clusters = np.arange(n) if groups is None else np.arange(n) * groups // n
    rule_wobble = draw.normal(0, 0.05, n)
    rule = champion + naive + rule_wobble - (rule_wobble.mean() if n else 0)
    return made(champion, challenger, rule, clusters, slices={"sex": kinds})


def made(
    champion: Floats,
    challenger: Floats,
    naive: Floats,
    clusters: Rows,
    slices: dict[str, NDArray[np.str_]] | None = None,
) -> PromotionEvidence:
    """Outcomes, and answers that miss them by these errors."""
    outcomes = np.random.default_rng(8).normal(50, 10, len(champion))
    return PromotionEvidence(
        outcomes=outcomes,
        champion=outcomes + champion,
        challenger=outcomes + challenger,
        naive=outcomes + naive,
        clusters=clusters,
        slices=slices or {},
    )


def told_as(units: int, case: PromotionEvidence) -> PromotionEvidence:
    """The same rows, of so many students."""
    return msgspec.structs.replace(case, units=(np.arange(N), np.arange(N) % units))


def decided(case: PromotionEvidence, **policy: float) -> PromotionDecision:
    return decide(case, PromotionPolicy(**policy), min_gain=0.01, unit="points")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("case", "verdict", "reason"),
    [
        (evidence(0.5), "promote", "smaller (more than 0.01)"),
        (evidence(0.5, groups=8), "promote", "on 200 unseen rows"),
        (evidence(0.009, noise=0.001), "shadow", "is not above 0.01"),
        (evidence(0.5, noise=0.0), "shadow", "not enough data: all 200 clusters show the very same difference of 0.5"),
        (evidence(0.02, noise=1.0), "shadow", "may be luck"),
        (evidence(-0.5), "shadow", "is not above 0.01"),
        (told_as(40, evidence(0.5)), "shadow", "in 200 clusters that neither model has seen, which count as 40"),
        (told_as(50, evidence(0.5)), "promote", "on 200 unseen rows"),
        (evidence(0.5, n=49), "shadow", "not enough data: 49 rows in 49 clusters"),
        (evidence(0.5, groups=1), "shadow", "not enough data: 200 rows in 1 clusters"),
        (evidence(0.5, n=0), "shadow", "not enough data: 0 rows"),
        (evidence(0.5, worse_for=0.3), "shadow", "students with sex = m would get worse by 0.3 (40 rows)"),
        (evidence(0.5, worse_for=0.005), "promote", "smaller"),
        (evidence(0.5, n=60, worse_for=0.3), "promote", "smaller"),  # 12 rows of m are too few to judge
        (evidence(0.5, naive=-0.501), "promote", "the plain rule is no worse on the same rows, nor surely better"),
        (evidence(-0.5, naive=-0.005), "shadow", "the plain rule is better than the challenger on the same rows"),
        (evidence(0.5, naive=-1.5), "promote", "the plain rule is better than both models"),
        (msgspec.structs.replace(evidence(0.5), megabytes=20), "promote", "a graph of 20 MB, within the 20 MB"),
        (msgspec.structs.replace(evidence(0.5), megabytes=20.1), "keep", "a graph of 20.1 MB, above the 20 MB"),
        (msgspec.structs.replace(evidence(0.5, n=9), megabytes=99), "keep", "above the 20 MB"),  # in no shadow, too
    ],
)
def test_the_policy_as_a_table(case: PromotionEvidence, verdict: str, reason: str) -> None:
    decision = decided(case)
    assert decision.verdict == verdict
    assert any(reason in said for said in decision.reasons), decision.reasons


def test_the_plain_rule_is_promoted_only_by_what_a_challenger_must_show() -> None:
    assert decided(evidence(0.5, naive=-1.5)).winner == "plain rule"
    assert decided(evidence(0.5, naive=-0.5)).winner == "challenger"
    little = decided(evidence(-0.5, naive=-0.009))
    assert (little.verdict, little.winner) == ("shadow", "challenger")  # better than both, but by less than .01
    case = evidence(0.5, naive=-1.5)
    others = {"champion": case.outcomes[::-1], "challenger": np.roll(case.outcomes, 7)}
    alike = decided(msgspec.structs.replace(case, naive=np.full(N, 50.0), **others))
    assert (alike.verdict, alike.winner) == ("shadow", "challenger")  # says the same of everybody


def test_outcomes_that_are_none_decide_nothing() -> None:
    case = evidence(0.5)
    same = msgspec.structs.replace(case, outcomes=np.full(N, 10.0))
    assert "every outcome of the 200 judging rows is 10" in decided(same).reasons[0]
    turned = msgspec.structs.replace(case, outcomes=100 - case.outcomes)
    assert "run against the champion's answers" in decided(turned).reasons[0]
    shuffled = msgspec.structs.replace(case, outcomes=case.outcomes[::-1], challenger=case.challenger * 0 + 50.0)
    assert any("not seen to follow" in reason for reason in decided(shuffled).reasons)
    assert {decided(one).verdict for one in (same, turned)} == {"keep"}
    assert decided(shuffled).verdict == "shadow"


def test_every_failure_is_named_and_every_number_stands_beside_its_n() -> None:
    decision = decided(evidence(-0.2, worse_for=0.4))
    assert len(decision.reasons) == 4  # size, luck, and both sexes
    assert (decision.n, decision.clusters) == (N, N)
    assert decision.gain is not None
    assert decision.champion_mae is not None
    assert decision.challenger_mae is not None
    assert decision.naive_mae is not None
    assert decision.gain.mean == pytest.approx(decision.champion_mae.value - decision.challenger_mae.value)
    assert decision.champion_mae.low < decision.champion_mae.value < decision.champion_mae.high
    assert {part.value: part.gain.n for part in decision.slices} == {"f": 160, "m": 40}


@given(
    gain=st.floats(-0.5, 0.5),
    noise=st.sampled_from([0.0, 0.3, 2.0]),
    n=st.sampled_from([0, 49, 60, N]),
    groups=st.sampled_from([None, 1, 9]),
    worse_for=st.sampled_from([None, 0.005, 0.3]),
    naive=st.sampled_from([-1.5, -0.005, 1.0]),
    megabytes=st.sampled_from([0.0, 21.0]),
    turned=st.booleans(),
)
def test_a_promotion_is_every_condition_met_and_the_stored_record_says_so(  # type: ignore[no-untyped-def]
    gain, noise, n, groups, worse_for, naive, megabytes, turned
) -> None:
    case = evidence(gain, n=n, noise=noise, groups=groups, worse_for=worse_for if n else None, naive=naive)
    outcomes = 100 - case.outcomes if turned else case.outcomes
    decision = decided(msgspec.structs.replace(case, megabytes=megabytes, outcomes=outcomes))
    assert (decision.verdict == "promote") == all(one.met for one in decision.conditions)
    for one in decision.conditions:
        if one.found is not None and one.asked is not None:
            assert one.met is COMPARED[one.name](one.found, one.asked)
    found = {one.name: one.found for one in decision.conditions}
    if decision.gain:
        assert (found["gain"], found["not luck"]) == (decision.gain.mean, decision.gain.lower)
        assert found["no slice worse"] == sum(part.worse for part in decision.slices)
    else:
        assert [one.met for one in decision.conditions].count(False) == 1
    stored = msgspec.json.decode(msgspec.json.encode(msgspec.to_builtins(decision) | {"promoted": True, "basis": "x"}))
    about = {"id": "d", "domain": "school", "target": "G3", "moment": "G2", "at": now(), "verdict": decision.verdict}
    kept = DecisionRecord(**about, champion="a", challenger="b", document=stored)
    assert decision_of(kept) == decision
    if decision.gain and decision.winner == "challenger":
        standing = standing_of(make_bundle(1.0).manifest, "b", [kept], None)
        assert standing.nearer == (case.gain(case.naive, case.challenger, 0.9).lower > 0)


def test_a_stricter_policy_promotes_less() -> None:
    case = evidence(0.06, noise=0.5)
    assert decided(case).verdict == "promote"
    assert decided(case, level=0.999).verdict == "shadow"
    assert decided(case, min_rows=N + 1).verdict == "shadow"


@given(st.integers(0, 1000), st.integers(3, 40))
def test_the_lower_bound_is_that_of_a_paired_t_test_where_every_row_is_its_own_cluster(seed: int, n: int) -> None:
    draw = np.random.default_rng(seed)
    first, second = draw.normal(3, 1, n), draw.normal(3, 1, n)
    gain = paired_gain(first, second, np.arange(n), level=0.9)
    expected = ttest_rel(first, second).confidence_interval(0.8)
    assert gain.lower == pytest.approx(expected.low)


@given(st.integers(0, 1000), st.integers(2, 9))
def test_rows_said_twice_prove_no_more_than_rows_said_once(seed: int, times: int) -> None:
    draw = np.random.default_rng(seed)
    first, second = draw.normal(3, 1, 20), draw.normal(3, 1, 20)
    once = paired_gain(first, second, np.arange(20), level=0.9)
    often = paired_gain(np.repeat(first, times), np.repeat(second, times), np.repeat(np.arange(20), times), level=0.9)
    assert often.lower == pytest.approx(once.lower)
    assert (often.n, often.clusters) == (20 * times, 20)


def share_promoted(n: int, *, group: int = 1, pull: float = 0.0, runs: int = 1000) -> float:
    """How often a challenger is promoted that is in truth a little worse (by .008 on average), or as good at best.

    pull: what the differences of all rows of a group have in common.
    """
    draw = np.random.default_rng(n + group)
    policy, promoted = PromotionPolicy(), 0
    for _ in range(runs):
        clusters = np.arange(n) // group
        difference = (
            draw.normal(-abs(draw.normal(0, 0.01)), 0.25, n) + pull * draw.normal(0, 1, clusters[-1] + 1)[clusters]
        )
        champion = np.abs(draw.normal(0, 1.06, n))  # a mean absolute error of .85
        errors = paired_gain(champion, champion - difference, clusters, level=policy.level)
        promoted += errors.mean > 0.01 and errors.lower > 0
    return promoted / runs


@pytest.mark.parametrize(("n", "most"), [(100, 0.12), (400, 0.10)])
def test_a_challenger_that_is_no_better_is_seldom_promoted(n: int, most: float) -> None:
    assert share_promoted(n) <= most


@pytest.mark.parametrize(("n", "group"), [(400, 30), (150, 30), (1000, 20)])
def test_luck_that_a_whole_section_shares_does_not_promote(n: int, group: int) -> None:
    assert share_promoted(n, group=group, pull=0.3) <= 0.13


def test_the_simulated_gate_is_the_policys_own() -> None:
    draw = np.random.default_rng(0)
    for _ in range(30):
        champion = np.abs(draw.normal(0, 1, 100))
        challenger = champion - draw.normal(0, 0.25, 100)
        case = made(champion, challenger, champion + 2, np.arange(100))
        gain = paired_gain(np.abs(champion), np.abs(challenger), case.clusters, level=0.9)
        assert (decided(case).verdict == "promote") == (gain.mean > 0.01 and gain.lower > 0)


def test_many_slices_do_not_stop_a_good_challenger_by_luck() -> None:
    draw, stopped = np.random.default_rng(1), 0
    for _ in range(100):
        champion = 3 + draw.normal(0, 0.5, 600)
        challenger = champion - 0.03 - draw.normal(0, 0.2, 600)
        slices = {f"column {c}": draw.choice(["a", "b", "c", "d"], 600) for c in range(5)}
        case = made(champion, challenger, champion + 1, np.arange(600), slices)
        stopped += any(part.worse for part in decided(case).slices)
    assert stopped <= 10


@pytest.mark.parametrize(
    ("lost", "mark", "verdict"), [(0, 45.0, "promote"), (12, 45.0, "shadow"), (12, None, "promote")]
)
def test_a_group_whose_failing_students_would_go_without_help_keeps_its_champion(
    lost: int, mark: float | None, verdict: str
) -> None:
    """Nearer on the whole and for every group; but of the boys who failed, some would not be warned of any more."""
    case = evidence(0.5, n=400)
    case = msgspec.structs.replace(case, pass_mark=mark)
    boys = case.slices["sex"] == "m"
    failed = np.flatnonzero(boys & (case.outcomes < 45))
    champion, challenger = case.champion.copy(), case.challenger.copy()
    champion[case.outcomes < 45], challenger[case.outcomes < 45] = 44.0, 44.5
    challenger[failed[:lost]] = 45.1
    champion[failed] -= 20.0  # so that the boys' miss is smaller with the challenger
    decision = decided(msgspec.structs.replace(case, champion=champion, challenger=challenger))
    assert (len(failed) > 20, decision.verdict) == (True, verdict)
    assert [part.worse for part in decision.slices if part.about == "miss"] == [False, False]
    if verdict == "shadow":
        assert decision.reasons == (
            f"of the students with sex = m who failed, {lost / len(failed):.0%} fewer would be warned of "
            f"({len(failed)} rows)",
        )
        assert (
            decided(msgspec.structs.replace(case, champion=champion, challenger=challenger), max_missed=0.9).verdict
            == "promote"
        )


def test_help_is_missed_where_the_warning_policy_finds_no_cause_whatever_answers_say() -> None:
    failed = np.arange(100) < 40
    outcomes = np.where(failed, 5.0, 15.0)
    warned = {"champion": failed, "challenger": failed & (np.arange(100) >= 30)}
    case = PromotionEvidence(
        outcomes=outcomes, champion=outcomes, challenger=outcomes, naive=outcomes, clusters=np.arange(100),
        slices={"sex": np.where(np.arange(100) % 2, "F", "M")}, pass_mark=10.0, causes=warned,
    )  # fmt: skip
    worse = [one.worse for one in slice_gains(case, "challenger", PromotionPolicy(), 0.01) if one.about == "found"]
    same = slice_gains(msgspec.structs.replace(case, causes={}), "challenger", PromotionPolicy(), 0.01)
    assert (worse, [one.worse for one in same if one.about == "found"]) == ([True, True], [False, False])


def test_who_is_missed_by_luck_stops_hardly_anybody() -> None:
    draw, stopped = np.random.default_rng(2), 0
    for _ in range(200):
        outcomes = draw.normal(50, 10, 600)
        champion, challenger = (outcomes + draw.normal(0, 4, 600) for _ in range(2))
        slices = {f"column {c}": draw.choice(["a", "b", "c"], 600) for c in range(3)}
        case = PromotionEvidence(
            outcomes=outcomes, champion=champion, challenger=challenger, naive=champion,
            clusters=np.arange(600), slices=slices, pass_mark=43.0,
        )  # fmt: skip
        stopped += any(
            part.worse for part in slice_gains(case, "challenger", PromotionPolicy(), 0.01) if part.about == "found"
        )
    assert stopped <= 0.1 * 200
