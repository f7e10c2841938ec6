"""The page Students on a real installation: the list and its order, one student, notes, names, and forms."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from streamlit.testing.v1 import AppTest

from access.records import Grant
from access.roles import PERMISSIONS, Forbidden, Principal
from access.users import add_user
from advice.case_steps import NewStep
from advice.cases import Writer, case_of, take_step
from advice.positions import Place
from clock import new_id, now
from dashboard.shared_workspace import SharedWorkspace
from dashboard.views.students.sentences import likelier_words, value_words
from dashboard.visit import Visit, base
from database import sql
from database.records import Answer, Prediction
from jobs.inline import do_here
from jobs.job_settings import JobSettings
from jobs.queue import CATCHING_UP
from model.workspace import Workspace
from monitoring.warning_lots import DRAWN_EVENT
from monitoring.warning_policy import WarningPolicy, activate_policy
from preprocessing.schema import Target
from preprocessing.validation.pii import pseudonym
from tests.dashboard.test_pages import ONE, fill, predict_one, press, texts

Page = Callable[..., AppTest]
HERE = "workshop"
LOTS = WarningPolicy(threshold=0.0, capacity=2, by_lot=1, seed=7)
VALUES = {"s1": 10.07, "s2": 6.36, "s3": 9.9, "s4": 14.0}


def said(workspace: Workspace, key: str, value: float | None, days: int, below: float | None = None) -> Prediction:
    """An answer of so many days ago; without a chance there is none, or it is a guess."""
    version = next(key_ for key_ in workspace.champions.loaded if key_.domain == HERE and key_.moment == "quiz")
    model = workspace.champions.loaded[version].predictor.version
    silent = {} if below is not None else {"insufficient": ("quiz",)} if value is None else {"out_of_range": ("age",)}
    answer = Answer(
        target="mark", value=value, naive=12.0, model=model, generation=1, below_pass=below,
        interval=None if below is None or value is None else (value - 2, value + 2),
        coverage=None if below is None else 0.9, **silent,  # type: ignore[arg-type]
    )  # fmt: skip
    inputs = {"age": 20.0, "mode": "day", "hours": None, "sex": "F", "quiz": 12.0}
    return Prediction(
        id=new_id(), domain=HERE, moment="quiz", inputs=inputs, answers=(answer,), source="cli",
        at=now() - timedelta(days=days), student=pseudonym(key, workspace.secret),
    )  # fmt: skip


def fill_list(workspace: Workspace) -> None:
    """Four students with a chance, of whom one is likely to fail and was not, a guess, and one without an answer."""
    chances = {"s1": 0.48, "s2": 0.96, "s3": 0.49, "s4": 0.02}
    now_ones = [said(workspace, key, value, 1, chances[key]) for key, value in VALUES.items()]
    before = [said(workspace, "s2", 11.0, 20, 0.3), said(workspace, "s4", 13.9, 20, 0.03)]
    silent = [said(workspace, "s5", 9.0, 1), said(workspace, "s6", None, 1)]
    workspace.store.add_predictions([*before, *now_ones, *silent])


def shown_list(app: AppTest) -> object:
    return next(table.value for table in app.dataframe if "chance" in table.value)


def test_those_at_most_risk_come_first_numbers_are_numbers_and_the_rest_says_why(
    page: Page, workspace: Workspace
) -> None:
    fill_list(workspace)
    app = page("students", HERE)
    assert not app.exception
    assert "1 of 6 students is likely to end below 10. 1 is new since last week." in texts(app)
    table = shown_list(app)
    assert list(table["likely"].dropna()) == [6.4, 9.9, 10.1, 14.0, 9.0]  # type: ignore[index]
    assert str(table["likely"].dtype) == "float64", "so that 10.07 sorts behind 6.36"  # type: ignore[index]
    assert list(table["chance"][:4]) == [0.96, 0.49, 0.48, 0.02]  # type: ignore[index]
    assert list(table["change"].dropna()) == [-4.6, 0.1]  # type: ignore[index]
    whys = [" ".join(one) for one in table["why"][4:]]  # type: ignore[index]
    assert sorted(whys) == [
        "a guess, never seen in training: Age: 20 years",
        "no answer, too little is known: Quiz mark",
    ]
    keys = [pseudonym(key, workspace.secret)[:6] for key in ("s2", "s3", "s1", "s4")]
    assert list(table["student"][:4]) == keys  # type: ignore[index]
    assert "s2" not in set(table["student"])  # type: ignore[index]
    listed = [one.action for one in workspace.store.accesses(domain=HERE)]
    assert listed == ["students listed"], "once, although the page is drawn more often"
    app.segmented_control(key="shown").set_value("warned").run()
    assert len(shown_list(app)) == 1  # type: ignore[arg-type]
    app.segmented_control(key="shown").set_value("moved").run()
    assert list(shown_list(app)["change"]) == [-4.6]  # type: ignore[index]


def test_who_was_answered_about_long_ago_is_listed_where_it_is_asked_for(page: Page, workspace: Workspace) -> None:
    workspace.store.add_predictions([said(workspace, "s1", 6.0, 50, 0.9), said(workspace, "s2", 7.0, 45, 0.8)])
    app = page("students", HERE)
    assert app.selectbox(key="days").value == "90", "as far back as there is somebody"
    assert "2 of 2 students are likely to end below 10." in texts(app)
    workspace.store.add_predictions([said(workspace, "s3", 14.0, 1, 0.1)])
    app = page("students", HERE)
    assert app.selectbox(key="days").value == "7"
    assert "0 of 1 students" in texts(app)
    assert len(shown_list(app)) == 1  # type: ignore[arg-type]
    app.selectbox(key="days").set_value("all").run()
    assert len(shown_list(app)) == 3  # type: ignore[arg-type]


def test_answers_that_wait_to_be_counted_are_told_and_a_job_is_asked_for(
    page: Page, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (sql, base):
        monkeypatch.setattr(module, "MOST_IN_PASSING", 3)
    fill_list(workspace)
    for _ in range(2):
        told = texts(page("students", HERE))
        assert "8 newer answers are being counted; until then this list does not know of them. Nobody is there" in told
    [job] = workspace.store.jobs(kind=CATCHING_UP)
    do_here(workspace, job.id, JobSettings())
    told = texts(page("students", HERE))
    assert "1 of 6 students is likely to end below 10." in told
    assert "being counted" not in told


def test_names_of_a_class_list_stand_in_the_session_alone(page: Page, workspace: Workspace) -> None:
    fill_list(workspace)
    app = page("students", HERE)
    content = b"student_id,name\ns2,Row by the window\ns3,Third row\n"
    app.file_uploader(key="class list").set_value(("class.csv", content, "text/csv")).run()
    table = shown_list(app)
    assert list(table["student"][:2]) == ["Row by the window", "Third row"]  # type: ignore[index]
    assert "Names stay in this browser session" in texts(app)
    for kind in ("predictions", "documents", "accesses", "events"):
        assert not any(b"window" in content for _, content in workspace.store.export(kind))
    press(app, "Forget names")
    assert "Row by the window" not in set(shown_list(app)["student"])  # type: ignore[index]


def open_one(page: Page, key: str, workspace: Workspace) -> AppTest:
    app = page("students", HERE)
    app.query_params["student"] = pseudonym(key, workspace.secret)
    return app.run()


def test_one_student_has_its_answer_history_advice_and_notes(page: Page, workspace: Workspace) -> None:
    fill_list(workspace)
    app, student = open_one(page, "s2", workspace), pseudonym("s2", workspace.secret)
    assert not app.exception
    told = texts(app)
    assert f"{student[:6]}: 6.4 points; about 96 in 100 to end below 10" in told
    assert "-4.6 points: new data (-4.6)" in told
    assert "90\u00a0% of such answers end within 4.4–8.4 points" in told
    assert "Missing: Study time" in told
    app.text_area(key="step text").set_value("of Ana Sousa")
    press(app, "Save")
    assert any("a person's name" in one.value for one in app.error)
    assert case_of(workspace.store, HERE, student).steps == ()
    app.text_area(key="step text").set_value("tutoring on *Mondays*")
    press(app, "Save")
    [step] = case_of(workspace.store, HERE, student).steps
    assert (step.done, step.text, step.answer and step.answer.below_pass) == ("talked", "tutoring on *Mondays*", 0.96)
    assert "tutoring on \\*Mondays\\*" in texts(app)
    press(app, "Back to the list")
    assert "talked to them" in str(list(shown_list(app)["note"]))  # type: ignore[index]
    actions = {one.action for one in workspace.store.student_accesses(HERE, student)}
    assert actions >= {"student looked up", "student noted", "notes read"}


def test_an_officer_hands_out_and_erases_and_sees_no_list(
    page: Page, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_list(workspace)
    monkeypatch.setenv("GRADEWATCH_AUTH", "on")
    monkeypatch.setenv("GRADEWATCH_TOKEN_SECRET", "a secret for tokens that is long enough")
    add_user(workspace.store, "ola", Grant(role="officer"), "correct horse battery", domains=[HERE], actor="t")
    app = page("students", HERE)
    app.text_input(key="sign in name").set_value("ola")
    app.text_input(key="sign in password").set_value("correct horse battery")
    press(app, "Sign in")
    assert not app.exception
    assert not any("chance" in table.value for table in app.dataframe)
    app.text_input(key="request key").set_value("s2").run()
    assert "2 answers" in texts(app)
    press(app, "Hand out all that is known")
    app.text_input(key="erasure reason").set_value("a letter of 3 May").run()
    press(app, "Erase for good")
    assert [job.kind for job in workspace.store.jobs(domain=HERE)] == ["erasure"]
    actions = [one.action for one in workspace.store.accesses(actor="user:ola")]
    assert {"student exported", "student erased"} <= set(actions)
    assert "students listed" not in actions


def test_who_is_confined_to_groups_sees_these_alone_in_every_answer(workspace: Workspace) -> None:
    there = [replace(said(workspace, key, 5.0, 1, 0.9), group=group) for key, group in (("s1", "A"), ("s2", "B"))]
    twice = replace(said(workspace, "s1", 15.0, 0, 0.1), group="B")
    workspace.store.add_predictions([*there, twice])
    teacher = Principal(name="user:t", permissions=PERMISSIONS["teacher"], groups=frozenset({"A"}))
    visit = Visit(SharedWorkspace(workspace, 0, 1000, 10), teacher)
    one, other = (pseudonym(key, workspace.secret) for key in ("s1", "s2"))
    assert visit.groups(HERE) == ["A"]
    assert visit.count_students(HERE, "mark").students == 1
    page = visit.list_students(HERE, "mark", limit=10, since=now())
    assert [(entry.student, entry.group) for entry in page.students] == [(one, "A")]
    seen = visit.student(HERE, one)
    assert seen is not None
    assert [entry.group for entry in seen.predictions] == ["A"]
    assert visit.student(HERE, other) is None
    asked: list[Callable[[], object]] = [
        lambda: visit.count_students(HERE, "mark", ["B"]),
        lambda: visit.list_students(HERE, "mark", ["A", "B"], limit=10, since=now()),
        lambda: visit.advice(HERE, twice),
        lambda: visit.report_on(HERE, "B", "1"),
        lambda: visit.known(HERE, one),
    ]
    for question in asked:
        with pytest.raises(Forbidden):
            question()
    take_step(workspace.store, visit.schemas[HERE], one, NewStep("talked", place=Place("B", None)), Writer("t"))
    assert visit.cases(HERE, [one]) == {}
    assert visit.case(HERE, one).steps == ()
    analyst = Visit(visit._shared, Principal(name="user:a", permissions=PERMISSIONS["analyst"]))
    assert analyst.count_students(HERE, "mark").students == 3
    assert analyst.cases(HERE, [one]) == {}, "notes are for who helps"


def test_a_number_is_read_as_it_is_written_or_said_to_be_wrong(page: Page, workspace: Workspace) -> None:
    app = predict_one(page("students", HERE, ONE), quiz="12,5", hours="")
    assert not app.error
    [logged] = workspace.store.predictions(HERE)
    assert (logged.inputs["quiz"], logged.inputs["hours"]) == (12.5, None)
    for typed, told in (("25", "**Quiz mark** (25)"), ("12.5.1", "**Quiz mark**: “12.5.1” is no number")):
        fill(app, "quiz", typed)
        press(app, "Predict")
        assert told in texts(app)
        assert "Nothing was predicted" in app.error[0].value
    assert workspace.store.count_predictions(HERE) == 1


def test_who_objected_is_in_no_list_and_is_not_answered(page: Page, workspace: Workspace) -> None:
    fill_list(workspace)
    student = pseudonym("s2", workspace.secret)
    workspace.objections.add(student, workspace.schemas, actor="t")
    app = page("students", HERE)
    assert student[:6] not in set(shown_list(app)["student"])  # type: ignore[index]
    app = predict_one(page("students", HERE, ONE), student_id="s2")
    assert "objected" in texts(app)
    app = open_one(page, "s2", workspace)
    assert "nothing that you may see" in texts(app)


def test_an_answer_is_on_its_side_of_the_cut_points_and_a_likelier_grade_is_told() -> None:
    mark = Target(name="mark", minimum=0, maximum=100, unit="points", cut_points=(60.0,))
    assert [value_words(value, mark) for value in (59.96, 60.04, 12.345, "A")] == [
        "59.9 points", "60 points", "12.3 points", "A",
    ]  # fmt: skip
    about: dict[str, Any] = {"target": "grade", "naive": "A", "model": "m", "generation": 1}
    assert likelier_words(Answer(value="A", probabilities={"F": 0.3, "A": 0.7}, **about), mark) == ""
    told = likelier_words(Answer(value="B", probabilities={"F": 0.41, "B": 0.2, "A": 0.39}, **about), mark)
    assert told.replace("\u00a0", "") == "B (20%) is the grade of the answered mark; F by itself is likelier (41%)"


def test_cases_stand_in_a_tab_that_takes_the_steps_of_another_system(page: Page, workspace: Workspace) -> None:
    fill_list(workspace)
    app = page("students", HERE, "Cases")
    assert "There is no such case." in texts(app)
    day = now().date().isoformat()
    for text, said in (
        (f"student,done,when\ns2,danced,{day}\n", "Refused: 1 problem"),
        (f"student,done,when\ns2,accepted,{day}\n", "1 step was kept, about 1 students; 0 were known."),
    ):
        app.file_uploader(key=f"file:steps:{HERE}").set_value(("steps.csv", text.encode(), "text/csv")).run()
        app = press(app, "Take them in")
        assert said in texts(app)
    shown = app.dataframe[0].value
    assert list(shown["student"]) == [pseudonym("s2", workspace.secret)[:6]]
    activate_policy(workspace.store, HERE, "mark", LOTS, actor="ann", reason="to know what talks do")
    app = press(page("students", HERE, "Cases"), "Draw now")
    assert not app.error
    [drawn] = workspace.store.events(kind=DRAWN_EVENT)
    [row] = app.dataframe[-1].value.to_dict("records")
    assert (row["stood"], row["drawn again"]) == (drawn.details["stood"], "follows from its seed")
    assert "In each group 1 slot of the capacity goes by lot" in texts(app)
