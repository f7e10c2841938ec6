"""The decision that made a model champion, or did not, as it was recorded: errors, gain, conditions, groups, and what
would change. Nothing is computed here."""

from collections.abc import Mapping, Sequence

import streamlit as st

from dashboard import words
from dashboard.charts import draw, in_unit
from dashboard.figures import decisions as figures
from dashboard.palette import State
from dashboard.parts import capital
from dashboard.version_words import Names, amount
from database.records import DecisionRecord
from language import _, ngettext, retold
from language.ending_words import ending_words
from language.format import count, day, number, share
from model.decision import PromotionDecision, SliceGain, decision_of
from overview.decision_words import condition_lines, told_unit
from preprocessing.schema import DomainSchema, Target, label_of, title_of


def draw_decisions(records: list[DecisionRecord], schema: DomainSchema, names: Names, chosen: str | None) -> None:
    """One decision of a model as a picture. records: newest first. chosen: the one that is shown first."""
    st.header(_("May a challenger take over?"), anchor=False)
    if not records:
        st.caption(_("No challenger has been judged yet. A retraining makes one and judges it on new students."))
        st.code(f"gradewatch retrain --domain {schema.name}", language=None, wrap_lines=True)
        return
    by_id = {one.id: one for one in records}
    first = chosen if chosen in by_id else records[0].id
    if len(records) > 1:
        first = st.selectbox(
            _("Decision"),
            list(by_id),
            index=list(by_id).index(first),
            format_func=lambda one: told_decision(by_id[one], names),
            key="decision",
        )
    record = by_id[first]
    decision, target = decision_of(record), schema.target_by_name[record.target]
    if len(records) == 1:
        st.markdown(f"**{told_decision(record, names)}**")
    pictures, asked = st.columns([3, 2], gap="large")
    with pictures:
        _errors_and_gain(decision, record, names)
    with asked:
        _checklist(decision)
    if decision.slices:
        _groups(decision, schema, _gainer(decision, record, names), event=target.is_event)
    if decision.shift is not None:
        _shift(decision, record, target, names)
    with st.expander(_("As it was recorded")):
        for reason in decision.reasons:
            st.markdown(f"- {words.harmless(capital(retold(reason)))}")
        for why, rows in decision.left_out.items():
            left = ngettext("{n} new student could not judge: {why}", "{n} new students could not judge: {why}", rows)
            st.markdown(f"- {left.format(n=count(rows), why=why)}")


def told_decision(record: DecisionRecord, names: Names) -> str:
    """A decision in a line."""
    when, champion, challenger = day(record.at), names.of(record.champion), names.of(record.challenger)
    if record.verdict == "promote":
        return _("{day}: {challenger} took over from {champion}").format(
            day=when, challenger=challenger, champion=champion
        )
    if record.challenger is None:
        return _("{day}: no challenger for {champion}").format(day=when, champion=champion)
    if record.verdict == "shadow":
        said = _("{day}: {challenger} did not replace {champion} and may be tried beside it")
    else:
        said = _("{day}: {challenger} did not replace {champion}")
    return said.format(day=when, challenger=challenger, champion=champion)


def _errors_and_gain(decision: PromotionDecision, record: DecisionRecord, names: Names) -> None:
    if decision.gain is None or decision.champion_mae is None or decision.challenger_mae is None:
        st.caption(_("It came to no comparison of errors."))
        return
    trained = record.challenger if decision.winner == "challenger" else None
    who = [names.of(record.champion), names.of(trained) if trained else _("challenger"), _("plain rule")]
    values = {
        "champion": who[0],
        "challenger": who[1],
        "old": number(decision.champion_mae.value, 2),
        "new": amount(decision.challenger_mae.value, decision.unit),
        "rule": number(decision.naive_mae.value, 2) if decision.naive_mae else "–",
        "n": count(decision.n),
    }
    title = _(
        "{challenger} missed by {new}, {champion} by {old}, the plain rule by {rule} ({n} students neither had seen)"
    )
    draw(
        figures.three_errors(decision, who),
        title=title.format(**values),
        alternative=_("A dot for each of the three and its 95 % interval; further left is nearer to what happened."),
        table=figures.error_rows(decision, who),
        key="decision errors",
    )
    gain, (low, _high) = decision.gain, figures.ends_of(decision.gain)
    told = {"gain": amount(gain.mean, decision.unit, signed=True), "low": number(low, 2, signed=True)}
    state = figures.state_of_gain(gain, decision.min_gain or 0.0)
    said = {
        State.GOOD: _("Surely nearer, and by more than is asked: {gain} on average, {low} at least ({level} sure)"),
        State.LOOK: _("Surely farther from what happened: {gain} on average ({level} sure)"),
    }.get(state, _("A gain of {gain} on average, {low} at least ({level} sure)"))
    draw(
        figures.gain_axis(decision, gain, _gainer(decision, record, names)),
        title=said.format(**told, level=share(gain.level)),
        alternative=_("The gain as a bar from its lower to its upper bound, beside 0 and what is asked."),
        table=figures.gain_rows(decision, gain),
        key="decision gain",
    )


