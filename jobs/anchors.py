"""Sealing the log, and noting the end of its chain where whoever edits the database does not reach: among the models,
and where alerts go.

The chain itself is `database.seals`'.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from clock import now
from database.errors import Conflict, Damaged
from database.records import Document
from database.seals import Block, Verified, newest_block, seal, verify
from database.store import Documents, RecordStore
from errors import Category, GradewatchError
from model.artifacts import KEPT_ARTIFACT, Artifacts, CorruptArtifact, MissingArtifact

if TYPE_CHECKING:
    from monitoring.channels import Channel

ANCHOR_FILE = "anchor.json"
_ANCHOR = re.compile(r"([0-9]{1,9}):([0-9a-f]{64})")


class BadAnchor(GradewatchError):
    """A text that notes no block."""

    category = Category.MALFORMED


class Anchor(msgspec.Struct, frozen=True, kw_only=True):
    """The end of the chain as it was at a time: number and digest of its newest block."""

    number: int
    digest: str
    at: datetime

    def __str__(self) -> str:
        return f"{self.number}:{self.digest}"


def anchor(
    store: RecordStore,
    artifacts: Artifacts,
    at: datetime,
    channels: Mapping[str, "Channel"],
    progress: Callable[[int], None] = lambda _: None,
) -> Anchor:
    """Seal what is not, and note the end of the chain among the artifacts, and by the channels that are given."""
    seal(store, at, progress=progress)
    last = newest_block(store)
    if last is None:
        raise LookupError("what was sealed is gone")
    noted = _noted(last)
    name = artifacts.save({ANCHOR_FILE: msgspec.json.encode(noted)})
    body = msgspec.to_builtins(noted)
    try:
        store.put_document(Document(kind=KEPT_ARTIFACT, name=name, revision=1, at=now(), body=body))
    except Conflict:  # the same end was noted before
        return noted
    if channels:
        _tell(store, noted, channels)
    return noted


def _noted(last: Block) -> Anchor:
    from database.layout import instant

    return Anchor(number=last.number, digest=last.digest, at=instant(last.at))


def _tell(store: RecordStore, noted: Anchor, channels: Mapping[str, "Channel"]) -> None:
    from monitoring.alerts import Alert, post

    told = Alert(
        about=f"anchor {noted}",
        domain="",
        subject=f"[gradewatch] the log is sealed up to block {noted.number}",
        text=f"Keep this: gradewatch audit verify --anchor {noted}",
        body=msgspec.to_builtins(noted),
        at=noted.at,
    )
    post(store, [told], channels)


def anchors(store: Documents) -> list[tuple[str, Anchor]]:
    """What was noted, oldest first, each by the name of its artifact."""
    found = [(one.name, msgspec.convert(dict(one.body), Anchor)) for one in store.documents(KEPT_ARTIFACT)]
    return sorted(found, key=lambda one: one[1].number)


def read_anchor(text: str) -> Anchor:
    """As `Anchor` is written. Raises BadAnchor."""
    found = _ANCHOR.fullmatch(text)
    if found is None:
        raise BadAnchor(f"{text!r:.100} notes no block: NUMBER:DIGEST, as alerts and gradewatch audit anchors have it")
    return Anchor(number=int(found[1]), digest=found[2], at=now())


def verify_all(store: RecordStore, artifacts: Artifacts, given: Anchor | None = None) -> tuple[Verified, list[str]]:
    """As `database.seals.verify`, beside every anchor among the artifacts, also those that the database has forgotten,
    and one that was kept elsewhere; and what is wrong with anchors, in words."""
    known, wrong = dict[int, str](), list[str]()
    noted = _readable_anchors(store, wrong)
    found = list[Anchor]()
    for name, said in noted.items():
        try:
            there = _anchor_in(artifacts, name)
        except (MissingArtifact, CorruptArtifact, KeyError, msgspec.DecodeError) as error:
            wrong.append(f"the anchor of block {said.number} cannot be read: {error}")
            continue
        if (there.number, there.digest) != (said.number, said.digest):
            wrong.append(f"the anchor of block {there.number} is not what the database says of it")
        found.append(there)
    for one in (*found, *_forgotten(store, artifacts, noted, wrong), *([given] if given else [])):
        if known.setdefault(one.number, one.digest) != one.digest:
            wrong.append(f"block {one.number} was anchored as two different ones: the chain was made anew")
    return verify(store, known), list(dict.fromkeys(wrong))


def _readable_anchors(store: RecordStore, wrong: list[str]) -> dict[str, Anchor]:
    try:
        return dict(anchors(store))
    except (Damaged, msgspec.ValidationError):
        wrong.append("a note of an anchor in the database cannot be read: what the artifacts say is compared")
        return {}


def _anchor_in(artifacts: Artifacts, name: str) -> Anchor:
    return msgspec.json.decode(artifacts.load(name)[ANCHOR_FILE], type=Anchor)


def _forgotten(store: RecordStore, artifacts: Artifacts, noted: Collection[str], wrong: list[str]) -> Iterator[Anchor]:
    """Anchors among the artifacts of which the database says nothing (any more)."""
    try:
        models = [one.version for one in store.models()]
    except Damaged as error:
        wrong.append(str(error))
        models = []
    for name in sorted(set(artifacts.digests()).difference(noted, models)):
        with suppress(MissingArtifact, CorruptArtifact, KeyError, msgspec.DecodeError):
            yield _anchor_in(artifacts, name)


def told_result(noted: Anchor) -> Mapping[str, Any]:
    """What a job says of it."""
    return {"block": noted.number, "digest": noted.digest}
