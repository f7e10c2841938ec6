"""The pages of the dashboard in their order, each given what its visitor may see.

It turns what may happen to every page (a database that is down, a broken domain file) into plain words.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import streamlit as st

import language
from access.directory import Stale
from access.roles import Forbidden, Permission, Principal
from dashboard.frame import LINKS, PAGE_TITLE, go, script, style, visitor_speech
from dashboard.gate import refuse_strangers, require, sign_in, sign_out, visitor
from dashboard.shared_workspace import shared_workspace
from dashboard.tour import say_which
from dashboard.views.activity import activity
from dashboard.views.data import data
from dashboard.views.models import models
from dashboard.views.own import own
from dashboard.views.results import results
from dashboard.views.settings import settings
from dashboard.views.students import students
from dashboard.views.today import today
from dashboard.views.upload import upload
from dashboard.visit import Visit
from database.errors import Damaged, StoreUnavailable
from language import _, retold
from preprocessing.schema import SchemaError
from settings import UnsafeStart

View = Callable[[Visit], None]

AT_ROOT = "root"
"""An address that the first page has by name only: it answers at the root."""


class PageOf(NamedTuple):
    """A page: what draws it, its title, its icon, the permission that it takes. Its address is the name of its view;
    before: addresses that it had, which lead to it. also: permissions of which one is enough, for a part of it."""

    view: View
    title: str
    icon: str
    permission: Permission
    before: tuple[str, ...] = ()
    also: tuple[Permission, ...] = ()

    @property
    def address(self) -> str:
        return self.view.__name__


def pages() -> tuple[PageOf, ...]:
    """What there is to see, in this order, in the visitor's language."""
    return (
        PageOf(today, _("Today"), ":material/home:", "see", ("overview", "today")),
        PageOf(students, _("Students"), ":material/groups:", "predict", ("predict",), ("rights",)),
        PageOf(data, _("Data"), ":material/stacked_line_chart:", "see", ("drift",)),
        PageOf(models, _("Models"), ":material/model_training:", "see"),
        PageOf(results, _("Results"), ":material/query_stats:", "see", ("performance",)),
        PageOf(activity, _("Activity"), ":material/history:", "see"),
        PageOf(upload, _("Upload"), ":material/upload_file:", "upload", ("uploads",)),
        PageOf(settings, _("Settings"), ":material/settings:", "administer"),
        PageOf(own, _("Yours"), ":material/person:", "own"),
    )


ICON = str(Path(__file__).resolve().parent / "icon.svg")
"""Our own: for one of Streamlit's names the browser would ask another host."""


def main() -> None:
    """Draw the page that the address names."""
    language.ask(visitor_speech)
    st.set_page_config(page_title="Gradewatch", page_icon=ICON, layout="wide")
    st.html(style())
    st.html(script(), unsafe_allow_javascript=True)
    allowed, known = _allowed()
    shown = {page.address: _streamlit_page(page) for page in allowed}
    st.session_state[LINKS] = shown
    moved = [_moved(before, page.address) for page in allowed for before in page.before]
    first = st.Page(partial(show, today), title=_("Sign in"), icon=":material/login:", default=True)
    st.navigation([*shown.values(), *moved] or [first], position="top" if known else "hidden").run()


def _streamlit_page(page: PageOf) -> st.Page:
    first, draw = page.view is today, partial(show, page.view)
    return st.Page(draw, title=page.title, icon=page.icon, url_path=AT_ROOT if first else page.address, default=first)


def _moved(before: str, address: str) -> st.Page:
    """A page that is called otherwise now, with the choices that its address holds."""

    def move() -> None:
        go(address, **st.query_params.to_dict())

    return st.Page(move, title=address, url_path=before, visibility="hidden")


def _allowed() -> tuple[list[PageOf], bool]:
    """The pages that whoever looks may see, and whether it is known who that is. All of them where that cannot be told,
    since each says why, and where nobody has signed in: each asks, and is drawn at its address afterwards."""
    try:
        present = visitor(shared_workspace().refreshed())
    except (StoreUnavailable, SchemaError, UnsafeStart, Stale):
        return list(pages()), True
    if present is None:
        return list(pages()), False
    return [page for page in pages() if _suffices(present, page) is not None], True


def _suffices(present: Principal, page: PageOf) -> Permission | None:
    """The permission with which somebody may see a page; None where there is none."""
    return next((one for one in (page.permission, *page.also) if one in present.permissions), None)


def show(view: View) -> None:
    """Draw one page with champions that are at most `poll_seconds` old, or say why that is impossible."""
    language.ask(visitor_speech)
    page = next(page for page in pages() if page.view is view)
    try:
        _draw(page)
    except Forbidden as error:
        st.error(retold(str(error)), icon=":material/lock:")
    except (UnsafeStart, Stale) as error:
        _refuse(_("Nobody is let in."), str(error), ":material/lock:")
    except StoreUnavailable as error:
        _refuse(_("The database cannot be reached."), str(error), ":material/cloud_off:")
        st.write(_("Nothing was lost. Start the database (or check `GRADEWATCH_DATABASE_URL`) and reload this page."))
    except Damaged as error:
        _refuse(_("Part of the database cannot be read."), f"{error}.", ":material/heart_broken:")
    except SchemaError as error:
        _refuse(_("A domain file cannot be used."), _("Correct it and reload this page."), ":material/description:")
        st.code(str(error), language=None, wrap_lines=True)


def _refuse(what: str, why: str, icon: str) -> None:
    st.error(f"**{what}** {why}", icon=icon)


def _draw(page: PageOf) -> None:
    shared = shared_workspace().refreshed()
    if refuse_strangers(shared):
        return
    present = visitor(shared)
    if present is None:
        sign_in(shared)
        return
    require(shared, _suffices(present, page) or page.permission)
    if shared.directory is not None:
        with st.container(key="account", horizontal=True, horizontal_alignment="right", vertical_alignment="center"):
            st.caption(_("Signed in as {name}").format(name=present.name.partition(":")[2]), width="content")
            st.button(_("Sign out"), on_click=sign_out, icon=":material/logout:", type="tertiary")
    st.session_state[PAGE_TITLE] = page.title
    visit = Visit(shared, present)
    say_which(visit)
    page.view(visit)
