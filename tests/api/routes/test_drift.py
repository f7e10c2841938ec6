"""Files and days of predictions are compared with the champion's own data."""

from datetime import UTC, datetime
from pathlib import Path

from tests.api.serving import ENGAGEMENT, Server
from tests.api.uploads import CSV


def test_a_file_is_judged_against_the_champions_own_data(shared: Server, trained: Path) -> None:
    lines = (trained / "examples" / "engagement.csv").read_text().splitlines()
    half = "\n".join(lines[:101])
    judged = shared.client.post("/api/v1/engagement/drift", content=half, headers=CSV).json()
    place = lines[0].split(",").index("attention")
    moved = [line.split(",") for line in lines[1:]]
    shifted = "\n".join([lines[0], *(",".join([*m[:place], "3", *m[place + 1 :]]) for m in moved)])
    alarmed = shared.client.post("/api/v1/engagement/drift", content=shifted, headers=CSV).json()
    assert (judged["alarm"], alarmed["alarm"]) == (False, True)
    assert alarmed["document"]["columns"][0]["column"] == "attention"
    newest = shared.get("/api/v1/engagement/drift")["reports"]
    assert [one["id"] for one in newest[:2]] == [alarmed["id"], judged["id"]]
    assert shared.get(f"/api/v1/engagement/drift/{judged['id']}") == judged
    files = {"file": shifted.encode(), "reference": half.encode()}
    assert shared.client.post("/api/v1/engagement/drift", files=files).json()["alarm"]
    assert shared.client.post("/api/v1/engagement/drift", files={"file": half, "reference": half}).status_code == 422


def test_a_window_of_predictions_is_judged_without_a_file(shared: Server) -> None:
    rows = [{**ENGAGEMENT, "attention": 20 + i} for i in range(40)]
    assert shared.post("/api/v1/engagement/predict/batch", rows).status_code == 200
    today = datetime.now(UTC).date().isoformat()
    judged = shared.post("/api/v1/engagement/drift/window", {"since": today})
    assert judged.status_code == 200
    assert judged.json()["document"]["n_current"] >= 40
    assert shared.get(f"/api/v1/engagement/drift/{judged.json()['id']}") == judged.json()
    for impossible in ({"since": "2020-01-01", "until": "2020-02-01"}, {"since": today, "until": today}):
        assert shared.post("/api/v1/engagement/drift/window", impossible).status_code == 422
    for misspelt in ({"since": "soon"}, {"from": today}, {}):
        assert shared.post("/api/v1/engagement/drift/window", misspelt).status_code == 400
