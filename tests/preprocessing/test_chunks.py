"""A file read piece by piece says what it says when it is read whole, wherever it is cut."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from preprocessing.reading import chunks
from preprocessing.reading.chunks import open_source, read_chunks
from preprocessing.reading.decoder_process import Kinds, compact
from preprocessing.reading.files import read_table, typed_table
from preprocessing.reading.raw_table import UnreadableFile
from preprocessing.schema import load_domains
from preprocessing.synthetic import generate
from preprocessing.validation.files import check_file
from preprocessing.validation.rules import BadData, Known
from preprocessing.validation.validate import validate_table

SCHOOL = load_domains()["engagement"]
SECRET = b"a secret for tests, long enough"
HEADER = ["student_id", "comprehension", "attention", "focus", "retention", "engagement_time", "assignment_score"]
ABORTS = Path(__file__).with_name("aborts.parquet")

cells = st.sampled_from(
    ["1", "50", "70.5", " 3 ", "70,5", "1,234", "", "n/a", "101", "x", '"12"', '"7,5"', '"a\nb"', "é"]
)
keys = st.sampled_from(["", *(f"s{number}" for number in range(12))])
lines = st.lists(st.tuples(keys, st.lists(cells, min_size=6, max_size=6)) | st.just(None), min_size=1, max_size=30)


def csv_of(rows: list[tuple[str, list[str]] | None], separator: str) -> str:
    """None stands for an empty line; a comma that would part cells is left out."""
    said = [separator.join(HEADER)]
    for row in rows:
        parts = [] if row is None else [row[0], *row[1]]
        said.append(separator.join(p if p.startswith('"') or separator != "," else p.replace(",", "") for p in parts))
    return "\n".join(said) + "\n"


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of a few rows."""
    monkeypatch.setattr(chunks, "STEP", 90)
    monkeypatch.setattr(chunks, "ROWS_A_CHUNK", 3)


