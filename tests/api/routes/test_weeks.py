"""Students of this week by the route: by key and by pseudonym, alike, and in words where there is no answer."""

import shutil
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from preprocessing.validation.pii import pseudonym
from tests.api.conftest import start
from tests.api.serving import Server
from tests.monitoring.weekly_making import SECRET, begin_weeks

DAY = "2025-12-14"
PATH = "/api/v1/k12/students"


def test_students_are_answered_by_key_and_by_pseudonym(prepared: Callable[..., Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(prepared("weeks", begin_weeks), tmp_path / "installation"))
    keys = [f"example-{number:07d}" for number in range(1, 21)]
    with ExitStack() as stack:
        server = start(stack, folder, {"GRADEWATCH_PSEUDONYM_SECRET": SECRET.decode()})
        told = server.post(PATH, {"students": [*keys, "nobody"], "factors": True, "as_of": DAY}).json()
        assert (told["domain"], told["target"], told["within"]) == ("k12", "at_risk_event", [4, 8, 18])
        assert [one["student"] for one in told["students"]][:20] == [pseudonym(key, SECRET) for key in keys]
        assert told["students"][-1]["why_not"] == "unknown"
        answered = [one for one in told["students"] if one["why_not"] is None]
        assert len(answered) > 15
        for one in answered:
            assert {*one["ranges"]} == {*one["risks"]} == {"4", "8", "18"}
            for weeks, chance in one["risks"].items():
                low, high = one["ranges"][weeks]
                assert low <= chance <= high < 1
            assert one["interval"] == one["ranges"]["18"]
        for one in answered[:3]:
            alone = server.get(f"{PATH}/{one['student']}/week", params={"as_of": DAY})
            same = {"prediction": None, "at": None}
            assert alone | same == one | same
            assert server.get(f"/api/v1/k12/predictions/{one['prediction']}")["period"] == one["week"]
        assert server.get(f"{PATH}/{answered[0]['student']}/week")["why_not"] == "year_over"
        for body in ({"students": []}, {"students": ["a"], "as_of": "yesterday"}, {"students": ["a"] * 1001}):
            assert server.post(PATH, body).status_code == 400


def test_a_domain_without_weeks_and_a_raw_key_in_an_address_are_refused(shared: Server) -> None:
    assert shared.post("/api/v1/university/students", {"students": ["a"]}).status_code == 422
    assert shared.client.get(f"{PATH}/4711/week").status_code == 422
