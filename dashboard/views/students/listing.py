"""The list of students: those at most risk on top, as a picture and as a table that sorts, and why.

Names are those of a class list that the visitor gives, for as long as the session lasts; nothing of it is stored.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from time import monotonic
from typing import Any, TypeVar

import streamlit as st

from clock import now
from dashboard import charts
from dashboard.figures.students import Rung, ladder, state_words
from dashboard.frame import Choice
from dashboard.palette import State
from dashboard.parts import choose_list
from dashboard.tables import instant_column, number_column, show_table
from dashboard.views.students.sentences import (
    Names,
    chance_title,
    chance_words,
    done_words,
    list_sentence,
    mark_words,
    name_of,
    numeric,
    pause_words,
    range_words,
    reason_words,
    silent_words,
)
from dashboard.visit import Visit
from database.records import Cell, Factor
from errors import GradewatchError
from language import _, ngettext, retold, worded
from language.format import count
from language.format import moment as moment_of
from model.readable import decimals_of
from monitoring.student_list import ListCounts, ListedStudent, ListPage, ListPlace, Shown, middles_of, missing_of
from overview.policy_words import policy_words
from preprocessing.schema import DomainSchema, Target

LISTED_AT_ONCE = 500
"""Students of a page of the list."""

RUNGS = 40
"""Students of the picture, and as many more each time that more are asked for."""

PILLS = 8  # groups that have room beside each other
WEEK = timedelta(days=7)
LIST_SECONDS = 60.0
LEAST = 0.01  # a chance that is not written as nought percent
LIST_NAMES, PAGES, RUNGS_SHOWN, LIST_REASONS, LIST_PAGE = "names", "list places", "rungs", "list reasons", "list page"
SHOW_MOVED = "moved"
T = TypeVar("T")
Row = Mapping[str, object]


class Listing:
    """What is listed for one drawing of the page."""

    def __init__(self, visit: Visit, choice: Choice) -> None:
        self.visit, self.schema, self.target = visit, choice.schema, choice.target
        self.given_from = choice.since and choice.since.replace(hour=0, minute=0, second=0, microsecond=0)
        session = st.session_state
        self.shown: str = session.get("shown") or "all"
        self.groups: tuple[str, ...] = tuple(session.get("group") or ())
        known = visit.groups(self.schema.name)
        self.groups = tuple(one for one in self.groups if one in known)
        self.known_groups = known

    @property
    def names(self) -> Names:
        """Those of the visitor's own list."""
        found: Names = st.session_state.get(LIST_NAMES, {})
        return found

    @cached_property
    def counts(self) -> ListCounts:
        return self.visit.count_students(self.schema.name, self.target.name, self.groups, self.given_from)

    @cached_property
    def page(self) -> ListPage:
        """So many students from where the visitor is, kept for a while: every choice draws all of the page anew."""
        places = self.places
        asked = (*self._asked, places[-1])
        return _kept(LIST_PAGE, asked, lambda: self._ask(places[-1]))

    def _ask(self, after: ListPlace | None) -> ListPage:
        return self.visit.list_students(
            self.schema.name,
            self.target.name,
            self.groups,
            self.given_from,
            shown=_shown(self.shown),
            after=after,
            limit=LISTED_AT_ONCE,
            since=now() - WEEK,
        )

    @property
    def _asked(self) -> tuple[object, ...]:
        return self.schema.name, self.target.name, self.groups, self.given_from, self.shown

    @property
    def places(self) -> list[ListPlace | None]:
        """Where the pages began that the visitor has been on; the last one is the present."""
        asked = self._asked
        known = st.session_state.get(PAGES)
        if known is None or known[0] != asked:
            first: list[ListPlace | None] = [None]
            st.session_state[PAGES] = known = (asked, first)
        places: list[ListPlace | None] = known[1]
        return places

    @property
    def students(self) -> list[ListedStudent]:
        """Of the page those that are asked for."""
        found = self.page.students
        return [one for one in found if one.moved(self.target)] if self.shown == SHOW_MOVED else found

    @property
    def sentence(self) -> str:
        """How the students stand; who is new only where all who are likely to fail are on the page."""
        page, counts = self.page, self.counts
        whole = self.places[-1] is None and (page.next is None or counts.warned <= LISTED_AT_ONCE)
        new = sum(one.fresh for one in page.students) if whole and self.shown in ("all", "warned") else None
        return list_sentence(counts, new, self.target, self.given_from)

    @property
    def rungs(self) -> int:
        """So many students are in the picture."""
        return min(int(st.session_state.get(RUNGS_SHOWN, RUNGS)), len(self.students))

    @cached_property
    def reasons(self) -> Mapping[str, tuple[Factor, ...]]:
        """What moved the answers of those in the picture."""
        wanted = [one.said for one in self.students[: max(self.rungs, RUNGS)] if one.answer.value is not None]
        asked = (self.schema.name, self.target.name, tuple(one.id for one in wanted))
        return _kept(LIST_REASONS, asked, lambda: self.visit.reasons(self.schema.name, self.target.name, wanted, 2))

    @cached_property
    def usual(self) -> Mapping[str | None, Mapping[str, Cell]]:
        """What is usual in each group, where all of its students are listed."""
        whole = self.page.next is None and self.places[-1] is None and self.shown == "all"
        return middles_of(self.page.students, self.schema) if whole else {}

    @cached_property
    def rows(self) -> list[Row]:
        """The table, a row for each student; numbers are numbers."""
        cases = self.visit.cases(self.schema.name, [one.student for one in self.students])
        noted = {
            who: _("{what}, {when}").format(what=done_words(case.steps[0].done), when=moment_of(case.steps[0].at))
            for who, case in cases.items()
        }
        return table_rows(self.students, self.schema, self.target, self.names, self.reasons, self.usual, noted)

    def draw_names(self) -> None:
        """Where the visitor gives a class list; the keys are turned into pseudonyms here and nothing is kept."""
        with st.popover(_("Show my names"), icon=":material/badge:", key="names popover"):
            told = _(
                "A file with the students' keys, and beside them what you call them. It stays in this browser session."
            )
            st.write(told)
            if (given := choose_list("class list")) is not None:
                _take_names(self.visit, self.schema, *given)


