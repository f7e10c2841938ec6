"""Keys and users as they are kept: documents of the store, of kinds "api_key" and "user".

No key and no password is in them, only what recognises one. They are made and changed in `keys` and `users`.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, cast

import msgspec

from access.roles import ROLES, Principal, Role
from database.records import Document
from errors import GradewatchError

KEY_KIND, USER_KIND = "api_key", "user"
ACCOUNT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


class BadGrant(GradewatchError):
    """A key or user that must not be made so; the message says what to change."""


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """What a key or user is allowed. domains, groups: to which it is confined; empty: to none in particular."""

    role: Role
    domains: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    def __str__(self) -> str:
        words = [self.role, ", ".join(self.domains) or "all domains", ", ".join(self.groups)]
        return "; ".join(filter(None, words))


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """An API key. digest: SHA-256 of its text, in hexadecimal. rate: its own limit in words, None for everybody's."""

    name: str
    grant: Grant
    digest: str
    created: datetime
    expires: datetime | None = None
    revoked: datetime | None = None
    rate: str | None = None

    def principal(self) -> Principal:
        return _principal(f"{KEY_ACTOR}{self.name}", self.grant, self.rate)


class User(msgspec.Struct, frozen=True, kw_only=True):
    """Someone who signs in. password: its argon2id hash with parameters and salt; "" of one who has none. student: the
    pseudonym that it is linked to, of a role that is. subject: of one who signs on by a provider, the account there.
    revision: of the document."""

    name: str
    grant: Grant
    password: str
    created: datetime
    disabled: datetime | None = None
    student: str = ""
    subject: str = ""
    revision: int = 0

    def principal(self) -> Principal:
        return _principal(f"{USER_ACTOR}{self.name}", self.grant, student=self.student)


KEY_ACTOR, USER_ACTOR = "key:", "user:"


def _principal(name: str, grant: Grant, rate: str | None = None, *, student: str = "") -> Principal:
    return Principal(
        name=name,
        permissions=ROLES[grant.role].may,
        domains=frozenset(grant.domains) or None,
        groups=frozenset(grant.groups) or None,
        rate=rate,
        student=student or None,
        role=grant.role,
    )


def check_name(name: str) -> str:
    """`name`, if it can be one. Raises BadGrant."""
    if not ACCOUNT_NAME.fullmatch(name):
        raise BadGrant(f"{name!r:.80} is no name: up to 64 letters, digits, '.', '_', '@' or '-', no blank")
    return name


def role_of(text: str) -> Role:
    """The role of that name. Raises BadGrant."""
    if text not in ROLES:
        raise BadGrant(f"no role {text!r:.80}; there are: {', '.join(ROLES)}")
    return cast(Role, text)


def check_grant(grant: Grant, domains: Iterable[str]) -> Grant:
    """`grant`, if it means something. domains: those there are. Raises BadGrant."""
    there = sorted(domains)
    if unknown := [name for name in grant.domains if name not in there]:
        raise BadGrant(f"no domain {', '.join(unknown)}; there are: {', '.join(there)}")
    if grant.groups and not ROLES[grant.role].by_group:
        confined = " or ".join(role for role, row in ROLES.items() if row.by_group)
        raise BadGrant(
            f"only the role {confined} is confined to groups, for others see no rows or work on whole files: "
            "give no --group, and lift one that there is with --all-groups"
        )
    if grant.groups and len(grant.domains) != 1:
        raise BadGrant("groups are groups of a domain: name exactly one with --domain")
    if grant.domains and not ROLES[grant.role].by_domain:
        raise BadGrant(f"{grant.role} are about the whole workspace: leave --domain out")
    return grant


def check_groups(grant: Grant, columns: Sequence[str]) -> Grant:
    """`grant`, if its domain has such groups. columns: the domain's group columns. Raises BadGrant."""
    if grant.groups and not columns:
        raise BadGrant(f"domain {grant.domains[0]} has no group columns, so no row in it is of any group")
    for group in grant.groups:
        if len(group.split(" / ")) < len(columns):
            raise BadGrant(f"{group!r:.80} is no group of {grant.domains[0]}: write it as {' / '.join(columns)!r}")
    return grant


def changed_grant(
    grant: Grant, *, role: str | None, domains: Sequence[str] | None, groups: Sequence[str] | None
) -> Grant:
    """`grant` with what is given: None leaves a part as it is, an empty sequence lifts a confinement.

    Raises BadGrant where there is no such role.
    """
    return Grant(
        role=grant.role if role is None else role_of(role),
        domains=grant.domains if domains is None else tuple(domains),
        groups=grant.groups if groups is None else tuple(groups),
    )


def document(kind: str, record: Key | User, revision: int, at: datetime) -> Document:
    """`record` as the store keeps it."""
    body: dict[str, Any] = msgspec.to_builtins(record)
    body.pop("revision", None)
    return Document(kind=kind, name=record.name, revision=revision, at=at, body=body)


def key_of(kept: Document) -> Key:
    """The key that `document` made this of."""
    return msgspec.convert(dict(kept.body), Key)


def user_of(kept: Document) -> User:
    """The user that `document` made this of, with the revision that is kept now."""
    return msgspec.convert({**kept.body, "revision": kept.revision}, User)
