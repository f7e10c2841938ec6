"""What Settings asks and does: users, keys, schedules, and the rules with where each comes from.

Only who may administer gets an answer. Whoever leaves a user or key behind gives their own password once more, so that
a session that is left open, or stolen, leaves nothing behind.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from access.keys import create_key, keys, revoke_key
from access.records import Grant, Key, User, check_groups
from access.roles import Principal
from access.roles import require as require_of
from access.users import add_user, disable_user, enable_user, users
from dashboard.gate import confirm, has_password, require
from dashboard.visit.base import VisitBase
from database.records import Job
from jobs.queue import WATCHING
from jobs.schedule import plan_schedule
from jobs.schedules import ScheduledJob, last_jobs, put_schedule, remove_schedule, schedules

if TYPE_CHECKING:
    from retraining.policies import Policies


class Rule(NamedTuple):
    """A rule in force. source: "default", "domain file" or "schedule". about: the one column that it is of."""

    table: str
    name: str
    value: object
    source: str
    about: str = ""


class SettingQuestions(VisitBase):
    """Every method as `Visit` says; all raise Forbidden for who may not administer."""

    @property
    def signed_in(self) -> bool:
        """Whether whoever looks has a password to give once more."""
        return has_password()

    def accounts(self) -> list[User]:
        """Every user, disabled ones too."""
        self._administer(drawn=True)
        return users(self._shared.workspace.store)

    def keys(self) -> list[Key]:
        """Every key that there is or was; never the keys themselves."""
        self._administer(drawn=True)
        return keys(self._shared.workspace.store)

    def add_account(self, name: str, grant: Grant, password: str, *, own: str) -> User:
        """own: the password of whoever looks, where they have signed in. Raises BadGrant, Unauthenticated."""
        actor, workspace = self._administer(own).name, self._shared.workspace
        self._check_groups(grant)
        return add_user(workspace.store, name, grant, password, domains=workspace.schemas, actor=actor)

    def disable_account(self, name: str) -> User:
        """Shut a user out at once. Raises BadGrant."""
        done = disable_user(self._shared.workspace.store, name, actor=self._administer().name)
        self._shared.look_again()
        return done

    def enable_account(self, name: str, *, own: str) -> User:
        """As `add_account`."""
        return enable_user(self._shared.workspace.store, name, actor=self._administer(own).name)

    def make_key(self, name: str, grant: Grant, *, lifetime: timedelta | None, own: str) -> str:
        """The text of a new key, which is shown once. Raises BadGrant, Unauthenticated."""
        actor, workspace = self._administer(own).name, self._shared.workspace
        self._check_groups(grant)
        _, text = create_key(workspace.store, name, grant, domains=workspace.schemas, actor=actor, lifetime=lifetime)
        return text

    def revoke(self, name: str) -> Key:
        """End a key. Raises BadGrant."""
        return revoke_key(self._shared.workspace.store, name, actor=self._administer().name)

    def schedules(self) -> list[tuple[ScheduledJob, Job | None]]:
        """What is done by itself, each with its last job."""
        self._administer(drawn=True)
        found = schedules(self._shared.workspace.store)
        return list(zip(found, last_jobs(self._shared.workspace.store, found), strict=True))

    def plan(self, kind: str, domain: str, *, every: timedelta | None, at: str | None) -> ScheduledJob:
        """Have a job of a domain done on a schedule; a watch goes by the rules that its schedule had before. Raises
        BadSchedule."""
        from jobs.drift_watch import Plan  # which loads what trains

        self._administer()
        when, days = plan_schedule(every, at)
        wanted = ScheduledJob(name=f"{kind} of {domain}", kind=kind, when=when, domain=self._own(domain))
        if kind == WATCHING:
            watched = Plan(domain, when, days, self._policies(domain)[0])
            wanted = msgspec.structs.replace(wanted, arguments={"plan": msgspec.to_builtins(watched)})
        put_schedule(self._shared.workspace.store, wanted)
        return wanted

    def unplan(self, name: str) -> None:
        """Have it done no more. Raises NoSuchSchedule."""
        self._administer()
        remove_schedule(self._shared.workspace.store, name)

    def rules(self, domain: str) -> list[Rule]:
        """The rules of a domain's watch and of what it starts: of its schedule, else the usual ones; and what the
        domain's file says of single columns and targets."""
        from retraining.policies import Policies

        self._administer(drawn=True)
        found, planned = self._policies(domain)
        usual, schema = Policies(), self.schemas[self._own(domain)]
        rules = [
            Rule(
                table,
                name,
                value,
                "schedule" if planned and value != msgspec.to_builtins(usual)[table][name] else "default",
            )
            for table, part in msgspec.to_builtins(found).items()
            for name, value in part.items()
        ]
        rules += [
            Rule("drift", f"thresholds.{column.name}", column.drift_threshold, "domain file", column.name)
            for column in schema.features
            if column.drift_threshold is not None
        ]
        return rules + [
            Rule("promotion", f"min_gain of {one.name}", one.min_gain, "domain file", one.name)
            for one in schema.targets
        ]

    def _policies(self, domain: str) -> "tuple[Policies, bool]":
        """The rules of the domain's watch, and whether there is one."""
        from retraining.policies import Policies

        for one in schedules(self._shared.workspace.store):
            if (one.kind, one.domain) == (WATCHING, domain):
                return msgspec.convert(one.arguments["plan"].get("policies", {}), Policies), True
        return Policies(), False

    def _check_groups(self, grant: Grant) -> None:
        if len(grant.domains) == 1 and (schema := self.schemas.get(grant.domains[0])):
            check_groups(grant, schema.group)

    def _administer(self, own: str | None = None, *, drawn: bool = False) -> Principal:
        """Whoever looks, who may. own: their password, which is asked for what outlives their session."""
        if drawn:
            require_of(self._principal, "administer")
            return self._principal
        present = require(self._shared, "administer")
        if own is not None:
            confirm(self._shared, own)
        return present


RECURRING: Sequence[str] = (WATCHING, "training", "retraining")
"""Kinds of jobs that may stand on a schedule here, as `gradewatch drift watch` and `schedules set` have them."""
