"""Who is let in: where a request comes from, who asks, and how often.

No web page of a site that was not admitted may ask: without that any page that a user's browser has open could
predict, roll back or retrain on a service on this machine.
The pipeline asks it before every route, the fast path's and the framework's. It knows no route.
"""

import ipaddress
import re
from functools import lru_cache

from starlette.types import Scope

from access.rates import Limit, parse_limit
from access.roles import ANONYMOUS, LOCAL, Principal, Unauthenticated
from api.request.credentials import Credentials
from api.request.headers import RequestHeaders, TooManyHeaders
from api.request.rate_limits import Spent
from api.state import ServiceState
from errors import Category, GradewatchError

PRINCIPAL = "gradewatch.principal"
"""Key of a scope under which whoever asks is found; there is always one."""

LIMIT_HEADERS = "gradewatch.told"
"""Key of a scope under which the headers stand that tell whoever asks what is left of their limit."""

HARMLESS = frozenset({"GET", "HEAD", "OPTIONS"})
ANY = "*"
HOST_HEADER = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::[0-9]{1,5})?")

LOOPBACK = frozenset({"127.0.0.1", "::1"})
PROXY_HEADERS = frozenset({b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip", b"via"})


class UnknownHost(GradewatchError):
    """The request names a host that this service is not."""

    category = Category.FORBIDDEN


class ForeignPage(GradewatchError):
    """The request was made by a web page of another site."""

    category = Category.FORBIDDEN


class NotLocal(GradewatchError):
    """A request from elsewhere to a service that asks nobody who they are."""

    category = Category.FORBIDDEN


class TooManyRequests(GradewatchError):
    """A caller has made all the requests of this window of time."""

    category = Category.TOO_MANY

    def __init__(self, spent: Spent) -> None:
        super().__init__(f"at most {spent.limit.amount:,} requests in {spent.limit.seconds:,} seconds; wait a little")
        self.headers = {"retry-after": str(int(spent.reset_seconds) + 1)}


class Admission:
    """Lets requests to one running service in."""

    def __init__(self, state: ServiceState) -> None:
        self._state = state
        self._limits: dict[str, Limit] = {}

    def admit(self, scope: Scope, headers: RequestHeaders) -> Principal:
        """Whoever asks, who stands in the scope from now on; the request is counted.

        Raises UnknownHost, ForeignPage, Unauthenticated, NotLocal, TooManyHeaders, TooManyRequests, Stale.
        """
        check_origin(scope["method"], headers, self._state.hosts, self._state.origins)
        scope[PRINCIPAL] = ANONYMOUS
        if headers.too_many:
            raise TooManyHeaders
        if self._state.credentials is None:
            scope[PRINCIPAL] = principal = local(scope, headers)
            return principal
        return self._recognise(self._state.credentials, scope, headers)

    def _recognise(self, credentials: Credentials, scope: Scope, headers: RequestHeaders) -> Principal:
        try:
            scope[PRINCIPAL] = principal = credentials.principal(headers)
        except Unauthenticated as error:
            if error.actor is not None:
                scope[PRINCIPAL] = ANONYMOUS.named(error.actor)
            self._hit(scope, f"address:{network(address(scope))}", self._state.rate_limit)
            raise
        known = principal is not ANONYMOUS
        name = principal.name if known else f"address:{network(address(scope))}"
        limit = self._limit(principal.rate) if principal.rate else self._state.rate_limit
        self._hit(scope, name, limit, known=known)
        return principal

    def _hit(self, scope: Scope, name: str, limit: Limit | None, *, known: bool = False) -> None:
        if limit is None:
            return
        spent = self._state.limiter.hit(name, limit, known=known)
        scope[LIMIT_HEADERS] = rate_headers(spent)
        if not spent.allowed:
            raise TooManyRequests(spent)

    def _limit(self, rate: str) -> Limit:
        found = self._limits.get(rate)
        if found is None:
            found = self._limits[rate] = parse_limit(rate)
        return found


def rate_headers(spent: Spent) -> list[tuple[bytes, bytes]]:
    """What a caller is told of its limit (draft-ietf-httpapi-ratelimit-headers)."""
    reset = int(spent.reset_seconds) + 1
    return [
        (b"ratelimit-limit", b"%d" % spent.limit.amount),
        (b"ratelimit-remaining", b"%d" % spent.remaining),
        (b"ratelimit-reset", b"%d" % reset),
    ]


def local(scope: Scope, headers: RequestHeaders) -> Principal:
    """The person at this machine, where nobody has to sign in. Raises NotLocal for a request from elsewhere.

    The peer is what the server saw, which no header changes unless the server was told to believe one; and headers that
    a proxy adds mean that the peer is not who asks.
    """
    peer = address(scope)
    if (peer in LOOPBACK or _is_loopback(peer)) and PROXY_HEADERS.isdisjoint(headers.given):
        return LOCAL
    raise NotLocal("this service asks nobody who they are, so it answers its own machine only; set GRADEWATCH_AUTH=on")


def _is_loopback(peer: str) -> bool:
    try:
        found = ipaddress.ip_address(peer)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_loopback


@lru_cache(maxsize=10_000)
def network(peer: str) -> str:
    """Whom an address is counted as: itself, or of IPv6 the network of 64 bits that one caller has all of (RFC 6177).

    >>> network("2001:db8:1:2:3:4:5:6"), network("::ffff:10.0.0.7"), network("10.0.0.7")
    ('2001:db8:1:2::/64', '10.0.0.7', '10.0.0.7')
    """
    if ":" not in peer:
        return peer
    try:
        found = ipaddress.IPv6Address(peer.partition("%")[0])
    except ValueError:
        return peer
    return str(found.ipv4_mapped or ipaddress.IPv6Network((int(found) >> 64 << 64, 64)))


def address(scope: Scope) -> str:
    """Where a request comes from, as the server says; "unknown" behind a socket file."""
    client = scope.get("client")
    return str(client[0]) if client else "unknown"


def check_origin(
    method: str, headers: RequestHeaders, hosts: frozenset[str], origins: frozenset[str] = frozenset()
) -> None:
    """Raises UnknownHost or ForeignPage. hosts: names without port; "*" admits all. origins: sites that may ask too.

    The host guards against names of other sites that lead here (DNS rebinding); Origin and Sec-Fetch-Site, which no
    page can forge, against requests that a browser sends for another site (Fetch Metadata, W3C).
    """
    host = headers.once(b"host").decode("latin-1")
    if host_name(host) not in hosts and ANY not in hosts:
        raise UnknownHost("this service does not go by that name; add it to GRADEWATCH_ALLOWED_HOSTS")
    if method in HARMLESS:
        return
    origin = headers.given.get(b"origin", b"").decode("latin-1")
    if origin and origin in origins and b"origin" not in headers.again:
        return
    if headers.given.get(b"sec-fetch-site") == b"cross-site" or (origin and origin.partition("://")[2] != host):
        raise ForeignPage("a web page of another site asked for this; nothing was done")


@lru_cache(maxsize=256)
def host_name(host: str) -> str:
    """A Host header without its port: "127.0.0.1:8000" is 127.0.0.1, "[::1]:8000" is ::1; "" for what is none."""
    found = HOST_HEADER.fullmatch(host)
    return (found[1] or found[2]).lower() if found else ""
