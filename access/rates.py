"""How many requests one user or key may make: the limit, and how it is written. Counting is the service's."""

import re

import msgspec

UNIT_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}
WRITTEN_LIMIT = re.compile(r"\s*([1-9][0-9]{0,8})\s*(?:/|per\s)\s*(second|minute|hour|day)s?\s*")


class Limit(msgspec.Struct, frozen=True):
    """At most `amount` requests in each window of `seconds`. Windows begin at multiples of their length (UTC), so that
    every worker has the same ones; around such a moment a caller may make up to twice the amount."""

    amount: int
    seconds: int


def parse_limit(text: str) -> Limit:
    """The limit in words: "100/minute", "5 per second", "10000/day". Raises ValueError."""
    found = WRITTEN_LIMIT.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r:.40} is no limit; write a number and second, minute, hour or day: 600/minute")
    return Limit(int(found[1]), UNIT_SECONDS[found[2]])
