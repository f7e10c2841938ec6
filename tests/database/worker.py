"""A process of its own for tests that race and kill: `VERB URL …`; it prints a line per finished act."""

import sys
from collections.abc import Callable, Iterator
from itertools import count

from clock import new_id, now
from database import layout
from database.blocks import BLOCK_ROWS
from database.errors import Conflict
from database.open import open_store
from database.records import Batch, BatchRow, Succession, digest
from database.withdrawal import withdraw_batch, withdraw_outcomes, withdraw_predictions
from tests.database.making import make_batch, make_outcome, make_packed, make_prediction, make_row


def promote(url: str, actor: str, until: str) -> None:
    """Try to become every generation up to `until`; print those won."""
    store = open_store(url)
    generation = 1
    while generation <= int(until):
        wanted = Succession(
            domain="school",
            target="G3",
            moment="G2",
            generation=generation,
            version=actor,
            action="promote",
            actor=actor,
            reason="race",
            at=now(),
        )
        try:
            store.succeed([wanted])
        except Conflict:
            pass
        else:
            print(generation, flush=True)
        generation = store.champions()[0].generation + 1
    store.close()


def first_open(url: str) -> None:
    """Open, which makes the tables when no one has yet."""
    store = open_store(url)
    store.ping()
    store.close()
    print("open", flush=True)


def predict(url: str) -> None:
    """Log calls of twenty predictions for ever; print the call's name after each was acknowledged."""
    store = open_store(url)
    while True:
        call = new_id()
        store.add_predictions([make_prediction(group=call) for _ in range(20)])
        print(call, flush=True)


def predict_by_column(url: str) -> None:
    """As `predict`, in batches of three blocks, the way the service keeps them: beside the store where there is one."""
    store = open_store(url)
    log = store.open_appender() or store
    while True:
        call = new_id()
        log.add_predictions(batches=[make_packed(2 * BLOCK_ROWS + 20, groups=[call] * (2 * BLOCK_ROWS + 20))])
        print(call, flush=True)


def upload(url: str) -> None:
    """Store batches of two hundred rows for ever; print the id after each was acknowledged."""
    store = open_store(url)
    while True:
        batch = Batch(id=new_id(), domain="school", kind="labeled", name="f.csv", rows=200, at=now())
        rows = [
            BatchRow(record=f"{batch.id} {n}", number=n, inputs={"G1": 1.0}, targets={"G3": 1.0}) for n in range(1, 201)
        ]
        store.add_batch(batch, rows)
        print(batch.id, flush=True)


def withdraw(url: str) -> None:
    """Take back what was just kept, for ever; print the kind and the reason, which is the group, after each."""
    store = open_store(url)
    while True:
        call = new_id()
        asked = [make_prediction(group=call) for _ in range(20)]
        outcomes = [make_outcome(student=f"{n}", group=call) for n in range(20)]
        store.add_outcomes(outcomes)
        store.add_batch(make_batch(call, name=call, rows=20), [make_row(n) for n in range(1, 21)])
        store.add_predictions([*asked, make_prediction(domain="k12", group=call)])  # this one says that all are there
        why = {"reason": call, "actor": "worker"}
        withdraw_predictions(store, "school", [one.id for one in asked], **why)
        print("predictions", call, flush=True)
        withdraw_outcomes(store, "school", outcomes, **why)
        print("outcomes", call, flush=True)
        withdraw_batch(store, "school", call, **why)
        print("batch", call, flush=True)


def rows_at_once(url: str) -> int:
    """Rows that go to a database together: fewer where the server is one for tests, which takes its time."""
    return 500 if url.startswith("mongo") else layout.ROWS_AT_ONCE


def upload_for_ever(url: str) -> None:
    """Store a batch that never ends; print how many of its rows are stored, now and then."""
    store, layout.ROWS_AT_ONCE = open_store(url), rows_at_once(url)

    def rows() -> Iterator[BatchRow]:
        for n in count(1):
            yield BatchRow(record=digest([n]), number=n, inputs={"G1": 1.0, "G2": n / 7}, targets={"G3": 1.0})
            if n % (2 * layout.ROWS_AT_ONCE) == 0:
                print(n, flush=True)

    store.add_batch(Batch(id="endless", domain="school", kind="labeled", name="f.csv", rows=0, at=now()), rows())


VERBS: dict[str, Callable[..., None]] = {
    "promote": promote,
    "first_open": first_open,
    "predict": predict,
    "predict_by_column": predict_by_column,
    "upload": upload,
    "withdraw": withdraw,
    "upload_for_ever": upload_for_ever,
}

if __name__ == "__main__":
    VERBS[sys.argv[1]](*sys.argv[2:])
