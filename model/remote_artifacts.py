"""Bundles in a store of objects: s3://, gs://, az://. fsspec's one door.

It reads no credentials: the libraries of the clouds find them where their own tools do.
"""

import re
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from errors import Category, MissingExtra
from model.artifacts import MissingArtifact

BUNDLE = re.compile("[0-9a-f]{64}")
WRITTEN_AT = ("LastModified", "updated", "last_modified", "mtime")
"""Under which the libraries tell when an object was written."""


class ArtifactsUnreachable(MissingArtifact):
    """The store of objects does not answer, or lets nobody in."""

    category = Category.UNAVAILABLE
    retry_after = 5


class CloudBundles:
    """`model.shared_artifacts.BundleStore` at a URL: one object each, which is there whole or not at all."""

    def __init__(self, url: str) -> None:
        try:
            import fsspec

            with _driver_errors():
                self._files, self._root = fsspec.core.url_to_fs(url)
        except ImportError as error:
            raise MissingExtra(f"{url.partition(':')[0]}://", "cloud") from error

    def put(self, digest: str, content: bytes) -> None:
        """As `BundleStore.put`."""
        with _driver_errors():
            self._files.pipe_file(self._path(digest), content)

    def get(self, digest: str) -> bytes | None:
        """As `BundleStore.get`."""
        with _driver_errors():
            try:
                return bytes(self._files.cat_file(self._path(digest)))
            except FileNotFoundError:
                return None

    def renew(self, digest: str) -> bool:
        """As `BundleStore.renew`: an object is as old as its last writing."""
        content = self.get(digest)
        if content is not None:
            self.put(digest, content)
        return content is not None

    def digests(self, *, older_than: float | None = None) -> list[str]:
        """As `BundleStore.digests`."""
        limit = None if older_than is None else time.time() - older_than
        return sorted(name for name, at in self._listed() if BUNDLE.fullmatch(name) and (limit is None or at < limit))

    def _listed(self) -> Iterator[tuple[str, float]]:
        with _driver_errors():
            self._files.invalidate_cache()
            try:
                found = self._files.ls(self._root, detail=True)
            except FileNotFoundError:
                return
        for one in found:
            yield str(one["name"]).rpartition("/")[2], _seconds(one)

    def remove(self, digests: Iterable[str]) -> None:
        """As `BundleStore.remove`."""
        with _driver_errors():
            for digest in digests:
                try:
                    self._files.rm_file(self._path(digest))
                except FileNotFoundError:
                    continue

    def _path(self, digest: str) -> str:
        return f"{self._root.rstrip('/')}/{digest}"


def _seconds(told: dict[str, Any]) -> float:
    """When an object was written, since 1970; now where that is not told, so that it is not swept."""
    at = next((told[name] for name in WRITTEN_AT if told.get(name) is not None), None)
    if isinstance(at, str):
        at = datetime.fromisoformat(at)
    if isinstance(at, datetime):
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    return float(at) if at is not None else time.time()


@contextmanager
def _driver_errors() -> Iterator[None]:
    """Every failure of a cloud's library, each of which has errors of its own, as ArtifactsUnreachable."""
    try:
        yield
    except (ImportError, FileNotFoundError, ArtifactsUnreachable):
        raise
    except Exception as error:  # whichever library it is
        raise ArtifactsUnreachable(
            f"where the models lie cannot be reached: {type(error).__name__}: {error}"
        ) from error
