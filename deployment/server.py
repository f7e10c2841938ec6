"""Starts the API under uvicorn with limits that suit a small machine; plain `uvicorn api.app:app` has uvicorn's own.

It reads no setting: what the service itself limits, it limits under every server.
"""

import gc
from typing import Any

HOST, PORT = "127.0.0.1", 8000

OPTIONS: dict[str, Any] = {
    "limit_concurrency": 1000,  # connections and requests of one worker; one more is told 503 at once
    "backlog": 2048,
    "timeout_keep_alive": 75,  # seconds; longer than the 60 of common load balancers, which must be first to hang up
    "ws": "none",  # there is no WebSocket here
    "server_header": False,
    "log_level": "warning",
}


def announcement(host: str, port: int) -> str:
    """What is said before the service starts."""
    shown = f"[{host}]" if ":" in host else host
    return f"starting the API on http://{shown}:{port}; GET /ready says when it answers. Ctrl-C stops it"


def serve_api(*, host: str = HOST, port: int = PORT, workers: int = 1) -> None:
    """Serve until told to stop. workers: processes that share the address; each has its own memory and metrics."""
    gc.disable()  # nothing that is loaded at start is garbage; `api.state` turns it on when all is open
    import uvicorn

    from deployment.whole_request import OneWriteProtocol

    uvicorn.run("api.app:app", host=host, port=port, workers=workers, http=OneWriteProtocol, **OPTIONS)
