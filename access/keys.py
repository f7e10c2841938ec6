"""API keys: made, listed, revoked. A key's text is shown once and never kept.

What is kept is its SHA-256. A key is 256 random bits, which nobody can search; a slow hash protects secrets that people
choose, and would cost every request what a password costs once.
"""

import hashlib
import re
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

from access.journal import note
from access.records import KEY_KIND, BadGrant, Grant, Key, check_grant, check_name, document, key_of
from access.roles import ROLES
from clock import now
from database.store import RecordStore

PREFIX = "gw_"  # so that people and scanners of leaked secrets recognise one
RANDOM_BYTES = 32
LIFETIME_UNITS = {"h": "hours", "d": "days", "w": "weeks"}
LIFETIME = re.compile(r"([1-9][0-9]{0,4})([hdw])")


def digest_of(text: bytes) -> bytes:
    """What a key is recognised by: 32 bytes."""
    return hashlib.sha256(text).digest()


def lifetime_of(text: str) -> timedelta:
    """A stretch of time in words: "90d", "12h", "4w". Raises BadGrant."""
    found = LIFETIME.fullmatch(text)
    if found is None:
        raise BadGrant(f"{text!r:.40} is no stretch of time; write a number and h, d or w: 90d")
    return timedelta(**{LIFETIME_UNITS[found[2]]: int(found[1])})


def create_key(
    store: RecordStore,
    name: str,
    grant: Grant,
    *,
    domains: Iterable[str],
    actor: str,
    lifetime: timedelta | None = None,
    rate: str | None = None,
) -> tuple[Key, str]:
    """A new key and its text. domains: those there are; lifetime: None for a key that does not expire.

    Raises BadGrant, also for a name that a key has or had: entries in the record must mean one key.
    """
    check_name(name)
    check_grant(grant, domains)
    if ROLES[grant.role].linked:
        raise BadGrant(f"{grant.role} is the role of a person who signs in: add a user for it")
    if store.document(KEY_KIND, name) is not None:
        raise BadGrant(f"there is or was a key {name!r}; choose another name")
    text = PREFIX + secrets.token_urlsafe(RANDOM_BYTES)
    return keep_key(store, name, grant, digest_of(text.encode()), actor=actor, lifetime=lifetime, rate=rate), text


def keep_key(
    store: RecordStore,
    name: str,
    grant: Grant,
    digest: bytes,
    *,
    actor: str,
    lifetime: timedelta | None = None,
    rate: str | None = None,
) -> Key:
    """Keep a key that somebody has; as `create_key`, which makes one. Raises Conflict where the name is taken."""
    at = now()
    expires = at + lifetime if lifetime is not None else None
    key = Key(name=name, grant=grant, digest=digest.hex(), created=at, expires=expires, rate=rate)
    note(store, actor, "key created", name=name, **msgspec.to_builtins(grant))
    store.put_document(document(KEY_KIND, key, 1, at))
    return key


def keys(store: RecordStore) -> list[Key]:
    """Every key that there is or was, by name."""
    return [key_of(kept) for kept in store.documents(KEY_KIND)]


def revoke_key(store: RecordStore, name: str, *, actor: str) -> Key:
    """End a key; it stays in the list. Raises BadGrant where there is none of that name."""
    kept = store.document(KEY_KIND, name)
    if kept is None:
        known = ", ".join(key.name for key in keys(store)) or "none"
        raise BadGrant(f"no key {name!r:.80}; there are: {known}")
    key = key_of(kept)
    if key.revoked is not None:
        return key
    note(store, actor, "key revoked", name=name)
    revoked = msgspec.structs.replace(key, revoked=now())
    store.put_document(document(KEY_KIND, revoked, kept.revision + 1, now()))
    return revoked


def state(key: Key, at: datetime) -> str:
    """ "revoked", "expired" or "active"."""
    if key.revoked is not None:
        return "revoked"
    return "expired" if key.expires is not None and key.expires <= at else "active"
