"""Keys, users and entries of the record of access as tables for a terminal. No secret is in them."""

from collections.abc import Sequence
from datetime import datetime

from rich import box
from rich.table import Table

from access.keys import keys, state
from access.records import Grant
from access.roles import ROLES
from access.users import users
from clock import now
from database.records import Access
from database.store import RecordStore


def keys_table(store: RecordStore) -> Table:
    """Every key that there is or was."""
    table, at = _table("key", "role", "domains", "groups", "limit", "made", "expires", "state"), now()
    for key in keys(store):
        limits = (key.rate or "as all", _when(key.created), _when(key.expires), state(key, at))
        table.add_row(key.name, *_granted(key.grant), *limits)
    return table


def users_table(store: RecordStore) -> Table:
    """Every user."""
    table = _table("user", "role", "domains", "groups", "student", "added", "state")
    for user in users(store):
        active = "active, by sign-on" if user.subject else "active"
        disabled = f"disabled {_when(user.disabled)}" if user.disabled else active
        linked = "linked" if user.student else "not linked" if ROLES[user.grant.role].linked else ""
        table.add_row(user.name, *_granted(user.grant), linked, _when(user.created), disabled)
    return table


def accesses_table(entries: Sequence[Access]) -> Table:
    """Entries in their order. Times are UTC."""
    table = _table("at (UTC)", "who", "what", "domain", "details")
    for one in entries:
        details = ", ".join(f"{name} {value}" for name, value in one.details.items())
        table.add_row(f"{one.at:%Y-%m-%d %H:%M:%S}", one.actor, one.action, one.domain or "", details)
    return table


def _table(*names: str) -> Table:
    """A table that cuts nothing off: a name or group that is too wide goes on in the next line."""
    table = Table(box=box.SIMPLE)
    for name in names:
        table.add_column(name, overflow="fold")
    return table


def _granted(grant: Grant) -> tuple[str, str, str]:
    return grant.role, ", ".join(grant.domains) or "all", ", ".join(grant.groups) or "all"


def _when(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M}" if at else "never"
