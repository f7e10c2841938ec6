"""Keys and users as the store keeps them, and what is known of them in memory."""

from collections.abc import Callable
from datetime import timedelta

import msgspec
import pytest

from access.directory import STALE_SECONDS, WHOLE_SECONDS, Directory, Stale
from access.first import make_first
from access.keys import PREFIX, create_key, digest_of, keys, lifetime_of, revoke_key, state
from access.records import BadGrant, Grant
from access.roles import PERMISSIONS
from access.users import (
    add_user,
    disable_user,
    enable_user,
    is_password,
    link_user,
    linked_users,
    set_grant,
    set_password,
    shut_out_linked,
    unlink_user,
    users,
)
from clock import now
from database.errors import StoreUnavailable
from database.store import RecordStore

DOMAINS = ("school", "university")
PASSWORD = "correct horse battery"
TEACHER = Grant(role="teacher", domains=("university",), groups=("3 / Biology",))


@pytest.fixture
def store(sqlite_url: str, opened: Callable[[str], RecordStore]) -> RecordStore:
    return opened(sqlite_url)


def make_key(store: RecordStore, name: str = "lms", grant: Grant = TEACHER, **options: object) -> str:
    return create_key(store, name, grant, domains=DOMAINS, actor="test", **options)[1]  # type: ignore[arg-type]


def make_user(store: RecordStore, name: str = "anna", grant: Grant = TEACHER) -> None:
    add_user(store, name, grant, PASSWORD, domains=DOMAINS, actor="test")


class Clock:
    at = 1000.0

    def __call__(self) -> float:
        return self.at


def test_a_key_has_256_random_bits_and_only_its_digest_is_kept(store: RecordStore) -> None:
    texts = [make_key(store, f"key-{number}") for number in range(20)]
    assert len(set(texts)) == 20
    assert all(text.startswith(PREFIX) and len(text) == len(PREFIX) + 43 for text in texts)  # 32 bytes in base64
    kept = msgspec.json.encode([*store.documents("api_key"), *store.accesses()]).decode()
    assert not [text for text in texts if text in kept or text.removeprefix(PREFIX) in kept]
    assert {key.digest for key in keys(store)} == {digest_of(text.encode()).hex() for text in texts}


def test_the_name_of_a_revoked_key_is_not_given_again(store: RecordStore) -> None:
    make_key(store)
    assert revoke_key(store, "lms", actor="test") == revoke_key(store, "lms", actor="test")
    assert [state(key, now()) for key in keys(store)] == ["revoked"]
    with pytest.raises(BadGrant, match="another name"):
        make_key(store)
    with pytest.raises(BadGrant, match="there are: lms"):
        revoke_key(store, "nobody", actor="test")


@pytest.mark.parametrize(
    ("grant", "words"),
    [
        (Grant(role="viewer", domains=("course",)), "no domain course"),
        (Grant(role="analyst", domains=("school",), groups=("a",)), "only the role teacher"),
        (Grant(role="viewer", domains=("school",), groups=("a",)), "only the role teacher"),
        (Grant(role="teacher", groups=("a",)), "exactly one"),
        (Grant(role="teacher", domains=DOMAINS, groups=("a",)), "exactly one"),
        (Grant(role="metrics", domains=("school",)), "whole workspace"),
    ],
)
def test_a_grant_that_means_nothing_makes_no_key_and_no_user(store: RecordStore, grant: Grant, words: str) -> None:
    with pytest.raises(BadGrant, match=words):
        make_key(store, grant=grant)
    with pytest.raises(BadGrant, match=words):
        make_user(store, grant=grant)
    assert (keys(store), users(store), store.accesses()) == ([], [], [])


@pytest.mark.parametrize("name", ["", "a b", "a\tb", "-a", "a" * 65, "ä", "a\n", "user:a"])
def test_a_name_that_could_be_mistaken_is_refused(store: RecordStore, name: str) -> None:
    with pytest.raises(BadGrant, match="is no name"):
        make_key(store, name)
    with pytest.raises(BadGrant, match="is no name"):
        make_user(store, name)


