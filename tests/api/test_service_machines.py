"""Two machines on one database, each with a folder of its own, are one installation."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from model.workspace import Workspace, open_workspace
from tests.api.conftest import start
from tests.api.serving import ENGAGEMENT, SECRET, Server
from tests.command import run_command
from tests.database.test_migrate import command, finish


@pytest.fixture
def machines() -> Iterator[Callable[[Path, str], Server]]:
    """Starts services of a folder and a database."""
    with ExitStack() as stack:
        yield lambda folder, url: start(stack, folder, {"GRADEWATCH_DATABASE_URL": url, "MONGO_URI": url})


def activated(server: Server, version: str) -> str:
    body = {"domain": "engagement", "version": version, "reason": "the other machine's"}
    assert server.post("/api/v1/models/activate", body).status_code == 200
    return version


def champion(server: Server) -> tuple[str, int]:
    found = server.get("/api/v1/models", params={"domain": "engagement"})["champions"]
    return found[0]["version"], found[0]["generation"]


def another_version(url: str, folder: Path) -> str:
    """A second model of `engagement`, registered by a third machine."""
    from msgspec.structs import replace

    from clock import now
    from model.bundle import read_bundle

    workspace: Workspace = open_workspace(
        database_url=url, artifacts_url="database", artifacts_dir=folder, domains_dir=None, secret=SECRET.encode()
    )
    try:
        present = next(one for one in workspace.store.models() if one.domain == "engagement")
        bundle = read_bundle(workspace.artifacts.load(present.version))
        manifest = replace(bundle.manifest, lineage=replace(bundle.manifest.lineage, seed=99))
        version = workspace.artifacts.save({**bundle.files(), "manifest.json": _encoded(manifest)})
        workspace.store.add_model(replace(present, version=version, at=now()))
        return version
    finally:
        workspace.close()


def _encoded(manifest: object) -> bytes:
    import msgspec

    return msgspec.json.encode(manifest, order="sorted")


def test_after_the_migration_two_machines_serve_and_promote_together(
    machines: Callable[[Path, str], Server], installation: Path, mongo_url: str, tmp_path: Path
) -> None:
    models = str(installation / "models")
    migrated = command(f"sqlite:///{installation / 'gradewatch.db'}", mongo_url, GRADEWATCH_DATA_DIR=str(installation))
    assert finish(migrated)[0] == 0
    (installation / "models").rename(models + ".gone")
    second = tmp_path / "second"
    second.mkdir()
    here, there = machines(installation, mongo_url), machines(second, mongo_url)
    first = champion(here)[0]
    assert champion(there) == champion(here)
    one, other = here.predict("engagement", ENGAGEMENT), there.predict("engagement", ENGAGEMENT)
    assert one["answers"] == other["answers"]
    newer = activated(there, another_version(mongo_url, tmp_path / "third"))
    assert here.until(lambda: here.predict("engagement", ENGAGEMENT)["answers"][0]["model"] == newer)
    activated(here, first)
    assert there.until(lambda: there.predict("engagement", ENGAGEMENT)["answers"][0]["model"] == first)
    assert there.get("/ready")["broken"] == here.get("/ready")["broken"] == []
    with here.store() as store:
        assert store.count_predictions("engagement") > 3


def test_a_machine_with_another_secret_refuses_to_start_and_says_what_to_do(
    installation: Path, mongo_url: str, tmp_path: Path
) -> None:
    open_workspace(
        database_url=mongo_url, artifacts_dir=installation / "models", domains_dir=None, secret=SECRET.encode()
    ).close()
    said = run_command(tmp_path, "models", "list", GRADEWATCH_DATABASE_URL=mongo_url)
    assert said.returncode == 78
    assert "GRADEWATCH_PSEUDONYM_SECRET" in said.stderr
