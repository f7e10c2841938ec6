"""The pages of the dashboard in their order, each given what its visitor may see.

It turns what may happen to every page (a database that is down, a broken domain file) into plain words.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import streamlit as st

from access.directory import Stale
from access.roles import Forbidden, Permission
from dashboard.gate import refuse_strangers, require, sign_in, sign_out, visitor
from dashboard.shared_workspace import shared_workspace
from dashboard.views.drift import drift
from dashboard.views.models import models
from dashboard.views.overview import overview
from dashboard.views.performance import performance
from dashboard.views.predict import predict
from dashboard.views.uploads import uploads
from dashboard.visit import Visit
from database.errors import Damaged, StoreUnavailable
from preprocessing.schema import SchemaError
from settings import UnsafeStart

View = Callable[[Visit], None]

PAGES: tuple[tuple[View, str, str, Permission], ...] = (
    (overview, "Overview", ":material/home:", "see"),
    (predict, "Predict", ":material/person_search:", "predict"),
    (uploads, "Uploads", ":material/upload_file:", "upload"),
    (drift, "Drift", ":material/stacked_line_chart:", "see"),
    (models, "Models", ":material/model_training:", "see"),
    (performance, "Performance", ":material/query_stats:", "see"),
)
"""What there is to see, in this order, and the permission that it takes."""

ICON = str(Path(__file__).resolve().parent / "icon.svg")
"""Our own: for one of Streamlit's names the browser would ask another host."""

STYLE = """<style>
.stMainBlockContainer { padding-top: 4.5rem; padding-bottom: 3rem; }
@media (max-width: 640px) { .stColumn:not(:has(.stElementContainer)) { display: none; } }
</style>"""
"""Less room above and below the page than Streamlit leaves, and on a phone none for columns without content."""


def main() -> None:
    """Draw the page that the address names."""
    st.set_page_config(page_title="Gradewatch", page_icon=ICON, layout="wide")
    st.html(STYLE)
    pages = [
        st.Page(partial(show, view), title=title, icon=icon, url_path=title.lower(), default=view is overview)
        for view, title, icon, permission in PAGES
        if _may(permission)
    ]
    pages = pages or [st.Page(partial(show, overview), title="Sign in", icon=":material/login:", default=True)]
    st.navigation(pages, position="top").run()


def _may(permission: Permission) -> bool:
    """Whether whoever looks may see a page; all are listed where that cannot be told, since each says why."""
    try:
        present = visitor(shared_workspace().refreshed())
    except (StoreUnavailable, SchemaError, UnsafeStart, Stale):
        return True
    return present is not None and permission in present.permissions


def show(view: View) -> None:
    """Draw one page with champions that are at most `poll_seconds` old, or say why that is impossible."""
    needed = next(permission for page, _, _, permission in PAGES if page is view)
    try:
        _draw(view, needed)
    except Forbidden as error:
        st.error(str(error), icon=":material/lock:")
    except (UnsafeStart, Stale) as error:
        st.error(f"**Nobody is let in.** {error}", icon=":material/lock:")
    except StoreUnavailable as error:
        st.error(f"**The database cannot be reached.** {error}", icon=":material/cloud_off:")
        st.write("Nothing was lost. Start the database (or check `GRADEWATCH_DATABASE_URL`) and reload this page.")
    except Damaged as error:
        st.error(f"**Part of the database cannot be read.** {error}.", icon=":material/heart_broken:")
    except SchemaError as error:
        st.error("**A domain file cannot be used.** Correct it and reload this page.", icon=":material/description:")
        st.code(str(error), language=None, wrap_lines=True)


def _draw(view: View, needed: Permission) -> None:
    shared = shared_workspace().refreshed()
    if refuse_strangers(shared):
        return
    present = visitor(shared)
    if present is None:
        sign_in(shared)
        return
    require(shared, needed)
    if shared.directory is not None:
        with st.sidebar:
            st.caption(f"Signed in as {present.name.partition(':')[2]}")
            st.button("Sign out", on_click=sign_out)
    view(Visit(shared, present))
