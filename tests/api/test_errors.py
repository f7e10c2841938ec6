"""Refusals: what is wrong comes as a file where that is asked; a fault of ours is logged without its words."""

import logging

import pytest

from api.errors import answer_error
from log_lines import JsonLines
from tests.api.serving import ENGAGEMENT, Server


def test_a_fault_of_ours_is_logged_without_its_words(caplog: pytest.LogCaptureFixture) -> None:
    name = "Anna"

    def fail() -> None:
        try:
            int(name)
        except ValueError:
            raise ValueError(f"the mark of {name} is 4") from None

    with caplog.at_level(logging.ERROR, "gradewatch.api"), pytest.raises(ValueError, match="mark") as raised:
        fail()
    answer = answer_error(raised.value)
    [record] = caplog.records
    line = JsonLines().format(record)
    assert answer.status_code == 500
    assert "Anna" not in line
    assert "ValueError" in line
    assert "test_errors.py" in line


PREDICT = "/api/v1/engagement/predict"


def test_all_problems_come_as_a_file_for_one_who_asks_for_csv(shared: Server) -> None:
    answer = shared.client.post(
        PREDICT, json=ENGAGEMENT | {"attention": 140, "focus": "x"}, headers={"accept": "text/csv"}
    )
    assert answer.status_code == 422
    assert answer.headers["content-type"].startswith("text/csv")
    lines = answer.text.splitlines()
    assert lines[0] == "file,row,column,value,rule"
    assert [line.split(",")[2] for line in lines[1:]] == ["attention", "focus"]
