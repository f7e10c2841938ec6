"""The open workspaces that all visitors of the dashboard share, and how fresh their champions are.

Each is opened once per server process: one's own, and beside it, on one's own machine, the invented school's. Pages are
given what their visitor may see of the one that they look at (`dashboard.visit`).
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from time import monotonic

import streamlit as st

from access.directory import Directory
from access.sign_on import SignOn
from advice.catalogue import Catalogue, load_catalogue
from clock import Clock, live_by
from dashboard.installation import choose, chosen
from dashboard.sign_on import offer_sign_on
from demo.installation import demo_mark, open_demo, remove_demo
from jobs.job_settings import JobSettings
from model.purpose import IntendedPurpose
from model.workspace import Workspace
from monitoring.results import Results
from settings import OFF, Settings


@dataclass
class SharedWorkspace:
    """opened: the open parts. poll_seconds: how old its champions may be. max_rows, max_upload_mb: limits of a file.
    jobs: what background work is told of the settings, should the dashboard do it.

    directory: of the users who may sign in; None where nobody has to. idle_seconds: after which an unused session ends.
    hosts: the names that the dashboard may be called by, as the API's. kept: what was measured of answers a moment ago,
    with when. contact: whom students and guardians may ask. purpose: of the installation. clock: the installation's
    own, where it has one.
    demo_beside: the data folder in which an invented school may lie; None where none is shown. sign_on: by which
    provider people sign on; None where they have passwords alone.
    """

    opened: Workspace
    poll_seconds: float
    max_rows: int
    max_upload_mb: int
    jobs: JobSettings = field(default_factory=JobSettings)
    directory: Directory | None = None
    idle_seconds: float = 1800.0
    hosts: frozenset[str] = frozenset()
    kept: OrderedDict[tuple[object, ...], tuple[float, Results | None]] = field(default_factory=OrderedDict)
    contact: str = ""
    purpose: IntendedPurpose = field(default_factory=IntendedPurpose)
    clock: Clock | None = None
    demo_beside: Path | None = None
    sign_on: SignOn | None = None
    _looked: float = float("-inf")

    @property
    def workspace(self) -> Workspace:
        """The open parts; whoever asks for them lives by this installation's clock from then on."""
        live_by(self.clock)
        return self.opened

    @property
    def is_demo(self) -> bool:
        """Whether its students are invented."""
        return self.clock is not None

    @property
    def has_demo(self) -> bool:
        """Whether an invented school lies beside it."""
        return self.demo_beside is not None and demo_mark(self.demo_beside) is not None

    @property
    def learned_from_records(self) -> bool:
        """Whether any model in use learned from somebody's own records."""
        return any(not one.predictor.from_examples for one in self.workspace.champions.loaded.values())

    @cached_property
    def catalogue(self) -> Catalogue:
        """What students may be advised, read at the first question. Raises BadCatalogue."""
        return load_catalogue(self.jobs.study_catalogue)

    def refreshed(self) -> "SharedWorkspace":
        """Itself, its champions and users looked up again if the last look is longer ago than `poll_seconds`."""
        workspace = self.workspace
        if monotonic() - self._looked >= self.poll_seconds:
            if self.directory is not None:
                self.directory.refresh()
            workspace.champions.refresh()
            workspace.objections.refresh()
            self._looked = monotonic()
        return self

    def look_again(self) -> None:
        """Look champions up at the next chance: someone has just changed one."""
        self._looked = float("-inf")


def shared_workspace() -> SharedWorkspace:
    """The workspace that the visitor looks at: the demo's where they chose it, or have neither chosen nor any model of
    their own records. Raises SchemaError, StoreUnavailable, and UnsafeStart where others could look at it without
    saying who they are."""
    own = own_workspace()
    mark = own.demo_beside and demo_mark(own.demo_beside)
    if own.demo_beside and mark and _looks_at_demo(own):
        return demo_workspace(own.demo_beside, mark)
    return own


def remove_demo_shown() -> None:
    """Remove the invented school, with all that visitors did in it."""
    if (folder := own_workspace().demo_beside) is not None:
        demo_workspace.clear()
        remove_demo(folder)
    choose(None)


def _looks_at_demo(own: SharedWorkspace) -> bool:
    which = chosen()
    return not own.refreshed().learned_from_records if which is None else which == "demo"


@st.cache_resource(show_spinner="Opening the workspace …", on_release=lambda shared: shared.opened.close())
def own_workspace() -> SharedWorkspace:
    """The workspace that the settings describe, opened at the first call."""
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
        purpose=settings.intended_purpose(),
        demo_beside=settings.data_dir if settings.may_show_demo else None,
        sign_on=_offered(settings, workspace),
    )


def _offered(settings: Settings, workspace: Workspace) -> SignOn | None:
    told = settings.open_sign_on(workspace) if settings.auth != OFF else None
    if told is None:
        return None
    secret = settings.sign_on_secret.get_secret_value()
    return offer_sign_on(told, secret=secret, dashboard_url=settings.dashboard_url, key=settings.token_key())


@st.cache_resource(show_spinner=False, max_entries=1, on_release=lambda shared: shared.opened.close())
def demo_workspace(data_dir: Path, mark: int) -> SharedWorkspace:  # noqa: ARG001 - it is the cache that asks for it
    """The demo's, opened at the first call after it was put there. mark: other for each that is put there."""
    workspace, clock = open_demo(data_dir)
    own = own_workspace()
    return SharedWorkspace(
        workspace, own.poll_seconds, own.max_rows, own.max_upload_mb, JobSettings(), hosts=own.hosts, clock=clock
    )


@cache
def language_set() -> str:
    """The language of all pages, where the settings name one; asked for every sentence, so it opens no workspace."""
    return Settings().language