def _checklist(decision: PromotionDecision) -> None:
    """Every condition that was asked, in the order in which it was."""
    st.subheader(_("What was asked"), anchor=False)
    if not decision.conditions:
        st.caption(_("This decision was recorded without its conditions; its reasons are below."))
        return
    st.markdown("  \n".join(condition_lines(decision)))
    if any(one.met is None for one in decision.conditions):
        st.caption(_("?: not looked at, since a condition before it had decided."))


def slice_names(slices: Sequence[SliceGain], schema: DomainSchema) -> list[str]:
    """The slices in the words of the schema: "Sex: female (n 80)"."""
    told = []
    columns = {column.name: column for column in schema.columns}
    for part in slices:
        column = columns.get(part.column)
        title = title_of(column) if column else _("Group")
        labels: Mapping[str, str] = getattr(column, "labels", {})
        told.append(f"{title}: {label_of(part.value, labels)} (n {count(part.gain.n)})")
    return told


def _gainer(decision: PromotionDecision, record: DecisionRecord, names: Names) -> str:
    """Whose gain it is."""
    return _("plain rule") if decision.winner == "plain rule" else names.of(record.challenger)


def _groups(decision: PromotionDecision, schema: DomainSchema, who: str, *, event: bool) -> None:
    """The gain in each group: how much nearer, and of those who failed how many more would be warned of."""
    gain = _("gain of {who}{unit}").format(who=who, unit=in_unit(told_unit(decision.unit)))
    more = ending_words(event=event).gained.format(who=who)
    misses = [part for part in decision.slices if part.about == "miss"]
    found = [part for part in decision.slices if part.about == "found"]
    _gains(misses, schema, gain, _worse_title(misses), "decision groups")
    if found:
        worse = [part for part in found if part.worse]
        title = (
            ngettext("{n} group would get less help, surely", "{n} groups would get less help, surely", len(worse))
            if worse
            else _("No group would get less help, as far as can be told")
        )
        _gains(found, schema, more, title.format(n=count(len(worse))), "decision found")
    level = share(decision.slices[0].gain.level, 1)
    st.caption(_("Bounds hold {level} for each group, so that all together seldom err.").format(level=level))


def _worse_title(slices: Sequence[SliceGain]) -> str:
    worse = [part for part in slices if part.worse]
    if not worse:
        return _("No group would be served worse, as far as can be told")
    title = ngettext("{n} group would be served worse, surely", "{n} groups would be served worse, surely", len(worse))
    return title.format(n=count(len(worse)))


def _gains(slices: Sequence[SliceGain], schema: DomainSchema, axis: str, title: str, key: str) -> None:
    told = slice_names(slices, schema)
    draw(
        figures.slice_gains_drawn(slices, told, axis),
        title=title,
        alternative=_("The gain in each group of students with its bounds; left of 0 is worse than before."),
        table=figures.slice_rows(slices, told),
        key=key,
    )


def _shift(decision: PromotionDecision, record: DecisionRecord, target: Target, names: Names) -> None:
    """What would change for students: how far answers move, and over the pass mark."""
    shift = decision.shift
    if shift is None:
        return
    who = [names.of(record.champion), names.of(record.challenger)]
    title = _("Answers move by {mean} on average, {largest} at most ({n} students)").format(
        mean=amount(shift.mean, decision.unit), largest=number(shift.largest), n=count(decision.n)
    )
    if shift.rising is not None and shift.falling is not None:
        title = ending_words(event=target.is_event).moved.format(
            title=title, up=count(shift.rising), down=count(shift.falling)
        )
    with st.expander(_("What would change for students")):
        draw(
            figures.answers_moved(shift, target, who),
            title=title,
            alternative=_("Answers of the one against those of the other; on the diagonal nothing changes."),
            table=figures.shift_rows(shift, target),
            key="decision shift",
        )
