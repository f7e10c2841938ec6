"""How many requests a caller may make: within a window, by name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.limits import Limit, Limiter, parse_limit

MINUTE = Limit(3, 60)


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self, at: float = 6_000.0) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


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


def test_within_the_limit_the_rest_is_counted_down_and_then_nothing_is_allowed() -> None:
    limiter = Limiter(clock=Clock())
    assert [limiter.hit("a", MINUTE).remaining for _ in range(4)] == [2, 1, 0, 0]
    assert [limiter.hit("b", MINUTE).allowed for _ in range(4)] == [True, True, True, False]


def test_the_next_window_begins_anew_when_the_last_answer_said() -> None:
    clock = Clock(6_045.5)
    limiter = Limiter(clock=clock)
    last = [limiter.hit("a", MINUTE) for _ in range(4)][-1]
    assert not last.allowed
    clock.at += last.reset_seconds - 0.001
    assert not limiter.hit("a", MINUTE).allowed
    clock.at += 0.001
    assert limiter.hit("a", MINUTE).remaining == 2


def test_windows_of_different_length_are_counted_apart() -> None:
    limiter, day = Limiter(clock=Clock()), Limit(10, 86_400)
    assert not [limiter.hit("a", MINUTE) for _ in range(4)][-1].allowed
    assert limiter.hit("a", day).remaining == 9


def test_very_many_names_share_one_count_so_that_memory_is_bounded() -> None:
    limiter = Limiter(clock=Clock(), most_names=2)
    spent = {name: limiter.hit(name, MINUTE) for name in "abcdef"}
    assert [name for name, one in spent.items() if not one.allowed] == ["f"]
    assert limiter.hit("a", MINUTE).allowed


@given(st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 30)), max_size=60), st.integers(1, 5))
def test_no_window_lets_more_through_than_its_amount(hits: list[tuple[str, float]], amount: int) -> None:
    clock = Clock()
    limiter, limit = Limiter(clock=clock), Limit(amount, 60)
    passed: dict[tuple[str, int], int] = {}
    for name, later in hits:
        clock.at += later
        window = name, int(clock.at // 60)
        passed[window] = passed.get(window, 0) + limiter.hit(name, limit).allowed
    assert max(passed.values(), default=0) <= amount
