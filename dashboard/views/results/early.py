"""From when on answers can be trusted: what a job found last, as pictures, and having it found again.

Nothing is computed here, for models are trained for it; it is asked for, and shown when it is there.
"""

from collections.abc import Iterator, Sequence

import streamlit as st

from dashboard.charts import draw
from dashboard.figures import earliness as figures
from dashboard.palette import State
from dashboard.parts import capital, moment_name
from dashboard.visit import Visit
from database.records import Job
from errors import GradewatchError
from language import _, retold
from language.ending_words import ending_words, lead_words
from language.format import count, moment, number, share
from monitoring.earliness import SHARE_PUT_FIRST, Earliness, EarlyStage, KeptEarliness, Lead
from preprocessing.schema import DomainSchema, Target

POLL_EARLINESS = "5s"


def draw_earliness(visit: Visit, schema: DomainSchema, target: Target) -> None:
    """Nothing where no period says what came first."""
    if schema.period is None:
        return
    kept, job = visit.earliness(schema.name, target.name), visit.earliness_job(schema.name, target.name)
    under_way = job is not None and not job.ended
    if kept is None and not under_way and not visit.may("compare", schema.name):
        return
    st.subheader(_("From when on it can be trusted"), anchor=False)
    if kept is not None:
        _draw(kept, schema, target)
    else:
        st.write(ending_words(event=target.is_event).by_stage)
    _offer(visit, schema, target, kept, job)


def _offer(visit: Visit, schema: DomainSchema, target: Target, kept: KeptEarliness | None, job: Job | None) -> None:
    if job is not None and not job.ended:
        st.fragment(run_every=POLL_EARLINESS)(_follow)(visit, schema, target)
        return
    if job is not None and job.state == "failed" and job.problem and (kept is None or job.at > kept.at):
        st.warning(_("It could not be computed: {why}").format(why=retold(job.problem.detail)), icon=State.LOOK.icon)
    if visit.may("compare", schema.name) and st.button(
        _("Compute now") if kept is None else _("Compute again"), key="earliness now", icon=":material/play_arrow:"
    ):
        try:
            visit.ask_earliness(schema.name, target.name)
        except GradewatchError as error:
            st.error(retold(str(error)), icon=State.ACT.icon)
            return
        st.rerun()


def _follow(visit: Visit, schema: DomainSchema, target: Target) -> None:
    job = visit.earliness_job(schema.name, target.name)
    if job is None or job.ended:
        st.rerun()
    step = visit.nobody_works_on(job) or _("Models are trained for each moment; this takes minutes.")
    st.progress((job.progress.share if job.progress else None) or 0.0, text=retold(step))


def _draw(kept: KeptEarliness, schema: DomainSchema, target: Target) -> None:
    found = kept.found
    stages = [(stage_name(schema, one.stage), one) for one in found.stages]
    for sentence in early_sentences(found, schema, target):
        st.markdown(f"- {sentence}")
    rows = stage_rows(stages, target)
    n = count(sum(one.n for one in found.stages))
    draw(
        figures.early_misses(stages, found.unit),
        title=_("Mean miss by when it was answered, {period} ({n} answers)").format(period=found.judged, n=n),
        alternative=_("Mean miss of the model and of the plain rule at each moment or week, with 95 % intervals."),
        table=rows,
        key="earliness misses",
    )
    if target.pass_mark is not None and all(one.precision for one in found.stages):
        first = share(SHARE_PUT_FIRST)
        draw(
            figures.early_hits(stages, event=target.is_event),
            title=ending_words(event=target.is_event).first_ones.format(share=first, n=n),
            alternative=_("That share of those put first by the model and by the plain rule, and of all."),
            table=rows,
            key="earliness hits",
        )
    learned = ", ".join(found.learned_from)
    told = _("Computed {time} from {n} records; models of {periods}, judged on {judged}. Intervals: 95 %.")
    st.caption(told.format(time=moment(kept.at), n=count(kept.rows), periods=learned, judged=found.judged))
    for line in found.left_out:
        st.caption(_("Left out: {why}").format(why=retold(line)))


def stage_name(schema: DomainSchema, stage: str) -> str:
    """A moment for people; a week as it is."""
    return capital(moment_name(schema, stage)) if stage in schema.moments else stage


def early_sentences(found: Earliness, schema: DomainSchema, target: Target) -> Iterator[str]:
    """From when on, and how long before."""
    if found.trusted_from is None:
        yield _("Nowhere was it credibly better than the plain rule until the end.")
    else:
        name = stage_name(schema, found.trusted_from)
        yield _("Credibly better than the plain rule from here on: {stage}.").format(stage=name)
    for who, lead in ((_("the model"), found.lead), (_("the plain rule"), found.naive_lead)):
        if lead is not None:
            yield _lead_words(who, lead, event=target.is_event)


def _lead_words(who: str, lead: Lead, *, event: bool) -> str:
    said = lead_words(lead.failed, event=event).format(n=count(lead.failed), who=who, found=count(lead.found))
    if lead.weeks is None:
        return said
    weeks = _("{said} Half of them {weeks} weeks or more before the last such week.")
    return weeks.format(said=said, weeks=number(lead.weeks, 1))


def stage_rows(stages: Sequence[tuple[str, EarlyStage]], target: Target) -> list[dict[str, object]]:
    """The stages as a table, numbers as numbers."""
    return [
        {
            _("When"): name,
            _("Answers"): one.n,
            _("Mean miss"): one.mae.value,
            _("Plain rule"): one.naive_mae.value,
            _("smaller by"): one.gain.value,
            _("from"): one.gain.low,
            _("to"): one.gain.high,
            ending_words(event=target.is_event).ended: one.base,
            _("of the first"): one.precision[0] if one.precision else None,
            _("of the rule's first"): one.naive_precision[0] if one.naive_precision else None,
            _("chance too high by"): one.gap,
        }
        for name, one in stages
    ]
