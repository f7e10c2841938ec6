"""What all pages have in common: the line of controls, which is the page's address, the sentence that says the state,
the foot, links from one page to another, and the style.

What a page shows between them is its own.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import NamedTuple

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from clock import now
from dashboard.charts import csv_of
from dashboard.palette import State, palette
from dashboard.parts import capital, domains_of, moment_name
from dashboard.shared_workspace import language_set
from dashboard.visit import Visit
from language import _, worded
from language.format import count, day, time_of_day, typed_day
from language.speech import SOURCE_LANGUAGE, Speech, current, speech_of
from preprocessing.schema import DomainSchema, Target, title_of

ADDRESS_KEYS = ("domain", "at", "target", "days")
"""Of the controls, in the address and in the session alike."""

EVERY = ""  # the choice of all domains
WHOLE_TIME, OWN_DATES = "all", "own"
USUAL_BACK = "90"
BACK = ("7", "30", USUAL_BACK, "365", WHOLE_TIME)  # days back that may be chosen
CHOSEN, WRITTEN, UNKNOWN_DOMAIN, PAGE_TITLE, LINKS = "chosen", "written", "unknown domain", "page title", "links"
USUAL_SPAN = "usual days"
WIDTHS = {"at": 324}  # pixels; a moment is told in a sentence, which a phone has room for


class Choice(NamedTuple):
    """What the controls say. schema: of the chosen domain; of the first where `every` is chosen. at: a moment of it.
    since, until: aware, UTC, the end exclusive; None where there is no bound."""

    schema: DomainSchema
    every: bool
    at: str
    target: Target
    days: int | None
    since: datetime | None
    until: datetime | None


# Controls -----------------------------------------------------------------------------------------------------------


def controls(
    visit: Visit,
    *,
    every: bool = False,
    at: bool = True,
    target: bool = True,
    days: bool = True,
    back: Callable[[DomainSchema], str] = lambda _schema: USUAL_BACK,
    usual_at: Callable[[DomainSchema], str | None] = lambda _schema: None,
) -> Choice:
    """The line of controls of a page, and what they say. The choices hold on all pages, stand in the address and
    outlive a reload; one that would have nothing to choose is not drawn.

    every: whether all domains together may be chosen, which is then the first choice. at, target, days: whether the
    page asks for them. back: the usual time of a domain, one of `BACK`. usual_at: the moment that is shown where none
    was chosen; the last one where it knows none.
    """
    domains = domains_of(visit)
    if not domains:
        st.info(_("There is nothing here that you may see. Ask whoever gave you your account."), icon=State.INFO.icon)
        st.stop()
    asked = _follow_address().get("domain")
    with st.container(horizontal=True, vertical_alignment="bottom", key="controls"):
        schema, all_of_them = _choose_domain(visit, domains, every)
        moment = _choose_moment(visit, schema, usual_at, asked=at and not all_of_them)
        about = _choose_target(schema, asked=target and not all_of_them)
        span = _choose_days(visit, schema, back(schema)) if days else WHOLE_TIME
    _write_address()
    name = _("All subjects") if all_of_them else worded(schema.title)
    _say_unknown(visit, asked, name)
    title = (st.session_state.get(PAGE_TITLE), name, "Gradewatch")
    st.set_page_config(page_title=" – ".join(part for part in title if part))
    return Choice(schema, all_of_them, moment, about, *_bounds(span))


def _follow_address() -> dict[str, str]:
    """The choices in the address. Where it has changed by itself (a link, a bookmark, the way back), they are followed;
    else what was chosen counts."""
    session = st.session_state
    address: dict[str, str] = {key: st.query_params[key] for key in ADDRESS_KEYS if key in st.query_params}
    if address != session.get(WRITTEN):
        for key, value in address.items():
            session[key] = session.setdefault(CHOSEN, {})[key] = value
    session[WRITTEN] = {}
    return address


def _write_address() -> None:
    """What the controls of this page say, and nothing of others."""
    chosen = st.session_state[WRITTEN] = {key: value for key, value in st.session_state[WRITTEN].items() if value}
    found = st.query_params.to_dict()
    wanted = {key: value for key, value in found.items() if key not in ADDRESS_KEYS or key in chosen} | chosen
    if wanted != found:
        st.query_params.from_dict(wanted)  # all at once: each that is set alone is a step on the way back


def _choose(key: str, label: str, options: Sequence[str], usual: str, told: Callable[[str], str], help: str) -> str:
    """One of the options, remembered from page to page; not asked where there is only one, but for the domain."""
    session = st.session_state
    chosen: dict[str, str] = session.setdefault(CHOSEN, {})
    if len(options) == 1 and key != "domain":
        return options[0]
    wanted = [value for value in (session.get(key), chosen.get(key)) if value in options]
    session[key] = wanted[0] if wanted else usual  # said each time: the control of another page is another one
    st.selectbox(label, options, key=key, format_func=told, help=help, width=WIDTHS.get(key, 260))
    chosen[key] = session[WRITTEN][key] = str(session[key])
    return chosen[key]


def _choose_domain(visit: Visit, domains: Sequence[DomainSchema], every: bool) -> tuple[DomainSchema, bool]:
    names, served = [schema.name for schema in domains], {key.domain for key in visit.champions}

    def told(name: str) -> str:
        if name == EVERY:
            return _("All subjects")
        title = worded(visit.schemas[name].title)
        return title if name in served else _("{title} (no model yet)").format(title=title)

    options = [EVERY, *names] if every and len(names) > 1 else names
    help_text = _("What is predicted, and from which columns. Each is one file; your own can be added.")
    chosen = _choose("domain", _("Subject"), options, options[0], told, help_text)
    return visit.schemas[chosen or names[0]], chosen == EVERY


def _choose_moment(
    visit: Visit, schema: DomainSchema, usual_at: Callable[[DomainSchema], str | None], *, asked: bool
) -> str:
    served = [m for m in schema.moments if any((key.domain, key.moment) == (schema.name, m) for key in visit.champions)]
    moments = served or list(schema.moments)
    if not asked:
        kept = st.session_state.get(CHOSEN, {}).get("at")
        return kept if kept in moments else moments[-1]
    help_text = _("What is known so far: each moment has a model of its own.")
    remembered = st.session_state.get("at", st.session_state.get(CHOSEN, {}).get("at"))
    usual = None if remembered in moments else usual_at(schema)
    usual = usual if usual in moments else moments[-1]
    return _choose("at", _("When"), moments, usual, lambda m: capital(moment_name(schema, m)), help_text)


def _choose_target(schema: DomainSchema, *, asked: bool) -> Target:
    names = list(schema.target_by_name)
    if not asked:
        kept = st.session_state.get(CHOSEN, {}).get("target")
        return schema.target_by_name[kept if kept in names else names[0]]
    help_text = _("Which outcome is predicted.")
    return schema.target_by_name[
        _choose("target", _("Predicting"), names, names[0], lambda n: title_of(schema.target_by_name[n]), help_text)
    ]


def _choose_days(visit: Visit, schema: DomainSchema, back: str) -> str:
    """Days back, or two dates with ".." between them. Two choices of time that differ by one student would tell of that
    one: to choose takes the permission to read predictions."""
    if not visit.may("read", schema.name):
        return WHOLE_TIME
    session = st.session_state
    own = [session["days"]] if dates_of(str(session.get("days", ""))) else []
    kept = session.get(CHOSEN, {}).get("days", "")
    own = own or ([kept] if dates_of(kept) else [])
    help_text = _("Which days are looked at; a day begins at midnight, UTC.")
    options, chosen = [*BACK, *own, OWN_DATES], "days" in session.get(CHOSEN, {})
    if not chosen and session.get("days") == session.get(USUAL_SPAN):
        session.pop("days", None)  # the usual time of another page, which nobody asked for
    span = _choose("days", _("Time"), options, back, told_days, help_text)
    session[USUAL_SPAN] = back
    if not chosen and span == back:
        del session[CHOSEN]["days"], session[WRITTEN]["days"]  # in the address it would be a choice after a reload
    if span != OWN_DATES:
        return span
    today = now().date()
    usual, written = (today - timedelta(days=30), today), typed_day(current().locale)
    given = st.date_input(_("From and to"), usual, max_value=today, format=written, key="own dates")
    span = f"{given[0]}..{given[1]}" if isinstance(given, tuple) and len(given) == 2 else back
    session[WRITTEN]["days"] = session[CHOSEN]["days"] = span
    return span


def told_days(span: str) -> str:
    """A choice of time in words."""
    if span == WHOLE_TIME:
        return _("Whole time")
    if span == OWN_DATES:
        return _("Other dates …")
    if dates := dates_of(span):
        return f"{day(dates[0])} – {day(dates[1])}"
    return _("Last {n} days").format(n=count(int(span)))


def back_to_newest(visit: Visit, domain: str) -> str:
    """A week, or as far back as there is somebody: who was answered about long ago has ended by now."""
    newest = visit.newest_answer_at(domain) if visit.may("read", domain) else None
    if newest is None:
        return WHOLE_TIME
    days = (now().date() - newest.date()).days
    return next((back for back in BACK if back != WHOLE_TIME and days < int(back)), WHOLE_TIME)


def first_day(span: str) -> datetime | None:
    """The beginning of the first day (UTC) of a choice of time; None where it has none."""
    since = _bounds(span)[1]
    return since and since.replace(hour=0, minute=0, second=0, microsecond=0)


def dates_of(span: str) -> tuple[date, date] | None:
    """The two dates of a choice of time, in order; None where it is another choice, or none."""
    first, dots, last = span.partition("..")
    try:
        found = sorted((date.fromisoformat(first), date.fromisoformat(last))) if dots else []
    except ValueError:
        return None
    return (found[0], found[1]) if found else None


def _bounds(span: str) -> tuple[int | None, datetime | None, datetime | None]:
    if dates := dates_of(span):
        first, last = (datetime.combine(one, time(), tzinfo=UTC) for one in dates)
        return (last - first).days + 1, first, last + timedelta(days=1)
    if span == WHOLE_TIME:
        return None, None, None
    return int(span), now() - timedelta(days=int(span)), None


def _say_unknown(visit: Visit, asked: str | None, shown: str) -> None:
    """That the address named a domain that is not there, until another is chosen than what is shown instead."""
    session = st.session_state
    if asked is not None and asked not in visit.schemas:
        session[UNKNOWN_DOMAIN] = (asked[:40], shown)
    unknown, instead = session.get(UNKNOWN_DOMAIN, ("", ""))
    if instead != shown:
        session.pop(UNKNOWN_DOMAIN, None)
    elif unknown:
        said = _("There is no subject “{name}” here that you may see; this is {title}.")
        st.warning(said.format(name=unknown, title=shown), icon=State.LOOK.icon)


# State, foot, links -------------------------------------------------------------------------------------------------


def state_line(state: State, sentence: str, action: Callable[[], object] | None = None) -> None:
    """The one heading of a page: how things stand, in a sentence. action: draws what there is to do at its end."""
    with st.container(
        horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", key=f"state-{state.value}"
    ):
        st.title(f"{state.icon} **{capital(state.word)}** · {sentence}", anchor=False, width="content")
        if action is not None:
            action()


def foot(
    model: str = "", digest: str = "", *, rows: Iterable[Mapping[str, object]] | None = None, name: str = "data"
) -> None:
    """The end of a page: as of when, by which model, and what the page shows as a file called `name`. digest: of the
    model, which stands where a pointer rests."""
    told = [_("As of {time} (your time, {zone})").format(time=time_of_day(now()), zone=current().zone)]
    told += [_("days begin at midnight, UTC"), *([_("model {model}").format(model=model)] if model else [])]
    told += [_("a reason to look and to help, not to admit, punish or grade")]
    st.divider()
    with st.container(horizontal=True, vertical_alignment="center", key="foot"):
        help_text = _("Digest of the model: `{digest}`").format(digest=digest) if digest else None
        st.caption(" · ".join(told), width="content", help=help_text)
        if rows is not None:
            csv = partial(csv_of, list(rows))
            label = _("Download this page's data (CSV)")
            st.download_button(
                label, csv, f"{name}.csv", "text/csv", on_click="ignore", type="tertiary", key="foot csv"
            )


def link(page: str, label: str, *, icon: str | None = None, **address: str) -> None:
    """A link to a page by its name in the address ("students"), with choices of the controls or of its own; nothing
    where the visitor has no such page."""
    if (found := st.session_state.get(LINKS, {}).get(page)) is not None:
        st.page_link(found, label=label, icon=icon, query_params=address)


def go(page: str, **address: str) -> None:
    """Leave for another page at once, if the visitor has it."""
    if (found := st.session_state.get(LINKS, {}).get(page)) is not None:
        st.switch_page(found, query_params=address)


def visitor_speech() -> Speech:
    """The visitor's language and time zone: as the settings or else their browser say; English where no visitor is."""
    if get_script_run_ctx(suppress_warning=True) is None:
        return Speech()
    return speech_of(language_set() or st.context.locale or "en", st.context.timezone or "UTC")


