"""Content of any size in the store, in chunks: the files that jobs are given, and models that machines share.

A blob is whole before anything names it: whoever adds one adds the record that names it afterwards. What a killed
process left without a name is found by its age (`RecordStore.blobs`).
"""

from collections.abc import Iterator

import msgspec

from clock import now
from database.layout import key_of, write_json
from database.records import BlobChunk
from database.store import Blobs, RecordStore

MODEL_BLOBS = "model/"
"""How the names of models begin. Those of jobs' files begin with the job's id, and they alone have no slash."""

CHUNK_BYTES = 1_000_000
"""Of content; a document of MongoDB holds 16 MB, and a reader holds one chunk at a time."""


def put_blob(store: Blobs, name: str, content: bytes) -> None:
    """Keep `content` under a name of its own. Putting it again changes nothing."""
    at = now()
    for number in range(max(1, -(-len(content) // CHUNK_BYTES))):
        part = content[number * CHUNK_BYTES : (number + 1) * CHUNK_BYTES]
        store.add_chunk(BlobChunk(blob=name, number=number, at=at, content=part))


def read_blob(store: Blobs, name: str) -> Iterator[bytes]:
    """The content, chunk by chunk; nothing where there is no such blob."""
    number = 0
    while chunk := store.chunk(name, number):
        yield chunk.content
        number += 1


def renew_blob(store: RecordStore, name: str) -> bool:
    """Whether there is such a blob; it then counts as begun now."""
    first = store.chunk(name, 0)
    if first is None:
        return False
    renewed = msgspec.structs.replace(first, at=now())
    store.load("chunks", [(key_of("chunks", renewed), write_json(renewed))])
    return True
