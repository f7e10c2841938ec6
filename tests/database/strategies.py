"""Any record, for laws about the stores."""

from datetime import UTC, datetime

from hypothesis import strategies as st

from clock import new_id
from database.records import Answer, BatchRow, Cell, Factor, Prediction

words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)
"""Any text that every database can hold in a column: PostgreSQL has no NUL."""

plain = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\t"), max_size=12)
"""The same for the kinds and names of documents, which have no TAB."""

numbers = st.floats(allow_nan=False, allow_infinity=False)
cells: st.SearchStrategy[Cell] = st.one_of(st.none(), numbers, st.text(max_size=12))
names = st.one_of(st.sampled_from(["a.b", "$set", "G 1", ".", ""]), st.text(max_size=12))
values: st.SearchStrategy[float | str] = st.one_of(numbers, words)
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), numbers, st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=3)),
    max_leaves=8,
)
documents = st.dictionaries(names, json_values, max_size=4)
times = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # zone beside
maybe = st.none() | words

factors = st.builds(Factor, feature=names, value=cells, effect=numbers, direction=st.sampled_from(["raises", "lowers"]))
answers = st.builds(
    Answer,
    target=names,
    value=st.none() | values,
    naive=values,
    model=words,
    generation=st.integers(0, 2**31 - 1),
    interval=st.none() | st.tuples(numbers, numbers),
    coverage=st.none() | st.floats(0, 1),
    probabilities=st.none() | st.dictionaries(names, numbers, max_size=3),
    below_pass=st.none() | st.floats(0, 1),
    out_of_range=st.lists(names, max_size=3).map(tuple),
    insufficient=st.lists(names, max_size=3).map(tuple),
    factors=st.lists(factors, max_size=2).map(tuple),
)
predictions = st.builds(
    Prediction,
    id=st.builds(new_id),
    domain=words,
    moment=words,
    inputs=st.dictionaries(names, cells, max_size=5),
    answers=st.lists(answers, max_size=3).map(tuple),
    source=words,
    at=times,
    student=maybe,
    group=maybe,
    period=maybe,
    actor=maybe,
    shadow=st.lists(answers, max_size=2).map(tuple),
)
rows = st.builds(
    BatchRow,
    record=words,
    number=st.integers(1, 10**6),
    inputs=st.dictionaries(names, cells, max_size=5),
    targets=st.dictionaries(names, values, max_size=3),
    student=maybe,
    group=maybe,
    period=maybe,
)