def _shown(chosen: str) -> Shown:
    choices: dict[str, Shown] = {"warned": "warned", "guess": "guess", "unanswered": "unanswered"}
    return choices.get(chosen, "all")


def _kept(key: str, asked: object, make: Callable[[], T]) -> T:
    """What was made for the same question a moment ago, or now."""
    known = st.session_state.get(key)
    if known is not None and known[0] == asked and monotonic() - known[1] < LIST_SECONDS:
        found: T = known[2]
        return found
    made = make()
    st.session_state[key] = (asked, monotonic(), made)
    return made


def _take_names(visit: Visit, schema: DomainSchema, name: str, content: bytes) -> None:
    try:
        found = visit.names_in(schema.name, name, content)
    except GradewatchError as error:
        st.error(retold(str(error)), icon=State.ACT.icon)
        return
    if st.session_state.get(LIST_NAMES) != found:
        st.session_state[LIST_NAMES] = found
        st.rerun()


# Drawing ------------------------------------------------------------------------------------------------------------


def draw_list(listing: Listing) -> None:
    """Filters, the picture, the table, and the way to the next page."""
    _draw_banner(listing)
    _draw_filters(listing)
    if not listing.students:
        told = [_("Nobody is in this list.")]
        if not listing.counts.students:
            told.append(_("Ask about one student or a file above, or choose a longer time."))
        st.info(" ".join(told), icon=State.INFO.icon)
        return
    _draw_ladder(listing)
    draw_table(listing.rows, listing.students, listing.target, key="students table")
    _draw_pages(listing)


def _draw_banner(listing: Listing) -> None:
    if not listing.names:
        return
    with st.container(horizontal=True, vertical_alignment="center", key="names banner"):
        told = ngettext(
            "{n} name of your list is shown. Names stay in this browser session; nothing of them is stored.",
            "{n} names of your list are shown. Names stay in this browser session; nothing of them is stored.",
            len(listing.names),
        )
        st.info(told.format(n=count(len(listing.names))), icon=":material/badge:", width="stretch")
        st.button(_("Forget names"), on_click=_forget_names, key="forget names")


def _forget_names() -> None:
    st.session_state.pop(LIST_NAMES, None)
    st.session_state.pop("class list", None)


