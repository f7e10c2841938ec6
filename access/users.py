"""Users: added, changed, disabled; and whether a password is theirs. Passwords are kept as argon2id hashes.

Tokens and sessions of a user hold the revision of the user's record, so every change here ends them.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING

import msgspec

from access.journal import Action, note
from access.records import USER_KIND, BadGrant, Grant, User, check_grant, check_name, document, user_of
from access.roles import ROLES
from clock import now
from database.store import RecordStore

if TYPE_CHECKING:
    from argon2 import PasswordHasher

SHORTEST, LONGEST_PASSWORD = 12, 1024  # characters; the upper end keeps hashing cheap
MEMORY_KIB, PASSES, LANES = 19_456, 2, 1  # OWASP's first choice for argon2id: 19 MiB, so that a small server bears it


@cache
def _hasher() -> "PasswordHasher":
    from argon2 import PasswordHasher  # only where someone signs in

    return PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)


@cache
def _nobody() -> str:
    """The hash that an unknown user's password is compared with, so that it takes as long as a known one's."""
    return _hasher().hash("nobody's password")


def is_password(user: User | None, password: str) -> bool:
    """Whether `password` is the user's, in the same time whether or not there is one. Takes about 30 ms and 19 MiB."""
    from argon2.exceptions import VerificationError

    nobody = _nobody()  # made by whoever signs in first, known or not
    kept = nobody if user is None or user.disabled is not None else user.password or nobody
    try:
        _hasher().verify(kept, password[:LONGEST_PASSWORD])
    except VerificationError:
        return False
    return user is not None and user.disabled is None and user.password != ""


def add_user(store: RecordStore, name: str, grant: Grant, password: str, *, domains: Iterable[str], actor: str) -> User:
    """A new user. domains: those there are. Raises BadGrant."""
    check_name(name)
    _check_grant(grant, domains)
    if store.document(USER_KIND, name) is not None:
        raise BadGrant(f"there is a user {name!r} already; change it, or choose another name")
    at = now()
    user = User(name=name, grant=grant, password=_hashed(password), created=at, revision=1)
    note(store, actor, "user added", name=name, **msgspec.to_builtins(grant))
    store.put_document(document(USER_KIND, user, 1, at))
    return user


def users(store: RecordStore) -> list[User]:
    """Every user, by name, disabled ones too."""
    return [user_of(kept) for kept in store.documents(USER_KIND)]


def disable_user(store: RecordStore, name: str, *, actor: str) -> User:
    """Shut a user out, and end every token and session. Raises BadGrant where there is none of that name."""
    return _change(store, find_user(store, name), actor, "user disabled", disabled=now())


def enable_user(store: RecordStore, name: str, *, actor: str) -> User:
    """Let a disabled user in again, with the password as it was. Raises BadGrant."""
    return _change(store, find_user(store, name), actor, "user enabled", disabled=None)


def set_password(store: RecordStore, name: str, password: str, *, actor: str) -> User:
    """Change a user's password; tokens and sessions end. Raises BadGrant."""
    user = find_user(store, name)
    return _change(store, user, actor, "password changed", password=_hashed(password))


def link_user(store: RecordStore, name: str, student: str, *, domains: Sequence[str], actor: str) -> User:
    """Have a user see what is said of a student (a pseudonym); tokens and sessions end. domains: in which something is
    known of the student, whose record of access says so. Raises BadGrant."""
    user = find_user(store, name)
    if not ROLES[user.grant.role].linked:
        linked = " or ".join(role for role, row in ROLES.items() if row.linked)
        raise BadGrant(f"{name} is of the role {user.grant.role}; only a {linked} is linked to a student")
    return _change(store, user, actor, "user linked", about=student, domains=domains, student=student)


def unlink_user(store: RecordStore, name: str, *, actor: str) -> User:
    """End a link; tokens and sessions end. Raises BadGrant where there is none."""
    user = find_user(store, name)
    if not user.student:
        raise BadGrant(f"user {name} is linked to no student")
    return _change(store, user, actor, "user unlinked", student="")


def linked_users(store: RecordStore, student: str) -> list[User]:
    """Who is linked to a student."""
    return [user for user in users(store) if user.student == student]


def shut_out_linked(store: RecordStore, student: str, *, actor: str) -> list[User]:
    """End every link to a student who is erased, and disable who had it; those."""
    found = linked_users(store, student)
    return [_change(store, user, actor, "user unlinked", student="", disabled=user.disabled or now()) for user in found]


def set_grant(store: RecordStore, name: str, grant: Grant, *, domains: Iterable[str], actor: str) -> User:
    """Change what a user is allowed; tokens and sessions end, and a link that the role does not have. Raises
    BadGrant."""
    user, granted = find_user(store, name), _check_grant(grant, domains)
    student = user.student if ROLES[granted.role].linked else ""
    return _change(store, user, actor, "user changed", grant=granted, student=student)


def _check_grant(grant: Grant, domains: Iterable[str]) -> Grant:
    check_grant(grant, domains)
    if ROLES[grant.role].of_program:
        raise BadGrant(f"{grant.role} is the role of a program: make a key for it")
    return grant


def find_user(store: RecordStore, name: str) -> User:
    """The user of that name. Raises BadGrant, which names those there are."""
    kept = store.document(USER_KIND, name)
    if kept is None:
        known = ", ".join(user.name for user in users(store)) or "none"
        raise BadGrant(f"no user {name!r:.80}; there are: {known}")
    return user_of(kept)


def _change(
    store: RecordStore,
    user: User,
    actor: str,
    action: Action,
    *,
    about: str | None = None,
    domains: Sequence[str | None] = (None,),
    **changes: object,
) -> User:
    """about: the student whose record of access in these domains names the change."""
    changed = msgspec.structs.replace(user, **changes, revision=user.revision + 1)
    told: dict[str, object] = msgspec.to_builtins(changed.grant) if action == "user changed" else {"student": about}
    for domain in domains:
        note(store, actor, action, domain, name=user.name, **told)
    store.put_document(document(USER_KIND, changed, changed.revision, now()))
    return changed


def _hashed(password: str) -> str:
    if not SHORTEST <= len(password) <= LONGEST_PASSWORD:
        raise BadGrant(f"a password has {SHORTEST} to {LONGEST_PASSWORD:,} characters")
    return _hasher().hash(password)
