"""Files in another place, by its URL: s3://, gs://, az://, sftp://. fsspec's one door.

It reads no credentials: the libraries of the clouds find them where their own tools do, and SSH has its agent, its keys
and its known hosts.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from errors import Category, GradewatchError, MissingExtra

WRITTEN_AT = ("LastModified", "updated", "last_modified", "mtime")
"""Under which the libraries tell when a file was written."""

SSH = "sftp"


class Unreachable(GradewatchError):
    """The other place does not answer, or lets nobody in."""

    category = Category.UNAVAILABLE
    retry_after = 5


class RemoteFolder(NamedTuple):
    """An opened place. files: fsspec's file system; root: the folder in it."""

    files: Any
    root: str


def open_remote(url: str) -> RemoteFolder:
    """The folder at a URL. Raises MissingExtra; whatever a driver raises, which `driver_errors` gathers."""
    scheme = url.partition(":")[0]
    try:
        import fsspec

        options: dict[str, Any] = {"host_key_policy": _known_hosts()} if scheme == SSH else {}
        return RemoteFolder(*fsspec.core.url_to_fs(url, **options))
    except ImportError as error:
        raise MissingExtra(f"{scheme}://", SSH if scheme == SSH else "cloud") from error


def _known_hosts() -> object:
    """What meets a host: it must stand in ~/.ssh/known_hosts. fsspec's own way is to trust whoever answers."""
    import paramiko

    class KnownHosts(paramiko.MissingHostKeyPolicy):
        def missing_host_key(self, client: object, hostname: str, key: Any) -> None:  # noqa: ARG002 (paramiko's)
            known = Path("~/.ssh/known_hosts").expanduser()
            if not known.is_file() or not paramiko.HostKeys(str(known)).check(hostname, key):
                raise paramiko.SSHException(f"{hostname} is not as ~/.ssh/known_hosts has it (ssh-keyscan adds it)")

    return KnownHosts()


def written_at(told: Mapping[str, Any]) -> datetime | None:
    """When a file was written, as fsspec lists it; None where that is not told."""
    at = next((told[name] for name in WRITTEN_AT if told.get(name) is not None), None)
    if isinstance(at, str):
        at = datetime.fromisoformat(at)
    if isinstance(at, datetime):
        return at if at.tzinfo else at.replace(tzinfo=UTC)
    return None if at is None else datetime.fromtimestamp(float(at), UTC)


@contextmanager
def driver_errors(what: str, kind: type[GradewatchError] = Unreachable) -> Iterator[None]:
    """Every failure of a library, each of which has errors of its own, as one of `kind` that names `what`."""
    try:
        yield
    except (ImportError, FileNotFoundError, GradewatchError):
        raise
    except Exception as error:  # whichever library it is
        raise kind(f"{what} cannot be reached: {type(error).__name__}: {error}") from error
