"""What becomes of uploaded files: each stands in the history with its end, and a bad one takes nothing with it."""

import io
import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import xlsxwriter

from database.store import RecordStore
from tests.api.conftest import start
from tests.api.guarded import ON, Guarded
from tests.api.serving import PATIENCE
from tests.command import run_command

COLLEGE = "/api/v1/college"
HEADER = "student_id,course,term,midterm,final"
Row = tuple[Any, ...]


def rows(course: str, numbers: range, *, more: int = 0) -> list[Row]:
    return [(f"s{n}", course, "2026-1", n % 31, 10 + 2 * (n % 31) + 37 * n % 23 + more) for n in numbers]


def csv(lines: list[Row], header: str = HEADER) -> str:
    return "\n".join([header, *(",".join(map(str, line)) for line in lines)])


def merged_header(lines: list[Row]) -> bytes:
    """A workbook whose header is two rows, the upper one merged over two columns."""
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        for number, cells in enumerate([("student_id", "course", "term"), ("", "", "", "midterm", "final"), *lines]):
            sheet.write_row(number, 0, cells)
        sheet.merge_range("D1:E1", "Marks")
    return out.getvalue()


@pytest.fixture(scope="module")
def college(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = Path(shutil.copytree(trained, tmp_path_factory.mktemp("college") / "installation"))
    domains = folder / "domains"
    domains.mkdir()
    shutil.copy(Path(__file__).parents[1] / "college.toml", domains)
    settings = ON | {"GRADEWATCH_DOMAINS_DIR": str(domains), "GRADEWATCH_TRAIN_AFTER": "60"}
    with ExitStack() as stack:
        yield Guarded(start(stack, folder, settings), domains=("college",))


@pytest.fixture(scope="module")
def teacher(college: Guarded) -> str:
    key = college.key("algebra", "teacher", domains=("college",), groups=("Algebra",))
    college.until_known(key)
    return key


def send(college: Guarded, key: str, content: str | bytes, *, name: str = "marks.csv", **params: Any) -> httpx.Response:
    headers = {"x-file-name": name, "content-type": "application/octet-stream"}
    asked = {"kind": "labeled", **params}
    return college.ask("POST", f"{COLLEGE}/batches", key, params=asked, content=content, headers=headers)


def send_largely(college: Guarded, key: str) -> tuple[int, str]:
    """What is answered to a file that is said to have 200 MB, before it has come."""
    url = urlsplit(college.server.url)
    connection = HTTPConnection(url.hostname or "", url.port, timeout=PATIENCE)
    headers = {"authorization": f"Bearer {key}", "content-length": "200000000", "x-file-name": "large.csv"}
    connection.request("POST", f"{COLLEGE}/batches?kind=labeled", body=iter([b"a,b"]), headers=headers)
    answer = connection.getresponse()
    said = json.loads(answer.read())
    connection.close()
    return answer.status, said["detail"]


def history(college: Guarded, key: str, **params: Any) -> Any:
    answer = college.ask("GET", f"{COLLEGE}/uploads", key, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()["uploads"]


def counts(upload: Any) -> tuple[int, int, int, int]:
    return upload["added"], upload["updated"], upload["unchanged"], upload["left_out"]


def kept(store: RecordStore) -> Any:
    return [(batch.id, store.batch_rows(batch.id)) for batch in store.batches("college")]


def test_every_bad_upload_is_answered_in_words_stands_in_the_history_and_takes_nothing_with_it(
    college: Guarded,
) -> None:
    analyst, good = college.keys["analyst"], rows("Biology", range(6))
    assert send(college, analyst, csv(good)).status_code == 201
    text, again = csv(rows("Biology", range(6), more=1)), rows("Biology", range(1))[0]
    bad: dict[str, tuple[str | bytes, int, str]] = {
        "wrong delimiter.csv": (text.replace(",", "~"), 422, "'midterm' missing; the file has 'student_id~course"),
        "merged.xlsx": (merged_header(good), 422, "'midterm' missing; the file has 'Marks midterm'"),
        "two headers.csv": (csv([("key", "name", "when", "0-30", "0-100"), *good]), 422, "must be a number from 0 to"),
        "twice.csv": (f"{text}\n{','.join(map(str, again))}9", 422, "same student, group and period"),
        "course.csv": (text.replace("Biology", "Alchemy"), 422, "must be one of Algebra, Biology"),
        "above.csv": (text.replace(",11", ",111"), 422, "must be a number from 0 to 100"),
        "header.csv": (HEADER, 422, "no row under it"),
        "empty.csv": (b"", 400, "send a file"),
    }
    with college.server.store() as store:
        before = kept(store)
        for name, (content, status, words) in bad.items():
            answer = send(college, analyst, content, name=name)
            said = answer.json()
            assert answer.status_code == status, (name, said)
            assert words in said["detail"] + " ".join(one["rule"] for one in said.get("problems", ())), (name, said)
            told = history(college, analyst, limit=1)[0]
            assert (told["name"], told["state"], told["actor"]) == (name, "refused", "key:a-analyst")
            assert words in " ".join(told["reasons"]), told
            assert kept(store) == before
        named = send(college, analyst, csv([(*row, "Ana Sousa") for row in good], f"{HEADER},name")).json()
        assert (named["new"], counts(named["upload"])) == (False, (0, 0, 6, 0))
        assert "identifies people (it is called 'name'): dropped" in named["notes"][0]
        status, detail = send_largely(college, analyst)
        assert (status, "100 MB" in detail) == (413, True)
        told = history(college, analyst, limit=1)[0]
        assert (told["name"], told["state"], told["reasons"]) == ("large.csv", "refused", [detail])
        assert kept(store) == before
    folder = college.server.folder
    (folder / "two.csv").write_text(str(bad["two headers.csv"][0]))

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return run_command(folder, *arguments, "--domain", "college", **college.server.environment)

    refused = run("ingest", "two.csv")
    assert (refused.returncode, "must be a number from 0 to" in refused.stderr) == (1, True)
    listed = json.loads(run("uploads", "list", "--json").stdout)
    assert listed == history(college, analyst)
    assert [one["state"] for one in listed] == ["refused"] * 2 + ["done"] + ["refused"] * len(bad) + ["done"]
    shown = run("uploads", "show", listed[0]["id"])
    assert "must be a number from 0 to" in shown.stdout


def test_rows_of_other_groups_are_left_out_one_by_one_and_the_rest_is_kept(college: Guarded, teacher: str) -> None:
    theirs = send(college, college.keys["analyst"], csv(rows("Biology", range(20, 25)))).json()["upload"]
    own, foreign = rows("Algebra", range(4)), rows("Biology", range(20, 22), more=5)
    sent = send(college, teacher, csv([*own[:2], *foreign, *own[2:]])).json()
    assert (sent["batch"]["rows"], counts(sent["upload"]), sent["skipped"]) == (4, (4, 0, 0, 2), 0)
    assert [one["row"] for one in sent["problems"]] == [4, 5]
    assert all("group that you have no access to" in one["rule"] for one in sent["problems"])
    changed = send(college, teacher, csv([*rows("Algebra", range(2), more=1), *own[2:]]), kind="labeled").json()
    assert counts(changed["upload"]) == (0, 2, 2, 0)
    none = send(college, teacher, csv(foreign))
    assert (none.status_code, len(none.json()["problems"])) == (422, 2)
    seen = history(college, teacher)
    assert [one["state"] for one in seen] == ["refused", "done", "done"]
    assert {one["actor"] for one in seen} == {"key:algebra"}
    assert college.ask("GET", f"{COLLEGE}/uploads/{theirs['id']}", teacher).status_code == 404
    assert college.ask("GET", f"/api/v1/jobs/{theirs['id']}", teacher).status_code == 404
    listed = college.ask("GET", f"{COLLEGE}/batches", teacher).json()["batches"]
    assert [one["id"] for one in listed] == [changed["batch"]["id"], sent["batch"]["id"]]
    reason = {"reason": "wrong file", "batch": theirs["batch"]}
    assert college.ask("POST", f"{COLLEGE}/withdrawals", teacher, json=reason).status_code == 403
    outcomes = [{"student_id": f"s{n}", "course": course, "term": "2026-1", "final": 50}
                for n, course in enumerate(["Algebra", "Biology", "Algebra"])]  # fmt: skip
    file = csv([tuple(one.values()) for one in outcomes], ",".join(outcomes[0]))
    bodies: list[dict[str, Any]] = [{"json": outcomes}, {"content": file, "headers": {"content-type": "text/csv"}}]
    for body in bodies:
        answer = college.ask("POST", f"{COLLEGE}/outcomes", teacher, **body)
        assert answer.status_code == 200, answer.text
        stored = answer.json()
        assert (stored["outcomes"], stored["skipped"], len(stored["problems"])) == (2, 1, 1)
    with college.server.store() as store:
        assert {row.row.targets["final"] for row in store.standings("college", "Biology", "2026-1")} == {
            row[-1] for row in [*rows("Biology", range(6)), *rows("Biology", range(20, 25))]
        }


def test_enough_new_rows_to_learn_from_start_a_training_by_themselves(college: Guarded) -> None:
    analyst = college.keys["analyst"]
    before = send(college, analyst, csv(rows("Algebra", range(100, 140)))).json()["upload"]
    assert (before["state"], before["training"]) == ("done", []), before
    assert "60 start the next one" in before["note"]
    sent = send(college, analyst, csv(rows("Algebra", range(140, 200)))).json()["upload"]
    assert (sent["state"], len(sent["training"])) == ("training", 1)
    address = f"{COLLEGE}/uploads/{sent['id']}"
    ended = college.server.until(
        lambda: (one := college.ask("GET", address, analyst).json())["state"] == "done" and one, patience=3 * PATIENCE
    )
    assert "final@midterm: a model that serves" in ended["note"], ended
    college.server.until(lambda: college.ask("GET", "/ready", analyst).json()["ready"])
    again = send(college, analyst, csv(rows("Algebra", range(200, 205)))).json()["upload"]
    assert (again["state"], again["note"][:2]) == ("done", "5 ")
