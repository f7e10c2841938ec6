"""Bundles in a store of objects: s3://, gs://, az://."""

import re
import time
from collections.abc import Iterable, Iterator
from functools import partial

from errors import Category
from model.artifacts import MissingArtifact
from model.remote_files import driver_errors, open_remote, written_at

BUNDLE = re.compile("[0-9a-f]{64}")


class ArtifactsUnreachable(MissingArtifact):
    """The store of objects does not answer, or lets nobody in."""

    category = Category.UNAVAILABLE
    retry_after = 5


_driver_errors = partial(driver_errors, "where the models lie", ArtifactsUnreachable)


class CloudBundles:
    """`model.shared_artifacts.BundleStore` at a URL: one object each, which is there whole or not at all."""

    def __init__(self, url: str) -> None:
        with _driver_errors():
            self._files, self._root = open_remote(url)

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
            at = written_at(one)  # where it is not told, it is not swept
            yield str(one["name"]).rpartition("/")[2], at.timestamp() if at else time.time()

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
