"""The service's lines for requests, which are too many for `logging`. What stands in a line is `log_lines`' word."""

import asyncio
import sys
from datetime import datetime
from typing import Any

import msgspec

from clock import now
from log_lines import ecs_line

SOON = 0.1  # seconds that a request's line may wait for others: a write of its own costs as much as scoring a row


class _Line(msgspec.Struct, frozen=True, gc=False):
    """One answered request."""

    at: datetime
    level: str
    event: str
    request: str
    method: str
    route: str
    status: int
    ms: float

    def as_ecs(self) -> dict[str, Any]:
        return ecs_line(self.at, self.level, self.event) | {
            "http.request.id": self.request,
            "http.request.method": self.method,
            "http.response.status_code": self.status,
            "gradewatch.route": self.route,
            "event.duration": int(self.ms * 1e6),  # nanoseconds
        }


class RequestLines:
    """One line for every answered request, past `logging`, since this runs for every one of them.

    Lines are written together, at the latest SOON after they came; `write` writes what is left. For one event loop.
    """

    def __init__(self, *, ecs: bool = False) -> None:
        self._ecs = ecs
        self._lines: list[_Line] = []
        self._encode = msgspec.json.Encoder().encode_lines

    def add(self, id: str, method: str, route: str, status: int, seconds: float) -> None:
        """One answered request; id: its own."""
        if not self._lines:
            asyncio.get_running_loop().call_later(SOON, self.write)
        self._lines.append(_Line(now(), "info", "request", id, method, route, status, round(seconds * 1000, 2)))

    def write(self) -> None:
        """Write every line that waits."""
        lines, self._lines = self._lines, []
        if lines:
            sys.stderr.buffer.write(self._encode([one.as_ecs() for one in lines] if self._ecs else lines))
            sys.stderr.buffer.flush()
