"""The files of OneRoster CSV 1.1 and 1.2 and of our extension: their columns in order, which must have a value, and to
which file's `sourcedId` a column leads. Names alone.

1EdTech OneRoster 1.1 (2017) and 1.2 (2022), CSV tables.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class FileColumns(NamedTuple):
    """columns: without `sourcedId`, `status`, `dateLastModified`, which come first. required: among them. refers: by
    column, to which file it leads; lists: columns of several keys in one cell. levels: what a column may say."""

    columns: Sequence[str]
    required: Sequence[str] = ()
    refers: Mapping[str, str] = {}
    lists: Sequence[str] = ()
    levels: Mapping[str, Sequence[str]] = {}
    keyed: bool = True


RACES = (
    "americanIndianOrAlaskaNative", "asian", "blackOrAfricanAmerican", "nativeHawaiianOrOtherPacificIslander", "white",
    "demographicRaceTwoOrMoreRaces", "hispanicOrLatinoEthnicity",
)  # fmt: skip
ORG_TYPES = ("department", "school", "district", "local", "state", "national")
SESSION_TYPES = ("gradingPeriod", "semester", "schoolYear", "term")
SCORE_STATES = ("exempt", "fully graded", "not submitted", "partially graded", "submitted")
TRUTHS = ("true", "false")
ROLES_1_1 = ("administrator", "aide", "guardian", "parent", "proctor", "relative", "student", "teacher")
ROLES_1_2 = (
    "aide", "counselor", "districtAdministrator", "guardian", "parent", "principal", "proctor", "relative",
    "siteAdministrator", "student", "systemAdministrator", "teacher",
)  # fmt: skip

_COMMON: dict[str, FileColumns] = {
    "orgs": FileColumns(
        ("name", "type", "identifier", "parentSourcedId"), ("name", "type"), {"parentSourcedId": "orgs"},
        levels={"type": ORG_TYPES},
    ),
    "academicSessions": FileColumns(
        ("title", "type", "startDate", "endDate", "parentSourcedId", "schoolYear"),
        ("title", "type", "startDate", "endDate", "schoolYear"),
        {"parentSourcedId": "academicSessions"}, levels={"type": SESSION_TYPES},
    ),
    "courses": FileColumns(
        ("schoolYearSourcedId", "title", "courseCode", "grades", "orgSourcedId", "subjects", "subjectCodes"),
        ("title", "orgSourcedId"), {"schoolYearSourcedId": "academicSessions", "orgSourcedId": "orgs"},
    ),
    "classes": FileColumns(
        ("title", "grades", "courseSourcedId", "classCode", "classType", "location", "schoolSourcedId",
         "termSourcedIds", "subjects", "subjectCodes", "periods"),
        ("title", "classType", "schoolSourcedId", "termSourcedIds"),
        {"courseSourcedId": "courses", "schoolSourcedId": "orgs", "termSourcedIds": "academicSessions"},
        lists=("termSourcedIds",), levels={"classType": ("homeroom", "scheduled")},
    ),
    "enrollments": FileColumns(
        ("classSourcedId", "schoolSourcedId", "userSourcedId", "role", "primary", "beginDate", "endDate"),
        ("classSourcedId", "schoolSourcedId", "userSourcedId", "role"),
        {"classSourcedId": "classes", "schoolSourcedId": "orgs", "userSourcedId": "users"},
        levels={"role": ("administrator", "proctor", "student", "teacher"), "primary": TRUTHS},
    ),
    "categories": FileColumns(("title",), ("title",)),
    "attendance": FileColumns(
        ("studentSourcedId", "classSourcedId", "date", "status", "excused", "minutes", "reasonCode"),
        ("studentSourcedId", "date", "status"), {"studentSourcedId": "users", "classSourcedId": "classes"},
        levels={"status": ("present", "absent", "tardy", "early_leave"), "excused": TRUTHS}, keyed=False,
    ),
    "incidents": FileColumns(
        ("studentSourcedId", "occurredAt", "category", "severity"), ("studentSourcedId", "occurredAt", "category"),
        {"studentSourcedId": "users"}, levels={"severity": ("1", "2", "3", "4", "5")},
    ),
    "interventions": FileColumns(
        ("studentSourcedId", "typeCode", "startDate", "endDate", "plannedDoses", "deliveredDoses", "ownerId",
         "triggerPredictionId", "assignment", "goalMetric", "status"),
        ("studentSourcedId", "typeCode", "startDate"), {"studentSourcedId": "users"},
        levels={"status": ("planned", "active", "done", "stopped", "declined"),
                "assignment": ("judgement", "policy", "random", "self_referral")},
    ),
}  # fmt: skip

_USER = ("username", "userIds", "givenName", "familyName", "middleName", "identifier", "email", "sms", "phone",
         "agentSourcedIds", "grades", "password")  # fmt: skip
_LINE_ITEM = ("title", "description", "assignDate", "dueDate", "classSourcedId", "categorySourcedId")
_RESULT = ("lineItemSourcedId", "studentSourcedId", "scoreStatus", "score", "scoreDate", "comment")
_RESULT_REFERS = {"lineItemSourcedId": "lineItems", "studentSourcedId": "users"}
_LINE_REFERS = {"classSourcedId": "classes", "categorySourcedId": "categories"}
_NAMES = ("username", "givenName", "familyName")

VERSIONS: Mapping[str, Mapping[str, FileColumns]] = {
    "1.1": {
        **_COMMON,
        "users": FileColumns(
            ("enabledUser", "orgSourcedIds", "role", *_USER), ("enabledUser", "orgSourcedIds", "role", *_NAMES),
            {"orgSourcedIds": "orgs"}, lists=("orgSourcedIds",),
            levels={"role": ROLES_1_1, "enabledUser": TRUTHS},
        ),
        "demographics": FileColumns(("birthdate", "sex", *RACES, "countryOfBirthCode", "stateOfBirthAbbreviation",
                                     "cityOfBirth", "publicSchoolResidenceStatus")),
        "lineItems": FileColumns(
            (*_LINE_ITEM, "gradingPeriodSourcedId", "resultValueMin", "resultValueMax"),
            ("title", "assignDate", "dueDate", "classSourcedId", "categorySourcedId", "gradingPeriodSourcedId",
             "resultValueMin", "resultValueMax"), _LINE_REFERS | {"gradingPeriodSourcedId": "academicSessions"},
        ),
        "results": FileColumns(
            _RESULT, ("lineItemSourcedId", "studentSourcedId", "scoreStatus", "scoreDate"), _RESULT_REFERS,
            levels={"scoreStatus": SCORE_STATES},
        ),
    },
    "1.2": {
        **_COMMON,
        "users": FileColumns(
            ("enabledUser", *_USER, "userMasterIdentifier", "preferredGivenName", "preferredMiddleName",
             "preferredFamilyName", "primaryOrgSourcedId", "pronouns"), ("enabledUser", *_NAMES),
            {"primaryOrgSourcedId": "orgs"}, levels={"enabledUser": TRUTHS},
        ),
        "roles": FileColumns(
            ("userSourcedId", "roleType", "role", "beginDate", "endDate", "orgSourcedId", "userProfileSourcedId"),
            ("userSourcedId", "roleType", "role", "orgSourcedId"), {"userSourcedId": "users", "orgSourcedId": "orgs"},
            levels={"roleType": ("primary", "secondary"), "role": ROLES_1_2},
        ),
        "categories": FileColumns(("title", "weight"), ("title",)),
        "demographics": FileColumns(("birthDate", "sex", *RACES, "countryOfBirthCode", "stateOfBirthAbbreviation",
                                     "cityOfBirth", "publicSchoolResidenceStatus"), refers={"sourcedId": "users"}),
        "lineItems": FileColumns(
            (*_LINE_ITEM, "academicSessionSourcedId", "resultValueMin", "resultValueMax", "schoolSourcedId"),
            ("title", "assignDate", "dueDate", "classSourcedId", "categorySourcedId", "academicSessionSourcedId",
             "schoolSourcedId"),
            _LINE_REFERS | {"academicSessionSourcedId": "academicSessions", "schoolSourcedId": "orgs"},
        ),
        "results": FileColumns(
            (*_RESULT, "textScore", "classSourcedId", "inProgress", "incomplete", "late", "missing"),
            ("lineItemSourcedId", "studentSourcedId", "scoreStatus", "scoreDate"),
            _RESULT_REFERS | {"classSourcedId": "classes"},
            levels={"scoreStatus": SCORE_STATES,
                    **dict.fromkeys(("inProgress", "incomplete", "late", "missing"), TRUTHS)},
        ),
    },
}  # fmt: skip

UNREAD = frozenset({
    "classResources", "courseResources", "resources", "lineItemLearningObjectiveIds", "lineItemScoreScales",
    "resultLearningObjectiveIds", "resultScoreScales", "scoreScales", "userProfiles", "userResources", "engagement",
    "outcomes",
})  # fmt: skip
"""Files that say nothing of what is observed here."""

EXTENSION = frozenset({"attendance", "incidents", "interventions", "engagement", "outcomes"})
"""Files that no standard has: a manifest need not name them."""

MISSPELLED: Mapping[str, str] = {
    "dataLastModified": "dateLastModified",
    "prefferedGivenName": "preferredGivenName",
    "prefferedMiddleName": "preferredMiddleName",
    "prefferedFamilyName": "preferredFamilyName",
}
"""Spellings that exports in use have, to the standard's."""

OF_PEOPLE = frozenset({
    "givenName", "familyName", "middleName", "preferredGivenName", "preferredMiddleName", "preferredFamilyName",
    "email", "sms", "phone", "password", "userIds", "username", "identifier", "userMasterIdentifier", "pronouns",
    "birthdate", "birthDate", "countryOfBirthCode", "stateOfBirthAbbreviation", "cityOfBirth", "agentSourcedIds",
    "comment", "ownerId", "description",
})  # fmt: skip
"""Columns that are dropped before anything is made of a file."""