def _draw_filters(listing: Listing) -> None:
    counts, groups = listing.counts, listing.known_groups
    labels = {
        "all": _("All ({n})").format(n=count(counts.students)),
        "warned": _("To warn of ({n})").format(n=count(counts.warned)),
        SHOW_MOVED: _("Moved"),
        "guess": _("A guess ({n})").format(n=count(counts.unranked.get("out_of_range", 0))),
        "unanswered": _("No answer ({n})").format(n=count(counts.unranked.get("insufficient", 0))),
    }
    if listing.target.pass_mark is not None:
        told = _("Warned of: {policy}.").format(policy=policy_words(counts.policy))
        st.caption(pause_words(counts.paused) if counts.paused else told)
    with st.container(horizontal=True, vertical_alignment="bottom", key="filters"):
        if len(groups) > 1:
            choose: Callable[..., Any] = st.pills if len(groups) <= PILLS else st.multiselect
            many = {"placeholder": _("all")}
            more: dict[str, Any] = {"selection_mode": "multi"} if len(groups) <= PILLS else many
            choose(_("Group"), groups, key="group", persist_state="session", **more)
        st.segmented_control(
            _("Show"),
            list(labels),
            default=None if "shown" in st.session_state else "all",
            format_func=lambda one: labels[one],
            key="shown",
            persist_state="session",
            required=True,
        )


def _draw_ladder(listing: Listing) -> None:
    listed, target, names = listing.students, listing.target, listing.names
    shown = listed[: listing.rungs]
    rungs = [Rung(name_of(one.student, names), one.answer, one.answer.below_pass) for one in shown]
    title = _ladder_title(rungs, len(listed), target)
    answers = [
        {
            _("student"): rung.name,
            _("likely"): numeric(rung.answer, target),
            _("from"): rung.answer.interval[0] if rung.answer.interval else None,
            _("to"): rung.answer.interval[1] if rung.answer.interval else None,
            _("plain rule"): rung.answer.naive,
            chance_title(target): rung.below,
            _("state"): state_words(rung.state),
        }
        for rung in rungs
    ]
    alternative = _("Students one below the other, those at most risk on top. {title}").format(title=title)
    event = charts.draw(
        ladder(rungs, target), title=title, alternative=alternative, table=answers, key="ladder", on_select="rerun",
        selection_mode="points",
    )  # fmt: skip
    for point in (event or {}).get("selection", {}).get("points", []):
        open_student(
            shown[int(point["customdata"][0] if isinstance(point.get("customdata"), list) else point["y"])].student
        )
    if len(listed) > len(shown):
        more = _("Show {n} more in the picture").format(n=count(min(RUNGS, len(listed) - len(shown))))
        st.button(more, on_click=_show_more, key="more rungs")


def _ladder_title(rungs: Sequence[Rung], listed: int, target: Target) -> str:
    below = sum(rung.state == State.ACT for rung in rungs)
    unit = worded(target.unit) or _("grade")
    if target.pass_mark is None:
        said = _("The answers about {n} students ({unit}; {all} listed)")
        return said.format(n=count(len(rungs)), unit=unit, all=count(listed))
    if target.within:
        said = _("{below} of these {n} are likelier than not to come to an event within {weeks} weeks ({all} listed)")
        weeks = count(max(target.within))
        return said.format(below=count(below), n=count(len(rungs)), weeks=weeks, all=count(listed))
    mark = mark_words(target)
    return _("{below} of these {n} are likelier than not to end below {mark} ({unit}; {all} listed)").format(
        below=count(below), n=count(len(rungs)), mark=mark, unit=unit, all=count(listed)
    )


def _show_more() -> None:
    st.session_state[RUNGS_SHOWN] = int(st.session_state.get(RUNGS_SHOWN, RUNGS)) + RUNGS


def _draw_pages(listing: Listing) -> None:
    places = listing.places
    if len(places) == 1 and listing.page.next is None:
        return
    first = (len(places) - 1) * LISTED_AT_ONCE + 1
    with st.container(horizontal=True, vertical_alignment="center", key="pages"):
        st.button(
            _("The page before"), disabled=len(places) == 1, on_click=places.__delitem__, args=(-1,), key="page before"
        )
        told = _("Students {first} to {last}").format(
            first=count(first), last=count(first + len(listing.page.students) - 1)
        )
        st.caption(told, width="content")
        following = listing.page.next
        st.button(
            _("The next page"),
            disabled=following is None,
            on_click=lambda: places.append(following),
            key="page after",
        )
    if listing.shown == SHOW_MOVED:
        st.caption(_("Who moved is told of the students of this page."))


