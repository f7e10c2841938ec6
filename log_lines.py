"""What stands in a line of a log, of the service, its worker and the jobs: JSON objects on standard error, each with
the id of the request that it belongs to, however far from it.

Names are our own, or those of the Elastic Common Schema (ECS), which log stores know; at a terminal a worker's lines
are plain. A line holds no address as it was typed, no body and no student data. Whoever writes one takes `logging`.
"""

import logging
import sys
from contextvars import ContextVar
from datetime import datetime
from typing import Any

import msgspec

from clock import now

ECS_VERSION = "8.11.0"
ECS_NAMES = {"request": "http.request.id"}
"""What ECS has a name for, of our fields."""

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The id of the request at hand, also in threads and jobs that work for it."""


class JsonLines(logging.Formatter):
    """A log record as one line of JSON; `extra={"fields": {...}}` adds fields."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {"at": now(), "level": record.levelname.lower(), "event": record.getMessage()}
        line |= {"logger": record.name, **_fields(record)}
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line, enc_hook=str).decode()


class EcsLines(logging.Formatter):
    """A log record as one line under the names of ECS; fields of our own are below `gradewatch`."""

    def format(self, record: logging.LogRecord) -> str:
        line = ecs_line(now(), record.levelname.lower(), record.getMessage())
        line["log.logger"] = record.name
        line |= {ECS_NAMES.get(name, f"gradewatch.{name}"): value for name, value in _fields(record).items()}
        if record.exc_info:
            line["error.stack_trace"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line, enc_hook=str).decode()


class PlainLines(logging.Formatter):
    """A log record as a line for people: when (UTC), what, and its fields in brackets."""

    def format(self, record: logging.LogRecord) -> str:
        fields = ", ".join(f"{name} {value}" for name, value in _fields(record).items())
        said = record.getMessage() + (f" ({fields})" if fields else "")
        return f"{now():%Y-%m-%d %H:%M:%S} {said}"


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    """The fields of a record, with the request that it belongs to."""
    request = request_id.get()
    return {**({} if request is None else {"request": request}), **getattr(record, "fields", {})}


def ecs_line(at: datetime, level: str, message: str) -> dict[str, Any]:
    """What every line begins with."""
    known = {"ecs.version": ECS_VERSION, "service.name": "gradewatch"}
    return {"@timestamp": at, "log.level": level, "message": message, **known}


def configure_logs(*, ecs: bool = False) -> None:
    """Turn this process' log into JSON lines: our own and the server's. The server's own line per request goes: it
    repeats addresses as they were typed, and ours says the same."""
    _write(EcsLines() if ecs else JsonLines(), "gradewatch", "uvicorn")
    access = logging.getLogger("uvicorn.access")
    access.handlers = []
    access.propagate = False


def configure_worker_logs(*, ecs: bool = False) -> None:
    """Have this process, a worker's or a job's, write lines: for people at a terminal, else as the service does."""
    _write(EcsLines() if ecs else PlainLines() if sys.stderr.isatty() else JsonLines(), "gradewatch")


def _write(formatter: logging.Formatter, *names: str) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    for name in names:
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False
        logger.setLevel(logging.INFO)
