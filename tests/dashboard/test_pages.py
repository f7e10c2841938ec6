"""Every page on a real installation, through Streamlit's own test runner."""

import io
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
import xlsxwriter
from streamlit.testing.v1 import AppTest

from advice.case_steps import NewStep
from advice.cases import Writer, take_step
from clock import new_id, now
from dashboard import parts
from dashboard.form import field
from dashboard.views.students.asking import EXCEL
from database.records import ChampionKey, Outcome, Prediction
from drift.records import DriftReport
from drift.sentences import sentences_of
from drift.story import tell_story
from jobs.inline import JobFailed, do_here
from jobs.job_settings import JobSettings
from jobs.kinds import JOB_KINDS
from model.workspace import Workspace
from monitoring.drift_timeline import read_report, timeline_of
from preprocessing.synthetic import generate
from preprocessing.template import template

Page = Callable[..., AppTest]
PAGES = ("today", "students", "data", "models", "results")
"""Those of models; Activity and Upload need none."""
QUIZ = ChampionKey("workshop", "mark", "quiz")
ONE, FILE = "One student", "A file"
"""Parts of the page Students."""


def texts(app: AppTest) -> str:
    """Everything that the page says in words."""
    kinds = (
        app.title,
        app.subheader,
        app.markdown,
        app.caption,
        app.info,
        app.success,
        app.warning,
        app.error,
        app.code,
    )
    said = [element.value for kind in kinds for element in kind]
    said += [f"{metric.label} {metric.value}" for metric in app.metric]
    said += [table.value.to_string() for table in app.dataframe]
    return "\n".join(str(text) for text in said)


def press(app: AppTest, label: str) -> AppTest:
    """The page after a press of the first button with this label."""
    next(button for button in app.button if button.label == label).click()
    return app.run()


def fill(app: AppTest, name: str, value: float | str, domain: str = "workshop") -> None:
    key = f"field:{domain}:{name}"
    widgets = [*app.selectbox, *app.text_input]
    next(widget for widget in widgets if widget.key == key).set_value(value if isinstance(value, str) else f"{value:g}")


def predict_one(app: AppTest, **values: float | str) -> AppTest:
    """The page after filling in a typical student with these values and asking."""
    press(app, "Fill in a typical student")
    for name, value in values.items():
        fill(app, name, value)
    return press(app, "Predict")


def predict_rows(
    workspace: Workspace, domain: str, rows: int = 60, seed: int = 11, *, keys: bool = False
) -> list[Prediction]:
    """Logged predictions for generated rows, as if the API had been asked. keys: of students of their own."""
    schema = workspace.schemas[domain]
    known = [feature.name for feature in schema.features]
    table = generate(schema, rows=rows, seed=seed).select(known)
    given = [{name: value for name, value in row.items() if value is not None} for row in table.to_dicts()]
    if keys:
        given = [{**row, "student_id": f"s{place}"} for place, row in enumerate(given)]
    return workspace.service.predict(domain, given, source="api")


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("domain", ["workshop", "medal", "course"])
def test_every_page_is_drawn_for_every_kind_of_domain(page: Page, name: str, domain: str) -> None:
    app = page(name, domain)
    assert not app.exception
    assert not app.error


def test_the_dashboard_opens_on_today(page: Page) -> None:
    script = Path(__file__).resolve().parents[2] / "dashboard" / "dashboard.py"
    app = AppTest.from_file(str(script), default_timeout=60).run()
    assert not app.exception
    assert "1 thing needs you." in app.title[0].value


# Upload -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at_work", [False, True], ids=["nobody there", "a worker"])
def test_a_file_is_uploaded_and_each_upload_stands_in_the_history_with_its_end(
    page: Page, workspace: Workspace, at_work: bool
) -> None:
    if at_work:
        workspace.store.see_worker("w", list(JOB_KINDS))
    app, table = page("upload", "workshop"), generate(workspace.schemas["workshop"], rows=30, seed=8)
    assert "Nothing was uploaded to Workshop" in app.title[0].value
    files = {"good.csv": table.write_csv(), "bad.csv": table.write_csv().replace("evening", "afternoon")}
    for name, content in files.items():
        app.file_uploader[0].set_value((name, content.encode(), "text/csv")).run()
        press(app, "Upload")
        if at_work:
            assert "is at work" in app.title[0].value
            with suppress(JobFailed):
                do_here(workspace, workspace.store.jobs(domain="workshop")[0].id, JobSettings())
            app.run()
        assert not app.exception
        said = texts(app)
        assert ("30 rows added" if name == "good.csv" else "must be one of evening, day") in said, said
    assert "bad.csv, was refused" in app.title[0].value
    history = app.dataframe[-1].value
    assert list(history["state"]) == ["refused", "done"]
    assert list(history["file"]) == ["bad.csv", "good.csv"]
    assert history["added"][1] == 30
    assert "must be one of evening, day" in history["why"][0]
    assert [batch.name for batch in workspace.store.batches("workshop")] == ["good.csv"]