def open_student(student: str) -> None:
    """Go to the page of one student."""
    st.query_params["student"] = student
    st.rerun()


# The table ----------------------------------------------------------------------------------------------------------


def table_rows(
    students: Sequence[ListedStudent],
    schema: DomainSchema,
    target: Target,
    names: Names,
    reasons: Mapping[str, tuple[Factor, ...]],
    usual: Mapping[str | None, Mapping[str, Cell]],
    noted: Mapping[str, str],
) -> list[Row]:
    """A row for each student."""
    digits = _change_digits(target)
    rows: list[Row] = []
    for one in students:
        missing, columns = missing_of(one, schema)
        told = [reason_words(f, target, schema, usual.get(one.group, {})) for f in reasons.get(one.said.id, ())]
        silent, change, naive = silent_words(one, schema), one.change(target), one.answer.naive
        rows.append({
            "student": name_of(one.student, names),
            "group": " · ".join(part for part in (one.group, one.period) if part),
            "likely": numeric(one.answer, target),
            "range": range_words(one.answer, target),
            "chance": shown_share(one.answer.below_pass),
            "in words": "" if one.answer.below_pass is None else chance_words(one.answer.below_pass),
            "change": None if change is None else round(change, digits),
            "warned": (one.level or _("yes")) if one.warned else "",
            "new": one.fresh,
            "why": [silent] if silent else told,
            "plain": round(naive, digits) if isinstance(naive, float) else naive,
            "known": (columns - len(missing)) / columns if columns else None,
            "answered": one.said.at,
            "note": noted.get(one.student, ""),
        })  # fmt: skip
    return rows


def _change_digits(target: Target) -> int:
    """Grades move by whole ones."""
    return 0 if target.levels else decimals_of(target)


def shown_share(share: float | None) -> float | None:
    """A chance as it is shown: none is written as nought or a hundred percent."""
    return None if share is None else min(max(round(share, 2), LEAST), 1 - LEAST)


def draw_table(rows: Sequence[Row], students: Sequence[ListedStudent], target: Target, *, key: str) -> None:
    """The table; a chosen row leads to its student."""
    drawn = [name for name in rows[0] if name != "new" and any(row[name] not in ("", None, []) for row in rows)]
    event = show_table(
        [{name: row[name] for name in drawn} for row in rows],
        hide_index=True,
        width="stretch",
        column_config=_columns(target),
        on_select="rerun",
        selection_mode="single-row",
        key=key,
        alt=_("The students of the list, a row each; choose one to see more."),
    )
    st.caption(_("Choose a row to see one student. {words}").format(words=_("Click a column's head to sort by it.")))
    for place in event["selection"]["rows"]:
        if place < len(students):
            open_student(students[place].student)


def _columns(target: Target) -> dict[str, Any]:
    column, below = st.column_config, chance_title(target)
    digits = _change_digits(target)
    plain_help = _("What a careful person would say without any model: the last known mark, or the average.")
    if target.levels:
        likely: Any = column.TextColumn(_("most likely") if target.within else _("likely grade"))
        plain: Any = column.TextColumn(_("plain rule"), help=plain_help)
    else:
        likely = number_column(_("likely mark"), digits)
        plain = number_column(_("plain rule"), digits, help=plain_help)
    promised = _("Nine in ten such answers end within it, where that can be promised.")
    moved = _("How far the answer moved since the one before.")
    return {
        "student": column.TextColumn(_("student"), pinned=True),
        "group": column.TextColumn(_("group")),
        "likely": likely,
        "range": column.TextColumn(_("range"), help=promised),
        "chance": column.ProgressColumn(below, format="percent", step=0.01, min_value=0.0, max_value=1.0),
        "in words": column.TextColumn(_("in words")),
        "change": number_column(_("change"), digits, help=moved),
        "why": column.ListColumn(_("why"), width="large"),
        "plain": plain,
        "warned": column.TextColumn(_("to warn of"), help=_("By the warning policy in use.")),
        "known": column.ProgressColumn(
            _("known"), format="percent", step=0.01, min_value=0.0, max_value=1.0, color="gray",
            help=_("How many of the facts that a model may see by then are there."),
        ),
        "answered": instant_column(_("answered")),
        "note": column.TextColumn(_("note")),
    }  # fmt: skip
