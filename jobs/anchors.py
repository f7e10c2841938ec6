"""Sealing the log, and noting the end of its chain where whoever edits the database does not reach: among the models,
and where alerts go.

The chain itself is `database.seals`'.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from clock import now
from database.errors import Conflict
from database.records import Document
from database.seals import Block, Verified, newest_block, seal, verify
from database.store import Documents, RecordStore
from errors import Category, GradewatchError
from model.artifacts import KEPT_ARTIFACT, Artifacts, CorruptArtifact, MissingArtifact

if TYPE_CHECKING:
    from monitoring.channels import Channel

ANCHOR_FILE = "anchor.json"


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
    number, _, digest = text.partition(":")
    if not number.isdigit() or len(digest) != 64:
        raise BadAnchor(f"{text!r:.100} notes no block: NUMBER:DIGEST, as alerts and gradewatch audit anchors have it")
    return Anchor(number=int(number), digest=digest, at=now())


def verify_all(store: RecordStore, artifacts: Artifacts, given: Anchor | None = None) -> tuple[Verified, list[str]]:
    """As `database.seals.verify`, beside every anchor among the artifacts and one that was kept elsewhere; and what is
    wrong with anchors, in words."""
    known, wrong = dict[int, str](), list[str]()
    for name, noted in anchors(store):
        try:
            there = msgspec.json.decode(artifacts.load(name)[ANCHOR_FILE], type=Anchor)
        except (MissingArtifact, CorruptArtifact, KeyError, msgspec.DecodeError) as error:
            wrong.append(f"the anchor of block {noted.number} cannot be read: {error}")
            continue
        if (there.number, there.digest) != (noted.number, noted.digest):
            wrong.append(f"the anchor of block {there.number} is not what the database says of it")
        if known.setdefault(there.number, there.digest) != there.digest:
            wrong.append(f"block {there.number} was anchored as two different ones: the chain was made anew")
    if given is not None:
        known[given.number] = given.digest
    return verify(store, known), wrong


def told_result(noted: Anchor) -> Mapping[str, Any]:
    """What a job says of it."""
    return {"block": noted.number, "digest": noted.digest}
