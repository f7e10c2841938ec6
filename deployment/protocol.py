"""uvicorn's HTTP protocol with an answer's head and body written at once.

uvicorn writes them one after the other, and the event loop sends each by itself: two system calls and two packets for
every answer, which is a tenth of what a prediction costs. Everything else about the protocol is uvicorn's.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class OneWrite:
    """A transport that sends what is written within one turn of the event loop together, in order; else the one in it.

    What is written is held until the turn ends, or the transport is asked to close.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held: list[bytes] = []

    def write(self, data: bytes) -> None:
        if not self._held:
            self._loop.call_soon(self._send)
        self._held.append(data)

    def close(self) -> None:
        self._send()
        self._transport.close()

    def _send(self) -> None:
        held, self._held = self._held, []
        if held:
            self._transport.writelines(held)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class OneWriteProtocol(HttpToolsProtocol):
    """Give this to uvicorn as its `http`.

    linger_seconds: for which a connection without a request stays open when the worker stops. One may be on its way: a
    caller that has just connected would be reset, whom another worker of the address could have answered.
    head_seconds: after once to twice which a connection is closed that has sent no whole head of a request; uvicorn
    waits for ever, and connections are numbered.
    """

    linger_seconds = 0.5
    head_seconds = 15.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self.transport = OneWrite(transport, self.loop)  # type: ignore[assignment]
        self._next_look = self.loop.call_later(self.head_seconds, self._look, self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._next_look.cancel()
        super().connection_lost(exc)

    def _look(self, before: object) -> None:
        """Close a connection that has waited for the same head since the look before."""
        answered = self.cycle is None or self.cycle.response_complete
        waiting = answered and self.timeout_keep_alive_task is None  # which the first byte of a head ends
        if waiting and before is self.cycle:
            self.transport.close()
        self._next_look = self.loop.call_later(self.head_seconds, self._look, self.cycle if waiting else self)

    def shutdown(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.loop.call_later(self.linger_seconds, super().shutdown)
        else:
            super().shutdown()
