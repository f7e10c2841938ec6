"""Files of any system by a mapping, and Ed-Fi's by the one that ships."""

import re
from datetime import date
from pathlib import Path

import pytest

from preprocessing.panel.exports import infer_days, read_export, readiness
from preprocessing.panel.mapped import EDFI, read_mapped, read_mapping
from preprocessing.panel.sheets import UnreadableExport
from preprocessing.schema import PanelSchema, load_domains, read_schema
from tests.preprocessing.panel.test_panel_schema import WEEKLY

PANEL = PanelSchema(entity="s", period="w")
SCHEMA = read_schema(WEEKLY.format(panel=""))
SAMPLE = Path(__file__).parents[4] / "shared" / "data" / "edfi"
MARKS = """
source = "book"
[[files]]
kind = "grades"
columns = { student = "Pupil", subject = "Course", posted_at = "On", points = "Mark", state = "How" }
constants = { max_points = 6 }
event = ["No"]
day_format = "%d.%m.%Y"
[files.values.state]
ok = "scored"
nothing = "missing"
cancelled = ""
"""


def test_a_mapping_says_which_column_is_what_and_what_its_words_mean():
    text = "No;Pupil;Course;On;Mark;How;E-Mail\n1;s1;math;14.09.2026;5.5;ok;a@b.ch\n2;s1;math;15.09.2026;;nothing;\n"
    text += "3;s2;math;16.09.2026;4;cancelled;\n4;s2;math;2026-09-17;4;ok;\n5;;math;14.09.2026;4;ok;\n"
    text += "6;s2;math;14.09.2026;4;?;\n"
    gathered = read_mapped({"any.csv": text.encode()}, read_mapping(MARKS, "marks.toml"), PANEL)
    assert gathered.events["grades"].drop("version", "removed").rows() == [
        ("s1", "1", date(2026, 9, 14), "math", None, 5.5, 6.0, "scored"),
        ("s1", "2", date(2026, 9, 15), "math", None, None, 6.0, "missing"),
    ]
    assert sorted((one.row, one.column) for one in gathered.found.problems) == [(5, "On"), (6, "Pupil"), (7, "How")]
    assert any("dropped" in note and "E-Mail" in note for note in gathered.found.notes)
    assert any("1 rows say nothing" in note for note in gathered.found.notes)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (('kind = "grades"', 'kind = "moods"'), "none of attendance"),
        (('student = "Pupil"', 'pupil = "Pupil"'), "nothing is called 'pupil'"),
        (('event = ["No"]\n', ""), "known again"),
        (("max_points = 6", "subject = 1"), "say which column is 'max_points'"),
        (("[[files]]", "[[file]]"), "file"),
    ],
)
def test_a_mapping_that_cannot_be_meant_is_refused(change, told):
    with pytest.raises(UnreadableExport, match=told):
        read_mapping(MARKS.replace(*change), "marks.toml")


def test_ed_fi_by_the_names_of_its_resources(tmp_path):
    files = {
        "studentSchoolAttendanceEvents.csv": "studentUniqueId,eventDate,category\n1,2026-09-01,Tardy\n"
        "2,2026-09-02,Partial\n2,2026-09-02,Excused Absence\n2,2026-09-03,Elsewhere\n",
        "studentSchoolAssociations.csv": "studentUniqueId,schoolId,entryDate\n1,9,2026-09-01\n2,9,2026-09-02\n",
        "calendarDates.csv": "schoolId,date\n9,2026-09-01\n9,2026-09-02\n9,2026-09-03\n",
        "discipline_students.csv": "student_unique_id,incident_id,behavior\n1,7,Other\n1,8,Other\n",
        "discipline_incidents.csv": "incident_id,incident_date\n7,2026-09-02\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    gathered = read_export(tmp_path, SCHEMA)
    told = {(one.file, one.row, one.column) for one in gathered.found.problems}
    assert told == {("studentSchoolAttendanceEvents.csv", 5, "category"), ("discipline_students.csv", 3, "incident_id")}
    infer_days(gathered)
    days = gathered.events["attendance"].select("student", "day", "status").sort("student", "day").rows()
    assert [(student, day.day, status) for student, day, status in days] == [
        ("1", 1, "tardy"), ("1", 2, "present"), ("2", 2, "excused"),
    ]  # fmt: skip
    assert gathered.events["incidents"]["severity"].to_list() == [1]
    assert "nothing can be predicted yet: it tells of 1 school weeks" in readiness(gathered, PANEL)[0]


@pytest.mark.skipif(not SAMPLE.is_dir(), reason="the Ed-Fi sample is not beside the project")
def test_the_sample_of_ed_fi_is_read_and_what_it_lacks_is_said():
    gathered = read_export(SAMPLE, SCHEMA)
    assert gathered.events["attendance"].height == 1916 + 66
    assert {one.column for one in gathered.found.problems} == {"date_fulfilled", "incident_id"}
    assert "no student is enrolled" in " ".join(readiness(gathered, PANEL))
    infer_days(gathered)
    said = readiness(gathered, PANEL)
    assert re.search("from school week 4 on; it tells of 3[0-9] of 3[0-9]", said[0])
    assert any(line.startswith("without grades: 15 features") for line in said)


def test_what_is_neither_needs_a_mapping_and_a_domain_with_weeks(tmp_path):
    (tmp_path / "x.csv").write_text("a\n1\n")
    with pytest.raises(UnreadableExport, match="--mapping"):
        read_export(tmp_path / "x.csv", SCHEMA)
    with pytest.raises(Exception, match=r"no \[panel\]"):
        read_export(tmp_path / "x.csv", load_domains()["school"])
    assert read_mapping(EDFI.read_text(), "edfi.toml").source == "edfi"
