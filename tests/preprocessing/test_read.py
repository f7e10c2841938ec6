"""Files become tables of raw columns, or a sentence that says why not."""

import io
import subprocess
import sys
import zipfile
from pathlib import Path

import polars as pl
import pytest
import xlsxwriter
from hypothesis import example, given, settings
from hypothesis import strategies as st

from preprocessing.reading.chunks import open_source, read_chunks
from preprocessing.reading.decoder_process import TOO_MANY_ROWS
from preprocessing.reading.files import read_table
from preprocessing.reading.raw_table import UnreadableFile
from preprocessing.schema import load_domains
from preprocessing.synthetic import generate
from preprocessing.validation.rules import TooManyRows
from tests.preprocessing.making import BINARY, FORMATS, as_arrow, as_excel, as_parquet, table

DECODER = "preprocessing.reading.decoder_process"


def fault_of(data: bytes, name: str = "f") -> str:
    with pytest.raises(UnreadableFile) as caught:
        read_table(data, name=name)
    return str(caught.value)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_read_off_the_header(separator: str) -> None:
    raw = table(f"a{separator}b\n1{separator}x\n")
    assert raw.frame.rows() == [("1", "x")]
    assert raw.frame.columns == ["a", "b"]


def test_text_stays_text_and_rows_count_from_the_header() -> None:
    raw = table("a,b\n007,1e3\n")
    assert raw.frame.schema == {"a": pl.String, "b": pl.String}
    assert raw.frame.row(0) == ("007", "1e3")
    assert (raw.first_row, raw.is_text, raw.name) == (2, True, "marks.csv")


def test_rows_count_as_the_user_sees_them_under_blank_lines() -> None:
    assert table("\n\na,b\n1,2\n").first_row == 4
    assert table("a,b\n1,2\n\n3,4\n").frame.rows() == [("1", "2"), (None, None), ("3", "4")]


def test_separators_quotes_and_line_breaks_may_stand_inside_quotes() -> None:
    raw = table('a;b\r\n"x;y";"say ""no""\r\nor not"\r\n')
    assert raw.frame.row(0) == ("x;y", 'say "no"\r\nor not')


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_unicode_files_are_read_with_and_without_a_byte_order_mark(encoding: str) -> None:
    raw = read_table("Größe,b\n1,é\n".encode(encoding))
    assert raw.frame.columns == ["Größe", "b"]
    assert raw.frame.row(0) == ("1", "é")
    assert raw.notes == ()


def test_another_encoding_is_guessed_and_said_so() -> None:
    raw = read_table("a,b\n1,é\n2,–\n".encode("cp1252"))
    assert raw.frame["b"].to_list() == ["é", "–"]
    assert raw.notes == ("line 2 is not UTF-8; the file was read as Windows-1252: check letters with accents",)


@pytest.mark.parametrize(
    ("text", "code", "called"),
    [
        ("Öğrenci,Dönem\nIşık,Güz\n", "cp1254", "Windows-1254"),
        ("Przedmiot,Całość\nRóżne,średnia\n", "cp1250", "Windows-1250"),
        ("Élève,Cœur ¿qué?\nm³,1²\n", "cp1252", "Windows-1252"),
        ("Áfangi,Þýska\nÍslenska,Tölfræði\n", "cp1252", "Windows-1252"),
    ],
)
def test_neighbouring_encodings_are_told_by_letters_that_others_have_not(text: str, code: str, called: str) -> None:
    raw = read_table(text.encode(code))
    assert [",".join(raw.frame.columns), ",".join(raw.frame.row(0))] == text.split("\n")[:2]
    assert f"read as {called}" in raw.notes[0]


@pytest.mark.parametrize("code", ["cp1253", "cp1251"])
def test_another_alphabet_is_refused_with_the_remedy(code: str) -> None:
    text = {"cp1253": "Βαθμός,Τετράμηνο\n1,Πρώτο\n", "cp1251": "Оценка,Четверть\n5,Первая\n"}[code]
    assert "line 1 is not UTF-8 and its alphabet cannot be told; save the file as UTF-8" in fault_of(text.encode(code))


