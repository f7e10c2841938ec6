"""The open workspace that all visitors of the dashboard share, and how fresh its champions are.

It is opened once per server process; pages are given what their visitor may see of it (`dashboard.visit`).
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from functools import cache, cached_property
from time import monotonic

import streamlit as st

from access.directory import Directory
from advice.catalogue import Catalogue, load_catalogue
from jobs.job_settings import JobSettings
from model.workspace import Workspace
from monitoring.results import Results
from settings import OFF, Settings


@dataclass
class SharedWorkspace:
    """workspace: the open parts. poll_seconds: how old its champions may be. max_rows, max_upload_mb: limits of a file.
    jobs: what background work is told of the settings, should the dashboard do it.

    directory: of the users who may sign in; None where nobody has to. idle_seconds: after which an unused session ends.
    hosts: the names that the dashboard may be called by, as the API's. kept: what was measured of answers a moment ago,
    with when. contact: whom students and guardians may ask.
    """

    workspace: Workspace
    poll_seconds: float
    max_rows: int
    max_upload_mb: int
    jobs: JobSettings = field(default_factory=JobSettings)
    directory: Directory | None = None
    idle_seconds: float = 1800.0
    hosts: frozenset[str] = frozenset()
    kept: OrderedDict[tuple[object, ...], tuple[float, Results | None]] = field(default_factory=OrderedDict)
    contact: str = ""
    _looked: float = float("-inf")

    @cached_property
    def catalogue(self) -> Catalogue:
        """What students may be advised, read at the first question. Raises BadCatalogue."""
        return load_catalogue(self.jobs.study_catalogue)

    def refreshed(self) -> "SharedWorkspace":
        """Itself, its champions and users looked up again if the last look is longer ago than `poll_seconds`."""
        if monotonic() - self._looked >= self.poll_seconds:
            if self.directory is not None:
                self.directory.refresh()
            self.workspace.champions.refresh()
            self._looked = monotonic()
        return self

    def look_again(self) -> None:
        """Look champions up at the next chance: someone has just changed one."""
        self._looked = float("-inf")


@st.cache_resource(show_spinner="Opening the workspace …", on_release=lambda opened: opened.workspace.close())
def shared_workspace() -> SharedWorkspace:
    """The workspace that the settings describe, opened at the first call. Raises SchemaError, StoreUnavailable, and
    UnsafeStart where others could look at it without saying who they are."""
    settings = Settings()
    settings.require_safe(None)
    workspace = settings.open_workspace()
    if settings.auth != OFF:
        settings.make_first(workspace)
    return SharedWorkspace(
        workspace,
        settings.poll_seconds,
        settings.max_rows,
        settings.max_upload_mb,
        settings.for_jobs(),
        directory=None if settings.auth == OFF else Directory(workspace.store, linked=settings.student_view != OFF),
        idle_seconds=settings.token_minutes * 60.0,
        hosts=settings.hosts,
        contact=settings.contact,
    )


@cache
def language_set() -> str:
    """The language of all pages, where the settings name one; asked for every sentence, so it opens no workspace."""
    return Settings().language