def script() -> str:
    """What the browser does itself: it fits a page to paper, keeps the way back to one step a page, and writes numbers
    and times of tables as the sentences around them are written, where it would have asked what its user reads and a
    setting decided otherwise."""
    written, told = current().locale.replace("_", "-"), ON_PAPER.replace("PAPER_PIXELS", str(PAPER_PIXELS)) + WAY_BACK
    if written != (st.context.locale or ""):
        told += f'Object.defineProperty(navigator, "languages", {{value: ["{written}"], configurable: true}});'
    return f"<script>{told}</script>"


# Style --------------------------------------------------------------------------------------------------------------


def style() -> str:
    """Less room above and below the page than Streamlit leaves, and on a phone none for columns without content; the
    state in its colour; and a page on paper without what only a screen can use."""
    seen = palette()
    states = "\n".join(
        f'.st-key-state-{state.value} h1 :is(strong, [role="img"]) {{ color: {seen.of(state)}; }}' for state in State
    )
    buttons = f'[data-testid^="stBaseButton-primary"]:not([disabled]) p {{ color: {seen.surface}; }}'
    return f"<style>{STYLE}{states}{buttons}{_own_words()}</style>"


def _own_words() -> str:
    """Streamlit says in English alone that a file may be chosen; in other languages ours stands there."""
    if current().language == SOURCE_LANGUAGE:
        return ""
    shown = json.dumps(_("Choose a file"), ensure_ascii=False)
    return f"{CHOOSER} {{ font-size: 0; }}{CHOOSER}::after {{ content: {shown}; font-size: 1rem; }}{UNTOLD_SIZES}"


