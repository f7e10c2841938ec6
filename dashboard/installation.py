"""The open installation that all visitors of the dashboard share, and how fresh its champions are.

It is opened once per server process; no page opens a store or reads a setting for itself.
"""

from dataclasses import dataclass, field
from time import monotonic

import streamlit as st

from access.directory import Directory
from access.roles import LOCAL, Principal
from model.workspace import Workspace
from settings import OFF, Settings


@dataclass
class _Look:
    """When champions and users were looked up last."""

    at: float = float("-inf")


@dataclass
class Installation:
    """home: the open parts. poll_seconds: how old its champions may be. max_rows, max_upload_mb: limits of a file.

    directory: of the users who may sign in; None where nobody has to. idle_seconds: after which an unused session ends.
    principal: whoever looks.
    """

    workspace: Workspace
    poll_seconds: float
    max_rows: int
    max_upload_mb: int
    directory: Directory | None = None
    idle_seconds: float = 1800.0
    principal: Principal = LOCAL
    _last: _Look = field(default_factory=_Look, repr=False)  # shared by what different visitors see

    def refreshed(self) -> "Installation":
        """Itself, its champions and users looked up again if the last look is longer ago than `poll_seconds`."""
        if monotonic() - self._last.at >= self.poll_seconds:
            if self.directory is not None:
                self.directory.refresh()
            self.workspace.champions.refresh()
            self._last.at = monotonic()
        return self

    def look_again(self) -> None:
        """Look champions up at the next chance: someone has just changed one."""
        self._last.at = float("-inf")


@st.cache_resource(show_spinner="Opening the installation …", on_release=lambda opened: opened.workspace.close())
def installation() -> Installation:
    """The installation that the settings describe, opened at the first call. Raises SchemaError, StoreUnavailable, and
    UnsafeStart where others could look at it without saying who they are."""
    settings = Settings()
    settings.require_safe(None)
    workspace = settings.open_workspace()
    return Installation(
        workspace,
        settings.poll_seconds,
        settings.max_rows,
        settings.max_upload_mb,
        directory=None if settings.auth == OFF else Directory(workspace.store),
        idle_seconds=settings.token_minutes * 60.0,
    )
