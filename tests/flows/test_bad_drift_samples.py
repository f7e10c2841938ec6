"""Every bad sample by the roads that people take, command line and HTTP: a verdict or words, never NaN or a crash."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from api.app import create_app
from cli.main import main
from settings import Settings
from tests.api.serving import SECRET
from tests.api.test_app import alive, loggers  # noqa: F401 (a fixture that keeps other tests' loggers)

DOMAIN = """
name = "odd"
title = "Anything"

[student]
name = "student"

[[features]]
name = "x"
kind = "numeric"
optional = true

[[features]]
name = "c"
kind = "categorical"
open = true
optional = true
levels = ["a", "b"]

[[targets]]
name = "y"
"""
DRAW = np.random.default_rng(0)


def table(xs: list[object], cs: list[object] | None = None, *, head: str = "x,c") -> bytes:
    rows = zip(xs, cs or ["a", "b"] * (len(xs) // 2) + ["a"] * (len(xs) % 2), strict=True)
    return "\n".join([head, *(f"{x},{c}" for x, c in rows)]).encode() + b"\n"


USUAL = [round(float(value), 3) for value in DRAW.normal(size=500)]
BEFORE = table(USUAL)
NUMBERS_ONLY = b"\n".join([b"x", *(str(value).encode() for value in USUAL[:300])])
Verdict = tuple[str, str]  # of the values, of the missing rate
BAD: dict[str, tuple[bytes, dict[str, Verdict] | str]] = {
    "empty": (b"", "the file is empty"),
    "only a header": (b"x,c\n", "there is a header ('x', 'c') and no row under it"),
    "one row": (table([1.0]), {"x": ("undecided", "constant"), "c": ("undecided", "constant")}),
    "every cell missing": (table([""] * 500, [""] * 500), "no row under it"),
    "one column all missing": (table([""] * 500), {"x": ("undecided", "drift"), "c": ("undecided", "constant")}),
    "all equal": (table([7.0] * 500), {"x": ("drift", "constant"), "c": ("undecided", "constant")}),
    "infinite": (table(["inf", "-inf"] * 250), {"x": ("drift", "constant"), "c": ("undecided", "constant")}),
    "not a number": (table(["nan"] * 500), {"x": ("undecided", "drift"), "c": ("undecided", "constant")}),
    "negative zeros": (table(["-0.0"] * 500), {"x": ("drift", "constant"), "c": ("undecided", "constant")}),
    "1e300": (table([*USUAL[:499], "1e300"]), {"x": ("ok", "constant"), "c": ("undecided", "constant")}),
    "mixed types": (table([*USUAL[:499], "sick"]), {"x": ("undecided", "ok"), "c": ("undecided", "constant")}),
    "100,000 levels": (
        table([0.0] * 100_000, [f"level {i}" for i in range(100_000)]),
        {"x": ("drift", "constant"), "c": ("undecided", "constant")},
    ),
    "a missing column": (NUMBERS_ONLY, {"x": ("undecided", "constant")}),
    "an extra column": (
        table(USUAL[:300], [f"{'ab'[i % 2]},{i}" for i in range(300)], head="x,c,other"),
        {"x": ("undecided", "constant"), "c": ("undecided", "constant")},
    ),
    "the reference itself": (BEFORE, "the current sample is the reference itself"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("odd")
    (folder / "odd.toml").write_text(DOMAIN)
    (folder / "before.csv").write_bytes(BEFORE)
    return folder


REFUSED = {"infinite": "out of range", "not a number": "no number", "1e300": "out of range", "mixed types": "no number"}


def refuse(constant: str) -> float:
    raise ValueError(f"{constant} in a report")


def verdicts(document: dict[str, Any]) -> dict[str, Verdict]:
    assert document["summary"]
    return {column["column"]: (column["verdict"], column["missing"]["verdict"]) for column in document["columns"]}


@pytest.mark.parametrize("name", BAD)
def test_by_the_command_line(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for key, value in {"DATA_DIR": folder / "data", "DOMAINS_DIR": folder, "PSEUDONYM_SECRET": SECRET}.items():
        monkeypatch.setenv(f"GRADEWATCH_{key}", str(value))
    content, expected = BAD[name]
    (folder / "after.csv").write_bytes(content)
    files = ["--current", str(folder / "after.csv"), "--reference", str(folder / "before.csv")]
    with pytest.raises(SystemExit) as ended:
        main(["drift", "-d", "odd", *files, "--json"])
    told = capsys.readouterr()
    if isinstance(expected, str):
        assert (ended.value.code, told.out) == (1, "")
        assert expected in " ".join(told.err.replace("│", " ").split())
    else:
        assert ended.value.code == 0
        document = json.loads(told.out, parse_constant=refuse)
        assert verdicts(document) == expected
        left = {"a missing column": ["c"]}.get(name, [])  # columns that no schema knows are not read at all
        assert [one["column"] for one in document["not_compared"]] == left
        assert [one["kind"] for one in document["refused"]] == ([REFUSED[name]] if name in REFUSED else [])


async def post(folder: Path, contents: list[bytes]) -> list[httpx.Response]:
    settings = Settings(data_dir=folder / "served", domains_dir=folder, pseudonym_secret=SECRET, _env_file=None)
    app: Any = create_app(settings)
    transport = httpx.ASGITransport(app=app, client=("127.0.0.1", 40_000))
    async with alive(app), httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        before = ("before.csv", BEFORE)
        uploads = [{"file": ("after.csv", one), "reference": before} for one in contents]
        return [await client.post("/api/v1/odd/drift", files=files) for files in uploads]


def test_by_http(folder: Path) -> None:
    found = asyncio.run(post(folder, [content for content, _ in BAD.values()]))
    for (name, (_, expected)), answer in zip(BAD.items(), found, strict=True):
        if isinstance(expected, str):
            assert answer.status_code == 422, name
            assert expected in answer.text, name
        else:
            assert answer.status_code == 200, name
            assert verdicts(json.loads(answer.text, parse_constant=refuse)["document"]) == expected, name
