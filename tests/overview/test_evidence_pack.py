"""The evidence of a time: everything that the table names is in it, nothing of another time, the same bytes again."""

import io
import json
import re
import zipfile
from datetime import datetime, timedelta
from pathlib import Path

from clock import now
from jobs.anchors import anchor
from model.pauses import pause, resume
from model.purpose import IntendedPurpose
from model.workspace import Workspace
from overview.evidence_pack import ARTICLE_13, LAWS, PARTS, PackQuestion, make_pack
from tests.database.making import make_access, make_decision, make_event, make_succession
from tests.training.making import SCHEMA

HOUR = timedelta(hours=1)


def opened(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def asked(since: datetime, until: datetime) -> PackQuestion:
    return PackQuestion(since, until, [SCHEMA.name], IntendedPurpose(provider="The College, Ministry Street 1"))


def test_a_pack_holds_what_its_table_names_and_is_the_same_again(workspace: Workspace) -> None:
    store, at = workspace.store, now()
    store.add_accesses([make_access(at - n * HOUR, domain=SCHEMA.name, actor=f"hour {n}") for n in range(1, 5)])
    store.add_event(make_event(at - HOUR, domain=SCHEMA.name, kind="champion_not_loaded"))
    pause(store, SCHEMA.name, "plain rule", reason="an inquiry", actor="ann")
    resume(store, SCHEMA.name, reason="over", actor="ann")
    anchor(store, workspace.artifacts, now(), {})
    until = now()
    content = make_pack(workspace, asked(at - 2.5 * HOUR, until))
    files = opened(content)
    for _law, _about, where in (*LAWS, *ARTICLE_13):
        for name in re.split("[;,] (?=[0-9])", where):
            place, _, part = name.partition(": ")
            assert any(one.startswith(place) and part.encode() in text for one, text in files.items()), name
    told = files["12-instructions.md"].decode()
    assert "Ministry Street 1" in told
    assert told.count("## ") == 12
    page = (Path(__file__).parents[2] / "docs/how-to/write-evidence.md").read_text(encoding="utf-8")
    for article, question, where in ARTICLE_13:
        line = f"| {article} | {question} | {where} |"
        assert line in page
        assert line in files["00-index.md"].decode()
    assert {name[:2] for name in files} == {"00", *(name[:2] for name in PARTS)}
    lines = [json.loads(line) for line in files["08-accesses.jsonl"].splitlines()]
    assert [one["actor"] for one in lines] == ["hour 2", "hour 1"]
    [card] = [text for name, text in files.items() if name.startswith("02-models/")]
    assert b"discipline and exclusion" in card
    assert [one["kind"] for one in json.loads(files["07-oversight.json"])["pauses"]] == [
        "answers_paused",
        "answers_resumed",
    ]
    integrity = json.loads(files["11-integrity.json"])
    assert (len(integrity["blocks"]), len(integrity["anchors"]), integrity["faults"]) == (1, 1, [])
    store.add_accesses([make_access(until + HOUR, domain=SCHEMA.name)])
    pause(store, SCHEMA.name, "none", reason="later", actor="ann")
    assert make_pack(workspace, asked(at - 2.5 * HOUR, until)) == content
    assert store.forget("accesses", at - 3.5 * HOUR) == 1  # of another time, past the seals
    integrity = json.loads(opened(make_pack(workspace, asked(at - 2.5 * HOUR, until)))["11-integrity.json"])
    assert [one["what"] for one in integrity["faults"]] == ["was sealed and is gone"]
    earlier = opened(make_pack(workspace, asked(at - 400 * 24 * HOUR, at - 399 * 24 * HOUR)))
    assert earlier["08-accesses.jsonl"] == earlier["06-decisions.jsonl"] == b""
    assert not any(name.startswith("02-models/") for name in earlier)


def test_champions_by_hand_are_those_that_no_contest_decided(workspace: Workspace) -> None:
    store, at = workspace.store, now()
    [champion, *_] = store.champions()
    about = {"domain": champion.domain, "target": champion.target, "moment": champion.moment}
    told = [("promote", "the error is smaller"), ("promote", "she knows better"), ("rollback", "the error is smaller")]
    for number, (action, reason) in enumerate(told, champion.generation + 1):
        made = {"action": action, "reason": reason, "actor": "ann", "version": champion.version, "at": at}
        store.succeed([make_succession(number, **about, **made)])
    store.add_decision(make_decision(at, **about, document={"reasons": ["the error is smaller"]}))
    files = opened(make_pack(workspace, asked(at, at + HOUR)))
    by_hand = json.loads(files["07-oversight.json"])["champions_by_hand"]
    assert [(one["action"], one["reason"]) for one in by_hand] == told[1:]
