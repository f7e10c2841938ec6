"""The service does what its page says, whoever asks."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from access.keys import create_key
from access.records import Grant
from access.roles import Role
from preprocessing.schema import load_domains
from tests.api.serving import Server
from tests.command import ROOT

SETTINGS = {"GRADEWATCH_RATE_LIMIT": "off", "GRADEWATCH_MAX_ROWS": "1000", "GRADEWATCH_MAX_UPLOAD_MB": "1"}


SIGN_IN = {"GRADEWATCH_AUTH": "on", "GRADEWATCH_TOKEN_SECRET": "a secret for tokens that is long enough"}


EXAMPLES = int(os.environ.get("GRADEWATCH_PAGE_EXAMPLES", "0"))


UNTRIED = "_(course|k12|school|university)$|^object_for_student"
"""Domains whose addresses are like those of the one that is left; and what keeps students from being answered."""


PHASES = f"examples,{'coverage,' if EXAMPLES else ''}fuzzing,stateful"
"""Of a service that asks nobody who it is. All that a schema tells apart is covered by an administrator's requests."""


def findings(server: Server, folder: Path, *options: str) -> str:
    """What Schemathesis finds; nothing where all is as the page says."""
    unsaid = (
        ("--exclude-checks", "positive_data_acceptance") if EXAMPLES else ()
    )  # as page.toml says, and found in time
    number = [
        "--max-examples",
        str(EXAMPLES or 1),
        *(() if EXAMPLES else ("--exclude-operation-id-regex", UNTRIED)),
    ]
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(ROOT / "tests/api/page.toml"), "--no-color"),
        *("run", f"{server.url}/openapi.json", "--checks", "all", "--mode", "all", "--generation-deterministic"),
        *("--workers", "1", "--warnings", "off", *number, *unsaid, *options),
        *("--header", "Prefer: respond-async"),  # else each file is waited for
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert "Tested:" in done.stdout, done.stdout + done.stderr
    return "" if done.returncode == 0 else done.stdout


def let_jobs_wait(server: Server) -> None:
    """Have the service start no worker: some hundred valid requests ask for jobs, whose ends no page tells of."""
    with server.store() as store:
        assert store.try_lease("the service's own worker", "tests", 3600.0) is None


def key(server: Server, role: Role) -> str:
    with server.store() as store:
        text = create_key(store, f"a-{role}", Grant(role=role), domains=[], actor="test")[1]
    header = {"authorization": f"Bearer {text}"}
    server.until(lambda: server.client.get("/api/v1/domains", headers=header).status_code != 401)
    return f"Authorization: Bearer {text}"


@pytest.mark.timeout(3600 if EXAMPLES else 600)
def test_the_service_does_what_its_page_says(serve: Callable[..., Server], tmp_path: Path) -> None:
    server = serve(**SETTINGS)
    assert findings(server, tmp_path, "--phases", PHASES) == ""
    assert "request failed" not in server.words()


@pytest.mark.timeout(3600 if EXAMPLES else 600)
@pytest.mark.parametrize("role", ["admin", "teacher"] if EXAMPLES == 0 else ["viewer", "teacher", "analyst", "admin"])
def test_it_does_so_too_where_callers_must_say_who_they_are(
    serve: Callable[..., Server], tmp_path: Path, role: Role
) -> None:
    server = serve(**SETTINGS, **SIGN_IN)
    if not EXAMPLES:
        let_jobs_wait(server)
    phases = "examples,coverage" if role == "admin" or EXAMPLES else "examples"
    assert findings(server, tmp_path, "--header", key(server, role), "--phases", phases) == ""
    assert "request failed" not in server.words()


def test_the_page_names_every_field_of_every_domain_with_its_range(shared: Server) -> None:
    page: dict[str, Any] = shared.get("/openapi.json")
    components = page["components"]["schemas"]
    for name, schema in load_domains().items():
        body = page["paths"][f"/api/v1/{name}/predict"]["post"]["requestBody"]["content"]["application/json"]
        fields = components[body["schema"]["$ref"].rsplit("/", 1)[1]]["properties"]
        assert fields.keys() == {f.name for f in schema.features} | set(schema.context_names)
        for feature in schema.features:
            field = json.dumps(fields[feature.name])
            assert feature.kind == "categorical" or ('"minimum"' in field and '"maximum"' in field)
            assert all(json.dumps(level) in field for level in feature.levels)
            assert feature.unit in field
    assert "/predict/batch" in page["paths"]
    assert not any("{domain}" in path for path in page["paths"] if not path.startswith("/api/v1/domains"))
