"""One row and many are answered, or refused with everything that is wrong."""

import json
from bisect import bisect_right
from typing import Any

import pytest

from preprocessing.schema import load_domains
from preprocessing.validation.row_type import example_row
from tests.api.serving import ENGAGEMENT, UNIVERSITY, Server

AS_LINES = {"accept": "application/x-ndjson"}


TARGETS = load_domains()["university"].target_by_name

SCHOOL = {k: v for k, v in example_row(load_domains()["school"]).items() if k not in ("G1", "G2")}


def test_one_row_is_answered_with_an_interval_a_naive_answer_and_the_model_that_answered(shared: Server) -> None:
    said = shared.predict("engagement", ENGAGEMENT)
    [answer] = said["answers"]
    low, high = answer["interval"]
    assert low <= answer["value"] <= high
    assert 0 <= low <= high <= 100
    assert answer["target"] == "assignment_score"
    assert answer["generation"] == 1
    assert answer["coverage"] == 0.9
    champions = {one["target"]: one["version"] for one in shared.get("/ready")["champions"]}
    assert answer["model"] == champions["assignment_score"]
    assert said["naive_rules"] == {answer["model"]: f"always {answer['naive']:.4g}"}


def test_an_outcome_is_no_input_refused_in_json_and_named_as_unread_of_a_file(shared: Server) -> None:
    with shared.store() as store:
        before = store.count_predictions("engagement")
    row = ENGAGEMENT | {"assignment_score": 70}
    for path, body in (("predict", row), ("predict/batch", [row]), ("predict/batch", {"students": [row]})):
        refused = shared.post(f"/api/v1/engagement/{path}", body)
        [problem] = refused.json()["problems"]
        assert (refused.status_code, problem["column"]) == (422, "assignment_score")
        assert "leave it out" in problem["rule"]
    with shared.store() as store:
        assert store.count_predictions("engagement") == before
    file = ",".join([*row, "shoe size"]) + "\n" + ",".join(map(str, [*row.values(), 44]))
    answer = shared.client.post(
        "/api/v1/engagement/predict/batch", content=file, headers={"content-type": "text/csv"}
    ).json()
    assert answer["note"] == "columns that are no input, not read: shoe size, assignment_score"
    assert (
        answer["predictions"][0]["answers"][0]["value"]
        == shared.predict("engagement", ENGAGEMENT)["answers"][0]["value"]
    )
    assert shared.predict("engagement", ENGAGEMENT | {"assignment_score": None})["note"] is None


def test_a_level_that_is_the_band_of_a_value_says_so_once(shared: Server) -> None:
    said = shared.predict("university", UNIVERSITY)
    models = {answer["target"]: answer["model"] for answer in said["answers"]}
    assert said["band_rules"].keys() == {models["final_grade"]}
    assert "band of the answered final_marks" in said["band_rules"][models["final_grade"]]
    many = shared.post("/api/v1/university/predict/batch", [UNIVERSITY] * 2).json()
    assert (many["band_rules"], "band_rules" in many["predictions"][0]) == (said["band_rules"], False)
    assert "band_rules" not in shared.predict("engagement", ENGAGEMENT)


def test_the_rule_behind_the_naive_answer_is_named_and_stands_beside_every_model(shared: Server) -> None:
    for rows in ([SCHOOL], [SCHOOL | {"G1": 9}, SCHOOL | {"G1": 9, "G2": 11}]):
        for one in shared.post("/api/v1/school/predict/batch", rows, headers=AS_LINES).text.splitlines():
            said = json.loads(one)
            assert said["naive_rules"].keys() >= {answer["model"] for answer in said["answers"]}
        many = shared.post("/api/v1/school/predict/batch", rows).json()
        assert many["naive_rules"].keys() == {a["model"] for one in many["predictions"] for a in one["answers"]}
        assert "naive_rules" not in many["predictions"][0]
    assert any(rule.startswith("G2, or ") for rule in many["naive_rules"].values())
    for model in shared.get("/api/v1/models")["models"]:
        naive = model["scores"]["naive"]
        assert naive["n"] == model["scores"]["n"]
        assert naive["mae"]["low"] <= naive["mae"]["value"] <= naive["mae"]["high"]
        assert naive["rule"]


