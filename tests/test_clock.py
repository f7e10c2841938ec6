"""An installation may have a clock of its own: whoever works in it lives by that, and nobody else does."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

from clock import live_by, living_by, new_id, new_ids, now
from database.open import open_store
from database.records import Event, Job

LONG_AGO = datetime(2021, 3, 4, 5, 6, 7, 89_000, tzinfo=UTC)


def test_records_ids_and_jobs_are_of_the_installations_time(tmp_path: Path) -> None:
    before, store = new_id(), open_store(f"sqlite:///{tmp_path / 'kept.db'}")
    with living_by(lambda: LONG_AGO):
        job = store.add_job(Job(id=new_id(), kind="k", at=now(), due=now()))
        store.add_event(Event(id=new_id(), kind="told", at=now()))
        assert max(new_id(), *new_ids(3)) < before, "ids sort by the time that is told"
    assert (store.events(limit=1)[0].at, job.at, job.due) == (LONG_AGO, LONG_AGO, LONG_AGO)
    store.close()


def test_a_thread_that_lives_elsewhere_keeps_its_own_time() -> None:
    def asked(clock: Callable[[], datetime] | None) -> timedelta:
        live_by(clock)
        return datetime.now(UTC) - now()

    with living_by(lambda: LONG_AGO), ThreadPoolExecutor(1) as other:
        assert other.submit(now).result() > LONG_AGO + timedelta(days=365)
        assert other.submit(asked, lambda: LONG_AGO).result() > timedelta(days=365)
        assert abs(other.submit(asked, None).result()) < timedelta(seconds=5)
        assert now() == LONG_AGO
    assert now() > LONG_AGO
