"""What a request's headers say that this service acts on, found in one look through them.

What follows from it is decided where it matters: who asks, from where, in what form. It keeps no other header.
"""

from collections.abc import Sequence

from errors import Category, GradewatchError

Headers = Sequence[tuple[bytes, bytes]]

MOST_HEADERS, LONGEST_HEADER = 100, 8_192  # bytes of a value

HEAD = "gradewatch.head"
"""Key of a scope under which its `Head` stands."""

READ = frozenset({
    b"accept", b"authorization", b"content-encoding", b"content-length", b"content-type", b"forwarded", b"host",
    b"origin", b"sec-fetch-site", b"via", b"x-api-key", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip",
    b"x-request-id",
})  # fmt: skip
"""The headers that are looked at."""


class TooManyHeaders(GradewatchError):
    """A request with more headers, or longer ones, than any honest caller sends."""

    category = Category.TOO_LARGE
    status = 431

    def __init__(self) -> None:
        super().__init__(f"at most {MOST_HEADERS} headers are taken, each of at most {LONGEST_HEADER:,} bytes")


class Head:
    """The headers of one request. given: the first value of each that is read; again: those given more than once;
    too_many: whether there are more, or longer ones, than are taken."""

    __slots__ = ("again", "given", "too_many")

    def __init__(self, headers: Headers) -> None:
        given: dict[bytes, bytes] = {}
        self.given = given
        self.again: frozenset[bytes] = frozenset()
        self.too_many = len(headers) > MOST_HEADERS
        for name, value in headers:
            if len(value) > LONGEST_HEADER:
                self.too_many = True
            if name in READ:
                if name in given:
                    self.again |= {name}
                else:
                    given[name] = value

    def once(self, name: bytes) -> bytes:
        """The value of a header that must not come twice; b"" where it is missing or does."""
        return self.given.get(name, b"") if name not in self.again else b""
