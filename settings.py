"""Everything that is set from outside, read from the environment (or a .env file) once, checked at once.

Only entry points import this; the packages below take plain values.
"""

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

if TYPE_CHECKING:
    from model.home import Home

OFF = "off"


class Settings(BaseSettings):
    """The settings, each from GRADEWATCH_<NAME>; MONGO_URI and MONGO_POOL_SIZE are read under those names.

    data_dir: where the embedded database, the models and the generated secret lie. database_url: sqlite:///FILE,
    postgresql://… or mongodb://…; by default MONGO_URI where it is set, else SQLite in data_dir. domains_dir: a folder
    of the institution's own domain files. pseudonym_secret: key of the student pseudonyms; losing it parts old records
    from new ones. window: how many of the newest labelled records training uses. poll_seconds: how often a worker
    looks for a new champion. allowed_hosts: the names that the service is called by, with commas; "*" admits all.
    rate_limit: requests of one user or key, as "600/minute"; "off" for none. redis_url: redis://… shares cached answers
    and counted requests between workers and machines.
    """

    model_config = SettingsConfigDict(
        env_prefix="GRADEWATCH_",
        env_file=".env",
        extra="ignore",
        populate_by_name=True,
        hide_input_in_errors=True,  # an error message must not show the secret
    )

    environment: Literal["development", "production"] = "development"
    data_dir: Path = Path(".gradewatch")
    database_url: str = ""
    domains_dir: Path | None = None
    pseudonym_secret: SecretStr | None = None
    mongo_uri: str | None = Field(default=None, validation_alias="MONGO_URI")
    mongo_pool_size: int = Field(default=10, ge=1, validation_alias="MONGO_POOL_SIZE")
    window: int = Field(default=20_000, ge=100)
    poll_seconds: float = Field(default=1.0, gt=0)
    allowed_hosts: str = "127.0.0.1,localhost,::1"
    max_rows: int = Field(default=100_000, ge=1)
    max_upload_mb: int = Field(default=100, ge=1)
    rate_limit: str = "600/minute"
    redis_url: SecretStr | None = None  # may hold a password

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if not self.database_url:
            self.database_url = self.mongo_uri or f"sqlite:///{self.data_dir / 'gradewatch.db'}"
        if self.environment == "production" and self.pseudonym_secret is None:
            raise ValueError("set GRADEWATCH_PSEUDONYM_SECRET (32 random characters or more): production makes none up")
        if self.pseudonym_secret is not None and len(self.pseudonym_secret.get_secret_value()) < 16:
            raise ValueError("GRADEWATCH_PSEUDONYM_SECRET is shorter than 16 characters")
        return self

    @field_validator("rate_limit")
    @classmethod
    def _is_limit(cls, text: str) -> str:
        from api.limits import parse_limit

        if text != OFF:
            parse_limit(text)
        return text

    def open_home(self) -> "Home":
        """The installation that these settings describe. Raises SchemaError or StoreUnavailable."""
        from model.home import open_home

        self._make_data_dir()
        return open_home(
            database_url=self.database_url,
            artifacts_dir=self.artifacts_dir,
            domains_dir=self.domains_dir,
            secret=self.secret(),
            pool_size=self.mongo_pool_size,
        )

    @property
    def artifacts_dir(self) -> Path:
        return self.data_dir / "models"

    def secret(self) -> bytes:
        """The key of the student pseudonyms; in development one is made on first use and kept in data_dir."""
        if self.pseudonym_secret is not None:
            return self.pseudonym_secret.get_secret_value().encode()
        path = self.data_dir / "pseudonym.secret"
        self._make_data_dir()
        _create_once(path, secrets.token_hex(32).encode())
        return path.read_bytes()

    def _make_data_dir(self) -> None:
        """Records of students lie in it: a folder that is made here is its owner's alone."""
        self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)


def _create_once(path: Path, content: bytes) -> None:
    """Make `path` with `content`, readable by its owner only, unless it is there; whole or not at all."""
    if path.exists():
        return
    aside = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(aside, path)  # fails where another process was first; theirs counts
    except FileExistsError:
        pass
    finally:
        aside.unlink()
