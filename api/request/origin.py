"""Who may call from where: this service's own addresses, and no web page of a site that was not admitted.

Without it any page that a user's browser has open could predict, roll back or retrain on a service on this machine. Who
the caller is, is another question.
"""

import re
from functools import lru_cache

from api.request.head import Head
from errors import Category, GradewatchError

HARMLESS = frozenset({"GET", "HEAD", "OPTIONS"})
ANY = "*"
HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::[0-9]{1,5})?")


class UnknownHost(GradewatchError):
    """The request names a host that this service is not."""

    category = Category.FORBIDDEN


class ForeignPage(GradewatchError):
    """The request was made by a web page of another site."""

    category = Category.FORBIDDEN


def check(method: str, head: Head, hosts: frozenset[str], origins: frozenset[str] = frozenset()) -> None:
    """Raises UnknownHost or ForeignPage. hosts: names without port; "*" admits all. origins: sites that may ask too.

    The host guards against names of other sites that lead here (DNS rebinding); Origin and Sec-Fetch-Site, which no
    page can forge, against requests that a browser sends for another site (Fetch Metadata, W3C).
    """
    host = head.once(b"host").decode("latin-1")
    if host_name(host) not in hosts and ANY not in hosts:
        raise UnknownHost("this service does not go by that name; add it to GRADEWATCH_ALLOWED_HOSTS")
    if method in HARMLESS:
        return
    origin = head.given.get(b"origin", b"").decode("latin-1")
    if origin and origin in origins and b"origin" not in head.again:
        return
    if head.given.get(b"sec-fetch-site") == b"cross-site" or (origin and origin.partition("://")[2] != host):
        raise ForeignPage("a web page of another site asked for this; nothing was done")


@lru_cache(maxsize=256)
def host_name(host: str) -> str:
    """A Host header without its port: "127.0.0.1:8000" is 127.0.0.1, "[::1]:8000" is ::1; "" for what is none."""
    found = HOST.fullmatch(host)
    return (found[1] or found[2]).lower() if found else ""
