"""Roles and what each may do, as one table; the principal, which is whoever asks, and the one check of it.

The API, the dashboard and the command line judge by this alone. How a principal is recognised is not known here.
"""

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple, get_args

import msgspec

from errors import Category, GradewatchError

Role = Literal["viewer", "teacher", "analyst", "officer", "admin", "metrics", "client", "student", "guardian"]
Permission = Literal[
    "see", "predict", "read", "upload", "download", "withdraw", "compare", "retrain", "change", "operate", "rights",
    "audit", "measure", "note", "administer", "own",
]  # fmt: skip

MEANING: Mapping[Permission, str] = {
    "see": "see aggregates: domains, models, drift reports, performance; no row of a student",
    "predict": "predict",
    "read": "read logged predictions",
    "upload": "upload batches and outcomes, list uploads",
    "download": "download models",
    "withdraw": "take back uploads and predictions",
    "compare": "run drift reports, see what challengers said in shadow",
    "retrain": "start retraining and read its runs",
    "change": "change champions",
    "operate": "read and empty caches",
    "rights": "answer a student's request: hand out all that is known, erase it, record an objection, link a user",
    "audit": "read who looked at what",
    "measure": "read the service's metrics",
    "note": "note what was done about a student, and read such notes",
    "administer": "add and end users, keys and schedules on the dashboard",
    "own": "see what is said of the one student that one is linked to, and object",
}
"""Every permission in words."""


class RoleOf(NamedTuple):
    """A row of the table of roles. of_program: a key alone may have it, no user. linked: a user alone may have it, and
    sees the student that an officer links it to. by_group: whether who has it may be confined to groups. by_domain:
    whether to domains."""

    may: frozenset[Permission]
    of_program: bool = False
    linked: bool = False
    by_group: bool = False
    by_domain: bool = True


_VIEWER: frozenset[Permission] = frozenset({"see"})
_READER: frozenset[Permission] = _VIEWER | {"predict", "read", "upload", "download"}
_ANALYST: frozenset[Permission] = _READER | {"withdraw", "compare", "retrain"}
_OWN: frozenset[Permission] = frozenset({"own"})  # of nobody else: who works here is linked to no student

ROLES: Mapping[Role, RoleOf] = {
    "viewer": RoleOf(_VIEWER),  # a head
    "teacher": RoleOf(_READER | {"note"}, by_group=True),
    "analyst": RoleOf(_ANALYST),
    "officer": RoleOf(_VIEWER | {"rights", "audit", "note"}),  # who answers a student that asks what is known
    "admin": RoleOf(frozenset(get_args(Permission)) - _OWN),
    "metrics": RoleOf(frozenset({"measure"}), of_program=True, by_domain=False),  # a monitoring system
    "client": RoleOf(frozenset({"predict", "operate"}), of_program=True),  # an older system: all that it asked for
    "student": RoleOf(_OWN, linked=True),
    "guardian": RoleOf(_OWN, linked=True),
}
"""Every role there is, and all that is said of it anywhere."""

PERMISSIONS: Mapping[Role, frozenset[Permission]] = {role: row.may for role, row in ROLES.items()}

WHOLE_WORKSPACE: frozenset[Permission] = frozenset({"operate", "audit", "measure", "administer"})
"""Permissions that are about the workspace as a whole: nobody confined to domains has them."""


class Unauthenticated(GradewatchError):
    """Who asks is not known, or not any more. actor: whose credential it was, where that is certain."""

    category = Category.UNAUTHENTICATED

    headers: Mapping[str, str] = {"www-authenticate": 'Bearer realm="gradewatch"'}

    def __init__(self, words: str, actor: str | None = None) -> None:
        super().__init__(words)
        self.actor = actor


class Forbidden(GradewatchError):
    """Who asks is known, and may not."""

    category = Category.FORBIDDEN


class NotLinked(Forbidden):
    """Whoever asks sees the student that they are linked to, and is linked to nobody."""


class Principal(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Whoever asks: a key, a user, or the person at this machine.

    name: "key:…", "user:…", "local" or "anonymous". domains, groups: outside which it may not predict or read; None:
    everywhere. rate: how often it may ask, in words ("100/minute"); None: as often as the settings say. student: the
    pseudonym that it is linked to. role: by which it has its permissions, where it has one.
    """

    name: str
    permissions: frozenset[Permission]
    domains: frozenset[str] | None = None
    groups: frozenset[str] | None = None
    rate: str | None = None
    student: str | None = None
    role: Role | None = None

    def may(self, permission: Permission, domain: str | None = None) -> bool:
        """Whether `require` would let it."""
        if permission not in self.permissions:
            return False
        return self.domains is None or (
            permission not in WHOLE_WORKSPACE and (domain is None or domain in self.domains)
        )

    def within(self, other: "Principal") -> "Principal":
        """What both may do, under this one's name: whoever shows two credentials gets what the narrower one allows."""
        return msgspec.structs.replace(
            self,
            permissions=self.permissions & other.permissions,
            domains=_both(self.domains, other.domains),
            groups=_both(self.groups, other.groups),
            rate=other.rate or self.rate,
        )

    def named(self, name: str) -> "Principal":
        """The same under another name."""
        return msgspec.structs.replace(self, name=name)


def _both(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    return one & other if one is not None and other is not None else one if other is None else other


LOCAL = Principal(name="local", permissions=PERMISSIONS["admin"])
"""Whoever sits at this machine, where nobody has to sign in."""

ANONYMOUS = Principal(name="anonymous", permissions=frozenset())


def require(principal: Principal, permission: Permission, domain: str | None = None) -> None:
    """Raises Unauthenticated for one who is nobody, Forbidden for one who may not."""
    if principal.may(permission, domain):
        return
    if not principal.permissions:
        raise Unauthenticated("say who you are: send an API key or a token as Authorization: Bearer …, or X-API-Key")
    if permission not in principal.permissions:
        raise Forbidden(f"your role does not allow you to {MEANING[permission]}")
    raise Forbidden(f"you have no access to domain {domain}" if domain else "you have access to some domains only")


def require_groups(principal: Principal, groups: Iterable[str | None]) -> None:
    """Raises Forbidden where a row belongs to a group that `principal` is not confined to, or to no group at all.

    groups: of each row, as `preprocessing.validation.rules.group_of` writes them.
    """
    if principal.groups is None:
        return
    outside = sum(group not in principal.groups for group in groups)
    if outside:
        if outside == 1:
            raise Forbidden("1 row is of groups that you have no access to; nothing of this request was kept")
        raise Forbidden(f"{outside:,} rows are of groups that you have no access to; nothing of this request was kept")


def linked_student(principal: Principal) -> str:
    """The pseudonym that `principal` is linked to. Raises NotLinked."""
    if principal.student is None:
        raise NotLinked("your user is linked to no student: ask whoever answers for data protection to link it")
    return principal.student
