"""Champions for a first look: trained on generated data where a domain has none yet, and marked as such.

The generated files are kept beside the database for trying uploads; their rows never enter the store.
"""

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from database.ingest import batch_rows, labeled
from database.records import ChampionKey, digest
from model.artifacts import CorruptArtifact, MissingArtifact
from model.bundle import EXAMPLES
from model.workspace import Workspace
from preprocessing.reading.files import read_table
from preprocessing.schema import DomainSchema
from preprocessing.synthetic import generate
from preprocessing.validation.validate import frame_of, validate_table
from retraining.first_champions import Trained, keys_of, train_domain
from training.fit import Progress

EXAMPLES_MADE, SEED = 800, 7


def missing_champions(workspace: Workspace) -> list[DomainSchema]:
    """The domains in which nobody serves."""
    served = {champion.domain for champion in workspace.store.champions()}
    return [schema for name, schema in sorted(workspace.schemas.items()) if name not in served]


def unservable(workspace: Workspace) -> dict[ChampionKey, str]:
    """The champions whose files cannot be had here, each with the reason; nothing is loaded."""
    found = {}
    for champion in workspace.store.champions():
        try:
            workspace.artifacts.load(champion.version)
        except (MissingArtifact, CorruptArtifact) as error:
            found[champion.key] = str(error)
    return found


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
