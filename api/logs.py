"""The service's log: one JSON object per line on standard error, each with the id of the request it belongs to.

A line holds routes, statuses and times, never an address as it was typed, a body or student data.
"""

import logging
import sys
from contextvars import ContextVar
from typing import Any

import msgspec

from database.records import now

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


def configure_logs() -> None:
    """Turn this process' log into JSON lines: the service's own and the server's. The server's own line per request
    goes: it repeats addresses as they were typed, and ours says the same."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    for name in ("gradewatch", "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False
        logger.setLevel(logging.INFO)
    access = logging.getLogger("uvicorn.access")
    access.handlers = []
    access.propagate = False


def log_request(id: str, method: str, route: str, status: int, seconds: float) -> None:
    """One answered request, written past `logging`: this runs for every one of them."""
    line = {"at": now(), "level": "info", "event": "request", "request": id, "method": method, "route": route}
    line |= {"status": status, "ms": round(seconds * 1000, 2)}
    sys.stderr.buffer.write(msgspec.json.encode(line) + b"\n")
    sys.stderr.buffer.flush()
