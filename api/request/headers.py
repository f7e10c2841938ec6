"""Headers that every answer carries, so that a browser does nothing with it but show it.

After OWASP's recommendations for REST services. Which pages of other sites may ask is said elsewhere
(`api.request.origin`).
"""

from starlette.types import Scope

Headers = list[tuple[bytes, bytes]]

STANDARD: Headers = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
NAMES = frozenset(name for name, _ in STANDARD)
SECURE = (b"strict-transport-security", b"max-age=31536000")  # a year; only said where the caller came by https


def with_standard(headers: Headers, scope: Scope) -> Headers:
    """`headers` and those that every answer carries; where an answer has its own of a name, that one stays."""
    own = dict(headers)
    rest = STANDARD if NAMES.isdisjoint(own) else [header for header in STANDARD if header[0] not in own]
    whole = [*headers, *rest]
    if scope["scheme"] == "https":
        whole.append(SECURE)
    return whole
