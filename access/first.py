"""The first key and the first user of an installation, from its settings: a container has no command line.

Each is made once: what is revoked or changed later stays so, whatever the settings go on saying. Only digests are kept.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress

from access.keys import digest_of, keep_key
from access.records import KEY_KIND, USER_KIND, BadGrant, Grant, role_of
from access.users import add_user
from database.errors import Conflict
from database.store import RecordStore

FIRST_KEY = "first"
SHORTEST_KEY = 20  # characters: a key is kept under a fast hash, so nobody may be able to guess it
ACTOR = "settings"


def make_first(
    store: RecordStore,
    *,
    key: str | None,
    key_role: str = "admin",
    user: str | None,
    password: str | None,
    domains: Iterable[str],
) -> None:
    """Keep the first key that is given, and the first user, an admin, unless there is or was any of the kind.

    Raises BadGrant for a key that could be guessed, a user without a password, or a name or password that cannot be.
    """
    if key is not None and not any(store.documents(KEY_KIND)):
        if len(key) < SHORTEST_KEY or not key.isascii() or not key.isprintable() or " " in key:
            raise BadGrant(
                f"GRADEWATCH_FIRST_KEY (or API_KEY) needs {SHORTEST_KEY} or more printable ASCII characters, no blank"
            )
        grant = Grant(role=role_of(key_role))
        _unless_there(lambda: keep_key(store, FIRST_KEY, grant, digest_of(key.encode()), actor=ACTOR))
    if user is not None and not any(store.documents(USER_KIND)):
        if password is None:
            raise BadGrant("GRADEWATCH_FIRST_USER needs GRADEWATCH_FIRST_PASSWORD, or a file of it")
        _unless_there(lambda: add_user(store, user, Grant(role="admin"), password, domains=domains, actor=ACTOR))


def _unless_there(make: Callable[[], object]) -> None:
    """Several workers start at once: the first one's counts."""
    with suppress(Conflict):
        make()
