"""The open installation that all visitors of the dashboard share, and how fresh its champions are.

It is opened once per server process; no page opens a store or reads a setting for itself.
"""

from dataclasses import dataclass, field
from time import monotonic

import streamlit as st

from model.home import Home
from settings import Settings


@dataclass
class Installation:
    """home: the open parts. poll_seconds: how old its champions may be. max_rows, max_upload_mb: limits of a file."""

    home: Home
    poll_seconds: float
    max_rows: int
    max_upload_mb: int
    _looked: float = field(default=float("-inf"), repr=False)

    def refreshed(self) -> "Installation":
        """Itself, its champions looked up again if the last look is longer ago than `poll_seconds`."""
        if monotonic() - self._looked >= self.poll_seconds:
            self.home.champions.refresh()
            self._looked = monotonic()
        return self

    def look_again(self) -> None:
        """Look champions up at the next chance: someone has just changed one."""
        self._looked = float("-inf")


@st.cache_resource(show_spinner="Opening the installation …", on_release=lambda opened: opened.home.close())
def installation() -> Installation:
    """The installation that the settings describe, opened at the first call. Raises SchemaError or StoreUnavailable."""
    settings = Settings()
    return Installation(settings.open_home(), settings.poll_seconds, settings.max_rows, settings.max_upload_mb)
