"""Sign-on by the institution's OpenID provider: what its claims make of a person here, by rules, and the user of it.

It asks no provider and verifies nothing: claims come from whoever has checked the ID token (`api.request.id_tokens`,
the dashboard's server). From then on a person is a user like any other.
"""

import tomllib
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from access.journal import note
from access.records import (
    USER_ACTOR,
    USER_KIND,
    BadGrant,
    Grant,
    User,
    check_grant,
    check_groups,
    check_name,
    document,
    user_of,
)  # fmt: skip
from access.roles import ROLES, Role, Unauthenticated
from access.users import set_grant
from clock import now
from database.errors import Conflict
from database.records import digest
from database.store import RecordStore
from errors import Category, GradewatchError
from preprocessing.schema import DomainSchema

SIGN_ON_ACTOR = "sign-on"
"""Who adds and changes users in the record of access where a provider's claims do."""


class BadSignOn(GradewatchError):
    """A file of sign-on that cannot be used; the message says what to change."""

    category = Category.MISUSED


class GrantRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom it takes, those whose `claim` is or has `value`, and what they get. groups_from: a claim whose values are
    groups, of those that begin with `prefix` what follows it; without any the rule takes nobody, for no group would
    mean all of them."""

    claim: str
    value: str
    role: Role
    domains: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    groups_from: str = ""
    prefix: str = ""


class SignOn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A provider and its rules, of which the first that takes somebody counts. name: the claim that names users here.
    title: what people call the provider."""

    issuer: str
    client_id: str
    rules: tuple[GrantRule, ...]
    name: str = "preferred_username"
    scope: str = "openid profile email"
    title: str = ""


def read_sign_on(file: Path) -> SignOn:
    """What the file says. Raises BadSignOn."""
    try:
        told = msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), SignOn)
    except (OSError, ValueError, msgspec.ValidationError) as error:
        raise BadSignOn(f"{file}: {error}") from None
    if not told.rules:
        raise BadSignOn(f"{file}: without any [[rules]] nobody could sign on")
    parts = urlsplit(told.issuer)
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_here(parts.hostname or "")):
        raise BadSignOn(f"{file}: issuer {told.issuer!r:.200} must be https://…; http only on this machine")
    return told


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def check_rules(told: SignOn, schemas: Mapping[str, DomainSchema]) -> SignOn:
    """`told`, if its rules can hold in these domains. Raises BadSignOn."""
    for place, rule in enumerate(told.rules, start=1):
        try:
            if ROLES[rule.role].of_program:
                raise BadGrant(f"{rule.role} is the role of a program, which has a key")
            _check(Grant(role=rule.role, domains=rule.domains, groups=rule.groups), schemas)
            if rule.groups_from:
                check_grant(Grant(role=rule.role, domains=rule.domains, groups=(rule.groups_from,)), schemas)
        except BadGrant as error:
            raise BadSignOn(f"rule {place} of sign-on: {error}") from None
    return told


def _check(grant: Grant, schemas: Mapping[str, DomainSchema]) -> Grant:
    check_grant(grant, schemas)
    return check_groups(grant, schemas[grant.domains[0]].group) if grant.groups else grant


def grant_of(claims: Mapping[str, Any], rules: Iterable[GrantRule]) -> Grant | None:
    """What the first rule that takes these claims gives; None where none does.

    >>> of_class = {"domains": ("school",), "groups_from": "groups", "prefix": "class:"}
    >>> rule = GrantRule(claim="groups", value="staff", role="teacher", **of_class)
    >>> grant_of({"groups": ["staff", "class:GP"]}, [rule])
    Grant(role='teacher', domains=('school',), groups=('GP',))
    >>> grant_of({"groups": ["staff"]}, [rule])
    """
    for rule in rules:
        if rule.value not in values_of(claims, rule.claim):
            continue
        if not rule.groups_from:
            return Grant(role=rule.role, domains=rule.domains, groups=rule.groups)
        named = (one for one in values_of(claims, rule.groups_from) if one.startswith(rule.prefix))
        if groups := {*rule.groups, *filter(None, (one.removeprefix(rule.prefix).strip() for one in named))}:
            return Grant(role=rule.role, domains=rule.domains, groups=tuple(sorted(groups)))
    return None


def values_of(claims: Mapping[str, Any], name: str) -> frozenset[str]:
    """The texts of a claim, of one that is a list each. A dotted name leads into claims within claims, where no claim
    has the name itself.

    >>> sorted(values_of({"realm_access": {"roles": ["staff", "head"]}}, "realm_access.roles"))
    ['head', 'staff']
    """
    found: Any = claims
    for part in [name] if name in claims else name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    texts = found if isinstance(found, list | tuple) else [found]
    return frozenset(one for one in texts if isinstance(one, str) and one)


def signed_on(
    store: RecordStore, told: SignOn, claims: Mapping[str, Any], schemas: Mapping[str, DomainSchema]
) -> tuple[User, bool]:
    """The user that verified claims are of, and whether the record of it had to be made or changed.

    Raises Unauthenticated: nobody is let in whom no rule takes, nor under the name of somebody else; a user who was
    disabled here stays so.
    """
    grant, name = grant_of(claims, told.rules), claims.get(told.name)
    if grant is None:
        raise Unauthenticated("you are known to the sign-on, but none of its rules lets you in here")
    if not isinstance(name, str):
        raise Unauthenticated(f"the sign-on does not say your name: its ID tokens lack the claim {told.name!r}")
    try:
        _check(grant, schemas)
        check_name(name)
    except BadGrant as error:
        raise Unauthenticated(f"what the sign-on says of you cannot be used here: {error}") from None
    try:
        return _kept(store, name, _subject(claims), grant, schemas)
    except Conflict:  # another process was first: what it kept counts
        return _kept(store, name, _subject(claims), grant, schemas)


def _subject(claims: Mapping[str, Any]) -> str:
    """What names an account for good (OpenID Connect Core 1.0, 5.7): a name may be given to somebody else."""
    return digest([claims["iss"], claims["sub"]])


def _kept(
    store: RecordStore, name: str, subject: str, grant: Grant, schemas: Mapping[str, DomainSchema]
) -> tuple[User, bool]:
    kept, at = store.document(USER_KIND, name), now()
    if kept is None:
        user = User(name=name, grant=grant, password="", created=at, subject=subject, revision=1)
        note(store, SIGN_ON_ACTOR, "user added", name=name, **msgspec.to_builtins(grant))
        store.put_document(document(USER_KIND, user, 1, at))
        return user, True
    user, actor = user_of(kept), f"{USER_ACTOR}{name}"
    if user.subject != subject:
        raise Unauthenticated(f"there is another user {name!r} here; whoever administers this must end it first", actor)
    if user.disabled is not None:
        raise Unauthenticated("this user is disabled", actor)
    if user.grant == grant:
        return user, False
    return set_grant(store, name, grant, domains=schemas, actor=SIGN_ON_ACTOR), True
