"""The service's log: one JSON object per line on standard error, each with the id of the request it belongs to.

Names are our own, or those of the Elastic Common Schema (ECS), which log stores know. A line
holds routes, statuses and times, never an address as it was typed, a body or student data.
"""

import asyncio
import logging
import sys
from contextvars import ContextVar
from datetime import datetime
from typing import Any

import msgspec

from clock import now

SOON = 0.1  # seconds that a request's line may wait for others: a write of its own costs as much as scoring a row

ECS_VERSION = "8.11.0"

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The id of the request at hand, also in threads that work for it."""


class JsonLines(logging.Formatter):
    """A log record as one line of JSON; `extra={"fields": {...}}` adds fields."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {"at": now(), "level": record.levelname.lower(), "event": record.getMessage()}
        line |= {"logger": record.name, **getattr(record, "fields", {})}
        if (request := request_id.get()) is not None:
            line["request"] = request
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line, enc_hook=str).decode()


class EcsLines(logging.Formatter):
    """A log record as one line under the names of ECS; fields of our own are below `gradewatch`."""

    def format(self, record: logging.LogRecord) -> str:
        line = ecs_line(now(), record.levelname.lower(), record.getMessage())
        line["log.logger"] = record.name
        line |= {f"gradewatch.{name}": value for name, value in getattr(record, "fields", {}).items()}
        if (request := request_id.get()) is not None:
            line["http.request.id"] = request
        if record.exc_info:
            line["error.stack_trace"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line, enc_hook=str).decode()


def ecs_line(at: datetime, level: str, message: str) -> dict[str, Any]:
    """What every line begins with."""
    known = {"ecs.version": ECS_VERSION, "service.name": "gradewatch"}
    return {"@timestamp": at, "log.level": level, "message": message, **known}


def configure_logs(*, ecs: bool = False) -> None:
    """Turn this process' log into JSON lines: the service's own and the server's. The server's own line per request
    goes: it repeats addresses as they were typed, and ours says the same."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(EcsLines() if ecs else JsonLines())
    for name in ("gradewatch", "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False
        logger.setLevel(logging.INFO)
    access = logging.getLogger("uvicorn.access")
    access.handlers = []
    access.propagate = False


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
