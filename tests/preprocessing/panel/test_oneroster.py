"""OneRoster of both versions: what is understood, what is tolerated, and every problem by file, row and column."""

from datetime import date

import polars as pl
import pytest

from preprocessing.panel.mapped import EDFI, read_mapped, read_mapping
from preprocessing.panel.oneroster import read_oneroster
from preprocessing.panel.sheets import UnreadableExport
from preprocessing.schema import PanelSchema
from tests.preprocessing.panel.exporting import CHANGED, ROWS, export_of, of_version, text_of

PANEL = PanelSchema(entity="s", period="w", time_zone="America/Chicago")
DAY = date(2026, 9, 14)
DELTA = ("courses", "classes", "users", "enrollments", "lineItems", "results")


def read(files):
    return read_oneroster(files, PANEL)


def told(gathered):
    return [(one.file, one.row, one.column) for one in gathered.found.problems]


def changed(name, number, **values):
    rows = of_version("1.1")
    rows[name][number] |= values
    return rows


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_both_versions_say_the_same_and_nothing_of_names(version):
    found = read(export_of(version))
    assert told(found) == []
    said = {
        kind: frame.filter(~pl.col("removed")).drop("version", "removed").rows() for kind, frame in found.events.items()
    }
    assert said["attendance"] == [
        ("s1", "s1||2026-09-14", DAY, "present"),
        ("s2", "s2||2026-09-14", DAY, "excused"),
    ]
    assert said["grades"] == [
        ("s1", "r1", DAY, "math", date(2026, 9, 10), 15.0, 20.0, "scored"),
        ("s2", "r2", DAY, "math", date(2026, 9, 10), None, 20.0, "missing"),
    ]
    assert said["incidents"] == [("s2", "i1", DAY, "disruption", 2, 0.0)]  # half past three UTC is the evening before
    assert said["enrolment"][0] == ("s1", "es1", date(2026, 8, 31), "north", "07", None)
    assert {row[3:] for row in said["demographics"]} == {("sex", "female"), ("white", "true")}
    assert said["interventions"][0][3:] == ("tutoring", None, 8.0, None, "active")
    assert len(said["calendar"]) == 80
    assert not any(word in repr(said) for word in ("Ana", "Sousa", "example.org", "2014"))
    assert any("users.csv: dropped" in note and "familyName" in note for note in found.found.notes)


def test_days_are_those_of_the_school_s_own_time_zone():
    [as_usual], [far] = (
        read_oneroster(export_of("1.2"), one).events["incidents"]["at"]
        for one in (PANEL, PanelSchema(entity="s", period="w", time_zones={"north": "Asia/Tokyo"}))
    )
    assert (as_usual, far) == (DAY, date(2026, 9, 15))  # half past three UTC


BROKEN = [
    ("enrollments", {"userSourcedId": "s9"}, "userSourcedId"),
    ("classes", {"termSourcedIds": "t1,t9"}, "termSourcedIds"),
    ("lineItems", {"dueDate": "10.9.2026"}, "dueDate"),
    ("lineItems", {"resultValueMax": "many"}, "resultValueMax"),
    ("results", {"score": "-1"}, "score"),
    ("results", {"score": ""}, "score"),
    ("results", {"scoreStatus": "graded"}, "scoreStatus"),
    ("results", {"lineItemSourcedId": "l9"}, "lineItemSourcedId"),
    ("orgs", {"parentSourcedId": "north"}, "parentSourcedId"),
    ("demographics", {"sourcedId": "s7"}, "sourcedId"),
    ("attendance", {"status": "ill"}, "status"),
    ("attendance", {"studentSourcedId": "s7"}, "studentSourcedId"),
    ("incidents", {"severity": ""}, "severity"),
    ("incidents", {"severity": "9"}, "severity"),
    ("incidents", {"severity": "ext:9"}, "severity"),
    ("incidents", {"occurredAt": "2026-09-15T03:30:00 or so"}, "occurredAt"),
    ("incidents", {"occurredAt": "0001-01-01T00:00:00+14:00"}, "occurredAt"),
    ("enrollments", {"endDate": "2026-08-30"}, "endDate"),
]