def test_the_address_says_what_the_file_holds_and_the_template_offered_is_taken(
    page: Page, workspace: Workspace
) -> None:
    app = page("upload", "workshop", kind="outcomes")
    assert app.radio[0].value == "outcomes"
    app.radio[0].set_value("labeled").run()
    blank = template(workspace.schemas["workshop"], format="csv")
    app.file_uploader[0].set_value(("filled.csv", blank, "text/csv")).run()
    press(app, "Upload")
    assert "2 rows were new or changed" in app.title[0].value


# Every page ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PAGES[1:])
def test_every_page_of_a_domain_without_a_champion_says_what_to_do_next(page: Page, name: str) -> None:
    app = page(name, "course")
    assert app.info
    assert any(code.value.startswith("gradewatch ") for code in app.code)


def test_a_domain_file_that_changed_after_training_is_pointed_out(page: Page, data_dir: Path) -> None:
    path = data_dir / "domains" / "workshop.toml"
    path.write_text(path.read_text().replace("maximum = 30", "maximum = 40"))
    assert "has changed since its champion was trained" in texts(page("data", "workshop"))


def test_a_database_that_is_down_is_said_in_words(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADEWATCH_DATABASE_URL", "postgresql://nobody@127.0.0.1:9/nothing")
    app = page("today")
    assert not app.exception
    assert "The database cannot be reached" in app.error[0].value


def test_a_broken_domain_file_is_named(page: Page, data_dir: Path) -> None:
    (data_dir / "domains" / "workshop.toml").write_text("name = ")
    app = page("today")
    assert "domain file" in app.error[0].value
    assert "workshop.toml" in app.code[0].value


# Students -----------------------------------------------------------------------------------------------------------


def test_an_answer_of_the_form_is_the_logged_one_also_when_it_is_looked_at_again(
    page: Page, workspace: Workspace
) -> None:
    app = predict_one(page("students", "workshop", ONE), quiz=12.0, sex="M").run()
    logged = workspace.store.predictions("workshop")
    assert len(logged) == 1
    assert (logged[0].source, logged[0].moment, logged[0].inputs["quiz"]) == ("dashboard", "quiz", 12.0)
    assert logged[0].id in texts(app)
    shown = re.search(r"Final mark: ([\d.]+) points", texts(app))
    assert shown is not None
    assert abs(float(shown[1]) - float(logged[0].answers[0].value or 0)) <= 0.1
    assert "the plain rule says 12 points" in texts(app)
    assert "For: Quiz mark: 12" in texts(app)
    assert logged[0].inputs["sex"] == "M"


def test_a_student_key_becomes_a_pseudonym_and_is_not_shown_again(page: Page, workspace: Workspace) -> None:
    app = predict_one(page("students", "workshop", ONE), student_id="KEY-4711")
    logged = workspace.store.predictions("workshop")[0]
    assert logged.student
    assert "key-4711" not in str(logged).casefold()
    assert "key-4711" not in texts(app).casefold()
    assert "key-4711" not in repr(app.session_state).casefold()


def test_a_student_key_in_a_refused_form_is_forgotten_too(page: Page, workspace: Workspace) -> None:
    app = page("students", "workshop", ONE)
    fill(app, "student_id", "KEY-4711")
    press(app, "Predict")
    assert app.error
    assert "key-4711" not in (texts(app) + repr(app.session_state)).casefold()


def test_at_an_earlier_moment_later_columns_are_not_asked_for(page: Page, workspace: Workspace) -> None:
    app = page("students", "workshop", ONE)
    assert field(workspace.schemas["workshop"], "quiz") in {one.key for one in app.text_input}
    app.selectbox(key="at").set_value("start").run()
    assert field(workspace.schemas["workshop"], "quiz") not in {one.key for one in app.text_input}
    predict_one(app)
    logged = workspace.store.predictions("workshop")[0]
    assert (logged.moment, "quiz" in logged.inputs) == ("start", False)


def test_an_optional_column_may_be_left_empty(page: Page, workspace: Workspace) -> None:
    app = page("students", "workshop", ONE)
    for name, value in {"age": 20, "mode": "day", "sex": "F", "quiz": 11.0}.items():
        fill(app, name, value)
    press(app, "Predict")
    assert workspace.store.predictions("workshop")[0].inputs["hours"] is None


def test_what_is_missing_in_the_form_is_named_by_its_label_and_nothing_is_logged(
    page: Page, workspace: Workspace
) -> None:
    app = press(page("students", "workshop", ONE), "Predict")
    said = texts(app)
    for label in ("Age", "Mode of study", "The student's sex", "Quiz mark"):
        assert f"**{label}**" in said
    assert "**Study time**" not in said
    assert workspace.store.count_predictions() == 0


def test_a_value_outside_the_training_data_is_warned_about(page: Page, workspace: Workspace) -> None:
    low, high = workspace.champions.loaded[QUIZ].predictor.manifest.ranges["hours"]
    outside = 0.0 if low > 0 else 40.0
    assert not low <= outside <= high
    app = predict_one(page("students", "workshop", ONE), hours=outside)
    assert any("This is a guess: never seen in training: Study time" in one.value for one in app.warning)


def test_an_answer_says_what_moved_it_and_that_this_is_no_cause(page: Page, workspace: Workspace) -> None:
    app = predict_one(page("students", "workshop", ONE), quiz=1.0)
    said = texts(app)
    assert "What moves it most is Quiz mark: 1 (points)" in said
    assert "not about causes" in said
    (answer,) = workspace.store.predictions("workshop")[0].answers
    assert answer.factors[0].feature == "quiz"


def test_a_class_is_answered_with_its_probabilities(page: Page, workspace: Workspace) -> None:
    app = press(page("students", "medal", ONE), "Fill in a typical student")
    press(app, "Predict")
    answer = workspace.store.predictions("medal")[0].answers[0]
    assert f"Medal won: {answer.value}" in texts(app)
    assert len(app.get("plotly_chart")) == 2


def test_a_file_is_answered_row_by_row_and_logged_once(page: Page, workspace: Workspace) -> None:
    schema = workspace.schemas["workshop"]
    text = generate(schema, rows=25, seed=5).drop("mark").write_csv().encode()
    app = page("students", "workshop", FILE)
    app.file_uploader(key="file:workshop").set_value(("new.csv", text, "text/csv")).run()
    assert workspace.store.count_predictions("workshop") == 0
    press(app, "Predict all rows").run()
    assert workspace.store.count_predictions("workshop") == 25
    assert {prediction.source for prediction in workspace.store.predictions("workshop")} == {"dashboard"}
    listed = next(table.value for table in app.dataframe if "likely" in table.value)
    assert len(listed) == 25
    assert "example-000001" in set(listed["student"]), "keys of the visitor's own file, in memory alone"
    assert "example-000001" not in str(workspace.store.predictions("workshop"))


def test_every_problem_of_a_file_is_listed_and_nothing_is_logged(page: Page, workspace: Workspace) -> None:
    text = b"age,mode,sex,quiz\n99,day,F,10\n20,night,F,10\n20,day,F,ten\n20,day,F,10\n"
    app = page("students", "workshop", FILE)
    app.file_uploader(key="file:workshop").set_value(("bad.csv", text, "text/csv")).run()
    press(app, "Predict all rows")
    table = next(table.value for table in app.dataframe if "row" in table.value)
    assert list(zip(table["row"], table["column"], strict=True)) == [(2, "age"), (3, "mode"), (4, "quiz")]
    assert workspace.store.count_predictions() == 0


def workbook(second: list[list[object]]) -> bytes:
    """Two sheets, of which the second holds these rows."""
    out = io.BytesIO()
    with xlsxwriter.Workbook(out) as book:
        book.add_worksheet("notes").write(0, 0, "read the other sheet")
        sheet = book.add_worksheet("marks")
        for number, row in enumerate(second):
            sheet.write_row(number, 0, row)
    return out.getvalue()


@pytest.mark.parametrize("name", ["students", "data"])
def test_a_sheet_can_be_named_and_bad_rows_left_out_wherever_a_file_is_given(
    page: Page, workspace: Workspace, name: str
) -> None:
    rows = [[f"k{n}", 15 + n % 5, "day", "F", 10 + n % 9] for n in range(30)]
    rows[3][0] = "x" * 120  # whose row that is cannot be read
    student = workspace.schemas["workshop"].student
    assert student is not None
    content = workbook([[student.name, "age", "mode", "sex", "quiz"], *rows])
    app, purpose = page(name, "workshop", FILE), {"students": "workshop", "data": "drift:workshop"}[name]
    app = press(app, "Check now") if name == "data" else app
    app.file_uploader(key=f"file:{purpose}").set_value(("new.xlsx", content, EXCEL)).run()
    app.text_input(key=f"sheet:{purpose}").set_value("marks").run()
    key = {"students": "all:workshop", "data": "drift from file"}[name]
    app.button(key=key).click().run()
    assert not workspace.store.count_predictions() + len(workspace.store.drift_reports())
    app.checkbox(key=f"skip:{purpose}").check().run()
    app.button(key=key).click().run()
    assert [workspace.store.count_predictions(), len(workspace.store.drift_reports())] == (
        [29, 0] if name == "students" else [0, 1]
    )
    assert "1 bad row left out" in texts(app)


def test_every_form_that_takes_a_file_is_that_one() -> None:
    forms = [file.name for file in Path(parts.__file__).parent.rglob("*.py") if "file_uploader(" in file.read_text()]
    assert forms == ["parts.py"]


def test_a_file_with_more_rows_than_allowed_is_refused(
    page: Page, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADEWATCH_MAX_ROWS", "10")
    app = page("students", "workshop", FILE)
    text = generate(workspace.schemas["workshop"], rows=11, seed=5).write_csv().encode()
    app.file_uploader(key="file:workshop").set_value(("long.csv", text, "text/csv")).run()
    press(app, "Predict all rows")
    assert "11 rows in one request; at most 10 are allowed" in app.error[0].value
    assert workspace.store.count_predictions() == 0


# Data ---------------------------------------------------------------------------------------------------------------


def check_now(page: Page) -> AppTest:
    """The page Data with its dialog open."""
    return press(page("data", "workshop"), "Check now")


def test_what_was_asked_lately_is_compared_stored_and_told_with_its_sentence_first(
    page: Page, workspace: Workspace
) -> None:
    predict_rows(workspace, "workshop")
    app = press(check_now(page), "Compare")
    (stored,) = workspace.store.drift_reports("workshop")
    story = tell_story(read_report(stored, workspace.schemas["workshop"]))
    assert story[0] in app.title[0].value
    assert app.query_params["report"] == stored.id
    app.toggle(key="exact").set_value(True).run()
    assert sentences_of(DriftReport.from_document(stored.document))[0] in texts(app)
    assert app.get("plotly_chart")
    assert not app.exception


def test_a_file_that_has_moved_raises_the_alarm_and_each_report_has_its_address(
    page: Page, workspace: Workspace
) -> None:
    rows = "".join(f"{15 + i % 2},day,F,{19 + i % 2}\n" for i in range(80))
    app = check_now(page)
    app.file_uploader[0].set_value(("moved.csv", f"age,mode,sex,quiz\n{rows}".encode(), "text/csv")).run()
    app.button(key="drift from file").click().run()
    first = workspace.store.drift_reports("workshop")[0]
    assert first.alarm
    unseen = {"new_levels": [{"level": "online", "rows": 20}], "new_level_count": 1}
    columns = [one | unseen if one["column"] == "mode" else one for one in first.document["columns"]]
    document = {**first.document, "columns": columns, "expected": {**first.document["expected"], "outside": 0.05}}
    (point,) = timeline_of([msgspec.structs.replace(first, document=document)])
    assert point.outside == 20 / 80, "a level that the model never saw makes an answer a guess"
    assert "needs you" in app.title[0].value.casefold()
    press(app, "I have seen it …").text_input(key="acknowledgement").set_value("a class of the evening").run()
    app.button(key="acknowledge now").click().run()
    (seen,) = workspace.store.events(kind="acknowledged")
    assert (seen.details["note"], seen.details["condition"]["kind"]) == ("a class of the evening", "drift")
    assert "Seen by" in press(app, "I have seen it …").info[0].value
    app = check_now(page)
    app.file_uploader[0].set_value(("bad.csv", b"age,mode,sex,quiz\n99,day,F,10\n", "text/csv")).run()
    app.button(key="drift from file").click().run()
    newest, _ = workspace.store.drift_reports("workshop")
    assert "moved.csv" not in texts(app), "prediction would refuse it; it is reported all the same"
    assert app.query_params["report"] == newest.id
    app.query_params["report"] = first.id
    assert "moved.csv" in texts(app.run())


# Results ------------------------------------------------------------------------------------------------------------


def outcomes(predictions: list[Prediction], off: float) -> list[Outcome]:
    """What came of predictions: each answer was wrong by `off`, up and down in turn."""
    return [
        Outcome(
            domain=prediction.domain,
            target="mark",
            value=float(prediction.answers[0].value) + (off if place % 2 else -off),
            at=now(),
            prediction=prediction.id,
        )
        for place, prediction in enumerate(predictions)
    ]


def test_few_outcomes_are_not_judged(page: Page, workspace: Workspace) -> None:
    workspace.store.add_outcomes(outcomes(predict_rows(workspace, "workshop", rows=9), off=1.0))
    app = page("results", "workshop")
    assert "too few to tell" in app.title[0].value.casefold()
    assert "The outcomes of 9 students are known so far" in app.title[0].value
    assert not app.metric


def test_results_say_how_ranges_held_and_how_far_model_and_rule_were_off(page: Page, workspace: Workspace) -> None:
    told = predict_rows(workspace, "workshop", rows=40)
    workspace.store.add_outcomes(outcomes(told, off=0.25))
    predict_rows(workspace, "workshop", rows=5, seed=12)
    app = page("results", "workshop")
    said = app.title[0].value
    n = sum(one.answers[0].interval is not None for one in told)
    assert f"Of {n} students who got a range, {n} ended within it (100\u00a0%; 90\u00a0% was promised)." in said
    assert "On average the model missed by 0.25 points, the plain rule by" in said
    assert "5 still wait for their outcome." in said
    (week,) = app.dataframe[-1].value.to_dict("records")
    assert (week["Answers"], week["Mean miss"]) == (40, pytest.approx(0.25))
    assert week["from"] < week["Against training"] < week["to"]


def test_what_help_did_is_told_when_it_is_asked_for_and_so_is_what_shows_nothing(
    page: Page, workspace: Workspace
) -> None:
    schema = workspace.schemas["workshop"]
    told = predict_rows(workspace, "workshop", rows=90, keys=True)
    app = page("results", "workshop")
    app.button(key="effects now").click().run()
    assert "Not enough data: of too few students is it known that help came" in texts(app)
    for one in told[::2]:
        take_step(workspace.store, schema, one.student or "", NewStep("talked"), Writer("ann"))
    workspace.store.add_outcomes(outcomes(told, off=0.25))
    app.button(key="effects now").click().run()
    assert not app.exception
    ways = next(one.value for one in app.dataframe if "it shows" in one.value).to_dict("records")
    assert [one["Way"] for one in ways] == [
        "Slots by lot", "At the threshold", "Doubly robust", "Matched", "Before and after"
    ]  # fmt: skip
    lots, described = ways[0], ways[-1]
    assert (lots["it shows"], lots["helped, or above"]) == ("too few to tell", 0)
    assert described["from"] <= described["effect (points)"] <= described["to"]
    assert "students are few: the interval is wide" in texts(app)


def test_errors_that_rose_and_ranges_that_do_not_hold_are_what_the_page_says(page: Page, workspace: Workspace) -> None:
    workspace.store.add_outcomes(outcomes(predict_rows(workspace, "workshop", rows=80), off=0.25))
    workspace.store.add_outcomes(outcomes(predict_rows(workspace, "workshop", rows=80, seed=13), off=3.0))
    app = page("results", "workshop")
    assert "needs you" in app.title[0].value.casefold()
    assert "the mean miss rose from 0.25 to 3 points (80 answers since)" in texts(app)


def test_outcomes_are_matched_before_they_are_stored(page: Page, workspace: Workspace) -> None:
    told = predict_rows(workspace, "workshop", rows=12)
    rows = "".join(f"{one.id},{10 + place % 5}\n" for place, one in enumerate(told))
    app = page("results", "workshop")
    file = ("marks.csv", f"prediction_id,mark\n{rows}{new_id()},11\n".encode(), "text/csv")
    app.file_uploader[0].set_value(file).run()
    assert "12 of 13 match; 1 belongs to no prediction: check the keys." in texts(app)
    assert not workspace.store.pairs("workshop", "mark")
    press(app, "Store 13 outcomes")
    assert not app.exception
    assert len(workspace.store.pairs("workshop", "mark")) == 12
    assert "The outcomes of 12 students" not in app.title[0].value
