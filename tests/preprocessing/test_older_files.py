"""The training files of the systems before this one are read as they are by the domains that are shipped."""

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from database.ingest import read_batch
from preprocessing.reading.chunks import open_source
from preprocessing.schema import load_domains
from preprocessing.validation.rules import BadData
from tests.command import run_command
from tests.preprocessing.making import SECRET

DOMAINS = load_domains()
GRADES = ["F", "D", "C", "C+", "B", "B+", "A-", "A", "A+"]
OF_UNIVERSITY = (
    "student_id,semester,subject,assignment_marks,quiz_marks,attendance_percentage,midterm_marks,previous_cgpa,"
    "final_marks,final_grade\n"
)
OF_COURSE = "user_id,gender,attendance_rate,study_hours_per_week,previous_grade,extracurricular_activities_count,parental_support,final_grade\n"  # noqa: E501 (a header)
FIRST = "StudentID,Name,Gender,AttendanceRate,StudyHoursPerWeek,PreviousGrade,ExtracurricularActivities,ParentalSupport,FinalGrade\n"  # noqa: E501 (a header)


def graded(grade: str, place: int) -> str:
    return f"S{place:05d},3,Data Structures,4.2,8.0,90,23,3.4,{20 + place * 2},{grade}\n"


class Older(NamedTuple):
    """A file, what is found in one column of its rows in order, and what is said of it."""

    domain: str
    text: str
    column: str
    values: list[Any]
    said: tuple[str, ...] = ()


FILES = {
    "scores of named students": Older(
        "engagement",
        "student_id,name,class,comprehension,attention,focus,retention,assessment_score,engagement_time\n"
        "1,Maria Silva,10A,75.5,82,78.3,80.1,77,120\n2,John Smith,10B,60,61,62,63,64.5,90\n",
        "assignment_score",
        [77.0, 64.5],
        ("'name' identifies people", "dropped, not stored", "class"),
    ),
    "nine grades": Older(
        "university",
        OF_UNIVERSITY + "".join(graded(grade, place) for place, grade in enumerate(GRADES)),
        "final_grade",
        GRADES,
    ),
    "support in whole numbers": Older(
        "course",
        OF_COURSE + "".join(f"u{n},Female,85.5,12,70,2,{n},\n".replace(",\n", f",{60 + n}\n") for n in range(4)),
        "parental_support",
        ["None", "Low", "Medium", "High"],
    ),
    "support in words": Older(
        "course",
        OF_COURSE + "".join(f"u{n},Male,85.5,12,70,2,{one},71\n" for n, one in enumerate(("Low", "Medium", "High"))),
        "parental_support",
        ["Low", "Medium", "High"],
    ),
    "the first ten": Older(
        "course",
        FIRST
        + "".join(
            f"{n},Name{n},{['Male', 'Female'][n % 2]},{85 + n},{n},{70 + n},{n % 4},{['High', 'Low'][n % 2]},{71 + n}\n"
            for n in range(1, 11)
        ),
        "final_grade",
        [float(71 + n) for n in range(1, 11)],
        ("'Name' identifies people", "dropped, not stored"),
    ),
}


@pytest.mark.parametrize("older", FILES.values(), ids=FILES)
def test_a_training_file_of_an_older_system_is_read_as_it_is(tmp_path: Path, older: Older) -> None:
    path = tmp_path / "training.csv"
    path.write_text(older.text)
    with read_batch(open_source(path), DOMAINS[older.domain], "labeled", secret=SECRET) as intake:
        records, said = intake.records(), " ".join([*intake.notes, *intake.ignored_columns])
    found = [{**row.inputs, **row.targets}[older.column] for row in sorted(records, key=lambda row: row.number)]
    assert found == older.values
    assert all(words in said for words in older.said), said
    assert all(row.student for row in records)


def test_ten_rows_are_read_and_too_few_to_learn_from(tmp_path: Path) -> None:
    (tmp_path / "first.csv").write_text(FILES["the first ten"].text)
    done = run_command(tmp_path, "train", "--domain", "course", "--data", "first.csv")
    assert done.returncode == 1
    assert "refused" in done.stdout


def test_a_target_that_is_asked_for_asks_nothing_of_the_others(tmp_path: Path) -> None:
    path, university = tmp_path / "marks.csv", DOMAINS["university"]
    path.write_text(OF_UNIVERSITY + "".join(graded("excellent", place) for place in range(12)))
    with pytest.raises(BadData), read_batch(open_source(path), university, "labeled", secret=SECRET):
        pass
    asked = read_batch(open_source(path), university, "labeled", secret=SECRET, targets=["final_marks"])
    with asked as intake:
        assert [row.targets for row in intake.records()] == [{"final_marks": 20.0 + place * 2} for place in range(12)]
        assert intake.notes == ("column 'final_grade': 12 values not taken, and not asked for here",)
