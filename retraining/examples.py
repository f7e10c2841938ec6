"""Champions for a first look: trained on generated data where a domain has none yet, and marked as such.

The generated files are kept beside the database for trying uploads; their rows never enter the store.
"""

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from database.ingest import batch_rows, labeled
from database.records import digest
from model.bundle import EXAMPLES
from model.workspace import Workspace
from preprocessing.reading.files import read_table
from preprocessing.schema import DomainSchema
from preprocessing.synthetic import generate
from preprocessing.validation.validate import frame_of, validate_table
from retraining.first_champions import Trained, keys_of, train_domain
from training.fit import Progress

EXAMPLES_MADE, SEED = 800, 7


def train_examples(
    workspace: Workspace,
    schema: DomainSchema,
    folder: Path,
    *,
    rows: int = EXAMPLES_MADE,
    progress: Progress = lambda _: None,
) -> Iterator[Trained]:
    """Generate `rows` rows of a domain into `folder`, and train and install its champions on them.

    Their pseudonyms are made with a secret of their own: none is that of a student of the institution.
    """
    path = folder / f"{schema.name}.csv"
    folder.mkdir(parents=True, exist_ok=True)
    generate(schema, rows=rows, seed=SEED).write_csv(path)
    frame = example_frame(path, schema, secret_of_examples(workspace.secret))
    yield from train_domain(
        workspace, schema, frame, keys_of(schema), actor="setup", seed=SEED, source=EXAMPLES, progress=progress
    )


def secret_of_examples(secret: bytes) -> bytes:
    """What pseudonyms of example students are made with, where those of real ones are made with `secret`."""
    return digest(["secret of examples", secret.hex()]).encode()


def example_frame(path: Path, schema: DomainSchema, secret: bytes) -> pl.DataFrame:
    """The typed frame of a labelled file with `_record` ids, as training takes it; nothing is stored."""
    validated = validate_table(read_table(path), schema, secret=secret, with_targets="required").require_clean()
    return frame_of(labeled(schema.name, batch_rows(validated.frame, schema, "labeled")), schema)
