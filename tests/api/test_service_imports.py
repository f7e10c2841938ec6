"""A worker that serves JSON stays light: what it loads, and what runs when it predicts."""

import json
import subprocess
import sys
from collections.abc import Callable

from tests.api.serving import ENGAGEMENT, Server
from tests.command import ROOT

WORKER = """
import asyncio, json, sys, threading, time
import httpx, uvicorn
server = uvicorn.Server(uvicorn.Config("api.app:app", port=int(sys.argv[1]), log_level="error"))
thread = threading.Thread(target=server.run)
thread.start()
while not server.started:
    time.sleep(0.02)
with httpx.Client(base_url=f"http://127.0.0.1:{sys.argv[1]}") as client:
    row = json.loads(sys.argv[2])
    for path, body in (("predict", row), ("predict/batch", [row] * 200), ("predict", {"attention": "x"})):
        client.post(f"/api/v1/engagement/{path}", json=body)
    for path in ("/health", "/ready"):
        assert client.get(path).status_code == 200, path
    early = {"fastapi", "typer", "alembic"} & sys.modules.keys()
    assert not early, early
    for path in ("/api/v1/domains", "/api/v1/models", "/api/v1/engagement/predictions",
                 "/api/v1/engagement/performance", "/openapi.json"):
        assert client.get(path).status_code == 200, path
server.should_exit = True
thread.join()
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def test_a_worker_that_serves_json_imports_no_table_or_training_library(serve: Callable[..., Server]) -> None:
    server = serve()
    server.stop()
    worker = subprocess.run(
        [sys.executable, "-c", WORKER, server.url.rpartition(":")[2], json.dumps(ENGAGEMENT)],
        env=server.environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert worker.returncode == 0, worker.stderr
    imported = set(json.loads(worker.stdout))
    assert {"onnxruntime", "msgspec", "fastapi"} <= imported
    assert imported & {"pandas", "polars", "sklearn", "scipy", "skl2onnx", "onnx", "pyarrow", "streamlit"} == set()


SEEN = """
import asyncio, json, sys
from api.app import create_app

row = json.loads(sys.argv[1])

async def main():
    app, said, seen = create_app(), asyncio.Queue(), set()
    events = asyncio.Queue()
    await events.put({"type": "lifespan.startup"})
    life = asyncio.create_task(app({"type": "lifespan"}, events.get, said.put))
    await said.get()

    async def ask(path, body):
        async def receive():
            return {"type": "http.request", "body": json.dumps(body).encode()}
        scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "scheme": "http",
                 "headers": [(b"host", b"127.0.0.1")], "client": ("127.0.0.1", 1)}
        await app(scope, receive, said.put)
        assert (await said.get())["status"] == 200
        await said.get()

    def note(frame, event, argument):
        seen.add(frame.f_globals.get("__name__", "").partition(".")[0])
    sys.setprofile(note)
    await ask("/api/v1/engagement/predict", row)
    await ask("/api/v1/engagement/predict/batch", [row, row])
    sys.setprofile(None)
    await events.put({"type": "lifespan.shutdown"})
    await life
    print(json.dumps(sorted(seen)))

asyncio.run(main())
"""


def test_neither_pydantic_nor_the_framework_runs_on_the_fast_path(serve: Callable[..., Server]) -> None:
    server = serve()
    server.stop()
    command = [sys.executable, "-c", SEEN, json.dumps(ENGAGEMENT)]
    done = subprocess.run(command, env=server.environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    seen = set(json.loads(done.stdout))
    assert {"api", "preprocessing", "model", "database"} <= seen
    assert seen & {"pydantic", "fastapi", "sqlalchemy"} == set()
