"""Who is let in: sets the principal of every request and counts its requests.

The door asks it before every route, the hot road's and the framework's. It knows no route.
"""

import ipaddress
from functools import lru_cache

from starlette.types import Scope

from access.roles import ANONYMOUS, LOCAL, Principal, Unauthenticated
from api.request.credentials import Credentials
from api.request.head import Head, TooManyHeaders
from api.request.rate_limits import Limit, Spent, parse_limit
from api.state import Running
from errors import Category, GradewatchError

PRINCIPAL = "gradewatch.principal"
"""Key of a scope under which whoever asks is found; there is always one."""

TOLD = "gradewatch.told"
"""Key of a scope under which the headers stand that tell whoever asks what is left of their limit."""

LOOPBACK = frozenset({"127.0.0.1", "::1"})
FORWARDED = frozenset({b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip", b"via"})


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

    def __init__(self, running: Running) -> None:
        self._running = running
        self._limits: dict[str, Limit] = {}

    def admit(self, scope: Scope, head: Head) -> Principal:
        """Whoever asks, who stands in the scope from now on; the request is counted.

        Raises Unauthenticated, NotLocal, TooManyHeaders, TooManyRequests, Stale.
        """
        scope[PRINCIPAL] = ANONYMOUS
        if head.too_many:
            raise TooManyHeaders
        if self._running.credentials is None:
            scope[PRINCIPAL] = principal = local(scope, head)
            return principal
        return self._recognise(self._running.credentials, scope, head)

    def _recognise(self, credentials: Credentials, scope: Scope, head: Head) -> Principal:
        try:
            scope[PRINCIPAL] = principal = credentials.principal(head)
        except Unauthenticated as error:
            if error.actor is not None:
                scope[PRINCIPAL] = ANONYMOUS.named(error.actor)
            self._hit(scope, f"address:{network(address(scope))}", self._running.rate_limit)
            raise
        known = principal is not ANONYMOUS
        name = principal.name if known else f"address:{network(address(scope))}"
        limit = self._limit(principal.rate) if principal.rate else self._running.rate_limit
        self._hit(scope, name, limit, known=known)
        return principal

    def _hit(self, scope: Scope, name: str, limit: Limit | None, *, known: bool = False) -> None:
        if limit is None:
            return
        spent = self._running.limiter.hit(name, limit, known=known)
        scope[TOLD] = rate_headers(spent)
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


def local(scope: Scope, head: Head) -> Principal:
    """The person at this machine, where nobody has to sign in. Raises NotLocal for a request from elsewhere.

    The peer is what the server saw, which no header changes unless the server was told to believe one; and headers that
    a proxy adds mean that the peer is not who asks.
    """
    peer = address(scope)
    if (peer in LOOPBACK or _is_loopback(peer)) and FORWARDED.isdisjoint(head.given):
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
