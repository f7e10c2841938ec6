"""Images as they come out of `make images`, run with nothing but what Linux brings: a root that cannot be written, a
user who is nobody, and the commands, variables and checks that the image itself names.

Buildah builds; it can run too, but leaves the root writable, so that what runs here is put together by hand.
"""

import json
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
BASE = "localhost/gradewatch-test-base"

PATIENCE = 900.0
"""Seconds for what takes ten on a machine that has nothing else to do; what ended is not waited for."""

IN_A_ROOT = """
set -e
mount --make-rprivate /
mount --bind {root} {root}
for place in dev proc; do mount --rbind /$place {root}/$place; done
mount -o remount,bind,ro {root}
mount --bind {data} {root}/var/lib/gradewatch
mount -t tmpfs tmpfs {root}/tmp
exec chroot --userspec={user} {root} /usr/bin/env -i -C {folder} {command}
"""


@dataclass(frozen=True)
class Builder:
    """Buildah, with a store of its own that goes with its folder."""

    folder: Path

    def __call__(self, *arguments: str) -> str:
        done = subprocess.run(
            ["buildah", *arguments], env=self.environment, cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout.strip()

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "CONTAINERS_STORAGE_CONF": str(self.folder / "storage.conf"),
            "BUILDAH_ISOLATION": "chroot",
        }

    def make_base(self) -> None:
        """A Debian with Python and this machine's certificates, as image BASE."""
        (self.folder / "storage.conf").write_text(
            f'[storage]\ndriver = "vfs"\ngraphroot = "{self.folder / "images"}"\nrunroot = "{self.folder / "run"}"\n'
        )
        system = self.folder / "system"
        packages = "--include=python3,python3-venv,ca-certificates"
        subprocess.run(
            ["debootstrap", "--variant=minbase", packages, "bookworm", str(system)], check=True, capture_output=True
        )
        shutil.copy(CERTIFICATES, system / "etc/ssl/certs/ca-certificates.crt")
        for unneeded in (
            "var/cache/apt/archives",
            "var/lib/apt/lists",
            "usr/share/doc",
            "usr/share/man",
            "usr/share/locale",
        ):
            shutil.rmtree(system / unneeded, ignore_errors=True)
        container = self("from", "scratch")
        self("add", "--quiet", container, str(system), "/")
        self("commit", "--quiet", "--rm", container, BASE)
        shutil.rmtree(system)

    def make(self, name: str, *, tag: str = "") -> "Image":
        """`make image-NAME`, as users do, of the present commit."""
        pip = self.folder / "pip.conf"
        pip.write_text(f"[global]\ncert = {CERTIFICATES}\n")
        build = f"--build-arg BASE={BASE} --secret id=pip,src={pip}" + (f" --tag {tag}" if tag else "")
        done = subprocess.run(
            ["make", f"image-{name}", f"BUILD={build}"],
            env=self.environment, cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return Image(self, self("images", "--quiet", f"localhost/gradewatch-{name}:{version('gradewatch')}"))


class Container(subprocess.Popen[bytes]):
    """What runs by a script, in mounts of its own, and says so in a file."""

    def __init__(self, script: str, log: Path) -> None:
        self.log = log
        with log.open("ab") as said:
            super().__init__(["unshare", "--mount", "sh", "-c", script], stdout=said, stderr=said)

    @property
    def words(self) -> str:
        """What it said last, and whether it goes on."""
        ended = "goes on" if self.poll() is None else f"ended with {self.returncode}"
        return f"{ended}: {self.log.read_text(errors='replace')[-3000:]}"


@dataclass(frozen=True)
class Image:
    """A built image. id: as its builder knows it."""

    builder: Builder
    id: str

    @cached_property
    def told(self) -> dict[str, Any]:
        """What the image says of itself (Docker's form)."""
        return dict(json.loads(self.builder("inspect", "--type", "image", self.id))["Docker"])

    @cached_property
    def config(self) -> dict[str, Any]:
        return dict(self.told["config"])

    @property
    def layers(self) -> list[str]:
        """Digests of what it holds, the base's first."""
        return list(self.told["rootfs"]["diff_ids"])

    @cached_property
    def root(self) -> Path:
        container = self.builder("from", "--pull-never", self.id)
        return Path(self.builder("mount", container))

    @property
    def megabytes(self) -> float:
        """All files of it, unpacked."""
        files = (path for path in self.root.rglob("*") if path.is_file() and not path.is_symlink())
        return sum(path.stat().st_size for path in files) / 1e6

    def packages(self) -> set[tuple[str, str]]:
        """Names and versions of what is installed in it, but for the project itself."""
        found = (json_of(path) for path in self.root.glob("srv/gradewatch/.venv/lib/python*/site-packages/*.dist-info"))
        return {one for one in found if one[0] != "gradewatch"}

    @contextmanager
    def run(self, data: Path, *command: str, output: Path | None = None, **environment: str) -> Iterator[Container]:
        """The image's command (or another) as its user, its root read-only, `data` in its volume; killed in the end."""
        os.chown(data, 1000, 1000)
        script = IN_A_ROOT.format(
            root=self.root,
            data=data,
            user=self.config["User"],
            folder=self.config["WorkingDir"],
            command=shlex.join(
                [*self.config["Env"], *map("=".join, environment.items()), *(command or self.config["Cmd"])]
            ),
        )
        container = Container(script, output or Path(tempfile.mkdtemp()) / "log")
        try:
            yield container
        finally:
            container.kill()
            container.wait()

    def does(self, data: Path, *command: str, **environment: str) -> str:
        """What a command in it says, which must succeed."""
        output = Path(tempfile.mkdtemp()) / "output"
        with self.run(data, *command, output=output, **environment) as process:
            code = process.wait(PATIENCE)
        assert code == 0, output.read_text()
        return output.read_text()

    def is_healthy(self, data: Path, **environment: str) -> bool:
        """What the image's own check says, asked beside what runs."""
        check: Sequence[str] = self.config["Healthcheck"]["Test"]
        assert check[0] == "CMD"
        with self.run(data, *check[1:], **environment) as process:
            return process.wait(PATIENCE) == 0


def json_of(folder: Path) -> tuple[str, str]:
    """Name and version of an installed package, spelled as packages are compared."""
    head = (folder / "METADATA").read_text(encoding="utf-8", errors="replace").partition("\n\n")[0]
    said = dict(line.split(": ", 1) for line in head.splitlines() if ": " in line and not line.startswith(" "))
    return said["Name"].lower().replace("_", "-").replace(".", "-"), said["Version"]
