"""Who is let in: where a request comes from, who asks, and how often.

No web page of a site that was not admitted may ask: without that any page that a user's browser has open could
predict, roll back or retrain on a service on this machine.
The pipeline asks it before every route, the fast path's and the framework's. It knows no route.
"""

import ipaddress
from functools import lru_cache

from starlette.types import Scope

from access.origin import Origin, find_fault
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

LOOPBACK = frozenset({"127.0.0.1", "::1"})
PROXY_HEADERS = frozenset({b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip", b"via"})


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
        if fault := find_fault(origin(scope, headers), self._state.hosts, self._state.origins):
            raise fault
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


def origin(scope: Scope, headers: RequestHeaders) -> Origin:
    """Where a request says that it comes from."""
    given = headers.given
    return Origin(
        headers.once(b"host").decode("latin-1"),
        given.get(b"origin", b"").decode("latin-1"),
        given.get(b"sec-fetch-site", b"").decode("latin-1"),
        changes=scope["method"] not in HARMLESS,
        trusted=b"origin" not in headers.again,
    )


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
