"""A file as a form of the dashboard hands it on."""

from typing import NamedTuple


class GivenFile(NamedTuple):
    """A file that a visitor gives, and how it is to be read. id: other for each that is given."""

    id: str
    name: str
    content: bytes
    sheet: str
    skip_bad_rows: bool
