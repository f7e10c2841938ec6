"""What a look at everything asks of the database, however much there is, is answered by indexes."""

from collections.abc import Callable
from pathlib import Path

from access.roles import LOCAL
from database.store import RecordStore
from model.artifacts import ArtifactFolder
from model.workspace import Workspace
from overview.conditions import find_conditions
from overview.feed import FeedFilter, read_feed
from preprocessing.schema import load_domains
from tests.database.making import NOON, fill
from tests.database.test_plans import WALKS, plans

SMALL = ("models",)


def test_conditions_and_the_feed_walk_through_nothing_that_grows(
    sql_url: str, opened: Callable[[str], RecordStore], tmp_path: Path
) -> None:
    store = opened(sql_url)
    fill(store, predictions=300, of_each=30)
    schemas = {"school": load_domains()["school"]}
    workspace = Workspace(schemas, store, ArtifactFolder(tmp_path), b"a secret for tests, long enough")
    questions: dict[str, Callable[[RecordStore], object]] = {
        "conditions": lambda _: find_conditions(workspace, LOCAL),
        "the feed": lambda s: read_feed(s, schemas, LOCAL, limit=6),
        "what came before": lambda s: read_feed(s, schemas, LOCAL, before=(NOON, "x")),
        "the feed of one": lambda s: read_feed(s, schemas, LOCAL, FeedFilter(who="ann")),
    }
    for name, question in questions.items():
        said = plans(store, question)
        assert said, name
        walks = [line for plan in said for line in plan.splitlines() if WALKS.search(line)]
        assert [line for line in walks if not any(f" {table}" in line for table in SMALL)] == [], name