@pytest.mark.parametrize(("text", "hours"), [("12h", 12), ("90d", 90 * 24), ("4w", 4 * 7 * 24)])
def test_a_lifetime_is_said_in_words(text: str, hours: int) -> None:
    assert lifetime_of(text) == timedelta(hours=hours)


@pytest.mark.parametrize("text", ["", "90", "d", "0d", "-1d", "1.5d", "90 days", "999999d"])
def test_a_lifetime_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BadGrant, match="no stretch of time"):
        lifetime_of(text)


def test_only_the_users_own_password_is_theirs_and_none_is_a_disabled_users(store: RecordStore) -> None:
    make_user(store)
    (anna,) = users(store)
    assert anna.password.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert PASSWORD not in msgspec.json.encode([*store.documents("user"), *store.accesses()]).decode()
    assert is_password(anna, PASSWORD)
    assert not is_password(anna, PASSWORD + " ")
    assert not is_password(anna, "")
    assert not is_password(None, PASSWORD)
    assert not is_password(None, "nobody's password")
    disabled = disable_user(store, "anna", actor="test")
    assert not is_password(disabled, PASSWORD)
    assert not is_password(disabled, "nobody's password")
    assert is_password(enable_user(store, "anna", actor="test"), PASSWORD)


@pytest.mark.parametrize("password", ["", "eleven char", "x" * 1025])
def test_a_password_that_is_too_short_or_endless_is_refused_and_not_repeated(store: RecordStore, password: str) -> None:
    with pytest.raises(BadGrant, match="12 to 1,024") as refused:
        add_user(store, "anna", TEACHER, password, domains=DOMAINS, actor="test")
    assert not password or password not in str(refused.value)
    assert users(store) == []


def test_every_change_of_a_user_is_another_revision_and_is_recorded(store: RecordStore) -> None:
    make_user(store)
    viewer = Grant(role="viewer")
    changed = set_grant(store, "anna", viewer, domains=DOMAINS, actor="test")
    assert (changed.grant, changed.revision) == (viewer, 2)
    assert set_password(store, "anna", "another password", actor="test").revision == 3
    assert disable_user(store, "anna", actor="test").revision == 4
    assert users(store)[0].revision == 4
    said = [entry.action for entry in reversed(store.accesses())]
    assert said == ["user added", "user changed", "password changed", "user disabled"]


def test_a_user_is_linked_to_one_student_by_its_role_and_every_change_is_recorded(store: RecordStore) -> None:
    make_user(store, "tom", Grant(role="student"))
    make_user(store)
    with pytest.raises(BadGrant, match="only a student or guardian"):
        link_user(store, "anna", "p" * 8, domains=["school"], actor="officer")
    with pytest.raises(BadGrant, match="add a user"):
        make_key(store, grant=Grant(role="guardian"))
    link_user(store, "tom", "first", domains=["school"], actor="officer")
    assert link_user(store, "tom", "second", domains=DOMAINS, actor="officer").revision == 3
    assert [one.details["name"] for one in store.student_accesses("university", "second")] == ["tom"]
    for known in (Directory(store), Directory(store, linked=True)):
        known.refresh()
        tom = known.user("tom")
        assert (tom and (tom.principal.student, tom.principal.permissions)) in (None, ("second", {"own"}))
    assert tom is not None
    assert [one.name for one in linked_users(store, "second")] == ["tom"]
    teacher = set_grant(store, "tom", Grant(role="teacher"), domains=DOMAINS, actor="test")
    assert (teacher.student, teacher.principal().student) == ("", None)
    set_grant(store, "tom", Grant(role="student"), domains=DOMAINS, actor="test")
    link_user(store, "tom", "third", domains=[], actor="officer")
    assert [one.disabled is not None for one in shut_out_linked(store, "third", actor="erasure")] == [True]
    assert (linked_users(store, "third"), shut_out_linked(store, "third", actor="erasure")) == ([], [])
    with pytest.raises(BadGrant, match="linked to no student"):
        unlink_user(store, "tom", actor="officer")
    assert "third" not in msgspec.json.encode([*store.documents("user")]).decode()


