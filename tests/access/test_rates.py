"""A limit is a number and a unit of time."""

import pytest

from access.rates import Limit, parse_limit


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("100/minute", Limit(100, 60)),
        ("5 per second", Limit(5, 1)),
        (" 1000 / hour ", Limit(1000, 3600)),
        ("10 per days", Limit(10, 86_400)),
    ],
)
def test_a_limit_is_a_number_and_a_unit_of_time(text: str, limit: Limit) -> None:
    assert parse_limit(text) == limit


@pytest.mark.parametrize("text", ["", "100", "0/minute", "-1/minute", "100/fortnight", "1.5/second", "9" * 12 + "/day"])
def test_other_words_are_no_limit(text: str) -> None:
    with pytest.raises(ValueError, match="600/minute"):
        parse_limit(text)
