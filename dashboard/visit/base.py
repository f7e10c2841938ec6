"""Whose visit it is and what they may ask about: what the parts of a visit are built on."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from access.journal import Action
from access.roles import Permission, Principal
from access.roles import require as require_of
from dashboard.gate import record, require
from dashboard.shared_workspace import SharedWorkspace
from dashboard.visit.given import GivenFile
from database.records import ChampionKey, Job
from database.store import MOST_IN_PASSING
from jobs.inline import JobFailed, JobWaits, do_here
from jobs.queue import CATCHING_UP, JobFile, JobRequest, ask, ask_in_passing, worker_for
from model.registry import Serving, UnfitChampion
from preprocessing.schema import DomainSchema


class Uncounted(NamedTuple):
    """That much came which a job is to look at. n: how much, where the visitor may know. worked: whether somebody is
    there to do it."""

    n: int | None
    worked: bool


class VisitBase:
    """schemas: the visitor's domains. max_rows, max_upload_mb: limits of a file."""

    def __init__(self, shared: SharedWorkspace, principal: Principal) -> None:
        self._shared = shared
        self._principal = principal
        schemas = shared.workspace.schemas
        self.schemas: Mapping[str, DomainSchema] = {
            name: schema for name, schema in schemas.items() if principal.may("see", name)
        }
        self.max_rows, self.max_upload_mb = shared.max_rows, shared.max_upload_mb

    def may(self, permission: Permission, domain: str) -> bool:
        """Whether a button is worth drawing; pressing it asks again."""
        return self._principal.may(permission, domain)

    @property
    def champions(self) -> dict[ChampionKey, Serving]:
        """The loaded champions of the visitor's domains."""
        loaded = self._shared.workspace.champions.loaded
        return {key: serving for key, serving in loaded.items() if key.domain in self.schemas}

    @property
    def broken(self) -> list[ChampionKey]:
        """Champions of the visitor's domains that could not be loaded."""
        return [key for key in self._shared.workspace.champions.broken if key.domain in self.schemas]

    @property
    def stopped(self) -> dict[ChampionKey, UnfitChampion]:
        """Champions of the visitor's domains that learned another schema than theirs."""
        stopped = self._shared.workspace.champions.stopped
        return {key: one for key, one in stopped.items() if key.domain in self.schemas}

    def uncounted_answers(self) -> Uncounted | None:
        """Answers that no list of students knows of yet, where they are many."""
        n = self._shared.workspace.store.newest_behind()
        return self._have_counted(n) if n > MOST_IN_PASSING else None

    def _have_counted(self, n: int | None) -> Uncounted:
        """Have a job look at what came. The number is of all groups."""
        store = self._shared.workspace.store
        ask_in_passing(store, "dashboard")
        return Uncounted(n if self._groups is None else None, worker_for(store, CATCHING_UP) is not None)

    def _give(self, job_kind: str, domain: str, principal: Principal, file: GivenFile, **more: object) -> Job:
        """Have a worker take a file, or this process at once where none is there: rows of the visitor's groups alone.
        The job itself says what became of it. more: arguments of the job."""
        groups = None if principal.groups is None else sorted(principal.groups)
        arguments = {"sheet": file.sheet, "skip_bad_rows": file.skip_bad_rows, "limit": self.max_rows, "groups": groups}
        given, workspace = {"file": JobFile(file.name, file.content)}, self._shared.workspace
        job = ask(workspace.store, JobRequest(job_kind, domain, principal.name, arguments | more, files=given))
        if worker_for(workspace.store, job.kind) is None:
            with suppress(JobFailed, JobWaits):
                do_here(workspace, job.id, self._shared.jobs)
        return self._given(domain, principal, job.id) or job

    def _given(self, domain: str, principal: Principal, id: str) -> Job | None:
        """What became of it; None where it is not theirs, or long ago."""
        job = self._shared.workspace.store.job(id)
        return job if job is not None and (job.domain, job.actor) == (domain, principal.name) else None

    def _begin(self, permission: Permission, action: Action, domain: str, **details: object) -> None:
        require(self._shared, permission, self._own(domain))
        record(self._shared, action, domain, **details)

    @property
    def _groups(self) -> Sequence[str] | None:
        """The groups that the visitor is confined to."""
        return None if self._principal.groups is None else sorted(self._principal.groups)

    def _own(self, domain: str) -> str:
        require_of(self._principal, "see", domain)
        return domain
