"""Keys, users and the record of access on the command line, as an administrator runs it."""

import subprocess
from collections.abc import Callable
from functools import partial

import pytest

from tests.command import run_command

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return partial(run_command, tmp_path_factory.mktemp("cli"))


def test_a_key_is_shown_once_and_revoked_by_name(run: Run) -> None:
    made = run("keys", "create", "lms", "--role", "teacher", "-d", "engagement", "--group", "essay", "--expires", "90d",
               "--rate", "100/minute")  # fmt: skip
    assert made.returncode == 0, made.stderr
    key = made.stdout.strip()
    assert key.startswith("gw_")
    assert "only time" in " ".join(made.stderr.split())
    listed = run("keys", "list")
    assert all(word in listed.stdout for word in ("lms", "teacher", "engagement", "essay", "100/minute", "active"))
    assert key not in listed.stdout
    assert run("keys", "revoke", "lms").returncode == 0
    assert "revoked" in run("keys", "list").stdout
    again = run("keys", "create", "lms", "--role", "viewer")
    assert again.returncode == 1
    assert "choose another name" in again.stderr
    said = run("accesses").stdout
    assert said.index("key revoked") < said.index("key created")
    assert key not in said


def test_a_password_is_read_from_standard_input_and_stands_in_no_option(run: Run) -> None:
    call = partial(run, "users")
    short = call("add", "anna", "--role", "viewer", typed="short\n")
    assert (short.returncode, "12 to 1,024" in short.stderr) == (1, True)
    assert call("add", "anna", "--role", "viewer", typed="correct horse battery\n").returncode == 0
    assert call("change", "anna", "--role", "teacher", typed="").returncode == 0
    assert call("disable", "anna", typed="").returncode == 0
    listed = run("users", "list").stdout
    assert all(word in listed for word in ("anna", "teacher", "disabled"))
    assert call("add", "ben", "--role", "boss", typed="correct horse battery\n").returncode == 1
    assert "--password" not in run("users", "add", "--help").stdout


def test_changing_a_part_of_what_a_user_may_leaves_the_rest_and_says_all_of_it(run: Run) -> None:
    call = partial(run, "users")
    confined = ("--role", "teacher", "--domain", "university", "--group", "3 / Biology")
    assert "teacher; university; 3 / Biology" in call("add", "tom", *confined, typed="correct horse battery\n").stdout
    refused = call("change", "tom", "--role", "analyst")
    assert (refused.returncode, "--all-groups" in refused.stderr) == (1, True)
    assert "analyst; university" in call("change", "tom", "--role", "analyst", "--all-groups").stdout
    assert "viewer; university" in call("change", "tom", "--role", "viewer").stdout
    assert "viewer; all domains" in call("change", "tom", "--all-domains").stdout
    assert "make a key" in call("change", "tom", "--role", "metrics").stderr


@pytest.mark.parametrize(("domain", "group"), [("school", "3 / Biology"), ("university", "Biology")])
def test_a_group_that_no_row_can_be_of_is_refused(run: Run, domain: str, group: str) -> None:
    refused = run("keys", "create", "nobody", "--role", "teacher", "--domain", domain, "--group", group)
    assert refused.returncode == 1
    assert "group" in refused.stderr
    assert "nobody" not in run("keys", "list").stdout
