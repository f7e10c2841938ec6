"""What is particular to SQLite and PostgreSQL: URLs, settings, migrations."""

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.command import downgrade, upgrade
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from msgspec.structs import replace

import database.migrations
from database.errors import StoreUnavailable, Unkeepable
from database.open import open_store
from database.partitions import PARTED
from database.sql import BULK_ROWS
from database.store import Durability, RecordStore
from database.tables import HEAD, METADATA, OLDEST
from tests.database.making import (
    NOON,
    after,
    ask,
    connected,
    make_access,
    make_answer,
    make_batch,
    make_document,
    make_outcome,
    make_packed,
    make_prediction,
    make_row,
    matched,
)

MIGRATIONS = Path(database.migrations.__file__).parent


def migrate_to(url: str, revision: str, *, fresh: bool = False) -> None:
    """Take the tables back to `revision`; fresh: by making them anew, as that version made them, without rows."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with connected(url) as connection:
        config.attributes["connection"] = connection
        if fresh:
            METADATA.drop_all(connection)
            connection.execute(sa.text("DELETE FROM alembic_version"))
            upgrade(config, revision)
        else:
            downgrade(config, revision)


def test_a_new_sqlite_file_is_made_with_its_folders(tmp_path: Path, opened: Callable[[str], RecordStore]) -> None:
    file = tmp_path / "a" / "b" / "c.db"
    opened(f"sqlite:///{file}").ping()
    assert file.is_file()


@pytest.mark.parametrize(("durability", "synchronous"), [("normal", 1), ("full", 2)])
def test_sqlite_writes_ahead_and_syncs_as_durability_says(
    sqlite_url: str, durability: Durability, synchronous: int
) -> None:
    with closing(open_store(sqlite_url, durability=durability)) as store:
        connection = store._detached_connection()  # type: ignore[attr-defined]
        with closing(connection):
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
            assert connection.execute("PRAGMA synchronous").fetchone() == (synchronous,)


@pytest.mark.parametrize(("durability", "synchronous"), [("normal", "off"), ("full", "on")])
def test_postgres_commits_as_its_server_is_set_unless_durability_is_full(
    postgres_url: str, durability: Durability, synchronous: str
) -> None:
    url = postgres_url + ("&" if "?" in postgres_url else "?") + "options=-c%20synchronous_commit%3Doff"
    with closing(open_store(url, durability=durability)) as store:
        connection = store._detached_connection()  # type: ignore[attr-defined]
        with closing(connection):
            assert connection.execute("SHOW synchronous_commit").fetchone() == (synchronous,)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://host/a"])
def test_a_url_that_cannot_be_used_is_refused_with_the_reason(url: str) -> None:
    with pytest.raises(ValueError, match="use sqlite:///"):
        open_store(url)


def test_what_is_no_database_is_unavailable(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("This is no database. " * 100)
    with pytest.raises(StoreUnavailable, match="not a database"):
        open_store(f"sqlite:///{file}")


def test_a_folder_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match="folder"):
        open_store(f"sqlite:///{tmp_path / 'file' / 'a.db'}")


def test_the_short_postgres_scheme_is_the_same_store(postgres_url: str, opened: Callable[[str], RecordStore]) -> None:
    opened(postgres_url).add_predictions([prediction := make_prediction()])
    short = postgres_url.replace("postgresql://", "postgres://")
    assert opened(short).prediction(prediction.id) == prediction


def test_postgres_refuses_a_nul_character_as_bad_data(postgres_url: str, opened: Callable[[str], RecordStore]) -> None:
    store = opened(postgres_url)
    with pytest.raises(Unkeepable, match="cannot hold"):
        store.add_predictions([make_prediction(), make_prediction(student="a\x00b")])
    assert store.count_predictions() == 0


@pytest.mark.filterwarnings(
    "ignore:.*expression-based index"
)  # on SQLite they are not compared; on PostgreSQL they are
def test_the_migrations_make_the_tables_that_the_code_describes(
    sql_url: str, opened: Callable[[str], RecordStore]
) -> None:
    opened(sql_url)
    with connected(sql_url) as connection:
        told = {"compare_type": True, "compare_server_default": True, "include_object": is_no_part}
        context = MigrationContext.configure(connection, opts=told)
        assert compare_metadata(context, METADATA) == []


def is_no_part(_: object, name: str | None, kind: str, *__: object) -> bool:
    """Parts of the log have what the whole has."""
    return kind != "table" or name in METADATA.tables or not str(name).startswith(PARTED)


def test_the_code_expects_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


def test_an_old_file_is_migrated_when_it_is_opened(sqlite_url: str, opened: Callable[[str], RecordStore]) -> None:
    opened(sqlite_url).close()
    with connected(sqlite_url) as connection:  # as it was before the first revision
        METADATA.drop_all(connection)
        connection.execute(sa.text("DELETE FROM alembic_version"))
    store = opened(sqlite_url)
    store.add_predictions([prediction := make_prediction()])
    assert store.prediction(prediction.id) == prediction


def test_rows_of_the_first_tables_read_without_an_actor_and_a_shadow(
    sql_url: str, opened: Callable[[str], RecordStore]
) -> None:
    opened(sql_url).close()
    migrate_to(sql_url, "0001", fresh=True)
    old = make_prediction(student="s", group="A")
    with connected(sql_url) as connection:
        connection.execute(
            sa.text(
                'INSERT INTO predictions (id, domain, moment, inputs, answers, source, at, student, "group", period)'
                " VALUES (:id, 'school', 'G2', :inputs, :answers, 'api', :at, 's', 'A', NULL)"
            ),
            {
                "id": old.id,
                "inputs": msgspec.json.encode(old.inputs).decode(),
                "answers": msgspec.json.encode(old.answers).decode(),
                "at": round(NOON.timestamp() * 1_000_000),
            },
        )
    store = opened(sql_url)
    assert store.prediction(old.id) == old
    assert (old.actor, old.shadow) == (None, ())
    store.add_outcomes([outcome := make_outcome(student="s", group="A")])
    new = make_prediction(actor="ann", shadow=(make_answer(value=9.0),))
    store.add_predictions([new])
    store.put_document(document := make_document("monday"))
    store.add_accesses([access := make_access()])
    assert matched(store, "school", "G3") == [(old, outcome)]
    assert store.prediction(new.id) == new
    assert store.documents("profile") == [document]
    assert store.accesses() == [access]


def test_the_tables_go_back_to_the_first_and_forth_again_without_losing_a_prediction(
    sql_url: str, opened: Callable[[str], RecordStore]
) -> None:
    store = opened(sql_url)
    store.add_predictions([make_prediction(id="one", actor="ann", shadow=(make_answer(value=9.0),))])
    store.add_predictions(batches=[packed := make_packed(600)])
    store.close()
    migrate_to(sql_url, "0002")
    assert opened(sql_url).predictions_of(packed.ids) == list(packed)
    migrate_to(sql_url, "0001")
    assert opened(sql_url).prediction("one") == make_prediction(id="one")
    assert opened(sql_url).prediction(packed.ids[599]) == replace(packed[599], actor=None)


def test_of_weeks_that_stood_beside_each_other_the_newest_stays(
    sql_url: str, opened: Callable[[str], RecordStore]
) -> None:
    store = opened(sql_url)
    places = [("A", "2025-26 W02"), ("B", "2025-26 W10"), ("B", "spring"), ("C", "spring"), ("C", None)]
    said = (replace(make_answer(), below_pass=0.5),)
    store.add_predictions([make_prediction(student="s", group=g, period=p, answers=said) for g, p in places])
    store.catch_up_newest()
    store.close()
    migrate_to(sql_url, "0015")
    row = "SELECT student, domain, target, 'A', '2025-26 W02', \"at\", prediction, below, why FROM newest"
    with connected(sql_url) as connection:  # as it was: another row for each week
        connection.execute(sa.text(f"INSERT INTO newest {row} WHERE period = '2025-26 W10'"))
    found = opened(sql_url).newest_answers("school", "G3")
    assert {(one.group, one.period) for one in found} == {*places[1:]}
    assert len(found) == 4


def test_what_was_there_before_receipts_is_numbered_in_the_order_of_its_times(
    sql_url: str, opened: Callable[[str], RecordStore]
) -> None:
    store = opened(sql_url)
    asked = [make_prediction(after(n), student="s", id=f"{n}") for n in range(5)]
    store.add_predictions(asked)
    for at, batch in ((2, "a"), (1, "b")):
        store.add_batch(make_batch(batch, after(at)), [make_row(at)])
    store.add_outcomes([outcome := make_outcome(student="s", at=after(3))])
    store.close()
    migrate_to(sql_url, "0004")
    store = opened(sql_url)
    assert [(p.prediction.id, p.before) for p in store.pairs("school", "G3")] == [
        ("4", False), ("3", False), ("2", True), ("1", True), ("0", True),
    ]  # fmt: skip
    assert [batch.id for batch in store.batches()] == ["a", "b"]
    store.add_outcomes([replace(outcome, value=1.0)])
    assert max(record.receipt for record in store.labeled_records("school")) == 4


def test_migrations_expand_first_and_contract_when_no_older_version_is_left(
    sql_url: str, opened: Callable[[str], RecordStore]
) -> None:
    """Since 0017 whatever takes something away, or asks for something that older versions do not give, raises OLDEST to
    the version before it at least, which does without."""
    opened(sql_url).close()
    revisions = sorted(file.name[:4] for file in MIGRATIONS.glob("versions/0*.py"))
    for one, following in pairwise(revisions[revisions.index("0016") :]):
        assert one <= OLDEST or not contracted(sql_url, one, following), following
    assert "batch_rows.batch TEXT" in contracted(sql_url, "0008", "0009"), "from before there was the rule"


def contracted(url: str, before: str, after: str) -> set[str]:
    """What older versions read that is gone, and what they would have to give."""
    migrate_to(url, before, fresh=True)
    was = columns_of(url)
    migrate_to(url, after, fresh=True)
    now = columns_of(url)
    tables = {column.partition(".")[0] for column in was}
    asked = {column for column, may_lack in now.items() if not may_lack and column.partition(".")[0] in tables}
    return (was.keys() - now.keys()) | {column for column in asked if was.get(column, True)}


def columns_of(url: str) -> dict[str, bool]:
    """Every column with its table and type, and whether a row may lack it."""
    with connected(url) as connection:
        look = sa.inspect(connection)
        return {
            f"{table}.{column['name']} {str(column['type']).partition(' ')[0]}": column["nullable"]
            or column.get("default") is not None
            for table in look.get_table_names()
            for column in look.get_columns(table)
        }


def test_a_database_of_a_newer_version_is_worked_on_where_that_says_so_and_else_refused_untouched(
    sql_url: str, opened: Callable[[str], RecordStore]
) -> None:
    opened(sql_url).add_predictions([prediction := make_prediction()])
    ask(sql_url, "UPDATE alembic_version SET version_num = '9999'")
    opened(sql_url).add_predictions([beside := make_prediction()])
    assert opened(sql_url).prediction(beside.id) == beside, "this version runs beside the newer one"
    ask(sql_url, "UPDATE oldest_version SET revision = '9998'")
    with pytest.raises(ValueError, match=r"'9999'.*newer"):
        open_store(sql_url)
    ask(sql_url, f"UPDATE alembic_version SET version_num = '{HEAD}'")
    assert opened(sql_url).prediction(prediction.id) == prediction


@pytest.mark.parametrize(
    ("asked", "index"),
    [
        ({"student": "s"}, "predictions_by_student"),
        ({"student": "s", "since": NOON, "limit": 100, "groups": ["A"]}, "predictions_by_student"),
        ({"since": NOON, "limit": 100}, "predictions_by_time"),
    ],
)
def test_sqlite_finds_predictions_by_the_index_that_leads_to_the_fewest(
    sqlite_url: str, opened: Callable[[str], RecordStore], asked: dict[str, Any], index: str
) -> None:
    store, plans = opened(sqlite_url), []
    engine: sa.Engine = store._engine  # type: ignore[attr-defined]

    @sa.event.listens_for(engine, "before_cursor_execute")
    def explain(_connection: Any, cursor: Any, statement: str, values: Any, *_: Any) -> None:
        if statement.startswith("SELECT"):
            plans.extend(cursor.execute(f"EXPLAIN QUERY PLAN {statement}", values).fetchall())

    assert store.predictions("school", **asked) == []
    assert index in plans[0][-1]


def test_opening_an_up_to_date_database_does_not_load_the_migration_tool(
    sqlite_url: str, opened: Callable[[str], RecordStore]
) -> None:
    opened(sqlite_url)
    code = (
        "import sys; from database.open import open_store; open_store(sys.argv[1]).close();"
        "print(sorted({'alembic', 'psycopg', 'pymongo', 'polars', 'numpy', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, sqlite_url], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("becomes", ["nothing", "another"])
def test_a_file_that_was_deleted_or_replaced_takes_no_prediction(
    sqlite_url: str, opened: Callable[[str], RecordStore], becomes: str
) -> None:
    store = opened(sqlite_url)
    appender = store.open_appender()
    assert appender is not None
    file = Path(sqlite_url.removeprefix("sqlite:///"))
    kept = file.rename(file.with_name("moved.db"))
    if becomes == "another":
        file.touch()
    for add in (appender.add_predictions, appender.add_at_once, store.add_predictions):
        with pytest.raises(StoreUnavailable, match="deleted, moved or replaced"):
            add([make_prediction()])
    with pytest.raises(StoreUnavailable):
        store.ping()
    kept.replace(file)
    appender.add_predictions([make_prediction()])
    store.ping()
    appender.close()


@pytest.mark.parametrize("harm", ["cut off", "its beginning", "its end", "all of it"])
def test_a_file_that_cannot_be_read_any_more_is_unavailable(
    sqlite_url: str, opened: Callable[[str], RecordStore], harm: str
) -> None:
    store = opened(sqlite_url)
    store.add_predictions([make_prediction() for _ in range(2_000)])
    ask(sqlite_url, "PRAGMA wal_checkpoint(TRUNCATE)")
    store.ping()
    file = Path(sqlite_url.removeprefix("sqlite:///"))
    content = file.read_bytes()
    half = len(content) // 2
    noise = bytes(byte ^ 0x5A for byte in content)
    after = {"its beginning": noise[:8_192] + content[8_192:], "its end": content[:half] + noise[half:],
             "cut off": content[:half], "all of it": noise}[harm]  # fmt: skip
    with file.open("r+b") as there:  # in its place: it stays the same file
        there.truncate(len(after))
        there.write(after)
    with pytest.raises(StoreUnavailable):
        store.ping()


def test_what_is_made_is_its_owners_alone(sqlite_url: str, opened: Callable[[str], RecordStore]) -> None:
    before = os.umask(0)
    try:
        opened(sqlite_url).add_predictions([make_prediction()])
    finally:
        os.umask(before)
    folder = Path(sqlite_url.removeprefix("sqlite:///")).parent
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert len(modes) == 3, "the file, its log and its index"
    assert set(modes.values()) == {0o600}


def test_a_reader_does_not_fill_the_cache_that_a_writer_of_many_was_given(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'many.db'}", pool_size=1)
    engine: sa.Engine = store._engine  # type: ignore[attr-defined]

    def cache() -> int:
        with engine.connect() as connection:
            return int(connection.exec_driver_sql("PRAGMA cache_size").scalar_one())

    before = cache()
    store.add_predictions([make_prediction(after(number)) for number in range(BULK_ROWS)])
    assert cache() < 10 * before < 0, "negative numbers are of kB"
    assert len(list(store.predictions("school", limit=1))) == 1
    assert cache() == before
    store.close()
