"""Where a request comes from: by which name this installation was called, and whose page asks.

The host guards against names of other sites that lead here (DNS rebinding); Origin and Sec-Fetch-Site, which no page
can forge, against requests that a browser sends for another site (Fetch Metadata, W3C). The API and the dashboard ask
this alone; who asks is not known here.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from errors import Category, GradewatchError

ANY = "*"
HOST_HEADER = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::[0-9]{1,5})?")


class UnknownHost(GradewatchError):
    """The request names a host that this installation is not."""

    category = Category.FORBIDDEN

    def __init__(self) -> None:
        super().__init__("this service does not go by that name; add it to GRADEWATCH_ALLOWED_HOSTS")


class ForeignPage(GradewatchError):
    """The request was made by a web page of another site."""

    category = Category.FORBIDDEN

    def __init__(self) -> None:
        super().__init__("a web page of another site asked for this; nothing was done")


class Origin(NamedTuple):
    """What a request says of where it comes from; "" where it does not say, and for a Host that comes twice.

    changes: whether it could change something, so that the page behind it matters. trusted: its Origin came once.
    """

    host: str
    origin: str = ""
    fetch_site: str = ""
    changes: bool = True
    trusted: bool = True


@lru_cache(maxsize=1024)
def find_fault(
    asked: Origin, hosts: frozenset[str], origins: frozenset[str] = frozenset()
) -> type[UnknownHost | ForeignPage] | None:
    """What is to be raised of such a request; None where it may pass. Remembered, since callers seldom differ in it.

    hosts: names without port; "*" admits all. origins: sites whose pages may ask for changes too.

    >>> find_fault(Origin("127.0.0.1:8000"), frozenset({"127.0.0.1"}))
    >>> find_fault(Origin("evil.example"), frozenset({"127.0.0.1"}))
    <class 'access.origin.UnknownHost'>
    """
    if host_name(asked.host) not in hosts and ANY not in hosts:
        return UnknownHost
    if not asked.changes or (asked.origin in origins and asked.trusted):
        return None
    if asked.fetch_site == "cross-site" or (asked.origin and asked.origin.partition("://")[2] != asked.host):
        return ForeignPage
    return None


def host_name(host: str) -> str:
    """A Host header without its port: "127.0.0.1:8000" is 127.0.0.1, "[::1]:8000" is ::1; "" for what is none."""
    found = HOST_HEADER.fullmatch(host)
    return (found[1] or found[2]).lower() if found else ""
