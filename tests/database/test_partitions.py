"""On PostgreSQL the log is in months: made before they come, dropped when they are over, and else as on every store."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from clock import living_by, new_ids, now
from database.migrate import compare, copy
from database.partitions import bound, following, is_parted, make_whole, month_of, parts_of
from database.records import Prediction
from database.store import RecordStore
from jobs.keeping import Periods, keep
from tests.command import run_command
from tests.database.making import connected, make_answer, make_packed, make_prediction
from tests.database.test_sql import migrate_to

Opened = Callable[[str], RecordStore]
SAID = (replace(make_answer(), below_pass=0.5),)


def of_day(days: int, count: int = 3, domain: str = "school") -> list[Prediction]:
    """Predictions that came so many days ago, with ids of then."""
    at = now() - timedelta(days=days)
    with living_by(lambda: at):
        ids = new_ids(count)
    return [make_prediction(at, id=one, student=f"s{n}", domain=domain, answers=SAID) for n, one in enumerate(ids)]


def parts_in(url: str) -> list[str]:
    with connected(url) as connection:
        return [part.name for part in parts_of(connection)]


def lie_in(url: str) -> dict[str, int]:
    with connected(url) as connection:
        counted = sa.text("SELECT tableoid::regclass::text, count(*) FROM predictions GROUP BY 1")
        return {name.removeprefix("predictions_"): count for name, count in connection.execute(counted)}


def named(at: datetime) -> str:
    return f"{at:%Y_%m}"


@pytest.fixture
def of_years(postgres_url: str, opened: Opened) -> RecordStore:
    """A log of two years, brought back from another store, and one id of another kind."""
    store = opened(postgres_url)
    for days in (700, 400, 200, 10):
        store.load("predictions", [(one.id, _document(one)) for one in of_day(days)])
    store.add_predictions([make_prediction(now(), id="of another kind", student="s9")])
    return store


def _document(prediction: Prediction) -> bytes:
    from database.layout import write_json

    return write_json(prediction)


def test_months_that_come_have_a_part_before_there_is_anything_of_them(postgres_url: str, opened: Opened) -> None:
    store, this = opened(postgres_url), now().date().replace(day=1)
    assert parts_in(postgres_url) == [f"{month:%Y_%m}" for month in (this, following(this))]
    with living_by(lambda: datetime.fromisoformat(f"{following(this)}T12:00+00:00")):
        store.add_predictions([make_prediction(now())])
        store.add_predictions(batches=[packed := make_packed(600)])
        store.add_predictions([make_prediction(now(), id=f"{bound(following(this))}{1:020x}")])
    after = following(following(this))
    assert parts_in(postgres_url)[-1] == f"{after:%Y_%m}"
    assert lie_in(postgres_url)[f"{following(this):%Y_%m}"] == 602
    assert store.predictions_of(packed.ids) == list(packed)


def test_what_came_before_its_month_had_a_part_is_brought_there(postgres_url: str, opened: Opened) -> None:
    store = opened(postgres_url)
    store.add_predictions(of_day(0, 1))
    store.add_predictions(old := of_day(200))  # from a clock that is behind that of others
    assert lie_in(postgres_url)["rest"] == 3
    store.load("predictions", [(one.id, _document(one)) for one in of_day(200, 1)])
    assert lie_in(postgres_url)[named(old[0].at)] == 4
    assert "rest" not in lie_in(postgres_url)
    assert store.predictions_of([one.id for one in old]) == old


def test_a_prediction_that_is_given_twice_is_one_in_all_parts(of_years: RecordStore) -> None:
    everything = of_years.predictions("school")
    of_years.add_predictions([replace(one, actor="somebody else") for one in everything])
    assert of_years.predictions("school") == everything


def test_whole_months_go_at_once_and_what_is_over_of_others_row_by_row(
    of_years: RecordStore, postgres_url: str
) -> None:
    of_years.add_predictions(half := of_day(200, 1))
    oldest = parts_in(postgres_url)[:2]
    assert keep(of_years, ["school"], Periods(predictions=200), now()) == {"predictions": 9 + len(half)}
    assert parts_in(postgres_url)[0] not in oldest
    told = [event.details["count"] for event in of_years.events(kind="kept long enough")]
    assert sorted(told) == [3, 3, 4], "two months, and what was over of a third"
    left = of_years.predictions("school")
    assert len(left) == 4
    assert {one.student for one in of_years.newest_answers("school", "G3", limit=99)} == {"s0", "s1", "s2"}
    with connected(postgres_url) as connection:
        newest = {row[0] for row in connection.execute(sa.text("SELECT prediction FROM newest"))}
    assert newest <= {one.id for one in left}
    assert keep(of_years, ["school"], Periods(predictions=200), now()) == {"predictions": 0}


def test_a_month_with_another_domains_predictions_stays(of_years: RecordStore, postgres_url: str) -> None:
    of_years.load("predictions", [(one.id, _document(one)) for one in of_day(700, 1, "college")])
    first = parts_in(postgres_url)[0]
    assert keep(of_years, ["school"], Periods(predictions=300), now()) == {"predictions": 6}
    assert parts_in(postgres_url)[0] == first
    assert of_years.count_predictions("college") == 1
    assert keep(of_years, ["school", "college"], Periods(predictions=300), now()) == {"predictions": 1}
    assert first not in parts_in(postgres_url)


def test_while_somebody_reads_for_long_a_month_goes_row_by_row(of_years: RecordStore, postgres_url: str) -> None:
    parts = parts_in(postgres_url)
    with connected(postgres_url) as reading:
        reading.execute(sa.text("SELECT count(*) FROM predictions")).scalar_one()
        assert keep(of_years, ["school"], Periods(predictions=300), now()) == {"predictions": 6}
    assert parts_in(postgres_url) == parts
    assert keep(of_years, ["school"], Periods(predictions=300), now()) == {"predictions": 0}
    assert len(parts_in(postgres_url)) == len(parts) - 2, "empty ones go with the next pass"


def test_a_log_from_before_becomes_the_first_part_uncopied_and_nothing_else_differs(
    postgres_url: str, opened: Opened, sqlite_url: str
) -> None:
    store, beside = opened(postgres_url), opened(sqlite_url)
    store.add_predictions([*of_day(400), *of_day(3), make_prediction(now(), id="zzz", student="s9")])
    store.add_predictions(batches=[make_packed(600)])
    copy(store, beside)
    store.close()
    migrate_to(postgres_url, "0017")
    with connected(postgres_url) as connection:
        assert not is_parted(connection)
        file = connection.execute(sa.text("SELECT pg_relation_filenode('predictions')")).scalar_one()
    store = opened(postgres_url)
    assert parts_in(postgres_url) == ["before"]
    assert lie_in(postgres_url) == {"before": 606, "rest": 1}
    with connected(postgres_url) as connection:
        assert connection.execute(sa.text("SELECT pg_relation_filenode('predictions_before')")).scalar_one() == file
    assert all(one.equal for one in compare(beside, store))


def test_a_large_log_is_parted_by_a_command_while_predictions_go_on(
    postgres_url: str, opened: Opened, tmp_path: Path
) -> None:
    store = opened(postgres_url)
    with connected(postgres_url) as connection:
        make_whole(connection)
    store.add_predictions(before := of_day(3, 500))
    settings = {"GRADEWATCH_DATABASE_URL": postgres_url, "GRADEWATCH_PSEUDONYM_SECRET": "a secret of this test's own"}
    told = run_command(tmp_path, "doctor", "--only", "database", **settings)
    assert "in one table yet: gradewatch database partition" in told.stdout
    with ThreadPoolExecutor(1) as pool:
        parted = pool.submit(run_command, tmp_path, "database", "partition", **settings)
        while not parted.done():
            store.add_predictions([one := make_prediction(now())])
            before.append(one)
        assert "parted" in parted.result().stdout
    assert store.count_predictions() == len(before)
    assert parts_in(postgres_url) == ["before"]
    again = run_command(tmp_path, "database", "partition", **settings)
    assert "is in months already" in again.stdout
    other = run_command(tmp_path, "database", "partition")
    assert (other.returncode > 0, "only a log of predictions on PostgreSQL" in other.stderr) == (True, True)
    assert "Traceback" not in other.stderr
    with connected(postgres_url) as connection:
        left = sa.text("SELECT count(*) FROM pg_constraint WHERE conname LIKE '%_until'")
        assert connection.execute(left).scalar_one() == 0, "which would refuse predictions one day"


def test_an_id_says_its_month() -> None:
    [one] = of_day(0, 1)
    assert month_of(one.id) == now().date().replace(day=1)
    assert month_of("x" * 32) is None
    assert month_of(one.id + one.id) is None