def test_what_is_known_in_memory_follows_every_change(store: RecordStore) -> None:
    directory = Directory(store)
    directory.refresh()
    digest = digest_of(make_key(store, lifetime=timedelta(days=1)).encode())
    make_user(store)
    assert (directory.key(digest), directory.user("anna")) == (None, None)
    directory.refresh()
    key, user = directory.key(digest), directory.user("anna")
    assert key is not None
    assert user is not None
    assert (key.principal.name, user.principal.name) == ("key:lms", "user:anna")
    assert key.principal.permissions == user.principal.permissions == PERMISSIONS["teacher"]
    assert (key.principal.domains, key.principal.groups) == ({"university"}, {"3 / Biology"})
    assert (key.revoked, key.until > now().timestamp()) == (False, True)
    revoke_key(store, "lms", actor="test")
    set_grant(store, "anna", Grant(role="viewer"), domains=DOMAINS, actor="test")
    directory.refresh()
    key, user = directory.key(digest), directory.user("anna")
    assert key is not None
    assert user is not None
    assert (key.revoked, user.principal.permissions) == (True, {"see"})


def test_a_change_by_a_machine_whose_clock_is_late_is_known_within_a_minute(store: RecordStore) -> None:
    clock = Clock()
    directory = Directory(store, clock=clock)
    make_user(store)
    directory.refresh()
    (kept,) = store.documents("user")
    store.put_document(msgspec.structs.replace(kept, revision=2, at=kept.at - timedelta(days=1)))
    clock.at += WHOLE_SECONDS
    directory.refresh()
    found = directory.user("anna")
    assert found is not None
    assert found.user.revision == 2


class Absent:
    """Documents of a database that stops answering."""

    def __init__(self, store: RecordStore) -> None:
        self._store = store
        self.gone = False

    def documents(self, *about: object, **more: object) -> object:
        if self.gone:
            raise StoreUnavailable("gone")
        return self._store.documents(*about, **more)  # type: ignore[arg-type]


def test_without_the_database_the_last_state_serves_for_a_quarter_of_an_hour(store: RecordStore) -> None:
    clock, documents = Clock(), Absent(store)
    directory = Directory(documents, clock=clock)  # type: ignore[arg-type]
    with pytest.raises(Stale):
        directory.user("anna")
    make_user(store)
    directory.refresh()
    documents.gone = True
    with pytest.raises(StoreUnavailable):
        directory.refresh()
    clock.at += STALE_SECONDS
    assert directory.user("anna") is not None
    clock.at += 1
    with pytest.raises(Stale, match="15 minutes"):
        directory.user("anna")
    documents.gone = False
    directory.refresh()
    assert directory.user("anna") is not None


KEY = "an old system's key-2024".replace(" ", "-")


def first(store: RecordStore, **given: str | None) -> None:
    make_first(store, **({"key": None, "user": None, "password": None, "domains": DOMAINS} | given))  # type: ignore[arg-type]


def test_the_first_key_and_user_are_made_once_and_hashed(store: RecordStore) -> None:
    first(store, key=KEY, user="anna", password=PASSWORD)
    assert [(key.name, key.grant.role, key.digest) for key in keys(store)] == [
        ("first", "admin", digest_of(KEY.encode()).hex())
    ]
    [anna] = users(store)
    assert is_password(anna, PASSWORD)
    kept = msgspec.json.encode([*store.documents("api_key"), *store.documents("user"), *store.accesses()]).decode()
    assert KEY not in kept
    assert PASSWORD not in kept
    revoke_key(store, "first", actor="test")
    disable_user(store, "anna", actor="test")
    first(store, key=KEY + "-another", user="ben", password=PASSWORD)
    assert [(key.name, state(key, now())) for key in keys(store)] == [("first", "revoked")]
    assert [user.name for user in users(store)] == ["anna"]


def test_a_first_key_that_can_be_guessed_and_a_user_without_a_password_are_refused(store: RecordStore) -> None:
    for given, words in (
        ({"key": "secret"}, "GRADEWATCH_FIRST_KEY"),
        ({"key": "two words are not one key"}, "no blank"),
        ({"user": "anna"}, "GRADEWATCH_FIRST_PASSWORD"),
        ({"user": "anna", "password": "short"}, "12"),
    ):
        with pytest.raises(BadGrant, match=words):
            first(store, **given)
    assert not keys(store)
    assert not users(store)
