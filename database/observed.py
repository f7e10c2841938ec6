"""What is observed of students, as a store keeps it: read by student and as records. It writes nothing."""

from database.layout import LAYOUTS
from database.records import Observation
from database.store import RecordStore

_unpack = LAYOUTS["observations"].unpack


def observations_of(store: RecordStore, domain: str, student: str) -> list[Observation]:
    """All versions of all that is observed of one student, in key order."""
    pages = store.observation_pages(domain, students=[student])
    return [_unpack((domain, *row[:-1])) for page in pages for row in zip(*page, strict=True)]
