"""All keys and users in memory, so that recognising one asks no database; refreshed from outside, every second or so.

While the database is away the last state serves, for a quarter of an hour; then nobody is recognised any more.
"""

import time
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta

import msgspec

from access.records import KEY_KIND, USER_KIND, Key, User, key_of, user_of
from access.roles import ROLES, Principal
from database.records import Document
from database.store import Documents
from errors import Category, GradewatchError

STALE_SECONDS = 900.0  # how long the last state may serve: a key revoked meanwhile lives no longer than this
WHOLE_SECONDS = 60.0  # between two readings of everything; between them only what has changed is read
CLOCKS = timedelta(minutes=10)  # by which the clocks of two machines that change documents may differ
FOREVER = float("inf")


class Stale(GradewatchError):
    """The database has been away for so long that nobody can be recognised any more."""

    category = Category.UNAVAILABLE
    retry_after = 5


class KnownKey(msgspec.Struct, frozen=True, gc=False):
    """A key as requests need it. until: end of its life, seconds since 1970."""

    principal: Principal
    until: float
    revoked: bool


class KnownUser(msgspec.Struct, frozen=True, gc=False):
    """A user and what it may do."""

    principal: Principal
    user: User


class Directory:
    """The keys and users of a store, as of the last `refresh`. One thread refreshes, any may ask. linked: whether those
    are known, too, who only see the student that they are linked to."""

    def __init__(self, store: Documents, *, linked: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        self._linked = linked
        self._store = store
        self._clock = clock
        self._kept: dict[tuple[str, str], Document] = {}
        self._keys: Mapping[bytes, KnownKey] = {}
        self._users: Mapping[str, KnownUser] = {}
        self._seen = -FOREVER  # when the store last answered
        self._whole = -FOREVER  # when everything was last read

    def refresh(self) -> None:
        """Read what has changed. Raises StoreUnavailable; then the state before serves on until it is stale."""
        at = self._clock()
        whole = at - self._whole >= WHOLE_SECONDS
        since = None if whole else _newest(self._kept.values())
        found = {
            (one.kind, one.name): one
            for kind in (KEY_KIND, USER_KIND)
            for one in self._store.documents(kind, since=since)
        }
        kept = found if whole else self._kept | found
        if kept != self._kept:
            self._keys = dict(_known_key(key_of(one)) for one in kept.values() if one.kind == KEY_KIND)
            found_users = (user_of(one) for one in kept.values() if one.kind == USER_KIND)
            self._users = {one.name: _known_user(one) for one in found_users if self._knows(one)}
            self._kept = kept
        self._seen = at
        self._whole = at if whole else self._whole

    def key(self, digest: bytes) -> KnownKey | None:
        """The key whose text has this SHA-256, whatever its state. Raises Stale.

        A look-up by digest compares no secret: how long it takes tells at most about digests, which lead back to no
        key.
        """
        self._check_age()
        return self._keys.get(digest)

    def user(self, name: str) -> KnownUser | None:
        """The user of that name, disabled or not. Raises Stale."""
        self._check_age()
        return self._users.get(name)

    def _knows(self, user: User) -> bool:
        return self._linked or not ROLES[user.grant.role].linked

    def _check_age(self) -> None:
        if self._clock() - self._seen > STALE_SECONDS:
            minutes = STALE_SECONDS / 60
            raise Stale(f"the database has not said for {minutes:g} minutes who may still ask; nobody is admitted")


def _newest(kept: Collection[Document]) -> datetime | None:
    """From when on a change may have been missed; None: always."""
    return max(one.at for one in kept) - CLOCKS if kept else None


def _known_key(key: Key) -> tuple[bytes, KnownKey]:
    until = key.expires.timestamp() if key.expires is not None else FOREVER
    return bytes.fromhex(key.digest), KnownKey(key.principal(), until, key.revoked is not None)


def _known_user(user: User) -> KnownUser:
    return KnownUser(user.principal(), user)
