"""Students are ranked by the chance of ending below the pass mark; whoever is confined to groups sees these alone."""

from typing import Any

from tests.api.guarded import GROUP, Guarded
from tests.api.serving import UNIVERSITY, Server

PATH = "/api/v1/university/students"


def ask_about(guarded: Guarded) -> None:
    """Answers about six students of two groups, two of them asked about twice, one of whom too little is known."""
    rows = [
        UNIVERSITY | {"student_id": f"r{place}", "midterm_marks": marks, "subject": subject}
        for subject in ("Data Structures", "Algorithms")
        for place, marks in enumerate((4, 12, 20, 28, 9, 16))
        if subject == "Data Structures" or place < 2
    ]
    for row in [*rows, rows[0] | {"midterm_marks": 29}]:
        said = guarded.ask("POST", "/api/v1/university/predict", guarded.keys["teacher"], json=row)
        assert said.status_code == 200, said.text


def test_the_newest_answers_are_ranked_by_chance_page_by_page_within_ones_groups(
    guarded: Guarded, confined: str
) -> None:
    ask_about(guarded)

    def ranked(**asked: Any) -> dict[str, Any]:
        found: dict[str, Any] = guarded.ask("GET", PATH, confined, params={"order": "risk", **asked}).json()
        return found

    whole = ranked(top_k=500)
    chances = [one["below_pass"] for one in whole["students"]]
    assert chances == sorted(chances, reverse=True)
    assert whole["pass_mark"] == 40
    assert whole["ranked"] == len(chances), "whoever objected is neither counted nor listed"
    assert {one["group"] for one in whole["students"]} == {GROUP}
    places = [(one["student"], one["period"]) for one in whole["students"]]
    assert len(set(places)) == len(places) >= 4
    pages, after = [], {}
    while len(pages) < len(places):
        page = ranked(top_k=4, **after)
        pages += page["students"]
        after = {"after": page["next"]}
    assert pages == whole["students"]
    assert [one["below_pass"] for one in ranked(top_k=500, at_least=0.5)["students"]] == [
        one for one in chances if one >= 0.5
    ]
    warned = ranked(top_k=500, warned=True)
    assert [one["below_pass"] for one in warned["students"]] == [one for one in chances if one >= 0.5]
    assert (warned["warned"], warned["policy"]) == (len(warned["students"]), "a chance of 0.5 or more")
    assert [one["warned"] for one in whole["students"]] == [one >= 0.5 for one in chances]
    for one in whole["students"][:3]:
        said = guarded.ask("GET", f"/api/v1/university/predictions/{one['prediction']}", confined).json()["answers"]
        assert {answer["target"]: answer["below_pass"] for answer in said} == dict.fromkeys(
            ("final_marks", "final_grade"), one["below_pass"]
        )
    everybody = guarded.ask("GET", PATH, guarded.keys["admin"]).json()
    assert everybody["ranked"] >= whole["ranked"] + 2
    other = next(one["prediction"] for one in everybody["students"] if one["group"] != GROUP)
    assert guarded.ask("GET", PATH, confined, params={"after": other}).status_code == 404
    assert guarded.ask("GET", PATH, confined, params={"group": "3 / Algorithms"}).status_code == 403
    assert guarded.ask("GET", PATH, guarded.keys["viewer"]).status_code == 403


def test_a_student_is_advised_beside_the_others_of_ones_own_groups(guarded: Guarded, confined: str) -> None:
    rows = [UNIVERSITY | {"student_id": f"a{n}", "term": "2026-2", "quiz_marks": n / 2} for n in range(12)]
    rows.append(UNIVERSITY | {"student_id": "a0", "term": "2026-2", "subject": "Algorithms"})
    said = [guarded.ask("POST", "/api/v1/university/predict", guarded.keys["teacher"], json=row).json() for row in rows]
    own = said[0]["student"]

    def advised(path: str, key: str = confined, **asked: Any) -> Any:
        return guarded.ask("GET", f"/api/v1/university/{path}/advice", key, params=asked)

    found = advised(f"students/{own}").json()
    [weak] = found["weak_subjects"]
    assert (weak["group"], weak["period"], weak["others"]) == (GROUP, "2026-2", 11)
    assert (weak["position"]["below"], found["prediction"]) == (0, said[0]["id"])
    assert "weak_subject" in [one["reason"]["family"] for one in found["plan"]["recommendations"]]
    assert advised(f"predictions/{said[0]['id']}").json() == found
    everywhere = advised(f"students/{own}", guarded.keys["admin"]).json()
    assert {one["group"] for one in everywhere["subjects"]} == {GROUP, "3 / Algorithms"}
    assert advised(f"students/{own}", guarded.keys["admin"], group=GROUP, period="2026-2").json()["group"] == GROUP
    best = advised(f"students/{said[11]['student']}").json()
    assert best["plan"]["recommendations"] == [] or best["reasons"]
    refused = [
        advised(f"students/{own}", group="3 / Algorithms"),
        advised(f"predictions/{said[-1]['id']}"),
        advised(f"students/{own}", guarded.keys["viewer"]),
        advised("students/a0"),
        advised("students/" + "0" * 64),
    ]
    assert [one.status_code for one in refused] == [403, 403, 403, 422, 404]


def test_what_cannot_be_ranked_is_refused_in_words(shared: Server) -> None:
    for asked in ({"target": "shoes"}, {"order": "name"}, {"top_k": 0}, {"at_least": 2}):
        assert shared.client.get(PATH, params=asked).status_code == 422
