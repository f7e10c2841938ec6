"""The challenger that is tried beside the model in use: how both fared so far, and how it may end."""

from collections.abc import Sequence

import streamlit as st

from dashboard import words
from dashboard.charts import draw
from dashboard.figures import decisions as figures
from dashboard.palette import State
from dashboard.version_words import Names, amount
from dashboard.views.models.change import offer_end, offer_promotion
from dashboard.visit import Visit
from database.records import ModelVersion
from language import _
from language.format import count, day, interval, number, share
from model.registry import Serving
from model.trial import Trial
from monitoring.trial_report import TrialReport

SHOWN_UNASKED = 20_000  # predictions of a trial that are read when the page is drawn; of more, when somebody asks


def draw_trial(visit: Visit, trial: Trial, serving: Serving, models: Sequence[ModelVersion], names: Names) -> None:
    """The trial's card: since when and how, its course, how many outcomes it has of those it needs, and its end."""
    challenger = next((one for one in models if one.version == trial.challenger), None)
    st.header(_("On trial"), anchor=False)
    with st.container(border=True, key="trial"):
        st.markdown(told_trial(trial, names))
        asked = f"trial:{trial.id}"
        few = visit.count_since(trial.domain, trial.started) <= SHOWN_UNASKED
        if few or st.session_state.get(asked):
            with st.spinner(_("Reading what both have said …")):
                _report(visit.trial_report(trial), names)
        else:
            st.button(_("What has it shown so far?"), on_click=_ask, args=(asked,))
        if visit.may("change", trial.domain):
            with st.container(horizontal=True):
                if challenger is not None:
                    offer_promotion(visit, challenger, serving.generation, names, place="trial")
                offer_end(visit, trial, names)


def _ask(key: str) -> None:
    st.session_state[key] = True


def told_trial(trial: Trial, names: Names) -> str:
    """What is tried, in a sentence."""
    values = {"name": names.of(trial.challenger), "kind": names.kind(trial.challenger), "day": day(trial.started)}
    if trial.mode == "shadow":
        return _(
            "{name} ({kind}) is tried since {day}: it answers the same students, and nobody is shown its answers."
        ).format(**values)
    return _("{name} ({kind}) is tried since {day}: it answers {share} of the students, always the same ones.").format(
        **values, share=share(trial.share)
    )


def trial_state(report: TrialReport) -> tuple[State, str]:
    """How a trial stands, as a state and a sentence."""
    gain = report.gain
    if gain is None:
        said = _("Too few outcomes to tell: {n} so far.")
        return State.OPEN, said.format(n=count(min(report.champion.n, report.challenger.n)))
    near, far = sorted((abs(gain.low), abs(gain.high)))
    size, bounds = amount(abs(gain.value), report.unit), interval(near, far, 2)
    if report.verdict == "challenger better":
        return State.GOOD, _("The challenger is nearer by {size} ({bounds}).").format(size=size, bounds=bounds)
    if report.verdict == "champion better":
        said = _("The challenger is farther off by {size} ({bounds}). End the trial?")
        return State.ACT, said.format(size=size, bounds=bounds)
    said = _("No difference is seen: a gain of {size} ({bounds}).")
    size, bounds = amount(gain.value, report.unit, signed=True), interval(gain.low, gain.high, 2)
    return State.OPEN, said.format(size=size, bounds=bounds)


def _report(report: TrialReport, names: Names) -> None:
    state, sentence = trial_state(report)
    st.markdown(f"{state.icon} **{sentence}**")
    trial, known = report.trial, min(report.champion.n, report.challenger.n)
    if trial.mode == "shadow" and trial.needed:
        said = _("{n} of {needed} outcomes, after which the next retraining judges it")
        done = min(1.0, known / trial.needed)
        st.progress(done, text=said.format(n=count(known), needed=count(trial.needed)))
    if report.course:
        who = [names.of(trial.champion), names.of(trial.challenger)]
        last = report.course[-1]
        title = _("So far {champion} missed by {old}, {challenger} by {new} ({n} outcomes)").format(
            champion=who[0],
            challenger=who[1],
            old=number(last.champion.value, 2),
            new=amount(last.challenger.value, report.unit),
            n=count(last.n),
        )
        draw(
            figures.course(report, who),
            title=title,
            alternative=_("Both average misses as they were known at the end of each day, with their 95 % bands."),
            table=figures.course_rows(report),
            key="trial course",
        )
    if (apart := report.differences) is not None and apart.n:
        said = _("Their answers differ for {share} of {n} rows, by {mean} on average and {largest} at most.")
        mean, largest = amount(apart.mean, report.unit), number(apart.largest)
        st.caption(said.format(share=share(apart.share), n=count(apart.n), mean=mean, largest=largest))
    if (rule := report.champion.naive_mae) is not None:
        st.caption(
            _("On the rows of the model in use the plain rule missed by {rule}.").format(
                rule=amount(rule.value, words.space(report.unit).strip())
            )
        )
