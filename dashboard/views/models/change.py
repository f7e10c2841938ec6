"""Promoting, rolling back, activating, ending a trial, and what else is changed by hand: each asks for a reason, and
keeps it with who did it."""

from collections.abc import Callable
from typing import NamedTuple

import streamlit as st

from access.required_reading import ChangesUnread
from access.roles import Forbidden
from dashboard.change_words import move_rows, would_change_sentences
from dashboard.tables import show_table
from dashboard.version_words import Names
from dashboard.visit import Visit
from database.errors import Conflict, StoreUnavailable
from database.records import ChampionKey, ModelVersion
from database.withdrawal import NamesSomebody
from language import _, retold
from model.pauses import NotPaused
from model.registry import NoSuchModel, SchemaChanged
from model.trial import NoSuchTrial, Trial
from monitoring.warning_policy import NoSuchPolicy

JUST_DONE = "models changed"
MOVES_SHOWN = 10
REFUSALS = (
    ChangesUnread, NotPaused, NoSuchModel, NoSuchPolicy, NoSuchTrial, SchemaChanged, NamesSomebody, Conflict,
    StoreUnavailable, Forbidden,
)  # fmt: skip


def say_what_changed() -> None:
    """What the last change came to, once."""
    if said := st.session_state.pop(JUST_DONE, None):
        st.success(said, icon=":material/check_circle:")


class Offer(NamedTuple):
    """A change that is offered. label: of the button; title: of what it opens, and of the button there; means: what
    comes of it; done: what is said afterwards."""

    label: str
    title: str
    means: str
    done: str


def offer_rollback(visit: Visit, key: ChampionKey, before: str, names: Names) -> None:
    """A button that brings the champion before this one back."""
    name = names.of(before)
    label, title = _("Roll back to {name} …").format(name=name), _("Roll back to {name}").format(name=name)
    draw_offer(_back(label, title, name), lambda reason: visit.roll_back(key, reason), "rollback")


def offer_activation(visit: Visit, key: ChampionKey, version: str, names: Names) -> None:
    """A button that brings an earlier champion back."""
    name = names.of(version)
    label, title = _("Bring {name} back …").format(name=name), _("Bring {name} back").format(name=name)
    draw_offer(_back(label, title, name), lambda reason: visit.activate(key, version, reason), f"activate {version}")


def _back(label: str, title: str, name: str) -> Offer:
    means = _("{name} answers again at once, for everyone, the API included. No model is lost by it.")
    return Offer(label, title, means.format(name=name), _("{name} answers again.").format(name=name))


def offer_promotion(visit: Visit, model: ModelVersion, generation: int, names: Names, *, place: str) -> None:
    """A button that makes a version champion that never was, in the place of the one that is shown. place: on the
    page."""
    key, version, name = model.key, model.version, names.of(model.version)
    means = _(
        "{name} answers from now on, for everyone, the API included; a trial ends by it. It is you who decides this: "
        "contests decide by themselves where they can."
    )
    offer = Offer(
        _("Promote {name} …").format(name=name),
        _("Promote {name}").format(name=name),
        means.format(name=name),
        _("{name} answers now.").format(name=name),
    )
    draw_offer(
        offer,
        lambda reason: visit.promote(key, version, generation, reason),
        f"{place} promote",
        read=lambda: _draw_changes(visit, key, version),
    )


def _draw_changes(visit: Visit, key: ChampionKey, version: str) -> None:
    """What has to be read first: whose answers would move."""
    found, target = (
        visit.what_would_change(key, version, MOVES_SHOWN),
        visit.schemas[key.domain].target_by_name[key.target],
    )
    if not found.compared:
        st.info(_("Nobody has an answer yet that this would move."))
        return
    for sentence in would_change_sentences(found, target):
        st.markdown(f"- {sentence}")
    if rows := move_rows(found.largest, target):
        show_table(rows, hide_index=True, width="stretch", key="moves")


def offer_end(visit: Visit, trial: Trial, names: Names) -> None:
    """A button that ends a trial."""
    name = names.of(trial.challenger)
    offer = Offer(
        _("End the trial …"),
        _("End the trial of {name}").format(name=name),
        _("The model in use answers alone again; {name} stays in the list.").format(name=name),
        _("The trial of {name} has ended.").format(name=name),
    )
    draw_offer(offer, lambda reason: visit.stop_trial(trial, reason), f"end {trial.id}")


def draw_offer(offer: Offer, do: Callable[[str], object], key: str, *, read: Callable[[], None] = lambda: None) -> None:
    """A button that opens a dialog: what it means, what to read first, why, and the doing. do: takes the reason."""

    def ask() -> None:
        st.write(offer.means)
        read()
        reason = st.text_area(
            _("Why?"), key=f"{key} reason", max_chars=500, help=_("Kept for those who ask later; name no student.")
        )
        if not st.button(offer.title, type="primary", key=f"{key} now"):
            return
        if not reason.strip():
            st.error(_("Give a reason."))
            return
        try:
            do(reason.strip())
        except REFUSALS as error:
            st.error(_("Nothing was changed: {why}").format(why=retold(str(error))))
            return
        st.session_state[JUST_DONE] = offer.done
        st.rerun()

    if st.button(offer.label, key=key):
        st.dialog(offer.title)(ask)()
