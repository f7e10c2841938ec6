"""Exports as school systems write them, made small: what differs is given by file, row and column."""

import csv
import io
from zipfile import ZipFile

from preprocessing.panel.oneroster_columns import EXTENSION, VERSIONS

CHANGED = "2026-11-02T10:00:00.000Z"
ROWS = {
    "orgs": [{"sourcedId": "north", "name": "North", "type": "school"}],
    "academicSessions": [
        {"sourcedId": "t1", "title": "Autumn", "type": "term", "startDate": "2026-08-31", "endDate": "2026-12-19",
         "schoolYear": "2027"},
    ],
    "courses": [{"sourcedId": "c1", "title": "Algebra", "orgSourcedId": "north", "subjects": "math"}],
    "classes": [
        {"sourcedId": "k1", "title": "Algebra 7a", "courseSourcedId": "c1", "classType": "scheduled",
         "schoolSourcedId": "north", "termSourcedIds": "t1"},
    ],
    "users": [
        {"sourcedId": one, "enabledUser": "true", "orgSourcedIds": "north", "role": "student", "username": one,
         "givenName": "Ana", "familyName": "Sousa", "email": "ana@example.org", "grades": "07"}
        for one in ("s1", "s2")
    ],
    "enrollments": [
        {"sourcedId": f"e{one}", "classSourcedId": "k1", "schoolSourcedId": "north", "userSourcedId": one,
         "role": "student"}
        for one in ("s1", "s2")
    ],
    "demographics": [
        {"sourcedId": "s1", "birthdate": "2014-01-05", "sex": "female", "white": "true", "asian": "false"},
    ],
    "categories": [{"sourcedId": "g", "title": "Quiz"}],
    "lineItems": [
        {"sourcedId": "l1", "title": "Quiz", "assignDate": "2026-09-07", "dueDate": "2026-09-10",
         "classSourcedId": "k1", "categorySourcedId": "g",
         "gradingPeriodSourcedId": "t1", "resultValueMin": "0", "resultValueMax": "20"},
    ],
    "results": [
        {"sourcedId": "r1", "lineItemSourcedId": "l1", "studentSourcedId": "s1", "scoreStatus": "fully graded",
         "score": "15", "scoreDate": "2026-09-14", "comment": "Ana did well"},
        {"sourcedId": "r2", "lineItemSourcedId": "l1", "studentSourcedId": "s2", "scoreStatus": "not submitted",
         "scoreDate": "2026-09-14"},
    ],
    "attendance": [
        {"studentSourcedId": "s1", "date": "2026-09-14", "status": "present"},
        {"studentSourcedId": "s2", "date": "2026-09-14", "status": "absent", "excused": "true"},
    ],
    "incidents": [
        {"sourcedId": "i1", "studentSourcedId": "s2", "occurredAt": "2026-09-15T03:30:00Z", "category": "disruption",
         "severity": "2"},
    ],
    "interventions": [
        {"sourcedId": "h1", "studentSourcedId": "s2", "typeCode": "tutoring", "startDate": "2026-09-21",
         "plannedDoses": "8", "status": "active"},
    ],
}  # fmt: skip


def of_version(version, rows=None):
    """The same rows as the files of 1.2, where roles stand in a file of their own."""
    rows = {name: [dict(one) for one in some] for name, some in (rows or ROWS).items()}
    if version == "1.2":
        rows["roles"] = [
            {"sourcedId": f"role {one['sourcedId']}", "userSourcedId": one["sourcedId"], "roleType": "primary",
             "role": one.pop("role"), "orgSourcedId": one.pop("orgSourcedIds")}
            for one in rows["users"]
        ]  # fmt: skip
        for one in rows["lineItems"]:
            one |= {"academicSessionSourcedId": one.pop("gradingPeriodSourcedId"), "schoolSourcedId": "north"}
        rows["demographics"] = [one | {"birthDate": one.pop("birthdate")} for one in rows["demographics"]]
    return rows


def text_of(columns, rows, delimiter=","):
    made = io.StringIO()
    writer = csv.DictWriter(made, columns, delimiter=delimiter, lineterminator="\r\n", restval="")
    writer.writeheader()
    writer.writerows(rows)
    return made.getvalue()


def columns_of(version, name):
    spec = VERSIONS[version][name]
    key = ["sourcedId"] if spec.keyed else []
    state = [] if name in EXTENSION else ["status", "dateLastModified"]
    return [*key, *state, *(one for one in spec.columns if one not in key)]


def export_of(version="1.1", rows=None, *, mode="bulk", instead=None, manifest=()):
    """The files of a zip by name. instead: files as they are to be, None for none."""
    rows = rows or of_version(version)
    said = {"manifest.version": "1.0", "oneroster.version": version, "source.systemCode": "sis"}
    said |= {f"file.{name}": mode for name in rows if name not in EXTENSION}
    said |= dict(manifest)
    files = {
        "manifest.csv": text_of(["propertyName", "value"], [{"propertyName": k, "value": v} for k, v in said.items()])
    }
    files |= {f"{name}.csv": text_of(columns_of(version, name), some) for name, some in rows.items()}
    files |= instead or {}
    return {name: text.encode() for name, text in files.items() if text is not None}


def write_zip(path, files):
    with ZipFile(path, "w") as made:
        for name, content in files.items():
            made.writestr(name, content)
    return path
