"""The addresses of the systems before this one, as one table: what is sent there, what is read, and where ours is.

The page docs/reference/older-addresses.md is made of it (`python -m cli.reference`), and a test asks every line of it
of a running service, with this body and these headers. What answers stands in `api.fast.older_forms` and
`api.routes.older`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

JSON, FORM_FILE = "application/json", "multipart/form-data"


class OlderAddress(NamedTuple):
    """One call. system: whose callers make it. path: with its query. shows: how they say who they are. body: what they
    send, as JSON; file: the text of a file, in the field `file`. reads: the fields that they read, dotted, `[]` for
    each of a list. ours: the canonical address. remark: what is different here."""

    system: str
    method: str
    path: str
    ours: str
    reads: Sequence[str]
    shows: Sequence[str] = ()
    body: Mapping[str, Any] | None = None
    file: str = ""
    status: int = 200
    remark: str = ""


DASHBOARD = "assignment dashboard"
RECOMMENDER = "study recommendation"
MONITOR = "grade monitor"
DETECTOR = "help detector"
SUCCESS_MONITOR = "student success monitor"

KEY_AND_TOKEN = ("Authorization: Bearer", "X-API-Key")
TOKEN_ALONE = ("Authorization: Bearer",)

SCORED_ROW = {"comprehension": 75.5, "attention": 82.0, "focus": 78.3, "retention": 80.1, "engagement_time": 120}
GRADED_ROW = {"semester": 3, "subject": "Data Structures", "assignment_marks": 4.2, "quiz_marks": 8.0,
           "attendance_percentage": 90, "midterm_marks": 23, "previous_cgpa": 3.4}  # fmt: skip
PUPIL_ROW = {"school": "GP", "sex": "F", "age": 18, "address": "U", "famsize": "GT3", "Pstatus": "A", "Medu": 4,
         "Fedu": 4, "Mjob": "at_home", "Fjob": "teacher", "reason": "course", "guardian": "mother", "traveltime": 2,
         "studytime": 2, "failures": 0, "schoolsup": "yes", "famsup": "no", "paid": "no", "activities": "no",
         "nursery": "yes", "higher": "yes", "internet": "no", "romantic": "no", "famrel": 4, "freetime": 3, "goout": 4,
         "Dalc": 1, "Walc": 1, "health": 3, "absences": 6, "G1": 5, "G2": 6}  # fmt: skip
COURSE_COLUMNS = ("user_id", "gender", "attendance_rate", "study_hours_per_week", "previous_grade",
                  "extracurricular_activities_count", "parental_support", "final_grade")  # fmt: skip
COURSE_FILE = "".join(
    ",".join(map(str, row)) + "\n"
    for row in (COURSE_COLUMNS, ("u1", "Female", 85.5, 12, 70, 2, "High", ""), ("u2", "Male", 61, 4, 48, 0, 1, ""))
)
PERIOD_OF_COURSE = "start_date_period=2026-01-12&end_date_period=2026-05-29"
LAST_DAY_KNOWN = {"start": "2025-09-01", "end": "2025-12-14"}
NEXT_PERIOD = "start_date_period=2099-08-31&end_date_period=2099-12-18"
ASKED_NOBODY = "asked nobody who they are; here by key or token, else 401 where sign-in is on"
BY_SESSION = "asks by a session; here by key or token, else 401 where sign-in is on"

OLDER_ADDRESSES: Sequence[OlderAddress] = (
    OlderAddress(
        DASHBOARD, "POST", "/predict", "POST /api/v1/engagement/predict", ("predicted_score",),
        KEY_AND_TOKEN, SCORED_ROW,
    ),
    OlderAddress(
        DASHBOARD, "POST", "/predict/batch", "POST /api/v1/engagement/predict/batch",
        ("predictions[].student_index", "predictions[].predicted_score", "predictions[].cached", "total_processed",
         "cache_hits", "processing_time_ms"),
        KEY_AND_TOKEN, {"students": [SCORED_ROW, SCORED_ROW]},
        remark="takes more than 100; many rows are scored together, so none is cached",
    ),
    OlderAddress(
        DASHBOARD, "POST", "/login", "POST /api/v1/token", ("access_token",),
        body={"username": "…", "password": "…"}, remark="404 where nobody has to sign in",
    ),
    OlderAddress(
        DASHBOARD, "POST", "/auth/login", "POST /api/v1/token", ("access_token",),
        body={"username": "…", "password": "…"}, remark="404 where nobody has to sign in",
    ),
    OlderAddress(
        DASHBOARD, "GET", "/admin/cache/stats", "GET /admin/cache/stats", ("hit_rate", "hits", "misses"), TOKEN_ALONE,
    ),
    OlderAddress(
        DASHBOARD, "DELETE", "/admin/cache/clear?pattern=prediction:*", "DELETE /admin/cache", ("message", "pattern"),
        TOKEN_ALONE, remark="empties the whole cache, whatever the pattern, and says so",
    ),
    *(
        OlderAddress(
            RECOMMENDER, "POST", path, "POST /api/v1/university/predict",
            ("success", "prediction.predicted_final_marks", "prediction.predicted_grade",
             "prediction.grade_probabilities", "weak_subjects", "study_plan_links", "response_time_ms"),
            body=GRADED_ROW, remark=f"assignment_marks up to 10; whoever may read gets advice, too; {BY_SESSION}",
        )
        for path in ("/api/predict/", "/api/predict")
    ),
    OlderAddress(
        RECOMMENDER, "POST", "/api/predict/", "POST /api/v1/university/predict/batch",
        ("queued", "task_id", "status_url"),
        body={**GRADED_ROW, "async_mode": True}, status=202, remark="a worker answers; status_url is the job's address",
    ),
    OlderAddress(
        MONITOR, "POST", "/predict", "POST /api/v1/school/predict",
        ("status", "prediction.G3_score", "prediction.rounding", "model_version"), body=PUPIL_ROW,
        remark="told from the dashboard's call by its fields",
    ),
    OlderAddress(
        MONITOR, "GET", "/drift-status", "GET /api/v1/school/drift",
        ("drift_detected", "drifted_features_count", "timestamp", "details"),
        remark="the newest stored report; status is unknown, and the others null, where there is none",
    ),
    *(
        OlderAddress(
            DETECTOR, "POST", f"/update-csv?{period}", "POST /api/v1/course/batches", ("message",), file=COURSE_FILE,
            remark="a period is named FIRST-DAY/LAST-DAY, rows without a course are of the group all (course=… names "
            f"another); reports are scheduled, every three weeks; {ASKED_NOBODY}",
        )
        for period in (PERIOD_OF_COURSE, NEXT_PERIOD)
    ),
    OlderAddress(
        DETECTOR, "GET", f"/get-report?{PERIOD_OF_COURSE}", "GET /api/v1/course/reports/latest?format=csv",
        ("user_id", "start_date_period", "end_date_period", *COURSE_COLUMNS[1:], "prediction_final_grade",
         "prediction_report_date"),
        remark="user_id is the pseudonym: POST /api/v1/course/reports/{id} puts your own keys in its place, by a class "
        f"list; range, plain rule and chance stand behind; {ASKED_NOBODY}",
    ),
    OlderAddress(
        DETECTOR, "GET", f"/get-report?{NEXT_PERIOD}", "GET /api/v1/course/reports/latest?format=csv", ("detail",),
        status=404, remark="not ready: the refusal says when it is due",
    ),
    OlderAddress(
        SUCCESS_MONITOR, "POST", "/api/v1/predict", "POST /api/v1/k12/students",
        ("prediction.id", "prediction.student_id", "prediction.risk_score", "prediction.risk_category",
         "prediction.confidence", "prediction.risk_factors", "prediction.model_version", "prediction.prediction_date",
         "contributing_factors", "timestamp"),
        TOKEN_ALONE, {"student_id": "example-0000001", "include_factors": True, "date_range": LAST_DAY_KNOWN},
        remark="risk_score is the chance within 18 weeks, risk_category by the warning policy in use; confidence is "
        "null, the interval stands beside it; without an answer the score is null and why_not says why",
    ),
    OlderAddress(
        SUCCESS_MONITOR, "POST", "/api/v1/predict/batch", "POST /api/v1/k12/students",
        ("predictions", "processing_time_ms", "unanswered[].student_id"),
        TOKEN_ALONE, {"student_ids": ["example-0000001", "nobody"], "top_k": 10},
        remark="ranked by risk; whoever has no answer, or is unknown, stands in unanswered with the reason",
    ),
    OlderAddress(
        SUCCESS_MONITOR, "GET", "/api/v1/metrics", "GET /api/v1/k12/performance",
        ("performance_metrics.verdict", "data_coverage.predictions"), TOKEN_ALONE,
        remark="start_date takes the permission read",
    ),
    OlderAddress(
        SUCCESS_MONITOR, "POST", "/api/v1/train/update", "POST /api/v1/k12/retrain",
        ("update_id", "status", "estimated_completion"), TOKEN_ALONE,
        {"student_outcomes": [], "feedback_corrections": []}, status=202,
        remark="rows are those of …/outcomes; a challenger is promoted only where it is better, and when it ends "
        "nobody knows before",
    ),
)  # fmt: skip
