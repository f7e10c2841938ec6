"""The table of permissions, and the one check of it."""

import itertools
from typing import get_args

import hypothesis.strategies as st
import pytest
from hypothesis import given

from access.roles import (
    ANONYMOUS,
    LOCAL,
    MEANING,
    PERMISSIONS,
    ROLES,
    WHOLE_WORKSPACE,
    Forbidden,
    Permission,
    Principal,
    Role,
    Unauthenticated,
    require,
    require_groups,
)

permissions = st.sampled_from(get_args(Permission))
roles = st.sampled_from(get_args(Role))
domains = st.sampled_from(["school", "university", None])


def test_each_role_may_what_the_one_below_may() -> None:
    order = [PERMISSIONS[role] - {"note"} for role in ("viewer", "teacher", "analyst", "admin")]  # type: ignore[index]
    assert all(below < above for below, above in itertools.pairwise(order))
    assert PERMISSIONS["admin"] | {"own"} == set(MEANING) == set(get_args(Permission))
    assert list(ROLES) == list(get_args(Role))


def test_who_reads_rows_of_students() -> None:
    assert [role for role in get_args(Role) if PERMISSIONS[role] & {"read", "predict", "upload"}] == [
        "teacher",
        "analyst",
        "admin",
        "client",  # what it is answered, and no stored row
    ]
    assert [role for role in get_args(Role) if "rights" in PERMISSIONS[role]] == ["officer", "admin"]
    assert [role for role in get_args(Role) if "note" in PERMISSIONS[role]] == ["teacher", "officer", "admin"]
    assert {role: PERMISSIONS[role] for role, row in ROLES.items() if row.linked or "own" in row.may} == {
        "student": {"own"},  # and nothing else, which nobody else has
        "guardian": {"own"},
    }


@given(role=roles, permission=permissions, domain=domains)
def test_confinement_takes_away_and_never_gives(role: Role, permission: Permission, domain: str | None) -> None:
    free = Principal(name="key:a", permissions=PERMISSIONS[role])
    confined = Principal(name="key:a", permissions=PERMISSIONS[role], domains=frozenset({"school"}))
    assert free.may(permission, domain) == (permission in PERMISSIONS[role])
    assert confined.may(permission, domain) <= free.may(permission, domain)
    assert not confined.may(permission, "university")
    assert not (permission in WHOLE_WORKSPACE and confined.may(permission))


@given(permission=permissions, domain=domains)
def test_nobody_may_nothing_and_the_person_at_the_machine_everything(
    permission: Permission, domain: str | None
) -> None:
    with pytest.raises(Unauthenticated):
        require(ANONYMOUS, permission, domain)
    with pytest.raises(Unauthenticated):
        require(ANONYMOUS.named("key:revoked"), permission, domain)
    assert LOCAL.may(permission, domain) == (permission != "own")  # who sits there is no student


@given(rows=st.lists(st.sampled_from(["a", "b", "A", "", None]), max_size=5))
def test_one_row_of_another_group_refuses_all(rows: list[str | None]) -> None:
    teacher = Principal(name="user:t", permissions=PERMISSIONS["teacher"], groups=frozenset({"a"}))
    outside = [row for row in rows if row != "a"]
    if not outside:
        require_groups(teacher, rows)
        return
    with pytest.raises(Forbidden, match=f"^{len(outside)} rows? (is|are) of groups"):
        require_groups(teacher, rows)
    require_groups(LOCAL, rows)
