"""Files of exports: what a zip may unpack to, what is said of one that cannot be read."""

import struct
import tracemalloc
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZipFile

import pytest

from preprocessing.panel import sheets
from preprocessing.panel.sheets import ExportFindings, UnreadableExport, open_export, read_sheet

CENTRAL, FLAGS, SIZE = b"PK\x01\x02", 8, 24
LARGE = 30_000_000


def zip_of(path, content, method=ZIP_DEFLATED):
    with ZipFile(path, "w", method) as made:
        made.writestr("other.csv", "a\n1\n")
        made.writestr("results.csv", content)
    return path


def changed(path, place, layout, value):
    """With another value in the last entry of the zip's directory."""
    data = bytearray(path.read_bytes())
    struct.pack_into(layout, data, data.rindex(CENTRAL) + place, value)
    path.write_bytes(data)
    return path


def test_a_zip_that_grows_beyond_measure_is_refused_before_anything_is_unpacked(tmp_path, monkeypatch):
    path = zip_of(tmp_path / "x.zip", bytes(LARGE))
    monkeypatch.setattr(sheets, "ALWAYS_UNPACKED", LARGE // 2)
    with pytest.raises(UnreadableExport, match="larger than"):
        open_export(path)


def test_one_that_says_less_than_it_holds_unpacks_to_no_more_than_it_says(tmp_path):
    files = open_export(changed(zip_of(tmp_path / "x.zip", bytes(LARGE)), SIZE, "<I", 10))
    tracemalloc.start()
    with pytest.raises(UnreadableExport, match="damaged"):
        files["results.csv"]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < LARGE / 10


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (lambda path: changed(zip_of(path, "a"), FLAGS, "<H", 1), "password"),
        (lambda path: zip_of(path, "a", ZIP_BZIP2), "deflate"),
        (lambda path: changed(zip_of(path, "a"), FLAGS + 2, "<H", 99), "deflate"),
    ],
)
def test_what_cannot_be_unpacked_is_told_when_it_is_asked_for_and_not_before(tmp_path, made, told):
    files = open_export(made(tmp_path / "x.zip"))
    assert list(files) == ["other.csv", "results.csv"]
    with pytest.raises(UnreadableExport, match=told):
        files["results.csv"]


def test_a_header_over_several_lines_is_a_problem():
    found = ExportFindings()
    assert read_sheet("x.csv", b'"a\nb",c\n1,2\n', found) is None
    assert [(one.file, one.row) for one in found.problems] == [("x.csv", 1)]
