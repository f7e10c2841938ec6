"""What help did: known effects lie within their intervals, warnings say what is wrong, and steps of cases are read."""

from datetime import timedelta

import msgspec
import numpy as np
import pytest
from rich.console import Console

from advice.case_steps import HelpGiven, NewStep
from advice.cases import Writer, take_step
from clock import new_id, now
from database.records import Answer
from database.store import RecordStore
from monitoring.warning_lists import WarningList, draw_slots
from monitoring.warning_lots import NoLots, check_draw, draws_of
from monitoring.warning_policy import WarningPolicy, activate_policy
from preprocessing.schema import DomainSchema, Feature, Target
from reports.effect_report import report_effects
from reports.effects import at_threshold, before_and_after, by_lot, doubly_robust, matched
from reports.render import effect_tables
from tests.database.making import make_outcome, make_prediction

MARK = Target(name="mark", cut_points=(10.0,))


@pytest.mark.parametrize("effect", [0.0, 0.8])
def test_a_known_effect_lies_within_its_interval_as_often_as_said(effect: float) -> None:
    """Of more runs the share is .94 (benchmarks/trust.py)."""
    draw, runs, held = np.random.default_rng(1), 80, [0, 0]
    for _ in range(runs):
        ability = draw.normal(0, 1, 600)
        outcome = 10 + 2 * ability + draw.normal(0, 1.5, 600)
        chance = 1 / (1 + np.exp(1.2 * ability))
        warned = chance >= 0.5
        found = at_threshold(chance, warned, warned, outcome + effect * warned, 0.5)
        helped = draw.random(600) < 1 / (1 + np.exp(0.3 + 0.8 * ability))  # who is worse off is helped more
        other = doubly_robust(ability[:, None], helped, outcome + effect * helped)
        held[0] += found.low <= effect <= found.high
        held[1] += other.low <= effect <= other.high
    assert min(held) >= 0.87 * runs


@pytest.mark.parametrize("effect", [0.0, 0.8])
def test_the_effect_of_slots_by_lot_and_that_beside_counterparts_lie_within_their_intervals(effect: float) -> None:
    """Of more runs the share is .95 (benchmarks/trust.py)."""
    draw, runs, held = np.random.default_rng(7), 60, [0, 0]
    for _ in range(runs):
        ability = draw.normal(0, 1, 400)
        outcome = 10 + 2 * ability + draw.normal(0, 1.5, 400)
        block = np.arange(400) // 8
        drawn = np.concatenate([draw.permutation(8) < 4 for _ in range(50)])
        found = by_lot(block, drawn, drawn, outcome + effect * drawn - 2 * ability)
        helped = draw.random(400) < 1 / (1 + np.exp(0.3 + 0.8 * ability))
        other = matched(ability[:, None], helped, outcome + effect * helped)
        held[0] += found.low <= effect <= found.high
        held[1] += other.low <= effect <= other.high
    assert min(held) >= 0.86 * runs


def test_who_is_helped_by_capacity_has_counterparts_at_its_edge_alone_and_the_rest_is_left_out() -> None:
    """Below the edge all are helped, and what becomes of them bends: lines through the others would miss by .3."""
    draw, found = np.random.default_rng(5), []
    for _ in range(12):
        ability = np.sort(draw.normal(0, 1, 1200))
        helped = (np.arange(1200) < 120) | ((np.arange(1200) < 240) & (draw.random(1200) < 0.5))
        outcome = 10 + 2 * ability - 0.4 * np.minimum(ability, 0) ** 2 + draw.normal(0, 1.5, 1200) + 1.0 * helped
        found += [way(ability[:, None], helped, outcome) for way in (matched, doubly_robust)]
    assert np.mean([one.effect for one in found]) == pytest.approx(1.0, abs=0.12)
    assert np.mean([one.low <= 1.0 <= one.high for one in found]) >= 0.85
    assert all(any("left out" in told for told in one.warnings) for one in found)


