"""What claims of a provider make of a person here: the rules, and the user that is kept."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.records import BadGrant, Grant
from access.roles import ROLES, Unauthenticated
from access.sign_on import BadSignOn, GrantRule, SignOn, check_rules, grant_of, read_sign_on, signed_on, values_of
from access.users import add_user, disable_user, enable_user, find_user, is_password, set_grant
from database.store import RecordStore
from preprocessing.schema import load_domains
from tests.openid_provider import CLIENT, RULES

SCHEMAS = load_domains()
PASSWORD = "correct horse battery"
GROUP = "3 / Data Structures"
TEXTS = st.sampled_from(["staff", "it", "class:", "class:A", "class: B ", "A", ""])


@pytest.fixture
def store(sqlite_url: str, opened: Callable[[str], RecordStore]) -> RecordStore:
    return opened(sqlite_url)


@pytest.fixture
def told(tmp_path: Path) -> SignOn:
    file = tmp_path / "sign-on.toml"
    file.write_text(RULES.format(issuer="https://login.school.example", client=CLIENT, domain="university"))
    return check_rules(read_sign_on(file), SCHEMAS)


def claims(name: str = "anna", *groups: str, sub: str = "") -> dict[str, Any]:
    return {"iss": "https://login.school.example", "sub": sub or name, "preferred_username": name, "groups": [*groups]}


@given(groups=st.lists(TEXTS), order=st.randoms(use_true_random=False))
def test_a_rule_of_groups_never_lets_anybody_into_all_of_them(groups: list[str], order: Any) -> None:
    rule = GrantRule(
        claim="groups", value="staff", role="teacher", domains=("d",), groups_from="groups", prefix="class:"
    )
    found = grant_of({"groups": groups}, [rule])
    assert (found is None) == ("staff" not in groups or not {"class:A", "class: B "} & {*groups})
    assert found is None or (found.groups and {*found.groups} <= {"A", "B"})
    order.shuffle(shuffled := [*groups])
    assert grant_of({"groups": shuffled}, [rule]) == found


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | TEXTS, lambda of: st.lists(of) | st.dictionaries(TEXTS, of)
    )
)
def test_no_claim_whatever_it_is_breaks_the_rules(value: Any) -> None:
    assert all(isinstance(one, str) and one for one in values_of({"a": value}, "a") | values_of({"a": value}, "a.b.c"))


def test_who_signs_on_becomes_a_user_and_changes_with_what_the_provider_says(store: RecordStore, told: SignOn) -> None:
    first, new = signed_on(store, told, claims("anna", "staff", f"class:{GROUP}"), SCHEMAS)
    assert new
    assert first.grant == Grant(role="teacher", domains=("university",), groups=(GROUP,))
    assert signed_on(store, told, claims("anna", f"class:{GROUP}", "staff"), SCHEMAS) == (first, False)
    moved, changed = signed_on(store, told, claims("anna", "staff"), SCHEMAS)
    assert changed
    assert moved.grant == Grant(role="viewer")
    assert moved.revision > first.revision, "tokens and sessions of before end"
    assert [one.actor for one in store.accesses(action="user added")] == ["sign-on"]
    assert not is_password(moved, "")
    assert not is_password(moved, PASSWORD)


def test_nobody_comes_in_without_a_rule_under_another_s_name_or_once_disabled(store: RecordStore, told: SignOn) -> None:
    add_user(store, "boss", Grant(role="admin"), PASSWORD, domains=[], actor="test")
    signed_on(store, told, claims("anna", "staff"), SCHEMAS)
    nobody = [
        claims("zoe"), claims("zoe", "class:A"), {**claims("x", "it"), "preferred_username": None},
        claims("boss", "it"),  # who has a password here
        claims("anna", "it", sub="another account"), {**claims("anna", "it"), "iss": "https://other.example"},
        claims("two words", "it"), claims("zoe", "staff", "class:no such form"),
    ]  # fmt: skip
    for said in nobody:
        with pytest.raises(Unauthenticated):
            signed_on(store, told, said, SCHEMAS)
    with pytest.raises(BadGrant, match="no user"):
        find_user(store, "zoe")
    assert find_user(store, "boss").password
    disable_user(store, "anna", actor="test")
    with pytest.raises(Unauthenticated, match="disabled"):
        signed_on(store, told, claims("anna", "it"), SCHEMAS)
    enable_user(store, "anna", actor="test")
    set_grant(store, "anna", Grant(role="admin"), domains=[], actor="test")
    assert signed_on(store, told, claims("anna", "staff"), SCHEMAS)[0].grant.role == "viewer", "the provider's to say"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (('role = "admin"', 'role = "boss"'), "Invalid enum value 'boss'"),
        (('role = "admin"', 'role = "metrics"'), "role of a program"),
        (('domains = ["university"]', 'domains = ["medicine"]'), "no domain medicine"),
        (('domains = ["university"]', ""), "name exactly one"),
        (('role = "teacher"', 'role = "analyst"'), "is confined to groups"),
        (("https://", "http://"), "must be https"),
        (("client_id", "clientid"), "clientid"),
    ],
)
def test_a_file_that_would_let_nobody_or_the_wrong_ones_in_is_refused(
    tmp_path: Path, change: tuple[str, str], words: str
) -> None:
    text = RULES.format(issuer="https://login.school.example", client=CLIENT, domain="university")
    assert change[0] in text
    (file := tmp_path / "sign-on.toml").write_text(text.replace(*change))
    with pytest.raises(BadSignOn, match=words):
        check_rules(read_sign_on(file), SCHEMAS)


def test_every_role_of_people_can_be_given() -> None:
    for role, row in ROLES.items():
        told = SignOn(issuer="https://a", client_id="a", rules=(GrantRule(claim="a", value="b", role=role),))
        if row.of_program:
            with pytest.raises(BadSignOn):
                check_rules(told, SCHEMAS)
        else:
            assert check_rules(told, SCHEMAS) is told
