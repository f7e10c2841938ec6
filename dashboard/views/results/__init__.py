"""How predictions turned out, at one moment at a time: misses beside training and the plain rule, ranges beside what
they promise, warnings beside who failed, and groups beside each other.

The figures are `monitoring.results`'; this page says and draws them.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

import streamlit as st

from clock import now
from dashboard.frame import USUAL_BACK, controls, foot, link, state_line
from dashboard.palette import State
from dashboard.parts import say_no_champion, say_uncounted
from dashboard.version_words import Names, names_among
from dashboard.views.results.by_week import draw_by_week
from dashboard.views.results.course import draw_course, draw_promise, draw_weeks, week_rows
from dashboard.views.results.early import draw_earliness
from dashboard.views.results.fair import choose_threshold, draw_groups, draw_quadrants
from dashboard.views.results.help_effect import draw_help
from dashboard.views.results.outcomes import offer_outcomes
from dashboard.views.results.states import state_of, state_sentence
from dashboard.visit import Uncounted, Visit
from database.records import ChampionKey, Succession
from language import _, ngettext
from language.format import count
from monitoring.results import Results
from preprocessing.schema import DomainSchema, Target


def results(visit: Visit) -> None:
    """Draw the page."""
    choice = controls(visit, usual_at=partial(_moment_with_outcomes, visit))
    schema, target = choice.schema, choice.target
    top = choose_threshold(visit, schema, target)
    with st.spinner(_("Matching predictions and outcomes …")):
        found = visit.results(schema.name, target.name, choice.at, since=choice.since, until=choice.until, top=top)
    _say_uncounted(visit.uncounted_days(schema.name, target.name, choice.since))
    if found is None:
        _say_nothing(visit, schema, target)
        return
    state = state_of(found)
    changed = partial(link, "data", _("See what changed"), domain=schema.name)
    state_line(state, state_sentence(found), changed if state in (State.ACT, State.LOOK) else None)
    offer_outcomes(visit, schema)
    key = ChampionKey(schema.name, target.name, choice.at)
    names, history = names_among(visit.models(key)), visit.successions(key)
    if found.timeline.windows:
        draw_course(found.timeline, _promotions(history, names, found))
        draw_promise(found.timeline)
    if found.weekly is not None:
        draw_by_week(found.weekly)
    if found.whole.mae is not None:
        draw_groups(schema, found.fairness)
        draw_quadrants(found, target)
        draw_weeks(found.timeline)
    draw_earliness(visit, schema, target)
    draw_help(visit, schema, target)
    _say_left_out(found)
    answered = ", ".join(sorted(names.told(one.model) for one in found.whole.models))
    foot(model=answered, rows=week_rows(found.timeline), name=f"results-{schema.name}-{target.name}")


def _say_uncounted(found: Uncounted | None) -> None:
    told = _("Outcomes of some days are being counted; until then they are missing here.")
    if found is not None and found.n is not None:
        told = ngettext(
            "Outcomes of {n} day are being counted; until then they are missing here.",
            "Outcomes of {n} days are being counted; until then they are missing here.",
            found.n,
        ).format(n=count(found.n))
    say_uncounted(found, told)


def _moment_with_outcomes(visit: Visit, schema: DomainSchema) -> str | None:
    """Of the usual time."""
    return visit.newest_moment(schema.name, schema.targets[0].name, now() - timedelta(days=int(USUAL_BACK)))


def _say_nothing(visit: Visit, schema: DomainSchema, target: Target) -> None:
    sentence = _("Nothing was predicted in this time, so that nothing can have turned out.")
    state_line(State.OPEN, sentence, partial(link, "students", _("See students"), domain=schema.name))
    if not any(key.domain == schema.name for key in visit.champions):
        say_no_champion(schema)
    draw_earliness(visit, schema, target)
    draw_help(visit, schema, target)
    foot()


def _promotions(history: Sequence[Succession], names: Names, found: Results) -> Sequence[tuple[datetime, str]]:
    """When models came into use within the weeks that are drawn, and which."""
    first, last = found.timeline.windows[0].first, found.timeline.windows[-1].last
    return [(one.at, names.of(one.version)) for one in history if first <= one.at <= last]


def _say_left_out(found: Results) -> None:
    left_out = found.whole.left_out
    words_of = {
        "afterwards": _("answered when the outcome was known"),
        "learned": _("answered by a model that had learned the row"),
        "unknown": _("answered by a model that is gone"),
        "repeated": _("asked again with the same inputs"),
    }
    reasons = [f"{count(getattr(left_out, name))} {said}" for name, said in words_of.items() if getattr(left_out, name)]
    if reasons:
        st.caption(_("Not counted, since it shows nothing: {reasons}.").format(reasons="; ".join(reasons)))