def test_a_headers_cells_lose_their_spaces_and_empty_ones_get_a_number() -> None:
    assert table(" a ,\n1,2\n").frame.columns == ["a", "column 2"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "the file is empty"),
        (b" \n\n", "the file is empty"),
        (b"a,b\n", "there is a header ('a', 'b') and no row under it"),
        (b"a,b\n1,2\n3\n", "row 3 has 1 cell where the header has 2 (separated by comma)"),
        (b"a;b\n1;2;3\n", "row 2 has 3 cells where the header has 2 (separated by semicolon)"),
        (b'a,b\n"1","2"\n"3","4","5"\n', "row 3 has 3 cells where the header has 2 (separated by comma)"),
        (b"\n\na,b\n1,2\n3\n", "row 5 has 1 cell where the header has 2 (separated by comma)"),
        (b"a,b\n1,\x002\n", "line 2 holds a NUL byte: this is no text file (UTF-16 needs a byte order mark)"),
        (b'a,b\n1,"2\n', 'line 2: a quote (") opened in this file is never closed'),
        (b'a,b\n1,"' + b"x" * 200_000 + b'"\n', "line 2: a field has more than 131,072 characters"),
        (b"a,b\n1,2\n1," + b"x" * 2_000_000 + b"\n", "line 3 has more than 1,048,576 bytes"),
        (b"%PDF-1.7", "this is a PDF document; give a CSV, Excel, Parquet or JSON file"),
        (b"\x1f\x8b\x08", "this is a gzip archive"),
        (b"PAR1 and nothing", "it looks like a Parquet file but cannot be read"),
        (b"PK\x03\x04" + bytes(22) + b"\x08\0\0\0mimetype", "it looks like an Excel workbook but cannot be read"),
        (b"[]", "the list of records is empty"),
        (b"[1, 2]", "expected records like"),
        (b'[{"a": [1]}]', "record 1: 'a' holds a list or record; expected one value"),
        (b'{"a": 1}\n{"a": nope}\n', "line 2: this is no JSON"),
        (b'[{"a": NaN}]', "this is no JSON"),
        (b"[" * 100_000, "this is no JSON"),
    ],
)
def test_a_file_without_a_table_says_what_is_wrong_and_where(data: bytes, said: str) -> None:
    assert said in fault_of(data)


def test_the_files_name_leads_the_message(tmp_path: Path) -> None:
    assert fault_of(b"", name="upload.csv") == "upload.csv: the file is empty"
    with pytest.raises(UnreadableFile, match=r"nothing\.csv: No such file"):
        read_table(tmp_path / "nothing.csv")


def test_the_content_decides_the_format_and_not_the_name(tmp_path: Path) -> None:
    path = tmp_path / "really.csv"
    path.write_bytes(as_parquet(pl.DataFrame({"a": [1, 2]})))
    raw = read_table(path)
    assert raw.frame["a"].to_list() == [1, 2]
    assert not raw.is_text


def test_json_columns_of_one_kind_keep_it_and_mixed_ones_become_text() -> None:
    raw = read_table(b'[{"n": 1, "m": 1, "b": true}, {"n": 2.5, "m": "x"}, {"late": "y", "n": null}]')
    assert raw.frame.to_dict(as_series=False) == {
        "n": [1.0, 2.5, None],
        "m": ["1", "x", None],
        "b": [True, None, None],
        "late": [None, None, "y"],
    }


def test_one_json_record_may_be_printed_over_lines() -> None:
    assert read_table(b'{\n  "a": 1\n}\n').frame.rows() == [(1,)]


def test_an_excel_sheet_may_start_lower_and_have_blank_rows_and_columns() -> None:
    target = io.BytesIO()
    with xlsxwriter.Workbook(target) as book:
        sheet = book.add_worksheet()
        sheet.write_row(2, 1, ["a", "b"])
        sheet.write_row(3, 1, [1, "x"])
        sheet.write_row(5, 1, [2.5, "y"])
    raw = read_table(target.getvalue())
    assert raw.frame.columns == ["a", "b"]
    assert raw.frame.rows() == [("1", "x"), (None, None), ("2.5", "y")]
    assert raw.first_row == 4


def test_a_workbook_without_rows_is_refused() -> None:
    assert "its sheet 'Sheet1' is empty" in fault_of(as_excel(pl.DataFrame()))
    assert "no row under it" in fault_of(as_excel(pl.DataFrame({"a": []})))


def test_lists_inside_parquet_cells_are_refused_by_column() -> None:
    assert "column 'b' holds lists" in fault_of(as_parquet(pl.DataFrame({"a": [1], "b": [[1]]})))


def test_dictionary_columns_of_arrow_are_text() -> None:
    frame = pl.DataFrame({"a": pl.Series(["x", "y"], dtype=pl.Categorical)})
    assert read_table(as_arrow(frame)).frame.schema == {"a": pl.String}


def test_a_file_of_many_pieces_is_checked_for_width_to_its_last_row() -> None:
    rows = "".join(f"{i},{i}\n" for i in range(1_500_000))
    assert table("a,b\n" + rows).frame.height == 1_500_000
    assert "row 1500002 has 3 cells" in fault_of(("a,b\n" + rows + "1,2,3\n").encode())


WHOLE = {form: write(generate(load_domains()["course"], rows=3, seed=1)) for form, write in FORMATS.items()}


def damaged(data: st.DataObject, whole: bytes) -> bytes:
    part = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(part) - 1))
        part[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(min_size=1, max_size=3))
    return bytes(part[: data.draw(st.integers(1, len(part)))] if data.draw(st.booleans()) else part)


@pytest.mark.parametrize("binary", [False, True])
def test_no_damage_to_a_file_raises_anything_but_unreadable_file(binary: bool) -> None:
    @settings(max_examples=12 if binary else 400, deadline=None)
    @given(st.data(), st.sampled_from([whole for form, whole in WHOLE.items() if (form in BINARY) == binary]))
    def law(data: st.DataObject, whole: bytes) -> None:
        try_to_read(damaged(data, whole))

    law()


