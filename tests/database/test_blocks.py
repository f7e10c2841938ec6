"""Blocks give every row back to the last bit, and one row as it is among others."""

from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from database.blocks import BLOCK_ROWS, read_block, without_places, write_blocks
from preprocessing.columns import Levels, Numbers
from tests.database.making import make_packed

NUMBERS = st.none() | st.integers(-200, 200).map(float) | st.floats(allow_nan=False, allow_infinity=False)
LEVELS = st.none() | st.text(max_size=5)


@given(
    numbers=st.lists(NUMBERS, min_size=4, max_size=4),
    levels=st.lists(LEVELS, min_size=4, max_size=4),
    places=st.lists(st.integers(0, 3), min_size=1, max_size=5),
)
def test_rows_come_out_of_a_block_as_they_went_in(
    numbers: list[float | None], levels: list[str | None], places: list[int]
) -> None:
    packed = make_packed(4, inputs={"a": Numbers.of(numbers), "b": Levels.of(levels)})
    [(_, body)] = write_blocks(packed)
    expected = [(packed[place].inputs, packed[place].answers, packed[place].shadow) for place in places]
    assert msgspec.json.encode(read_block(body, places)) == msgspec.json.encode(expected)
    assert [packed[place].inputs for place in range(4)] == [
        {"a": number, "b": level} for number, level in zip(numbers, levels, strict=True)
    ]


@given(gone=st.lists(st.integers(0, 8), min_size=1, max_size=9))
def test_what_is_taken_out_of_a_block_leaves_nothing_and_the_rest_stays(gone: list[int]) -> None:
    packed = make_packed(9)
    [(_, body)] = write_blocks(packed)
    for place in gone:
        cut = without_places(body, [place])
        body = cut or body
    left = [place for place in range(9) if place not in gone]
    assert (cut is None) == (not left)
    if left:
        expected = [(packed[place].inputs, packed[place].answers, packed[place].shadow) for place in left]
        assert msgspec.json.encode(read_block(body, left)) == msgspec.json.encode(expected)
        assert not any(f"town {place}".encode() in body for place in gone)


@given(data=st.data())
def test_a_damaged_block_is_refused_or_read_but_breaks_nothing_else(data: st.DataObject) -> None:
    [(_, body)] = write_blocks(make_packed(9, shadow=make_packed(9).answers))
    place = data.draw(st.integers(0, len(body) - 1))
    damaged = body[:place] + data.draw(st.binary(max_size=2)) + body[place + data.draw(st.integers(0, 3)) :]
    with suppress(ValueError):
        assert len(read_block(damaged, [0, 8])) == 2


@pytest.mark.parametrize(("body", "why"), [(b"", "truncated"), (b"\xc1", "malformed"), (b"\x93\x80\x90\x90", "0 of 1")])
def test_what_is_no_block_or_has_no_such_row_is_refused(body: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_block(body, [0])
    [(_, good)] = write_blocks(make_packed(3))
    with pytest.raises(ValueError, match="no rows"):
        read_block(good, [3])


def test_small_whole_numbers_take_a_byte_each_and_a_block_only_its_own_names() -> None:
    few, many = (
        make_packed(2 * BLOCK_ROWS, inputs={"a": Numbers.of([3.0] * 2 * BLOCK_ROWS)}),
        make_packed(2 * BLOCK_ROWS),
    )
    sizes = [[len(body) for _, body in write_blocks(packed)] for packed in (few, many)]
    assert all(size < BLOCK_ROWS * (1 + 5 * 8 + 3 * 8) for size in sizes[0])
    names = [{read_block(body, [0])[0][0]["town"] for _, body in write_blocks(many)}]
    assert names == [{"town 0", f"town {BLOCK_ROWS}"}]


def test_a_batch_is_cut_into_blocks_of_one_size_and_a_rest() -> None:
    assert [len(places) for places, _ in write_blocks(make_packed(2 * BLOCK_ROWS + 1))] == [BLOCK_ROWS, BLOCK_ROWS, 1]