def test_a_class_comes_with_its_probabilities_and_is_the_band_of_its_value(shared: Server) -> None:
    grade, marks = shared.predict("university", UNIVERSITY)["answers"]
    assert (grade["target"], marks["target"]) == ("final_grade", "final_marks")
    cuts, levels = TARGETS["final_marks"].cut_points, TARGETS["final_grade"].levels
    assert grade["value"] == levels[bisect_right(cuts, marks["value"])]
    assert sum(grade["probabilities"].values()) == pytest.approx(1)


def test_everything_wrong_with_every_row_is_said_at_once_and_nothing_is_logged(shared: Server) -> None:
    with shared.store() as store:
        before = store.count_predictions("engagement")
    rows = [ENGAGEMENT, {"attention": 200, "foo": 1}, ENGAGEMENT | {"focus": "high"}]
    answer = shared.post("/api/v1/engagement/predict/batch", rows)
    assert answer.status_code == 422
    problems = {(p["row"], p["column"]) for p in answer.json()["problems"]}
    missing = {(2, name) for name in ("comprehension", "focus", "retention", "engagement_time")}
    assert problems == missing | {(2, "attention"), (2, "foo"), (3, "focus")}
    assert answer.json()["problem_count"] == 7
    with shared.store() as store:
        assert store.count_predictions("engagement") == before


@pytest.mark.parametrize(("known", "moment"), [({}, "start"), ({"G1": 12}, "G1"), ({"G1": 12, "G2": 13}, "G2")])
def test_a_row_is_answered_by_the_champion_of_its_moment(shared: Server, known: dict[str, int], moment: str) -> None:
    said = shared.predict("school", SCHOOL | known)
    champions = {one["moment"]: one["version"] for one in shared.get("/ready")["champions"] if one["target"] == "G3"}
    assert said["moment"] == moment
    assert said["answers"][0]["model"] == champions[moment]


def test_a_row_can_be_asked_as_of_an_earlier_moment(shared: Server) -> None:
    late = SCHOOL | {"G1": 12, "G2": 13}
    said = shared.predict("school", late, params={"moment": "start"})
    assert said["moment"] == "start"
    assert said["answers"][0]["value"] == shared.predict("school", SCHOOL)["answers"][0]["value"]
    assert shared.post("/api/v1/school/predict", late, params={"moment": "G9"}).status_code == 422


def test_factors_are_named_on_request_and_logged_with_the_answer(shared: Server) -> None:
    plain = shared.predict("engagement", ENGAGEMENT)
    assert plain["answers"][0]["factors"] == []
    assert plain["note"] is None
    said = shared.predict("engagement", ENGAGEMENT, params={"explain": 3})
    factors = said["answers"][0]["factors"]
    assert 0 < len(factors) <= 3
    assert {factor["feature"] for factor in factors} <= set(ENGAGEMENT)
    assert all(factor["value"] == ENGAGEMENT[factor["feature"]] for factor in factors)
    assert all((factor["effect"] > 0) == (factor["direction"] == "raises") for factor in factors)
    assert "not what causes" in said["note"]
    again = shared.predict("engagement", ENGAGEMENT, params={"explain": 3})  # from the cache
    assert again["answers"] == said["answers"]
    assert shared.predict("engagement", ENGAGEMENT)["answers"] == plain["answers"]
    logged = shared.get(f"/api/v1/engagement/predictions/{said['id']}")
    assert logged["answers"][0]["factors"] == factors


def test_many_rows_are_explained_as_one_is_from_json_and_from_a_file(shared: Server) -> None:
    one = shared.predict("university", UNIVERSITY, params={"explain": 2})["answers"]
    many = shared.post("/api/v1/university/predict/batch", [UNIVERSITY] * 3, params={"explain": 2}).json()
    header = ",".join(UNIVERSITY)
    text = header + "\n" + ",".join(str(value) for value in UNIVERSITY.values()) + "\n"
    options: Any = {"content": text, "headers": {"content-type": "text/csv"}, "params": {"explain": 2}}
    file = shared.client.post("/api/v1/university/predict/batch", **options).json()
    for said in (*many["predictions"], *file["predictions"]):
        for answer, expected in zip(said["answers"], one, strict=True):
            assert [f["feature"] for f in answer["factors"]] == [f["feature"] for f in expected["factors"]]
    assert "not what causes" in many["note"]
    assert "not what causes" in file["note"]
