"""All versions of a model: the line of their lives, a table of them, one's card, and two of them side by side."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import streamlit as st

from clock import now
from dashboard import words
from dashboard.charts import draw
from dashboard.figures import lives
from dashboard.figures import models as figures
from dashboard.parts import capital
from dashboard.tables import instant_column, number_column, show_table
from dashboard.version_words import Names, amount
from dashboard.views.models.change import offer_activation, offer_promotion, offer_rollback
from dashboard.visit import Visit
from database.records import ChampionKey, ModelVersion
from drift.sentences import sentences_of
from language import _, ngettext, use
from language.format import count, day, number
from language.speech import Speech, current
from model.artifacts import CorruptArtifact, MissingArtifact
from model.bundle import EXAMPLES, BrokenBundle
from model.card_forms import about, page_of_card, parts_of
from model.registry import Serving
from model.standing import Reign, before_of, reigns_of
from monitoring.model_comparison import SAME_ROWS, ModelComparison
from monitoring.performance import ModelPerformance
from preprocessing.schema import DomainSchema, title_of

UNREADABLE = (MissingArtifact, CorruptArtifact, BrokenBundle)
COLUMNS_TOLD = 6  # of the columns in which what two versions learned from differs


Live = Mapping[str, ModelPerformance]
"""By version, how the answers turned out that it gave."""


def draw_life(visit: Visit, key: ChampionKey, names: Names) -> str | None:
    """The line of life; the version that was chosen on it."""
    st.header(_("Line of life"), anchor=False)
    history = visit.successions(key)
    reigns = reigns_of(history)
    alarms = visit.drift_alarms(key.domain, reigns[0].since)
    title = ngettext(
        "{n} version has been in use since {day}", "{n} versions have been in use since {day}", len(reigns)
    ).format(n=count(len({one.version for one in reigns})), day=day(reigns[0].since))
    picked = draw(
        lives.line_of_life(reigns, alarms, names, now()),
        title=title,
        alternative=_(
            "A bar for each time that a version was in use: triangles up where one was promoted, down where it was "
            "rolled back to, ticks where the data raised an alarm."
        ),
        table=lives.life_rows(reigns, names),
        key="life",
        on_select="rerun",
        selection_mode="points",
    )
    if visit.may("change", key.domain) and (before := before_of(history)) is not None:
        offer_rollback(visit, key, before, names)
    points = picked["selection"]["points"] if picked else []
    return next((point["customdata"] for point in points if isinstance(point.get("customdata"), str)), None)


def draw_versions(
    visit: Visit,
    key: ChampionKey,
    models: Sequence[ModelVersion],
    serving: Serving,
    names: Names,
    chosen: str | None,
    live: Live,
) -> None:
    """The table of versions; of one that is ticked its card, of two what parts them. chosen: elsewhere on the page."""
    st.header(_("Versions"), anchor=False)
    reigns = reigns_of(visit.successions(key))
    rows = [version_row(one, reigns, serving, names, live) for one in models]
    picked = show_table(
        rows,
        hide_index=True,
        width="stretch",
        column_config=_columns(),
        on_select="rerun",
        selection_mode="multi-row",
        key="versions",
    )
    st.caption(_("Tick one version for its card, two to compare them."))
    ticked = [models[row] for row in picked["selection"]["rows"] if row < len(models)]
    ticked = ticked or [one for one in models if one.version == chosen]
    if len(ticked) == 2:
        older, newer = sorted(ticked, key=lambda one: (one.at, one.version))
        _compare(visit, key, older, newer)
    elif len(ticked) == 1:
        _one(visit, key, ticked[0], reigns, serving, names)
    elif ticked:
        st.info(_("Two at most can be compared."), icon=":material/info:")


def live_of(visit: Visit, key: ChampionKey) -> Live:
    """How the answers that each version gave turned out, of the visitor's groups."""
    found = visit.standings(key.domain, key.target)
    return {one.model: one for standing in found if standing.moment == key.moment for one in standing.models}


def version_row(
    model: ModelVersion, reigns: Sequence[Reign], serving: Serving, names: Names, live: Live
) -> dict[str, object]:
    """A version as a row. An error on other students never stands alone: beside it is the plain rule's, on the same
    ones."""
    shown = live.get(model.version)
    return {
        "name": names.of(model.version),
        "state": version_state(model.version, reigns, serving),
        "kind": words.candidate(model.candidate),
        "nearer": nearer_than_rule(model.scores),
        "students": model.scores.get("n"),
        "live": shown.mae.value if shown and shown.mae else None,
        "live rule": shown.naive_mae.value if shown and shown.naive_mae else None,
        "outcomes": shown.n if shown else None,
        "learned": model.lineage["rows"],
        "source": _("examples") if model.lineage["source"] == EXAMPLES else _("records"),
        "at": model.at,
        "version": words.version(model.version),
    }


def nearer_than_rule(scores: Mapping[str, Any]) -> float | None:
    """How much less a version missed than the plain rule, on average, on the rows held out in its training."""
    own, rule = scores.get("mae"), (scores.get("naive") or {}).get("mae")
    return rule["value"] - own["value"] if own and rule else None


def version_state(version: str, reigns: Sequence[Reign], serving: Serving) -> str:
    """Whether a version is in use, on trial, or was in use."""
    if version == serving.predictor.version:
        return _("in use")
    if serving.challenger is not None and version == serving.challenger.trial.challenger:
        return _("on trial")
    return _("was in use") if any(one.version == version for one in reigns) else _("never in use")