CHOOSER = '[data-testid="stFileUploaderDropzone"] [data-testid="stBaseButton-secondary"] p'
UNTOLD_SIZES = '[data-testid="stFileUploaderDropzoneInstructions"] { display: none; }'
"""What stands beside it says how large a file may be, as the pages themselves do."""

PAPER_PIXELS = 960  # between the margins of the less wide of A4 and Letter, lying
ON_PAPER = """
window.onbeforeprint = () => {
  const page = document.querySelector(".stMainBlockContainer"), room = getComputedStyle(page);
  const width = page.clientWidth - parseFloat(room.paddingLeft) - parseFloat(room.paddingRight);
  document.documentElement.style.setProperty("--on-paper", Math.min(1, PAPER_PIXELS / width));
};
"""
"""Figures and tables are drawn for a screen, and made as small as paper is."""

WAY_BACK = """
if (!window.gradewatchWayBack) {
  let untouched = true;
  const push = history.pushState.bind(history), touched = () => { untouched = false; };
  for (const touch of ["pointerdown", "keydown"]) addEventListener(touch, touched, true);
  addEventListener("popstate", () => { untouched = true; }, true);
  history.pushState = (state, title, url) => {
    const samePage = new URL(url ?? location, location).pathname === location.pathname;
    if (samePage && untouched) return history.replaceState(state, title, url);
    untouched ||= !samePage;
    return push(state, title, url);
  };
  window.gradewatchWayBack = true;
}
"""
"""Streamlit makes a step of each change of the address. What a page adds by itself before anybody has touched it is
none: on the way back it would lead to the same page again."""

