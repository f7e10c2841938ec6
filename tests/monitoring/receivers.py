"""Receivers of alerts: a real HTTP server and a real SMTP server, which may be down or unwilling at first."""

import socket
import ssl
import threading
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, cast

from aiosmtpd.controller import Controller


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Hook:
    """A webhook's receiver. statuses: what it answers, in turn; 200 when they are used up."""

    port: int = field(default_factory=free_port)
    statuses: list[int] = field(default_factory=list)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    server: HTTPServer | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks?from=gradewatch"

    def start(self) -> "Hook":
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                status = hook.statuses.pop(0) if hook.statuses else 200
                if status == 200:
                    hook.got.append(({k.lower(): v for k, v in self.headers.items()} | {"path": self.path}, body))
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("location", hook.url)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def stop(self) -> None:
        if self.server:
            self.server.shutdown()
            self.server.server_close()


class Inbox:
    """An SMTP server. replies: what it answers to a message, in turn; "250 OK" when they are used up. refused: what it
    answers to a receiver."""

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self.got: list[EmailMessage] = []
        self.replies: list[str] = []
        self.refused: dict[str, str] = {}
        self.encrypted: list[bool] = []
        self.port = free_port()
        self._tls = tls
        self._controller: Controller | None = None

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}?from=watch@school.example"

    async def handle_RCPT(  # noqa: N802 (the library's name)
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 (the library's name)
        reply = self.replies.pop(0) if self.replies else "250 OK"
        if reply.startswith("250"):
            self.got.append(cast("EmailMessage", message_from_bytes(envelope.content, policy=policy.default)))
            self.encrypted.append(session.ssl is not None)
        return reply

    def start(self) -> "Inbox":
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port, tls_context=self._tls)
        self._controller.start()
        return self

    def stop(self) -> None:
        if self._controller:
            self._controller.stop()
