"""Exports of school systems by the route: looked at without a trace, taken in once, refused with every problem."""

import io
from collections.abc import Mapping
from typing import Any
from zipfile import ZipFile

import pytest

from tests.api.guarded import Guarded
from tests.api.serving import Server
from tests.preprocessing.panel.exporting import export_of, of_version

PATH = "/api/v1/k12/exports"
MAPPING = """source = "registers"
[[files]]
kind = "attendance"
columns = { student = "Pupil", day = "On", status = "Was" }
values.status = { here = "present", away = "unexcused" }
"""


def zip_of(files: Mapping[str, bytes]) -> bytes:
    made = io.BytesIO()
    with ZipFile(made, "w") as zipped:
        for name, content in files.items():
            zipped.writestr(name, content)
    return made.getvalue()


def send(server: Server, content: bytes, beside: Mapping[str, bytes] | None = None, **asked: Any) -> Any:
    files = {"file": ("sis.zip", content)} | {name: (name, held) for name, held in (beside or {}).items()}
    return server.client.post(PATH, files=files, params=asked)


def test_a_dry_run_leaves_nothing_and_the_same_export_twice_changes_nothing(shared: Server) -> None:
    content = zip_of(export_of("1.2"))
    dry = send(shared, content, dry=True)
    assert dry.status_code == 200, dry.text
    told = dry.json()
    assert told["dry"]
    assert told["kinds"]["attendance"] == {"new": 2, "corrected": 0, "known": 0}
    assert any("nothing can be predicted yet" in one for one in told["readiness"])
    assert "Sousa" not in dry.text
    first, again = send(shared, content).json(), send(shared, content).json()
    assert first["kinds"] == told["kinds"]
    assert {count["new"] + count["corrected"] for count in again["kinds"].values()} == {0}


def test_what_is_wrong_refuses_all_unless_it_may_be_left_out(shared: Server) -> None:
    rows = of_version("1.1")
    rows["incidents"][0]["severity"] = "9"
    broken = zip_of(export_of("1.1", rows))
    refused = send(shared, broken)
    assert refused.status_code == 422, refused.text
    assert [(one["file"], one["column"]) for one in refused.json()["problems"]] == [("incidents.csv", "severity")]
    kept = send(shared, broken, skip_bad_rows=True, dry=True).json()
    assert (kept["skipped"], len(kept["problems"])) == (1, 1)
    assert send(shared, b"a,b\n1,2\n").status_code == 422


def test_any_table_is_read_by_a_mapping(shared: Server) -> None:
    table = b"Pupil,On,Was\nm1,2026-09-14,here\nm1,2026-09-15,away\n"
    taken = send(shared, table, {"mapping": MAPPING.encode()}, infer_days=True)
    assert taken.status_code == 200, taken.text
    assert taken.json()["kinds"]["attendance"]["new"] == 2


def test_who_is_confined_to_groups_or_only_looks_on_sends_none(
    guarded: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guarded, "domains", [*guarded.domains, "k12"])
    one_school = guarded.key("one-school-export", "teacher", domains=("k12",), groups=("north",))
    guarded.until_known(one_school)
    sent: dict[str, Any] = {"files": {"file": ("sis.zip", zip_of(export_of("1.1")))}}
    for key in (None, one_school, guarded.keys["viewer"]):
        assert guarded.ask("POST", PATH, key, **sent).status_code == (403 if key else 401)
    assert guarded.ask("POST", PATH, guarded.keys["teacher"], **sent).status_code == 200
