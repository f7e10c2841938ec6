"""The pages of the dashboard in their order, each given the open installation.

It turns what may happen to every page (a database that is down, a broken domain file) into plain words.
"""

from collections.abc import Callable
from functools import partial

import streamlit as st

from dashboard.installation import Installation, installation
from dashboard.views.drift import drift
from dashboard.views.models import models
from dashboard.views.overview import overview
from dashboard.views.performance import performance
from dashboard.views.predict import predict
from database.store import StoreUnavailable
from preprocessing.schema import SchemaError

View = Callable[[Installation], None]

PAGES: tuple[tuple[View, str, str], ...] = (
    (overview, "Overview", ":material/home:"),
    (predict, "Predict", ":material/person_search:"),
    (drift, "Drift", ":material/stacked_line_chart:"),
    (models, "Models", ":material/model_training:"),
    (performance, "Performance", ":material/query_stats:"),
)

STYLE = """<style>
.stMainBlockContainer { padding-top: 4.5rem; padding-bottom: 3rem; }
@media (max-width: 640px) { .stColumn:not(:has(.stElementContainer)) { display: none; } }
</style>"""
"""Less room above and below the page than Streamlit leaves, and on a phone none for columns without content."""


def main() -> None:
    """Draw the page that the address names."""
    st.set_page_config(page_title="Gradewatch", page_icon=":material/school:", layout="wide")
    st.html(STYLE)
    pages = [
        st.Page(partial(show, view), title=title, icon=icon, url_path=title.lower(), default=view is overview)
        for view, title, icon in PAGES
    ]
    st.navigation(pages, position="top").run()


def show(view: View) -> None:
    """Draw one page with champions that are at most `poll_seconds` old, or say why that is impossible."""
    try:
        view(installation().refreshed())
    except StoreUnavailable as error:
        st.error(f"**The database cannot be reached.** {error}", icon=":material/cloud_off:")
        st.write("Nothing was lost. Start the database (or check `GRADEWATCH_DATABASE_URL`) and reload this page.")
    except SchemaError as error:
        st.error("**A domain file cannot be used.** Correct it and reload this page.", icon=":material/description:")
        st.code(str(error), language=None, wrap_lines=True)
