"""The models of a domain: which one answers and how good it is, whether a challenger may take over, and who was when.

Everything that it shows is recorded; what a person changes here is recorded with a reason.
"""

from functools import partial

import streamlit as st

from dashboard.frame import controls, foot, state_line
from dashboard.palette import State
from dashboard.parts import say_no_champion, warn_of_changed_schemas, warn_of_examples
from dashboard.version_words import Names, amount, names_among
from dashboard.views.models.change import say_what_changed
from dashboard.views.models.changed import draw_change_report
from dashboard.views.models.decision import draw_decisions
from dashboard.views.models.inside import draw_inside
from dashboard.views.models.pausing import draw_pause, say_paused
from dashboard.views.models.trial import draw_trial
from dashboard.views.models.versions import draw_life, draw_versions, live_of, offer_card, version_row
from dashboard.views.models.warnings import draw_policy
from dashboard.visit import Visit
from database.records import ChampionKey, Succession
from language import _
from language.format import count, day, number
from model.naive import RULE
from model.standing import VersionStanding, before_of, reigns_of, standing_of
from preprocessing.schema import DomainSchema


def models(visit: Visit) -> None:
    """Draw the page."""
    choice = controls(visit, days=False)
    schema = choice.schema
    key = ChampionKey(schema.name, choice.target.name, choice.at)
    serving = visit.champions.get(key)
    if serving is None:
        _nobody(visit, key, schema)
        return
    versions, history = visit.models(key), visit.successions(key)
    names = names_among(versions)
    decisions = visit.decisions_about(key)
    standing = standing_of(serving.predictor.manifest, serving.predictor.version, decisions, before_of(history))
    offer = partial(offer_card, visit, key, standing.version, names)
    state, sentence = state_of(standing, names), state_sentence(standing, history, names)
    if serving.challenger is not None and visit.is_to_be_decided(serving.challenger.trial):
        waits = _("A challenger waits for your decision.")
        state, sentence = (State.LOOK if state is State.GOOD else state), f"{waits} {sentence}"
    state_line(state, sentence, offer)
    say_what_changed()
    say_paused(visit, schema)
    warn_of_examples(visit, [schema.name])
    warn_of_changed_schemas(visit, [schema.name])
    if serving.challenger is not None:
        draw_trial(visit, serving.challenger.trial, serving, versions, names)
    draw_decisions(decisions, schema, names, standing.decision)
    chosen = draw_life(visit, key, names)
    live = live_of(visit, key)
    draw_versions(visit, key, versions, serving, names, chosen, live)
    draw_change_report(visit, schema, choice.target)
    draw_policy(visit, schema, choice.target)
    draw_pause(visit, schema)
    draw_inside(serving.predictor.manifest, schema)
    reigns = reigns_of(history)
    rows = [version_row(one, reigns, serving, names, live) for one in versions]
    foot(model=names.told(standing.version), rows=rows, name=f"{schema.name}-models")


def _nobody(visit: Visit, key: ChampionKey, schema: DomainSchema) -> None:
    """That no model answers what is asked for, and why."""
    if key in visit.stopped or key in visit.broken:
        state_line(State.ACT, _("The model cannot answer."))
        warn_of_changed_schemas(visit, [schema.name])
        if key in visit.broken:
            st.error(_("Its files are missing or damaged. Roll back, or bring another version back by command."))
        return
    state_line(State.INFO, _("No model answers this yet."))
    say_no_champion(schema)


def state_of(standing: VersionStanding, names: Names) -> State:
    """How the model in use stands against the plain rule, where it is not that rule."""
    if names.kinds.get(standing.version) == RULE:
        return State.INFO
    return {"ahead": State.GOOD, "close": State.OPEN, "behind": State.LOOK}[standing.against_rule]


def state_sentence(standing: VersionStanding, history: list[Succession], names: Names) -> str:
    """Who answers since when, and how far it, the one before and the plain rule missed: on the same students, also
    where that hurts."""
    before, kind = before_of(history), names.kind(standing.version)
    values = {
        "kind": kind[:1].upper() + kind[1:],
        "name": names.of(standing.version),
        "day": day(reigns_of(history)[-1].since),
        "n": count(standing.n),
        "own": amount(standing.own.value, standing.unit),
        "rule": number(standing.rule.value, 2) if standing.rule else "–",
    }
    if standing.other is None or standing.others is None:
        said = _(
            "{kind} ({name}) answers since {day}. On {n} students it had not seen it missed by {own}, the plain rule "
            "by {rule}."
        )
        return said.format(**values)
    values |= {"others": number(standing.others.value, 2), "other": names.of(standing.other)}
    if standing.other == before:
        said = _(
            "{kind} ({name}) answers since {day}. On {n} students neither had seen it missed by {own}, the one before "
            "({other}) by {others}, the plain rule by {rule}."
        )
    else:
        said = _(
            "{kind} ({name}) answers since {day}. On {n} students neither had seen it missed by {own}, {other} by "
            "{others}, the plain rule by {rule}."
        )
    return said.format(**values)
