"""A course's rows sent as a CSV, apart by whether they have a grade, and the report on them as a table."""

import csv
import io
from datetime import date

import pytest

from api.older_addresses import COURSE_COLUMNS
from api.routes.older_reports import CoursePeriod, split_by_grade
from preprocessing.schema import load_domains
from tests.api.guarded import Guarded

PERIOD = CoursePeriod(date(2026, 1, 12), date(2026, 5, 29), "all")
ADDRESS = "/update-csv?start_date_period=2026-01-12&end_date_period=2026-05-29"


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_rows_keep_their_place_in_the_part_that_is_theirs(separator: str) -> None:
    rows = [("user_id", "previous_grade", "FinalGrade"), ("a", "70", "71"), ("b", "50", " "), ("c", "60", "64")]
    text = "".join(separator.join(row) + "\r\n" for row in rows)
    parts = split_by_grade(text.encode("utf-8-sig"), load_domains()["course"], PERIOD)
    read = {
        kind: list(csv.reader(io.StringIO(content.decode()), delimiter=separator)) for kind, content in parts.items()
    }
    head = [*rows[0], "course_id", "period"]
    assert [row[:1] for row in read["labeled"]] == [["user_id"], ["a"], [], ["c"]]
    assert read["unlabeled"] == [head, [], [*rows[2], "all", "2026-01-12/2026-05-29"], []]
    assert read["labeled"][0] == head


def test_a_bad_cell_is_named_as_its_sender_counts_rows_and_nothing_is_stored(older: Guarded) -> None:
    rows = [COURSE_COLUMNS, ("x1", "Female", 80, 3, 60, 1, 1, 66), ("x2", "Male", 180, 3, 60, 1, 1, "")]
    text = "".join(",".join(map(str, row)) + "\n" for row in rows[::2] + rows[1:2])
    key = older.keys["teacher"]
    refused = older.ask("POST", ADDRESS, key, files={"file": ("week.csv", text)})
    assert (refused.status_code, refused.json()["problems"][0]["row"]) == (422, 2), refused.text
    backwards = "/get-report?start_date_period=2026-05-29&end_date_period=2026-01-12"
    assert "cannot end" in older.ask("GET", backwards, key).text
    assert "must be a day" in older.ask("GET", "/get-report?start_date_period=x&end_date_period=2026-01-12", key).text
    assert older.ask("GET", ADDRESS.replace("update-csv", "get-report"), older.keys["viewer"]).status_code == 403
