"""What a worker must learn in time, it learns however busy it is."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

from access.keys import create_key, digest_of
from access.records import Grant
from access.roles import ANONYMOUS
from api.fast.probes import ready
from api.request.admission import PRINCIPAL
from api.state import open_state
from settings import Settings
from tests.api.serving import SECRET

THREADS, BUSY = 4, 8  # more pieces of work than there are threads for them


def test_a_new_key_is_known_while_every_other_thread_is_at_work(tmp_path: Path) -> None:
    settings = Settings(
        data_dir=tmp_path,
        pseudonym_secret=SECRET,
        auth="on",
        token_secret="a secret for tokens that is long enough",
        poll_seconds=0.02,
        _env_file=None,
    )
    done = threading.Event()

    async def learn() -> bool:
        async with open_state(settings) as state:
            assert state.credentials is not None
            begun = threading.Semaphore(0)
            asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS))
            work = [asyncio.create_task(asyncio.to_thread(lambda: (begun.release(), done.wait()))) for _ in range(BUSY)]
            try:
                for _ in range(THREADS):
                    while not begun.acquire(blocking=False):
                        await asyncio.sleep(0.01)
                options = {"domains": [], "actor": "test", "lifetime": timedelta(hours=1)}
                _, text = create_key(state.workspace.store, "new", Grant(role="viewer"), **options)  # type: ignore[arg-type]
                for _ in range(1_500):  # half a minute
                    if state.credentials.directory.key(digest_of(text.encode())):
                        return True
                    await asyncio.sleep(0.02)
                return False
            finally:
                done.set()
                await asyncio.gather(*work)

    assert asyncio.run(learn())


def test_while_every_other_thread_is_at_work_it_is_told_whether_the_service_is_ready(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, pseudonym_secret=SECRET)
    done = threading.Event()

    async def asked() -> int:
        async with open_state(settings) as state:
            asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS))
            work = [asyncio.create_task(asyncio.to_thread(done.wait)) for _ in range(BUSY)]
            try:
                scope = {"query_string": b"", PRINCIPAL: ANONYMOUS}
                return (await asyncio.wait_for(ready(state, scope), 10)).status_code
            finally:
                done.set()
                await asyncio.gather(*work)

    assert asyncio.run(asked()) == 503, "no champion is there"
