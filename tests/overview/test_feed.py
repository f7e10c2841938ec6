"""The feed tells everything that happened once, newest first, whatever the size of its pages, and to each their own."""

from typing import get_args

from access.roles import LOCAL, PERMISSIONS, Principal
from database.uploads import begin_upload, change_upload, new_upload, refuse_upload
from database.withdrawal import NothingToWithdraw, withdraw_outcomes
from language import use
from model.trial import running_trials, stop_trial
from model.workspace import Workspace
from overview.acknowledgements import acknowledge
from overview.conditions import find_conditions
from overview.feed import FeedFilter, kinds_named, next_page, read_feed
from overview.happenings import Entry, EntryKind
from tests.overview.happening import drift, learn_from_examples, lose_an_alert, send_strays, try_useless
from tests.training.making import MARK, SCHEMA

HEAD = Principal(name="user:head", permissions=PERMISSIONS["viewer"])
TEACHER = Principal(name="user:tim", permissions=PERMISSIONS["teacher"], groups=frozenset({"A"}))


def live(workspace: Workspace) -> None:
    """A school's weeks: files, one refused; drift, a trial that ends, an alert, and what somebody has seen of it."""
    for number, actor in enumerate(("user:anna", "user:tim", "user:anna")):
        upload = begin_upload(
            workspace.store, new_upload(f"upload {number}", SCHEMA.name, "labeled", name="a.csv", actor=actor)
        )
        if number == 2:
            refuse_upload(workspace.store, upload, NothingToWithdraw("it holds an e-mail address in column 'note'"))
        else:
            change_upload(workspace.store, upload, state="done", added=40, updated=2, unchanged=0)
    learn_from_examples(workspace)
    drift(workspace)
    try_useless(workspace)
    (trial,) = running_trials(workspace.store, workspace.store.champions()).values()
    stop_trial(workspace.store, trial.id, actor="user:anna", why="it lost")
    lose_an_alert(workspace)
    send_strays(workspace)
    for one in find_conditions(workspace, LOCAL):
        acknowledge(workspace.store, one.condition, LOCAL.named("user:anna"), "known")
    strays = workspace.store.oldest_outcomes(SCHEMA.name, 5)
    withdraw_outcomes(workspace.store, SCHEMA.name, strays, reason="by mistake", actor="user:anna")


def read(workspace: Workspace, asked: FeedFilter = FeedFilter(), viewer: Principal = LOCAL) -> list[Entry]:  # noqa: B008 (frozen)
    return read_feed(workspace.store, workspace.schemas, viewer, asked, limit=1_000)


def test_pages_of_any_size_give_every_entry_once_and_filters_give_their_part(workspace: Workspace) -> None:
    live(workspace)
    whole = read(workspace)
    assert [one.place for one in whole] == sorted({one.place for one in whole}, reverse=True)
    assert all(len(one.sentence) <= 120 and "{" not in one.sentence for one in whole)
    told: set[EntryKind] = {one.kind for one in whole}
    elsewhere = {"report", "decision", "failure", "training", "policy", "changes", "other"}  # made in other tests
    assert told == {*get_args(EntryKind)} - elsewhere
    for size in (1, 4, len(whole), 50):
        pages, before = [], None
        while page := read_feed(workspace.store, workspace.schemas, LOCAL, before=before, limit=size):
            pages += page
            if (before := next_page(page, size)) is None:
                break
        assert pages == whole
    for kind in told:
        assert read(workspace, FeedFilter(kinds=kinds_named([kind]))) == [one for one in whole if one.kind == kind]
    assert read(workspace, FeedFilter(who="anna")) == [one for one in whole if one.who == "anna"]
    in_school = [one for one in whole if one.domain == SCHEMA.name]
    assert read(workspace, FeedFilter(domains=[SCHEMA.name])) == in_school


def test_a_head_sees_no_files_and_no_alerts_and_a_teacher_only_what_is_theirs(workspace: Workspace) -> None:
    live(workspace)
    head = {one.kind for one in read(workspace, viewer=HEAD)}
    assert {"model", "champion", "drift", "trial"} <= head
    assert head.isdisjoint({"upload", "refusal", "alert"})
    teacher = read(workspace, viewer=TEACHER)
    assert [one.who for one in teacher if one.kind in ("upload", "refusal")] == ["tim"]
    assert {one.kind for one in teacher}.isdisjoint({"withdrawal", "alert", "acknowledgement"})
    elsewhere = Principal(name="user:eve", permissions=LOCAL.permissions, domains=frozenset({"other"}))
    assert read(workspace, viewer=elsewhere) == []


def test_an_entry_leads_to_where_it_is_told_in_full(workspace: Workspace) -> None:
    drift(workspace)
    (entry,) = read(workspace, FeedFilter(kinds=["drift"]))
    assert (entry.page, entry.choice["domain"], entry.choice["report"]) == ("data", SCHEMA.name, entry.id)
    (champion,) = read(workspace, FeedFilter(kinds=["champion"]))
    assert (champion.choice["target"], champion.choice["at"]) == (MARK.target, MARK.moment)


def test_every_entry_is_told_in_the_language_of_its_reader(workspace: Workspace) -> None:
    live(workspace)
    english = read(workspace)
    with use("de"):
        german = read(workspace)
    assert [one.place for one in german] == [one.place for one in english]
    assert [one.sentence for one, other in zip(german, english, strict=True) if one.sentence == other.sentence] == []
    assert read(workspace) == english
