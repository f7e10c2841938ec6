"""A model's card: what it says is what is recorded, in every form, and nothing of groups that are not one's own."""

import re
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from clock import now
from database.records import DecisionRecord, ModelVersion
from model.card import card_of
from model.card_forms import CARD_FORMS, UnknownCardForm, form_of_file, parts_of, write_card
from model.decision import Condition, PromotionDecision, SliceGain
from model.registry import install
from model.scores import Estimate, PairedGain
from model.workspace import Workspace
from tests.model.registry_making import keep, make_bundle
from tests.training.making import SCHEMA

OWN, ITS, RULES = Estimate(0.891, 0.8, 0.98), Estimate(1.083, 0.99, 1.18), Estimate(0.887, 0.79, 0.98)


def decided(champion: ModelVersion, challenger: ModelVersion) -> DecisionRecord:
    """A contest on 155 rows, as a run stores it: of two groups, of which one got a little worse."""
    parts = [("_group", "south", 0.22), ("_group", "north", 0.15), ("sex", "f", 0.2)]
    decision = PromotionDecision(
        verdict="promote",
        reasons=("better by 0.19",),
        n=155,
        clusters=155,
        champion_mae=ITS,
        challenger_mae=OWN,
        naive_mae=RULES,
        gain=PairedGain(mean=0.192, lower=0.08, level=0.9, n=155, clusters=155),
        slices=tuple(
            SliceGain(
                column=column,
                value=value,
                gain=PairedGain(mean=gain, lower=-0.01, level=0.95, n=50, clusters=50),
                worse=False,
            )
            for column, value, gain in parts
        ),
        conditions=(Condition(name="gain", met=True, found=0.192, asked=0.01),),
        min_gain=0.01,
    )
    key = champion.key
    return DecisionRecord(
        id="one",
        domain=key.domain,
        target=key.target,
        moment=key.moment,
        verdict="promote",
        champion=champion.version,
        challenger=challenger.version,
        at=now(),
        document=msgspec.to_builtins(decision) | {"promoted": True},
    )


@pytest.fixture
def contest(workspace: Workspace) -> Sequence[ModelVersion]:
    """A champion, and the challenger that replaced it."""
    store = workspace.store
    models = [keep(store, workspace.artifacts, make_bundle(number)) for number in (1.0, 2.0)]
    for model in models:
        install(store, [model], action="promote", actor="test", reason="<b>it was better</b>")
    store.add_decision(decided(*models))
    return models


def test_a_card_says_in_every_form_what_is_recorded_and_nothing_of_other_groups(
    workspace: Workspace, contest: Sequence[ModelVersion]
) -> None:
    card = card_of(workspace.store, workspace.artifacts, SCHEMA, contest[1])
    assert (card.name, card.serves, card.contest and card.contest.other) == ("v2", True, contest[0].version)
    assert card.contest is not None
    assert (card.contest.own, card.contest.others, card.contest.rule, card.contest.n) == (OWN, ITS, RULES, 155)
    first = card_of(workspace.store, workspace.artifacts, SCHEMA, contest[0])
    assert (first.name, first.serves, first.contest and first.contest.own) == ("v1", False, ITS)  # the same rows
    text, page = (write_card(card, form).decode() for form in ("text", "html"))
    for part in parts_of(card):
        assert f"## {part.heading}" in text
        assert f"<h2>{part.heading}</h2>" in page
        assert all(line in text for line in part.lines)
    for said in ("155 unseen rows", "missed by 0.891", "1.08", "0.887", "60 rows", "group south", "people decide"):
        assert said in text, said
        assert said in page, said
    assert "<b>it" not in page
    assert not re.search(r"<script|https?://", page)
    confined = card_of(workspace.store, workspace.artifacts, SCHEMA, contest[1], groups=["north"])
    assert [part.value for part in confined.groups] == ["north", "f"]
    assert all("south" not in write_card(confined, form).decode() for form in CARD_FORMS)


def test_a_form_that_no_card_has_is_refused(workspace: Workspace, contest: Sequence[ModelVersion]) -> None:
    with pytest.raises(UnknownCardForm, match="text, html, json"):
        write_card(card_of(workspace.store, workspace.artifacts, SCHEMA, contest[0]), "pdf")
    with pytest.raises(UnknownCardForm, match=r"card\.pdf is none of them"):
        form_of_file(Path("card.pdf"))
