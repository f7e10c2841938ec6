"""The switch that pauses a domain's answers: the plain rule answers, or nobody, at once and for everyone."""

import streamlit as st

from dashboard import words
from dashboard.palette import State
from dashboard.views.models.change import Offer, draw_offer
from dashboard.visit import Visit
from language import _, worded
from language.format import moment
from model.pauses import EVERY_DOMAIN, Pause
from overview.names import person
from preprocessing.schema import DomainSchema


def say_paused(visit: Visit, schema: DomainSchema) -> None:
    """That answers are paused, since when, by whom and why; nothing where they are not."""
    if (paused := visit.paused(schema.name)) is None:
        return
    rule = _("Answers are paused since {when}: the plain rule answers. {who}: {why}")
    none = _("Answers are paused since {when}: nothing is answered. {who}: {why}")
    told = (none if paused.answers == "none" else rule).format(
        when=moment(paused.at), who=person(paused.actor), why=paused.reason
    )
    st.warning(words.harmless(told), icon=State.LOOK.icon)


def draw_pause(visit: Visit, schema: DomainSchema) -> None:
    """The switch, for who may."""
    if not visit.may("change", schema.name):
        return
    st.subheader(_("Pause answers"), anchor=False)
    paused = visit.paused(schema.name)
    with st.container(horizontal=True):
        if paused is not None:
            _offer_resuming(visit, paused)
            return
        _offer_pausing(visit, schema)


def _offer_pausing(visit: Visit, schema: DomainSchema) -> None:
    title = worded(schema.title)
    rule = Offer(
        _("Let the plain rule answer …"),
        _("Let the plain rule answer"),
        _("No model of {title} answers any more, for everyone, the API included: the plain rule does.").format(
            title=title
        ),
        _("The plain rule answers."),
    )
    draw_offer(rule, lambda reason: visit.pause_answers(schema.name, "plain rule", reason), "pause rule")
    nobody = Offer(
        _("Let nobody answer …"),
        _("Let nobody answer"),
        _("No question about {title} is answered any more, for everyone, the API included.").format(title=title),
        _("Nothing is answered."),
    )
    draw_offer(nobody, lambda reason: visit.pause_answers(schema.name, "none", reason), "pause none")


def _offer_resuming(visit: Visit, paused: Pause) -> None:
    means = _("The models answer again at once, for everyone.")
    if paused.domain == EVERY_DOMAIN:
        means = _("All subjects are paused: the models of all of them answer again at once, for everyone.")
    offer = Offer(
        _("Let the models answer again …"), _("Let the models answer again"), means, _("The models answer again.")
    )
    draw_offer(offer, lambda reason: visit.resume_answers(paused, reason), "resume")
