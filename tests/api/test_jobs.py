"""Retraining runs that a service starts: one at a time in a domain, also when they are asked for at once."""

import asyncio
from pathlib import Path

from api.jobs import Busy, Jobs
from api.schemas import Retrain, RetrainingRun
from settings import Settings
from tests.api.serving import SECRET


def test_of_two_runs_asked_for_at_once_one_starts(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, pseudonym_secret=SECRET, _env_file=None)
    workspace = settings.open_workspace()

    async def ask_twice() -> list[RetrainingRun | BaseException]:
        jobs = Jobs(settings, workspace.store)
        try:
            both = (jobs.start("engagement", Retrain(dry_run=True)) for _ in range(2))
            return await asyncio.gather(*both, return_exceptions=True)
        finally:
            await jobs.stop()

    try:
        first, second = asyncio.run(ask_twice())
        assert isinstance(first, RetrainingRun), first
        assert isinstance(second, Busy), second
        assert len(workspace.store.events("engagement", kind="retraining_started")) == 1
    finally:
        workspace.close()
