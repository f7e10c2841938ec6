"""The open parts of one installation: domains, store, bundles, champions and the road to an answer.

Entry points open it once and pass it down. It reads no environment and decides nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from database.store import RecordStore, open_store
from model.artifacts import ArtifactFolder
from model.registry import Champions
from model.service import PredictionService
from preprocessing.schema import DomainSchema, load_domains


@dataclass(frozen=True)
class Home:
    """What an installation consists of. secret: key of the student pseudonyms."""

    schemas: Mapping[str, DomainSchema]
    store: RecordStore
    artifacts: ArtifactFolder
    secret: bytes

    @cached_property
    def champions(self) -> Champions:
        """Loaded champions, fresh as of the first use; `refresh` brings them up to date."""
        champions = Champions(self.store, self.artifacts)
        champions.refresh()
        return champions

    @cached_property
    def service(self) -> PredictionService:
        return PredictionService(self.schemas, self.champions, self.store, secret=self.secret)

    def close(self) -> None:
        self.store.close()


def open_home(
    *, database_url: str, artifacts_dir: Path, domains_dir: Path | None, secret: bytes, pool_size: int = 10
) -> Home:
    """Open everything. Raises SchemaError for a domain file, StoreUnavailable for the database."""
    return Home(
        schemas=load_domains(domains_dir),
        store=open_store(database_url, pool_size=pool_size),
        artifacts=ArtifactFolder(artifacts_dir),
        secret=secret,
    )
