"""Which of the project's own modules run when something is done: what its reader has to know of.

A module counts where the body of one of its functions runs, in any thread: calls of records' constructors, which are
made of none of its lines, do not count, nor does what only its import defined.
"""

import sys
import threading
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[1]
OTHERS = ("tests", ".venv", "benchmarks")


class OwnModules:
    """Notes modules while it is entered, in this thread and in those that begin after it was made.

    names: of the modules, in the order in which they were first come to: "api.pipeline".
    """

    def __init__(self) -> None:
        self._files: dict[str, str | None] = {}
        self._on = False
        self.names: list[str] = []
        threading.setprofile(self._note)
        sys.setprofile(self._note)

    def __enter__(self) -> Self:
        self._on = True
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._on = False

    def _note(self, frame: FrameType, event: str, _argument: Any) -> None:
        if not self._on or event != "call":
            return
        file = frame.f_code.co_filename
        if file not in self._files:
            self._files[file] = name = _module(file)
            if name is not None:
                self.names.append(name)


def _module(file: str) -> str | None:
    path = Path(file)
    if not path.is_relative_to(ROOT) or path.relative_to(ROOT).parts[0] in OTHERS:
        return None
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)
