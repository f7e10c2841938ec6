"""A file's rows by whole columns are the rows that they are one by one."""

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from database.batch_frames import content_digest, rows_of_packed, slices_of, with_json
from database.ingest import batch_of
from database.records import BatchKind, BatchRow, record_id
from preprocessing.schema import load_domains
from preprocessing.validation.validate import rows_of

SCHOOL = load_domains()["school"]

words = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
numbers = st.none() | st.integers(0, 3).map(float) | st.floats(0.1, 1e300)
rows = st.tuples(words, words, words, st.sampled_from(SCHOOL.moments), words, numbers, numbers, numbers)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(rows, min_size=1, max_size=12),
    st.sampled_from(["labeled", "unlabeled"]),
    st.integers(1, 12),
    st.booleans(),
)
def test_rows_packed_by_column_are_those_packed_one_by_one(
    cells: list[tuple[object, ...]], kind: BatchKind, size: int, coded: bool
) -> None:
    names = ["_student", "_group", "_period", "_moment", "reason", "age", "G1", "G3"]
    kinds = {name: pl.Float64 if name in {"age", "G1", "G3"} else pl.String for name in names}
    frame = pl.DataFrame(cells, schema=kinds, orient="row").with_row_index("_row")
    if coded:
        levels = frame["reason"].drop_nulls().unique()
        frame = frame.with_columns(pl.col("reason").cast(pl.Enum(levels)))
    one_by_one = [
        BatchRow(
            record=record_id("school", row.student, row.group, row.period, row.inputs),
            number=number,
            inputs=row.inputs,
            targets=row.targets if kind == "labeled" else {},
            student=row.student,
            group=row.group,
            period=row.period,
        )
        for number, row in enumerate(
            (row for row in rows_of(frame, SCHOOL) if kind == "unlabeled" or row.targets), start=1
        )
    ]
    packed = list(slices_of(with_json(part, SCHOOL, kind) for part in frame.iter_slices(size)))
    assert rows_of_packed(packed) == one_by_one
    whole = batch_of("school", one_by_one, kind, name="")
    assert content_digest("school", kind, packed) == (whole.id, whole.rows)
