"""What is not there, or not understood, is said with what is."""

import re
from collections import defaultdict
from itertools import product

from preprocessing.schema import load_domains
from preprocessing.validation.row_type import example_row
from tests.api.serving import ENGAGEMENT, Server


def test_what_is_not_there_is_said_with_what_is(shared: Server) -> None:
    answer = shared.post("/api/v1/nowhere/predict", ENGAGEMENT)
    untrained = shared.post("/api/v1/course/predict", example_row(load_domains()["course"]))
    assert answer.status_code == 404
    assert "engagement" in answer.json()["detail"]
    assert untrained.status_code == 409
    assert "train one first" in untrained.json()["detail"]
    assert shared.client.get("/api/v1/engagement/predict").status_code == 405


NEEDED = "is needed: add it to the address, kind=labeled or kind=unlabeled"
NO_VALUES = ("yesterday", "", "-1", "1.5", "2026-13-45", "9" * 30, "true or false")


def test_a_wrong_word_in_an_address_is_refused_in_plain_words_that_name_it_and_say_what_may_stand_there(
    shared: Server,
) -> None:
    told: dict[str, set[str]] = defaultdict(set)
    for path, item in shared.get("/openapi.json")["paths"].items():
        for method, operation in item.items():
            asked = [one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"]
            if "/school" in path or "/course" in path:
                continue  # as the other domains
            for name, value in product(asked, NO_VALUES):
                address = re.sub(r"{\w+}", "nothing", path)
                answer = shared.client.request(method, address, params={name: value})
                for problem in answer.json().get("problems", ()) if answer.status_code == 422 else ():
                    if problem["file"] == "query":
                        told[problem["column"]].add(problem["rule"])
    assert told["since"] == {"must be a date and time: 2026-02-01T08:00:00Z"}
    assert told["limit"] >= {"must be a whole number", "must be 1 or more", "must be 1000 or less"}
    assert told["kind"] >= {"must be 'labeled' or 'unlabeled'", NEEDED}
    rules = set.union(*told.values())
    assert not [rule for rule in rules if re.search("input|field|valid|understood", rule, re.IGNORECASE)], rules
    assert all(re.match("must be |is needed", rule) for rule in rules), rules


def test_a_parameter_that_an_address_does_not_know_is_named_by_every_route(shared: Server) -> None:
    asked = 0
    for path, item in shared.get("/openapi.json")["paths"].items():
        if "/school" in path or "/course" in path:
            continue  # as the other domains
        if re.match("/api/v1/me(/|$)", path):
            continue  # of those who are linked to a student, alone
        for method in item:
            address = re.sub(r"{\w+}", "nothing", path)
            answer = shared.client.request(method, address, params={"limt": "s3cret"})
            assert answer.status_code == 422, f"{method} {path}"
            said = answer.json()
            assert said.get("title", "BadQueryParameter") == "BadQueryParameter", f"{method} {path}"
            assert "'limt'" in (said["error"] if path.startswith("/v2") else said["detail"])
            assert "s3cret" not in answer.text
            asked += 1
    assert asked > 40
    for path in ("/docs", "/health", "/ready", "/docs/favicon.png"):
        assert shared.client.get(path, params={"x": "1"}).status_code == 422, path