STYLE = """
@page { size: landscape; margin: 12mm; }
.stMainBlockContainer { padding-top: 4.5rem; padding-bottom: 3rem; }
.stMain h2 { font-size: 1.35rem; line-height: 1.6; padding-bottom: 0.4rem; }
.stMain h3 { font-size: 1.1rem; }
[class*="st-key-state-"] h1 { font-size: 1.6rem; line-height: 1.3; padding: 0.4rem 0; }
.stHeading h2 { font-size: 1.3rem; line-height: 1.3; padding: 0.6rem 0 0.2rem; }
[data-testid="stTooltipIcon"] button, [data-testid="stTab"], .stMultiSelect button {
  min-width: 24px; min-height: 24px; justify-content: center;
}
.stElementContainer:has(.stHtml script) { display: none; }
[data-testid="stMetricLabel"] *, [data-testid="stMetricDelta"] * { white-space: normal; }
@media (min-width: 1400px) {
  .st-key-account { margin-bottom: -3.6rem; position: relative; z-index: 1; pointer-events: none; }
  .st-key-account * { pointer-events: auto; }
}
[data-testid="stPageLink-NavLink"] * { white-space: normal; }
.sideways { margin: 0; font-size: 0.8rem; opacity: 0.8; }
@media (min-width: 641px) {
  .stElementContainer:has(.sideways) { display: none; }
}
@media (max-width: 640px) {
  .stColumn:not(:has(.stElementContainer)) { display: none; }
  .stButtonGroup [role="radiogroup"] { flex-wrap: wrap; overflow: visible; mask-image: none; }
  [class*="st-key-state-"] h1 { font-size: 1.25rem; }
}
@media print {
  header, .stSidebar, .st-key-controls, .st-key-foot button, .stButton, .stDownloadButton, .stFileUploader, .stPopover,
  .stPageLink, .stTabs [role="tablist"], .stButtonGroup, .st-key-tour, [data-testid="stElementToolbar"],
  [data-testid="stTooltipIcon"], .stExpander:has(details:not([open])), .stExpander:has([aria-expanded="false"]),
  .stElementContainer:has(.sideways) { display: none !important; }
  .stMain, .stAppViewContainer, .stApp { position: static; overflow: visible !important; height: auto !important; }
  .stMainBlockContainer { padding: 0; max-width: none; }
  .stPlotlyChart, [data-testid="stMetric"], .stAlert, .stDataFrame { break-inside: avoid; box-shadow: none; }
  .stPlotlyChart, .stDataFrame { zoom: var(--on-paper, 0.75); }
  .stElementContainer:has(+ .stElementContainer .stPlotlyChart) { break-after: avoid; }
  h1, h2, h3 { break-after: avoid; }
}
"""