@given(
    lines.flatmap(lambda said: st.lists(st.sampled_from(said), max_size=3).map(lambda again: [*said, *again])),
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["utf-8", "utf-8-sig", "cp1252", "utf-16"]),
    st.sampled_from(["ignored", "required"]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
def test_a_csv_file_says_the_same_in_pieces_as_whole(
    tmp_path_factory: pytest.TempPathFactory,
    small: None,
    rows: list[tuple[str, list[str]]],
    separator: str,
    code: str,
    targets: Known,
) -> None:
    path = tmp_path_factory.mktemp("csv") / "marks.csv"
    path.write_bytes(csv_of(rows, separator).encode(code))
    try:
        whole = validate_table(read_table(path), SCHOOL, secret=SECRET, with_targets=targets)
    except UnreadableFile:
        with pytest.raises(UnreadableFile):
            check_file(open_source(path), SCHOOL, secret=SECRET, with_targets=targets, keep=lambda _: None)
        return
    kept: list[pl.DataFrame] = []
    if any(problem.row is None for problem in whole.problems):
        with pytest.raises(BadData):
            check_file(open_source(path), SCHOOL, secret=SECRET, with_targets=targets, keep=kept.append)
        return
    checked = check_file(open_source(path), SCHOOL, secret=SECRET, with_targets=targets, keep=kept.append)
    good = pl.concat(kept).filter(~pl.col("_row").is_in(checked.repeated.tolist())) if kept else whole.frame.clear()
    assert (checked.rows, checked.problem_count, checked.notes) == (whole.rows, whole.problem_count, whole.notes)
    assert sorted(map(str, checked.problems)) == sorted(map(str, whole.problems))
    assert good.equals(whole.frame)


texts = st.sampled_from(["GP", "MS", " GP", "gp", "n/a", "", "  ", "XX", None])
numbers = st.none() | st.integers(-2, 22)


@settings(max_examples=40)
@given(st.lists(st.lists(st.tuples(texts, numbers, texts), min_size=1, max_size=8), min_size=1, max_size=4))
def test_texts_that_come_as_codes_are_read_as_texts_are(parts: list[list[tuple[str | None, int | None, str]]]) -> None:
    schema, kinds = load_domains()["school"], Kinds()
    for part in parts:
        plain = generate(schema, rows=len(part), seed=1).with_columns(
            pl.Series("school", [text for text, _, _ in part], dtype=pl.String),
            pl.Series("G1", [number for _, number, _ in part], dtype=pl.Int64),
            pl.Series("G2", [text for _, _, text in part], dtype=pl.String),
        )
        coded = compact(plain, kinds)
        assert coded["sex"].dtype == pl.Enum
        one, two = (
            validate_table(typed_table(frame, "x", coded=True), schema, secret=SECRET, with_targets="ignored")
            for frame in (plain, coded)
        )
        assert (one.rows, one.problems, one.problem_count) == (two.rows, two.problems, two.problem_count)
        assert two.frame.cast(one.frame.schema).equals(one.frame)


@pytest.mark.parametrize("kind", ["text", "categorical", "enum"])
def test_a_row_of_blanks_is_no_row_whatever_the_type_of_its_columns(tmp_path: Path, kind: str) -> None:
    schema, path = load_domains()["school"], tmp_path / "table.parquet"
    rows = generate(schema, rows=3, seed=1).cast(pl.String)
    rows = pl.concat([rows, rows[:1].select(pl.lit(" ").alias(name) for name in rows.columns)])
    kinds = {name: pl.Enum(rows[name].unique().drop_nulls()) for name in rows.columns}
    typed = {"text": rows, "categorical": rows.cast(pl.Categorical), "enum": rows.cast(kinds)}
    typed[kind].write_parquet(path)
    checked = check_file(open_source(path), schema, secret=SECRET, keep=lambda _: None)
    assert (checked.rows, checked.problem_count) == (3, 0)


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
@pytest.mark.parametrize("rows", [1, 3, 10])
def test_a_binary_file_comes_in_pieces_in_order(tmp_path: Path, small: None, kind: str, rows: int) -> None:
    frame = pl.DataFrame({"a": range(rows), "b": [f"x{number}" for number in range(rows)]})
    path = tmp_path / "table"
    _ = frame.write_parquet(path) if kind == "parquet" else frame.write_ipc(path)
    found = list(read_chunks(open_source(path)))
    assert pl.concat([chunk.table.frame.cast(frame.schema) for chunk in found]).equals(frame)
    assert [chunk.table.first_row for chunk in found] == list(range(1, rows + 1, 3))
    assert found[-1].done == 1.0


def test_a_file_that_aborts_its_reader_is_refused_in_words() -> None:
    with pytest.raises(UnreadableFile, match=r"aborts\.parquet: it looks like a Parquet file but"):
        list(read_chunks(open_source(ABORTS)))


def test_a_parquet_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cut.parquet"
    pl.DataFrame({"a": range(1000)}).write_parquet(path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UnreadableFile, match="cannot be read"):
        list(read_chunks(open_source(path)))


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path, small: None) -> None:
    path = tmp_path / "marks.csv"
    path.write_text("a,b\n" + "1,2\n" * 100)
    found = read_chunks(open_source(path))
    next(found)
    with path.open("a") as file:
        file.write("3,4\n")
    with pytest.raises(UnreadableFile, match="changed while it was read"):
        list(found)


@pytest.mark.parametrize("content", [b"", b"  \n \n"])
def test_an_empty_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "marks.csv"
    path.write_bytes(content)
    with pytest.raises(UnreadableFile, match=r"marks\.csv: the file is empty"):
        open_source(path)


def test_a_quote_that_is_never_closed_is_found_without_reading_on_for_ever(
    tmp_path: Path, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "LONGEST_PIECE", 1000)
    path = tmp_path / "marks.csv"
    path.write_text('a,b\n1,"2\n' + "1,2\n" * 1000)
    with pytest.raises(UnreadableFile, match="never closed"):
        list(read_chunks(open_source(path)))
