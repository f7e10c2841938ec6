"""A sheet about one prediction is handed out in the language of whoever asks, and to nobody else."""

from tests.api.guarded import Guarded
from tests.api.serving import UNIVERSITY


def test_a_sheet_says_what_was_predicted_in_three_languages_to_who_may_read(guarded: Guarded, confined: str) -> None:
    row = UNIVERSITY | {"student_id": "n-77"}
    said = guarded.ask("POST", "/api/v1/university/predict", guarded.keys["teacher"], json=row).json()
    path = f"/api/v1/university/predictions/{said['id']}/sheet"
    for locale, words in (("en", "How to object"), ("de-AT", "widersprechen"), ("fr", "opposer")):
        found = guarded.ask("GET", path, confined, headers={"accept-language": locale})
        assert found.status_code == 200, found.text
        assert words in found.text
        assert said["id"] in found.text
        assert found.headers["content-language"] == locale
        assert said["student"] not in found.text
    paper = guarded.ask("GET", f"{path}?format=pdf", confined)
    assert (paper.content[:5], paper.headers["content-type"]) == (b"%PDF-", "application/pdf")
    other = guarded.ask(
        "POST", "/api/v1/university/predict", guarded.keys["teacher"], json=row | {"subject": "Algorithms"}
    )
    codes = {
        "another's group": guarded.ask("GET", f"/api/v1/university/predictions/{other.json()['id']}/sheet", confined),
        "a viewer": guarded.ask("GET", path, guarded.keys["viewer"]),
        "no such form": guarded.ask("GET", f"{path}?format=docx", confined),
        "no such prediction": guarded.ask("GET", path.replace(said["id"], "0" * 32), confined),
    }
    assert {what: one.status_code for what, one in codes.items()} == {
        "another's group": 403, "a viewer": 403, "no such form": 422, "no such prediction": 404
    }  # fmt: skip
    looked = [one.details["prediction"] for one in guarded.entries(action="prediction read")]
    assert looked.count(said["id"]) >= 4
