"""Where a SQLite database lies, and whether it still lies there: what is committed to a deleted file is lost unseen.

An open file lives on without a name, or under a new one, and takes every commit. It looks at names, not at content.
"""

import os
from pathlib import Path

from database.errors import StoreUnavailable


class DatabaseFile:
    """An open database file, by its path."""

    def __init__(self, path: Path) -> None:
        self._path = str(path.resolve())
        self._known = self._lying_there()

    def check(self) -> None:
        """Raises StoreUnavailable where the file is gone or another lies in its place. To be asked after a commit: then
        what was committed is where it is looked for. Takes two microseconds."""
        if self._lying_there() != self._known:
            raise StoreUnavailable(f"{self._path} was deleted, moved or replaced; put it back or start anew")

    def _lying_there(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._path)  # noqa: PTH116 (half the time of Path.stat, after every commit)
        except OSError:
            return None
        return found.st_dev, found.st_ino