def test_what_speaks_against_an_effect_is_said() -> None:
    draw = np.random.default_rng(2)
    known, helped = draw.normal(0, 1, (150, 1)), np.arange(150) < 40
    jump = doubly_robust(known, helped, 10 + 9.0 * helped + draw.normal(0, 0.1, 150))
    assert [any(word in told for told in jump.warnings) for word in ("are few", "implausible")] == [True, True]
    far = matched(np.where(np.arange(150) < 5, 9.0, 0.0)[:, None] + known, helped, known[:, 0])
    assert any("left out" in told for told in far.warnings)
    assert far.helped <= 35
    nobody = matched(np.where(helped, 9.0, 0.0)[:, None] + known, helped, known[:, 0])
    assert (nobody.effect, nobody.helped) == (None, 0)
    alone = by_lot(np.arange(150) // 2, np.arange(150) % 2 == 0, helped, known[:, 0])
    assert (alone.effect, alone.helped) == (None, 0), "pairs tell no spread"
    parted = np.where(helped, 3.0, -3.0)[:, None] + known
    alone = doubly_robust(parted, helped, known[:, 0])
    assert (alone.effect, "are left out" in alone.warnings[0]) == (None, True)
    apart = np.where(np.arange(150) < 5, 20.0, 0.0)[:, None] + known
    assert any("are left out" in told for told in doubly_robust(apart, helped, known[:, 0]).warnings)
    chance = draw.random(400)
    unled = at_threshold(chance, draw.random(400) < 0.5, chance > 2, draw.normal(0, 1, 400), 0.5)
    assert len(unled.warnings) == 2
    assert "come nearer the middle by itself" in before_and_after(known[:, 0], known[:, 0] + 1).trust
    assert doubly_robust(known[:40], helped[:40] & (np.arange(40) < 5), known[:40, 0]).effect is None


def test_a_student_who_stands_there_twice_makes_nothing_surer() -> None:
    draw, who = np.random.default_rng(4), np.arange(80)
    before, after = draw.normal(10, 2, 80), draw.normal(11, 2, 80)
    once = before_and_after(before, after)
    again = before_and_after(np.tile(before, 3), np.tile(after, 3), np.tile(who, 3))
    assert (again.low, again.high) == pytest.approx((once.low, once.high))
    helped, known = who < 40, before[:, None]
    widths = [
        found.high - found.low
        for found in (
            doubly_robust(known, helped, after),
            doubly_robust(np.tile(known, (3, 1)), np.tile(helped, 3), np.tile(after, 3), np.tile(who, 3)),
            doubly_robust(np.tile(known, (3, 1)), np.tile(helped, 3), np.tile(after, 3)),
        )
    ]
    assert widths[1] == pytest.approx(widths[0], rel=0.15)
    assert widths[2] < 0.7 * widths[0]


def test_a_report_reads_answers_outcomes_and_steps_and_tells_no_few(store: RecordStore) -> None:
    schema = DomainSchema(name=new_id(), title="", features=(Feature(name="x", kind="numeric"),), targets=(MARK,))
    nobody = report_effects(store, schema, MARK)
    assert (nobody.students, nobody.effects) == (0, ())
    draw, asked, at = np.random.default_rng(3), [], now() - timedelta(days=30)
    for number in range(90):
        below = float(np.round(draw.uniform(0.05, 0.95), 3))
        answer = Answer(target="mark", value=14 - 8 * below, naive=11.0, model="m", generation=1, below_pass=below)
        about = {"student": f"s{number}", "group": "a", "period": None, "inputs": {"x": 1.0}}
        asked.append(make_prediction(at, domain=schema.name, answers=(answer,), **about))
    store.add_predictions(asked)
    for one in asked[:35]:
        take_step(store, schema, one.student or "", NewStep("talked"), Writer("ann"))
    later = now() + timedelta(days=1)
    store.add_outcomes(
        [
            make_outcome(
                float(one.answers[0].value or 0) + (2.0 if number < 35 else 0.0) + float(draw.normal(0, 1)),
                later,
                domain=schema.name,
                target="mark",
                student=one.student,
                group="a",
                period=None,
            )
            for number, one in enumerate(asked)
        ]
    )
    found = report_effects(store, schema, MARK)
    assert (found.students, found.share_helped) == (90, pytest.approx(35 / 90))
    lots, _, robust, beside, before = found.effects
    assert (lots.effect, lots.helped) == (None, 0)
    assert beside.low <= 2.0 <= beside.high
    assert (robust.helped, robust.others, robust.shown) == (35, 55, True)
    assert robust.low <= 2.0 <= robust.high
    assert before.shown
    helped, others, everybody = found.misses
    assert helped.miss.value > others.miss.value
    assert everybody.students == 90
    tutored = HelpGiven(kind="tutoring", start=now().date())
    for one in asked[:5]:
        take_step(store, schema, one.student or "", NewStep("helped", help=tutored), Writer("ann", kinds=["tutoring"]))
    of_kind = report_effects(store, schema, MARK, kind="tutoring")
    assert (of_kind.students, of_kind.effects) == (55, ()), "who was talked to as well is neither"
    change = WarningPolicy(threshold=0.9, capacity=5)
    activate_policy(store, schema.name, "mark", change, actor="ann", reason="")
    later_on = report_effects(store, schema, MARK)  # answers from before are judged by the policy of their time
    assert later_on.threshold == 0.9
    assert later_on.effects[1].effect == found.effects[1].effect is not None
    assert "capacity" in later_on.effects[1].warnings[-1]
    paper = Console(record=True, width=150)
    paper.print(*effect_tables(found))
    assert "before and after" in paper.export_text()
    few = report_effects(store, schema, MARK, help_is=("wrong",))
    assert (few.effects, few.misses[0].students) == ((), None)


def test_a_few_students_with_many_answers_are_still_few(store: RecordStore) -> None:
    schema = DomainSchema(name=new_id(), title="", features=(Feature(name="x", kind="numeric"),), targets=(MARK,))
    said = Answer(target="mark", value=9.0, naive=11.0, model="m", generation=1, below_pass=0.6)
    places = [{"student": f"s{n % 8}", "group": f"g{n // 8}", "period": None} for n in range(80)]
    at = now() - timedelta(days=3)
    store.add_predictions(
        [make_prediction(at, domain=schema.name, answers=(said,), inputs={"x": 1.0}, **one) for one in places]
    )
    store.add_outcomes([make_outcome(8.0, now(), domain=schema.name, target="mark", **one) for one in places])
    found = report_effects(store, schema, MARK)
    assert (found.students, found.effects, found.share_helped) == (8, (), None)
    assert [one.miss for one in found.misses] == [None] * 3


def test_slots_by_lot_are_kept_drawn_again_and_tell_what_warning_did(store: RecordStore) -> None:
    schema = DomainSchema(name=new_id(), title="", features=(Feature(name="x", kind="numeric"),), targets=(MARK,))
    draw, asked, at = np.random.default_rng(3), [], now() - timedelta(days=30)
    for number in range(160):
        below = 0.5 + number % 40 / 100
        answer = Answer(target="mark", value=14 - 8 * below, naive=11.0, model="m", generation=1, below_pass=below)
        about = {"student": f"s{number}", "group": f"g{number // 40}", "period": None, "inputs": {"x": 1.0}}
        asked.append(make_prediction(at, domain=schema.name, answers=(answer,), **about))
    store.add_predictions(asked)
    with pytest.raises(NoLots):
        draw_slots(store, schema, MARK, actor="ann")
    policy = WarningPolicy(threshold=0.4, capacity=24, by_lot=10, seed=9)
    activate_policy(store, schema.name, "mark", policy, actor="ann", reason="to know what it does")
    made = draw_slots(store, schema, MARK, actor="ann")
    tickets = {ticket.prediction: ticket.drawn for block in made.blocks for ticket in block.tickets}
    assert (len(made.blocks), len(tickets), sum(tickets.values())) == (4, 80, 40)
    warned = {one.cause.prediction for one in WarningList(store, schema, MARK).warned()}
    assert {one for one, drawn in tickets.items() if drawn} == warned & set(tickets)
    for one in asked:
        if one.id in warned:
            take_step(store, schema, one.student or "", NewStep("talked"), Writer("ann"))
    about_all = {"domain": schema.name, "target": "mark", "period": None}
    became = [float(one.answers[0].value or 0) + 2.0 * (one.id in warned) + float(draw.normal(0, 1)) for one in asked]
    later = now() + timedelta(days=1)
    store.add_outcomes(
        [
            make_outcome(value, later, student=one.student, group=one.group, **about_all)
            for one, value in zip(asked, became, strict=True)
        ]
    )
    lots = report_effects(store, schema, MARK).effects[0]
    assert (lots.way, lots.helped, lots.others, lots.shown) == ("by lot", 40, 40, True)
    assert lots.low <= 2.0 <= lots.high
    checked = check_draw(store, draws_of(store, schema.name, "mark")[0])
    assert (checked.wrong, checked.gone) == ((), 0)
    forged = msgspec.structs.replace(made, seed=8)
    assert len(check_draw(store, forged).wrong) == 81, "every lot, and what the event says"