@pytest.mark.parametrize(("name", "values", "column"), BROKEN)
def test_a_problem_is_told_by_file_row_and_column(name, values, column):
    assert (f"{name}.csv", 2, column) in told(read(export_of(rows=changed(name, 0, **values))))


def test_a_key_twice_and_a_result_of_somebody_who_is_not_in_the_class_are_problems():
    rows = of_version("1.1")
    rows["categories"] *= 2
    rows["enrollments"].pop()
    assert told(read(export_of(rows=rows))) == [
        ("categories.csv", 3, "sourcedId"),
        ("results.csv", 3, "studentSourcedId"),
    ]


def test_what_exports_in_use_deviate_in_is_read_with_a_word():
    orgs = text_of(["sourcedId", "status", "dataLastModified", "name", "type", ""], ROWS["orgs"], ";")
    found = read(export_of("1.2", instead={"orgs.csv": "\ufeff" + orgs}, manifest={"file.scoreScales": ""}.items()))
    assert told(found) == []
    notes = " ".join(found.found.notes)
    assert all(
        word in notes
        for word in ("byte order mark", "';'", "dataLastModified is taken", "without a name", "scoreScales")
    )


def test_a_delta_has_versions_and_takes_back():
    rows = {"results": [one | {"status": "tobedeleted", "dateLastModified": CHANGED} for one in ROWS["results"]]}
    rows |= {"lineItems": [one | {"status": "active", "dateLastModified": CHANGED} for one in ROWS["lineItems"]]}
    found = read(export_of(rows=rows, mode="delta"))
    assert told(found) == []
    assert found.events["grades"].select("version", "removed").unique().rows() == [(1_793_613_600_000_000, True)]
    rows["results"][0]["status"] = ""
    assert told(read(export_of(rows=rows, mode="delta"))) == [("results.csv", 2, "status")]
    rows["results"][0]["status"] = "tobedeleted"
    assert told(read(export_of(rows={"results": rows["results"]}, mode="delta"))) == []


def test_what_a_delta_leads_to_has_to_come_with_it_and_its_change_is_one_of_the_row():
    active = {"status": "active", "dateLastModified": CHANGED}
    rows = {name: [one | active for one in some] for name, some in of_version("1.1").items() if name in DELTA}
    later = "2026-11-03T10:00:00.000Z"
    rows["lineItems"][0]["dateLastModified"] = later
    rows["enrollments"] = [one | {"beginDate": "2026-08-31"} for one in rows["enrollments"]]
    found = read(export_of(rows=rows, mode="delta"))
    assert told(found) == []
    [version] = found.events["grades"]["version"].unique()
    assert version == found.events["enrolment"]["version"][0] + 24 * 60 * 60 * 1_000_000
    for gone, file, column in (("courses", "results.csv", "lineItemSourcedId"),
                               ("users", "enrollments.csv", "userSourcedId")):  # fmt: skip
        lacking = read(export_of(rows={**rows, gone: []}, mode="delta"))
        assert told(lacking) == [(file, 2, column), (file, 3, column)]


def test_of_a_file_without_a_header_no_row_is_told():
    files = export_of(instead={"courses.csv": "Ana,Sousa,ana@example.org\n1,2,3\n"})
    found = read(files)
    assert ("courses.csv", 1, None) in told(found)
    assert "Ana" not in str(found.found)
    mapping = read_mapping(EDFI.read_text(), "edfi.toml")
    found = read_mapped({"students.csv": b"Ana,Sousa\n1,2\n"}, mapping, PANEL)
    assert told(found) == [("students.csv", 1, None)]
    assert "Ana" not in str(found.found)


def test_headers_and_files_that_are_not_there_are_named():
    lacking = text_of(["sourcedId", "status", "dateLastModified", "title"], [])
    found = read(export_of(instead={"categories.csv": None, "courses.csv": lacking}))
    assert ("courses.csv", 1, None) in told(found)
    assert ("manifest.csv", None, None) in told(found)
    assert "orgSourcedId" in next(one.rule for one in found.found.problems if one.file == "courses.csv")


@pytest.mark.parametrize("files", [{"in/manifest.csv": b"x"}, export_of(manifest={"oneroster.version": "2.0"}.items())])
def test_what_is_no_export_of_these_versions_is_refused(files):
    with pytest.raises(UnreadableExport):
        read(files)
