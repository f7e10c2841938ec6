"""Query parameters that cannot be are refused in words."""

import pytest

from tests.api.serving import ENGAGEMENT, Server

PREDICT = "/api/v1/engagement/predict"


@pytest.mark.parametrize("asked", ["21", "-1", "x", "", "1.5", "٣", "00001"])
def test_a_number_of_factors_that_cannot_be_is_refused_in_words(shared: Server, asked: str) -> None:
    answer = shared.post(PREDICT, ENGAGEMENT, params={"explain": asked})
    assert answer.status_code == 422
    assert "0 to 20" in answer.json()["detail"]
