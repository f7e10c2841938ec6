"""Content of any size in the store, in chunks: the files that jobs are given, wherever the worker runs.

A blob is whole before anything names it: whoever adds one adds the record that names it afterwards. What a killed
process left without a name is found by its age (`RecordStore.blobs`).
"""

from collections.abc import Iterator

from database.records import BlobChunk, now
from database.store import Blobs

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