def test_a_parquet_file_that_would_end_the_reading_process_is_only_unreadable() -> None:
    fault = fault_of((Path(__file__).parent / "aborts.parquet").read_bytes())
    assert fault.startswith("f: it looks like a Parquet file but ")


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=60) | st.text(alphabet=',;\t"\n\r ab1{}[]:', max_size=40).map(str.encode))
@example(b'a,b\n1,x"y\n2,3\n')
@example(b'"\n')
@example(b"\xff\xfea")
def test_no_bytes_raise_anything_but_unreadable_file(data: bytes) -> None:
    try_to_read(data)


def try_to_read(data: bytes) -> None:
    try:
        raw = read_table(data)
    except UnreadableFile:
        return
    assert raw.frame.width > 0
    assert len({column.casefold() for column in raw.frame.columns}) == raw.frame.width


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"sep=;\na;b\n1;2\n", ""),
        (b"SEP=|\r\na|b\r\n1|2\r\n", ""),
        (b"a,b\n1,2,\n", "rows end in a separator too many; the empty cells there were left out"),
        (b'a,b\n"1","2",,\n', "rows end in a separator too many; the empty cells there were left out"),
        (b'a,b\n="1","=""2"""\n', ""),
        (
            b"a,b\r\n1,2\r3,4\r\n",
            "line 2 ends in a carriage return alone, others do not; all were read as ends of lines",
        ),
    ],
)
def test_csv_in_the_dialects_of_programs_is_read(data: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(data)
    chunks = [chunk.table for chunk in read_chunks(open_source(path))]
    for read in (read_table(data), *chunks):
        assert read.frame.row(0) == ("1", "2")
        assert read.notes == ((said,) if said else ())
    assert chunks[0].first_row == read_table(data).first_row


def test_two_encodings_in_one_file_are_refused_by_line(tmp_path: Path) -> None:
    data = "a\nÉ\nx\n".encode() + "É\n".encode("cp1252")
    path = tmp_path / "rows.csv"
    path.write_bytes(data)
    said = r"line 2 is UTF-8, line 4 is not"
    with pytest.raises(UnreadableFile, match=said):
        read_table(data)
    with pytest.raises(UnreadableFile, match=said):
        open_source(path)


def test_columns_that_share_a_name_are_told_apart_and_known_as_such() -> None:
    table = read_table(b"a,Points,points\n1,2,3\n")
    assert table.frame.columns == ["a", "Points", "points (column 3)"]
    assert set(table.repeated) == {"Points", "points (column 3)"}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"<html><table><tr><td>a</td></tr></table></html>", "an HTML page, whatever its name ends in; open it"),
        (b"<?xml version='1.0'?><Workbook/>", "an XML document, whatever its name ends in; open it"),
        (b'a,b\n1,8.5" inch\n', 'row 2: a quote (") stands where none can'),
    ],
)
def test_what_is_no_table_is_named_with_the_remedy(data: bytes, said: str) -> None:
    assert said in fault_of(data)


def test_an_archive_is_named_by_the_file_in_it() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("marks.csv", "a,b")
    assert "a zip archive with marks.csv in it" in fault_of(out.getvalue())


@pytest.mark.parametrize("kind", ["parquet", "arrow", "csv"])
def test_more_rows_than_are_taken_are_counted_and_refused(kind: str) -> None:
    out, frame = io.BytesIO(), pl.DataFrame({"a": range(1_000)})
    {"parquet": frame.write_parquet, "arrow": frame.write_ipc, "csv": frame.write_csv}[kind](out)
    assert read_table(out.getvalue(), most_rows=1_000).frame.height == 1_000
    with pytest.raises(TooManyRows, match="1,000 rows in one request; at most 999 are allowed"):
        read_table(out.getvalue(), most_rows=999)


MEASURED = """
import resource, subprocess, sys
with open(sys.argv[1], "rb") as file:
    done = subprocess.run([sys.executable, "-P", "-m", *sys.argv[2:]], stdin=file, capture_output=True, check=False)
print(done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, *done.stderr.decode().split())
"""


def test_the_rows_of_a_file_that_unfolds_are_counted_before_they_are_decoded(tmp_path: Path) -> None:
    """Fifty million rows of nothing in some kilobytes."""
    file = tmp_path / "many.parquet"
    pl.DataFrame({"a": pl.repeat(1.0, 50_000_000, eager=True)}).write_parquet(file, row_group_size=5_000_000)
    assert file.stat().st_size < 200_000
    command = [sys.executable, "-c", MEASURED, str(file), DECODER, "parquet", "", "100000"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert (int(said[0]), said[2:]) == (TOO_MANY_ROWS, ["50000000", "100000"])
    assert int(said[1]) < 200_000, "kB; the values alone would be 400,000"
