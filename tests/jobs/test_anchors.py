"""The end of the sealed log is noted where whoever edits the database does not reach, and is found again."""

from datetime import timedelta
from urllib.parse import urlsplit

import msgspec
import pytest

from clock import now
from database.records import Document
from database.seals import BLOCK_KIND, newest_block
from jobs.anchors import ANCHOR_FILE, Anchor, BadAnchor, anchor, anchors, read_anchor, verify_all
from jobs.job_settings import JobSettings
from jobs.queue import ANCHORING
from jobs.tick import Pass, tick
from model.artifacts import KEPT_ARTIFACT
from model.registry import collect_garbage
from model.workspace import Workspace
from monitoring.alerts import deliveries
from monitoring.channels import Webhook
from tests.database.making import make_access, make_event

BEFORE = timedelta(minutes=2)


def fill(workspace: Workspace) -> None:
    workspace.store.add_accesses([make_access(now() - BEFORE) for _ in range(3)])
    workspace.store.add_event(make_event(now() - BEFORE))


def test_a_pass_has_the_log_anchored_once_a_day_and_seals_it_from_then_on(workspace: Workspace) -> None:
    fill(workspace)
    store = workspace.store
    for _ in range(2):
        tick(Pass(store))
    [job] = store.jobs(kind=ANCHORING)
    noted = anchor(store, workspace.artifacts, now(), {})
    fill(workspace)
    tick(Pass(store))
    last = newest_block(store)
    assert last is not None
    assert last.number == noted.number + 1
    assert [job.id] == [one.id for one in store.jobs(kind=ANCHORING)]


def test_a_chain_that_was_made_anew_is_not_the_one_that_was_noted_and_no_clearing_takes_the_note(
    workspace: Workspace,
) -> None:
    fill(workspace)
    store, artifacts = workspace.store, workspace.artifacts
    kept = anchor(store, artifacts, now(), {})
    assert anchor(store, artifacts, now(), {}) == kept
    assert collect_garbage(store, artifacts, older_than=0.0) == []
    found, wrong = verify_all(store, artifacts, read_anchor(str(kept)))
    assert (found.whole, wrong) == (True, [])
    store.remove_document(BLOCK_KIND, "000000001")
    again = anchor(store, artifacts, now(), {})  # as if nothing had been
    assert again.digest != kept.digest
    two = ["block 1 was anchored as two different ones: the chain was made anew"]
    assert verify_all(store, artifacts)[1] == two
    [(old, _), *_] = [one for one in anchors(store) if one[1] == kept]
    store.remove_document(KEPT_ARTIFACT, old)
    assert verify_all(store, artifacts)[1] == two  # the note lies among the models, whatever the database says
    assert collect_garbage(store, artifacts, older_than=0.0) == [old]
    found, wrong = verify_all(store, artifacts)  # then only the one that was sent away tells
    assert (found.whole, wrong) == (True, [])
    assert verify_all(store, artifacts, read_anchor(str(kept)))[1] == two


def test_a_note_that_says_otherwise_than_the_database_is_told(workspace: Workspace) -> None:
    fill(workspace)
    store, artifacts = workspace.store, workspace.artifacts
    noted = anchor(store, artifacts, now(), {})
    other = Anchor(number=noted.number, digest="0" * 64, at=now())
    name = artifacts.save({ANCHOR_FILE: msgspec.json.encode(other)})
    document = Document(kind=KEPT_ARTIFACT, name=name, revision=1, at=now(), body=msgspec.to_builtins(noted))
    store.put_document(document)
    told = verify_all(store, artifacts)[1]
    assert f"the anchor of block {noted.number} is not what the database says of it" in told
    store.put_document(msgspec.structs.replace(document, name="0" * 64))
    assert any("cannot be read" in one for one in verify_all(store, artifacts)[1])
    for text in ("yesterday's", "²:" + "0" * 64, "1:" + "x" * 64):
        with pytest.raises(BadAnchor):
            read_anchor(text)


def test_the_end_goes_where_alerts_go_once(workspace: Workspace) -> None:
    fill(workspace)
    channel = Webhook(urlsplit("http://127.0.0.1:1/"), b"a secret of sixteen letters")
    for _ in range(2):
        noted = anchor(workspace.store, workspace.artifacts, now(), {channel.name: channel})
    [sent] = deliveries(workspace.store)
    assert f"--anchor {noted}" in sent.alert.text
    assert not JobSettings().send_anchors
