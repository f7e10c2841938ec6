"""What a worker must learn in time, it learns however busy it is; what it says of its own faults names no student."""

import asyncio
import logging
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from access.keys import create_key, digest_of
from access.records import Grant
from api.errors import answer_error
from api.observe.logs import JsonLines
from api.state import open_state
from settings import Settings
from tests.api.serving import SECRET

BUSY = 64  # pieces of work: more than there are threads for them


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
            work = [asyncio.create_task(asyncio.to_thread(done.wait)) for _ in range(BUSY)]
            try:
                await asyncio.sleep(0.1)
                options = {"domains": [], "actor": "test", "lifetime": timedelta(hours=1)}
                _, text = create_key(state.workspace.store, "new", Grant(role="viewer"), **options)  # type: ignore[arg-type]
                for _ in range(200):
                    if state.credentials.directory.key(digest_of(text.encode())):
                        return True
                    await asyncio.sleep(0.02)
                return False
            finally:
                done.set()
                await asyncio.gather(*work)

    assert asyncio.run(learn())


def test_a_fault_of_ours_is_logged_without_its_words(caplog: pytest.LogCaptureFixture) -> None:
    name = "Anna"

    def fail() -> None:
        try:
            int(name)
        except ValueError:
            raise ValueError(f"the mark of {name} is 4") from None

    with caplog.at_level(logging.ERROR, "gradewatch.api"), pytest.raises(ValueError, match="mark") as raised:
        fail()
    answer = answer_error(raised.value)
    [record] = caplog.records
    line = JsonLines().format(record)
    assert answer.status_code == 500
    assert "Anna" not in line
    assert "ValueError" in line
    assert "test_keeping_up.py" in line
