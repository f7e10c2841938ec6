"""Copies everything that one store remembers into another, and compares the two.

It prints nothing and keeps no state of its own: what the target already holds says where to go on, so that a run after
a killed one continues and a run after a finished one writes nothing.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence

import msgspec

from database.blobs import MODEL_BLOBS
from database.store import KINDS, Exporter, RecordStore

ROWS_COPIED_AT_ONCE = 1_000
"""Documents that are read, compared and written at a time."""

LARGE_PAGE = 20
"""The same for kinds whose contents may be megabytes each."""

LARGE = frozenset({"documents", "chunks"})

Keyed = tuple[str, bytes]


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of document in two stores. The digests are SHA-256 (hex) over all keys and contents, in key order."""

    kind: str
    source_count: int
    target_count: int
    source_digest: str
    target_digest: str

    @property
    def equal(self) -> bool:
        """Whether both stores hold the same documents."""
        return self.source_count == self.target_count and self.source_digest == self.target_digest


def copy(
    source: RecordStore, target: RecordStore, *, on_page: Callable[[str, int, int], None] | None = None
) -> dict[str, int]:
    """Bring everything in `source` to `target`, kind by kind in key order. Returns how many were written, by kind.

    A document that the target already holds with the same content is not written again; one with other content is
    replaced. on_page: called after each page with the kind, how many documents it had and how many were written.
    Raises StoreUnavailable when either store fails; run it again to go on.
    """
    written = dict.fromkeys(KINDS, 0)
    for kind in KINDS:
        after = None
        for page in _all_pages(source, kind):
            there = dict(target.export(kind, after=after, limit=len(page)))
            missing = [(key, document) for key, document in page if there.get(key) != document]
            if missing:
                target.load(kind, missing)
            written[kind] += len(missing)
            after = page[-1][0]
            if on_page:
                on_page(kind, len(page), len(missing))
    return written


def compare(
    source: RecordStore, target: RecordStore, *, on_page: Callable[[str, int], None] | None = None
) -> tuple[Comparison, ...]:
    """Read both stores completely and say, per kind, whether they hold the same. Models are no part of it: they may
    lie elsewhere, and each is known by the digest of its content.

    on_page: called with the kind and the number of documents after each page of the source.
    """
    return tuple(_compare(source, target, kind, on_page) for kind in KINDS)


def _compare(
    source: RecordStore, target: RecordStore, kind: str, on_page: Callable[[str, int], None] | None
) -> Comparison:
    one, other = content_of(source, kind, on_page), content_of(target, kind)
    return Comparison(
        kind=kind,
        source_count=one.count,
        target_count=other.count,
        source_digest=one.digest,
        target_digest=other.digest,
    )


def expected_counts(source: RecordStore) -> dict[str, int]:
    """How many documents of the two largest kinds `source` holds, for a progress bar; cheap to ask."""
    return {
        "predictions": source.count_predictions(),
        "batch_rows": sum(batch.rows for batch in source.batches()),
    }


def _all_pages(store: Exporter, kind: str) -> Iterator[list[Keyed]]:
    after = None
    limit = min(ROWS_COPIED_AT_ONCE, LARGE_PAGE) if kind in LARGE else ROWS_COPIED_AT_ONCE
    while page := store.export(kind, after=after, limit=limit):
        yield page
        after = page[-1][0]


def pages(store: Exporter, kind: str) -> Iterator[list[Keyed]]:
    """All documents of a kind but models, which may lie elsewhere and are known by their digests; in key order."""
    for page in _all_pages(store, kind):
        yield [one for one in page if kind != "chunks" or not one[0].startswith(MODEL_BLOBS)]


class Content:
    """How many documents there are of a kind, and one SHA-256 over all keys and contents, in key order."""

    def __init__(self) -> None:
        self.count = 0
        self._digest = hashlib.sha256()

    def add(self, page: Sequence[Keyed]) -> None:
        """The documents that come next."""
        for key, document in page:
            name = key.encode()
            self._digest.update(b"%d %d " % (len(name), len(document)))  # lengths first: no two lists read the same
            self._digest.update(name)
            self._digest.update(document)
        self.count += len(page)

    @property
    def digest(self) -> str:
        return self._digest.hexdigest()


def content_of(store: Exporter, kind: str, on_page: Callable[[str, int], None] | None = None) -> Content:
    """Read all documents of a kind. on_page: called after each page with the kind and how many it had."""
    content = Content()
    for page in pages(store, kind):
        content.add(page)
        if on_page:
            on_page(kind, len(page))
    return content
