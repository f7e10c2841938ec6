"""The first page: who is champion, how good, how busy, and whether anything needs a person."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal

import streamlit as st

from dashboard import words
from dashboard.figures.today import daily
from dashboard.parts import (
    champion_name,
    champions_of,
    domains_of,
    draw,
    say_no_champion,
    warn_of_changed_schemas,
    warn_of_examples,
)
from dashboard.tour import tour
from dashboard.visit import Visit
from database.records import ChampionKey, DecisionRecord, DriftRecord, Succession, now
from model.bundle import Manifest
from model.registry import Serving
from model.scores import told_against_rule
from preprocessing.schema import DomainSchema

DAYS = 14
EVENTS_SHOWN = 8
BADGES: Mapping[words.Standing, tuple[str, Literal["green", "blue", "orange"]]] = {
    "ahead": (":material/check:", "green"),
    "close": (":material/balance:", "blue"),
    "behind": (":material/priority_high:", "orange"),
    "rule": (":material/straighten:", "blue"),
}


def today(visit: Visit) -> None:
    """Draw the page."""
    st.title("Gradewatch", anchor=False)
    st.caption("Predicts how students will do, watches whether that still holds, and replaces a model only with proof.")
    tour(visit)
    warn_of_examples(visit, visit.schemas)
    warn_of_changed_schemas(visit, visit.schemas)
    domains = domains_of(visit)
    _say_broken(visit)
    _activity(visit, domains)
    history = visit.newest_changes()
    for schema in domains:
        _domain(visit, schema, history)
    _events(visit)


def _say_broken(visit: Visit) -> None:
    for key in visit.broken:
        st.error(
            f"The newest champion of **{key}** could not be loaded; the events below say why. Repair its files, or "
            "bring the earlier one back on the page Models.",
            icon=":material/error:",
        )


def _activity(visit: Visit, domains: Sequence[DomainSchema]) -> None:
    total = sum(visit.count_predictions(schema.name) for schema in domains)
    if not total:
        st.info(
            "**No predictions yet.** Ask for one on the page Students, or through the API; every one is logged.",
            icon=":material/info:",
        )
        return
    days = [now().date() - timedelta(days=back) for back in reversed(range(DAYS))]
    counts = {schema.title: _per_day(visit, schema.name, days) for schema in domains}
    counts = {title: numbers for title, numbers in counts.items() if any(numbers)}
    figures, chart = st.columns([1, 3], gap="medium", vertical_alignment="center")
    figures.metric(
        "Predictions logged", f"{total:,}", help="Every answer that the API, this dashboard or a command gave."
    )
    today = sum(numbers[-1] for numbers in counts.values())
    figures.metric("Today", f"{today:,}", help="Since midnight, UTC.")
    with chart:
        if counts:
            draw(daily(days, counts), f"Predictions per day over {DAYS} days", key="daily")
        else:
            st.caption(f"None in the last {DAYS} days.")


def _per_day(visit: Visit, domain: str, days: Sequence[date]) -> list[int]:
    """Predictions on each of consecutive `days` (UTC)."""
    counts = visit.predictions_per_day(domain, datetime.combine(days[0], time(), tzinfo=UTC))
    return [counts.get(day, 0) for day in days]


def _domain(visit: Visit, schema: DomainSchema, history: dict[ChampionKey, Succession]) -> None:
    st.subheader(schema.title, anchor=False, divider="gray")
    found = champions_of(visit, schema)
    if not found:
        say_no_champion(schema)
        return
    entries = list(found.items())
    for start in range(0, len(entries), 3):
        for cell, (key, serving) in zip(st.columns(3), entries[start : start + 3], strict=False):
            with cell.container(border=True, height="stretch"):
                _champion(schema, key, serving, history.get(key))
    _last_drift(next(iter(visit.drift_reports(schema.name, limit=1)), None))
    _last_decision(schema, next(iter(visit.decisions(schema.name, limit=1)), None))


def _champion(schema: DomainSchema, key: ChampionKey, serving: Serving, since: Succession | None) -> None:
    manifest = serving.predictor.manifest
    score = words.headline(manifest)
    st.markdown(f"**{champion_name(schema, key)}**")
    st.metric(
        f"{score.name}, {score.n:,} unseen rows",
        f"{words.number(score.model.value)}{words.space(score.unit)}",
        help=f"{score.help} {words.OUT_OF_FOLD}",
    )
    low, high = words.number(score.model.low), words.number(score.model.high)
    st.caption(
        f"95 % interval {low} to {high}  \nplain rule {words.with_interval(score.naive)}", help=words.PLAIN_RULE_HELP
    )
    st.caption(mean_errors(manifest), help=words.MAE)
    if manifest.against_rule is not None:
        told = told_against_rule(manifest.against_rule, "levels" if manifest.target.levels else manifest.target.unit)
        st.caption(f"{told[0].upper()}{told[1:]}.")
    icon, colour = BADGES[score.standing]
    st.badge(words.STANDINGS[score.standing], icon=icon, color=colour, help=words.STANDING)
    began = f"since {words.when(since.at)}" if since else ""
    st.caption(
        f"{words.candidate(manifest.candidate)}, version `{words.version(serving.predictor.version)}`"
        f"  \ngeneration {serving.generation} {began}",
        help="The generation counts how often this champion has been replaced, rolled back or activated.",
    )


def mean_errors(manifest: Manifest) -> str:
    """How far a model and the plain rule are off on average, with n and intervals."""
    unit = "levels" if manifest.target.levels else manifest.target.unit
    found, naive = (manifest.scores[name] for name in (manifest.candidate, "naive"))
    model, rule = words.with_interval(found.mae, unit), words.with_interval(naive.mae)
    return f"off by {model} on average, the plain rule by {rule}; {words.rows(found.n, 'unseen row')}"


def _last_drift(report: DriftRecord | None) -> None:
    if report is None:
        st.markdown(":material/stacked_line_chart: No drift report yet: run one on the page Data.")
        return
    summary = str(report.document.get("summary", ""))
    verdict = ":orange[**Drift**]" if report.alarm else "**No alarm**"
    st.markdown(
        f":material/stacked_line_chart: {verdict}, {words.when(report.at)}. {first_sentence(words.plain(summary))}"
    )


def first_sentence(text: str) -> str:
    """A text up to the end of its first sentence."""
    return text.split(". ", maxsplit=1)[0].rstrip(".") + "." if text else ""


def _last_decision(schema: DomainSchema, decision: DecisionRecord | None) -> None:
    if decision is None:
        return
    key = ChampionKey(decision.domain, decision.target, decision.moment)
    known = key.target in schema.target_by_name
    name = champion_name(schema, key) if known else str(key)
    verdict = words.decided(decision)
    reason = next(iter(decision.document.get("reasons", ())), "")
    st.markdown(f":material/gavel: **{verdict}** ({name}), {words.when(decision.at)}: {reason}")


def _events(visit: Visit) -> None:
    st.subheader("Newest events", anchor=False, divider="gray")
    events = visit.events()
    if not events:
        st.caption("Nothing has happened that needs a person.")
    for event in events[:EVENTS_SHOWN]:
        st.markdown(f"{words.when(event.at)}: {words.event(event)}")