def _columns() -> dict[str, Any]:
    column = st.column_config
    return {
        "name": column.TextColumn(_("version"), width="small"),
        "state": column.TextColumn(_("state")),
        "kind": column.TextColumn(_("kind")),
        "nearer": number_column(
            _("nearer than the plain rule by"),
            2,
            help=_("How much less it missed than the plain rule, on the same students, unseen in training."),
        ),
        "students": number_column(_("on students"), 0),
        "live": number_column(
            _("missed by, in use"),
            2,
            help=_("Average miss of the answers that it gave and whose outcome is known."),
        ),
        "live rule": number_column(_("plain rule, there"), 2, help=_("Of the same answers.")),
        "outcomes": number_column(_("outcomes known"), 0),
        "learned": number_column(_("learned from"), 0, help=_("Rows of its training.")),
        "source": column.TextColumn(_("learned from what")),
        "at": instant_column(_("registered")),
        "version": column.TextColumn(_("digest"), help=_("As every command takes it.")),
    }


def offer_card(visit: Visit, key: ChampionKey, version: str, names: Names) -> None:
    """The card of a version as a file, which is made when somebody wants it."""
    st.download_button(
        _("Card of {name} (prints)").format(name=names.of(version)),
        partial(_page_of, visit, key, version, current()),
        f"{key.domain}-{key.target}-{key.moment}-{names.of(version)}.html",
        "text/html",
        on_click="ignore",
        key=f"card of {version}",
    )


def _page_of(visit: Visit, key: ChampionKey, version: str, spoken: Speech) -> str:
    """The card as a page: the browser asks for it later, when no visitor's language is known."""
    with use(spoken.locale, spoken.zone):
        return page_of_card(visit.model_card(key, version))


def _one(
    visit: Visit, key: ChampionKey, model: ModelVersion, reigns: Sequence[Reign], serving: Serving, names: Names
) -> None:
    """One version: its card, and bringing it (back)."""
    name = names.of(model.version)
    try:
        card = visit.model_card(key, model.version)
    except UNREADABLE as error:
        st.warning(_("{name} cannot be read any more: {why}").format(name=name, why=str(error)))
        return
    with st.container(border=True, key="model-card"):
        st.subheader(_("Card of {name}").format(name=name), anchor=False)
        st.caption(about(card))
        for part in parts_of(card):
            st.markdown(f"**{part.heading}**\n" + "\n".join(f"- {line}" for line in part.lines))
        with st.container(horizontal=True):
            st.download_button(
                _("Download the card (a page that prints)"),
                page_of_card(card),
                f"{key.domain}-{key.target}-{key.moment}-{name}.html",
                "text/html",
                on_click="ignore",
            )
            if model.version != serving.predictor.version and visit.may("change", key.domain):
                if any(one.version == model.version for one in reigns):
                    offer_activation(visit, key, model.version, names)
                else:
                    offer_promotion(visit, model, serving.generation, names, place="card")


def _compare(visit: Visit, key: ChampionKey, older: ModelVersion, newer: ModelVersion) -> None:
    try:
        found = visit.compare_models(key, older.version, newer.version)
    except UNREADABLE as error:
        st.warning(_("They cannot be compared: {why}").format(why=str(error)))
        return
    st.subheader(_("{first} and {second}").format(first=found.names[0], second=found.names[1]), anchor=False)
    st.markdown(told_together(found))
    schema = visit.schemas[key.domain]
    looks, differs = st.columns(2, gap="large")
    with looks:
        _importance(found, schema)
    with differs:
        _differences(found)


def told_together(found: ModelComparison) -> str:
    """Both errors, where both were judged on the same rows."""
    first, second = found.names
    one = found.together
    if one is None or one.others is None:
        said = _(
            "{first} and {second} were never judged on the same students, so that their errors cannot be compared."
        )
        return said.format(first=first, second=second)
    said = _("On {n} students that neither had seen, {first} missed by {old}, {second} by {new}.")
    old, new = number(one.others.value, 2), amount(one.own.value, one.unit)
    return said.format(n=count(one.n), first=first, second=second, old=old, new=new)


def _importance(found: ModelComparison, schema: DomainSchema) -> None:
    if not found.importance:
        st.caption(_("What they look at was not recorded."))
        return
    told = {column.name: title_of(column) for column in schema.columns}
    draw(
        figures.importance_of_two(found, told),
        title=_("What {first} and {second} look at").format(first=found.names[0], second=found.names[1]),
        alternative=_("How much each one's error rises without a column: two bars a column."),
        table=figures.importance_rows(found, told),
        key="importance of two",
    )


def _differences(found: ModelComparison) -> None:
    st.markdown(_("**What they learned from**"))
    if found.drift is None:
        st.write(_("Both learned from the same rows.") if found.alike == SAME_ROWS else capital(found.alike))
        return
    said = _("{first} learned from {before} rows, {second} from {after}.")
    st.write(
        said.format(
            first=found.names[0],
            second=found.names[1],
            before=count(found.drift.n_reference),
            after=count(found.drift.n_current),
        )
    )
    for sentence in sentences_of(found.drift)[:COLUMNS_TOLD]:
        st.markdown(f"- {words.plain(sentence)}")
