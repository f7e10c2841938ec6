"""Everything that is set from outside, read from the environment (or a .env file) once, checked at once.

Only entry points import this; the packages below take plain values.
"""

import ipaddress
import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from errors import Category, GradewatchError
from model.purpose import IntendedPurpose

if TYPE_CHECKING:
    from access.sign_on import SignOn
    from database.store import RecordStore
    from jobs.event_streams import BrokerKind
    from jobs.job_settings import JobSettings
    from jobs.keeping import Periods
    from model.workspace import Workspace
    from monitoring.channels import Channel

OFF = "off"
ECS = "ecs"
SHORTEST_TOKEN_SECRET = 32  # bytes: as long as the hash that signs (RFC 7518, 3.2)
SWITCH_ON = "set GRADEWATCH_AUTH=on and GRADEWATCH_TOKEN_SECRET, and give keys or users out (gradewatch keys, users)"


class UnsafeStart(GradewatchError):
    """The settings would let anyone in; the message says what to set."""

    category = Category.MISUSED


def is_loopback(host: str) -> bool:
    """Whether a name or address leads to this machine only. "" and "*" stand for every address there is."""
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def told_host(arguments: Sequence[str], environment: Mapping[str, str]) -> str | None:
    """The address that a server's command line or environment tells it to listen on; None where they tell none."""
    for place, argument in enumerate(arguments):
        for option in ("--host", "--bind", "-b"):
            if argument == option and place + 1 < len(arguments):
                return _without_port(arguments[place + 1])
            if argument.startswith(f"{option}="):
                return _without_port(argument.partition("=")[2])
    return environment.get("UVICORN_HOST")


def _without_port(bind: str) -> str:
    host, colon, port = bind.rpartition(":")
    return host.strip("[]") if colon and port.isdigit() and (":" not in host or host.startswith("[")) else bind


ALIASES = {
    "first_key": "API_KEY",
    "token_secret": "JWT_SECRET_KEY",
    "redis_url": "REDIS_URL",
    "train_async": "ML_TRAIN_ASYNC",
    "predict_async": "ML_PREDICT_ASYNC",
    "celery_url": "CELERY_BROKER_URL",
    "database_url": "DATABASE_URL",
    "artifacts_url": "MODEL_PATH",
    "model_version": "MODEL_VERSION",
}
"""Variables of the systems before this one, by setting; ours win, and MONGO_URI over DATABASE_URL."""


OF_API_KEY = "client"
"""The role of a first key that comes as API_KEY, unless GRADEWATCH_FIRST_KEY_ROLE says another one: callers of the
system that had it predict and ask for the cache, and change nothing."""


KEPT_FOR_A_TIME = ("predictions", "outcomes", "batches", "reports", "cohort_reports", "observations", "cases")
"""Kinds of what is kept for a time, beside the record of who looked at it."""


def variable(setting: str) -> str:
    """The environment variable that a setting is read from."""
    return setting.upper() if setting.startswith(("mongo_", "mlflow_")) else f"GRADEWATCH_{setting.upper()}"


def _told(settings: Iterable[str]) -> dict[str, str]:
    """Those of `settings` that the environment or the .env file sets; capitals do not matter."""
    found: dict[str, str | None] = {}
    if Path(".env").is_file():
        from dotenv import dotenv_values

        found |= dotenv_values(".env")
    told = {name.upper(): value for name, value in [*found.items(), *os.environ.items()]}
    values = {setting: told.get(variable(setting), _told_before(told, setting)) for setting in settings}
    if values["first_key"] is not None and variable("first_key") not in told:
        values["first_key_role"] = values["first_key_role"] or OF_API_KEY
    return {setting: value for setting, value in values.items() if value is not None}


def _told_before(told: Mapping[str, str | None], setting: str) -> str | None:
    """What an older system's variable says, unless a file of ours says it: API_KEY may be another program's."""
    if told.get(f"{variable(setting)}_FILE") or (setting == "database_url" and told.get("MONGO_URI")):
        return None
    return told.get(ALIASES.get(setting, ""))


class Settings(BaseModel):
    """The settings, each from GRADEWATCH_<NAME>; MONGO_URI, MONGO_POOL_SIZE and MLFLOW_TRACKING_URI are read under
    those names.

    data_dir: where the embedded database, the models and the generated secret lie. database_url: sqlite:///FILE,
    postgresql://… or mongodb://…; by default MONGO_URI where it is set, else SQLite in data_dir. artifacts_url: where
    models lie: "database", a folder, or s3://, gs:// or az://BUCKET/PREFIX; by default a database that machines share,
    else the folder `models` in data_dir. domains_dir: a folder
    of the institution's own domain files. study_catalogue: a file of what students may be advised; the shipped one if
    none. pseudonym_secret: key of the student pseudonyms; losing it parts old records
    from new ones. window: how many of the newest labelled records training uses. poll_seconds: how often a worker
    looks for a new champion. durability: what a kept prediction survives, a killed process (normal) or also power loss
    (full). log_format: names in the service's lines, ours or those of the Elastic Common Schema. read_only: whether
    nothing is kept but who looked. training: whether the service takes orders to train; off where memory is short.
    train_after: so many new rows to learn from, by uploads, start a training; 0: none. send_anchors: alerts tell the
    end of the sealed log, once a day. group_downloads: whether who is confined to groups may download models, which
    tell of all groups. log_capacity: predictions that may wait for the database. allowed_hosts: the names that the
    service and the dashboard are called by, with commas; "*" admits all.
    purpose, intended_users: what this installation is for, and who may act on its answers, in words.
    dashboard_url: where people find the dashboard; the API's first page leads there.
    student_view: whether users of the roles student and guardian may sign in. contact: whom they may ask.
    objecting: how they object, in words. misuses: what answers must not be used for beside what is always so, with
    semicolons. provider: name and address of who answers for the system here.
    auth: whether callers must say who they are; off answers this machine only. token_secret: key of the access tokens,
    32 bytes or more; another one ends them all. token_minutes: how long a token or an idle session lives.
    sign_on: a file that says by which OpenID provider people sign on, and what its claims give them; sign_on_secret:
    the provider's for the dashboard, where it gives one.
    first_key, first_user, first_password: made when the service or the dashboard starts and there is or was none;
    first_key_file, first_password_file: files that hold them. first_key_role: an admin's, or, where the key is an
    older system's (API_KEY), what its callers need.
    rate_limit: requests of one user or key, as "600/minute"; "off" for none. redis_url: redis://… shares cached answers
    and counted requests between workers and machines. cors_origins: pages of other sites that may ask, with commas.
    kafka_url: kafka://host:9092, or kafka+ssl://name:password@host:9093: whose topics events are taken from.
    celery_url: redis://… through which Celery's workers are told ids of jobs.
    train_async, predict_async: whether training and retraining, and predictions of many rows, are answered at once with
    where to look for them (202), unless the request says otherwise (?async=).
    body_seconds: how long a body is waited for; request_seconds: how long an answer may take; stop_seconds: how long
    requests at work have when the service is stopped; notice_seconds: how long before that it says it is not ready.
    whole_requests: whether `gradewatch serve` answers one-row requests that have come whole without a coroutine;
    tree_lookup: whether many rows go through small trees by tables. Both only save time; off goes the longer way.
    inbox: a folder, or s3:// or sftp:// address, whose files become uploads: DOMAIN/labeled|unlabeled|outcomes/FILE.
    keep_predictions, keep_outcomes, keep_batches, keep_reports (of drift), keep_cohort_reports, keep_observations,
    keep_cases (from the newest step), keep_accesses: for how many days each is kept, and the record of access longest;
    for good where nothing is said.
    mlflow_tracking_uri: an MLflow server (or folder) that is told of trainings and champions.
    model_version: the version that whoever started this means to serve; one that does not is only warned about.
    language: of the dashboard's pages, as en, de or fr; by default as each visitor's browser says.
    alert_webhook: https://… that gets every alert as signed JSON; alert_secret: what signs it. alert_email: who gets
    alerts, with commas; smtp_url: smtp://name:password@host:587 or smtps://…, with ?from=ADDRESS where it must be said.
    """

    model_config = ConfigDict(hide_input_in_errors=True)  # an error message must not show the secret

    environment: Literal["development", "production"] = "development"
    data_dir: Path = Path(".gradewatch")
    database_url: str = ""
    artifacts_url: str = ""
    domains_dir: Path | None = None
    study_catalogue: Path | None = None
    pseudonym_secret: SecretStr | None = None
    mongo_uri: str | None = None
    mongo_pool_size: int = Field(default=10, ge=1)
    window: int = Field(default=20_000, ge=100)
    poll_seconds: float = Field(default=1.0, gt=0)
    allowed_hosts: str = "127.0.0.1,localhost,::1"
    purpose: str = Field(default=IntendedPurpose().purpose, min_length=1, max_length=500)
    intended_users: str = Field(default=IntendedPurpose().users, min_length=1, max_length=500)
    dashboard_url: str = ""
    student_view: Literal["off", "on"] = "off"
    contact: str = ""
    misuses: str = Field(default="", max_length=500)
    provider: str = Field(default="", max_length=500)
    objecting: str = Field(default="", max_length=500)
    auth: Literal["off", "on"] = "off"
    token_secret: SecretStr | None = None
    token_minutes: int = Field(default=30, ge=1, le=1440)
    sign_on: Path | None = None
    sign_on_secret: SecretStr = SecretStr("")
    first_key: SecretStr | None = None
    first_key_file: Path | None = None
    first_key_role: Literal["admin", "client"] = "admin"
    first_user: str | None = None
    first_password: SecretStr | None = None
    first_password_file: Path | None = None
    max_rows: int = Field(default=100_000, ge=1)
    max_upload_mb: int = Field(default=100, ge=1)
    train_after: int = Field(default=100, ge=0)
    send_anchors: bool = False
    group_downloads: Literal["on", "off"] = "off"
    durability: Literal["normal", "full"] = "normal"
    log_format: Literal["plain", "ecs"] = "plain"
    training: Literal["on", "off"] = "on"
    read_only: Literal["off", "on"] = "off"
    log_capacity: int = Field(default=100_000, ge=1)
    rate_limit: str = "600/minute"
    redis_url: SecretStr | None = None  # may hold a password
    kafka_url: SecretStr | None = None  # likewise
    celery_url: SecretStr | None = None  # likewise
    cors_origins: str = ""
    train_async: bool = True
    predict_async: bool = False
    body_seconds: float = Field(default=30.0, gt=0)
    request_seconds: float = Field(default=120.0, gt=0)
    stop_seconds: float = Field(default=25.0, gt=0)  # Kubernetes kills after 30
    notice_seconds: float = Field(default=0.0, ge=0)
    whole_requests: Literal["on", "off"] = "on"
    tree_lookup: Literal["on", "off"] = "on"
    inbox: SecretStr = SecretStr("")  # may hold a password
    keep_predictions: int | None = Field(default=None, ge=1)
    keep_outcomes: int | None = Field(default=None, ge=1)
    keep_batches: int | None = Field(default=None, ge=1)
    keep_reports: int | None = Field(default=None, ge=1)
    keep_cohort_reports: int | None = Field(default=None, ge=1)
    keep_observations: int | None = Field(default=None, ge=1)
    keep_cases: int | None = Field(default=None, ge=1)
    keep_accesses: int | None = Field(default=None, ge=1)
    mlflow_tracking_uri: str = ""
    model_version: str = ""
    language: str = Field(default="", pattern="^([a-z]{2}([-_][A-Z]{2})?)?$")
    alert_webhook: SecretStr = SecretStr("")  # its path may be all that keeps others out
    alert_secret: SecretStr = SecretStr("")
    alert_email: str = ""
    smtp_url: SecretStr = SecretStr("")

    def __init__(self, **given: Any) -> None:
        """What is `given`, else what the environment says, else a .env file in the working folder."""
        super().__init__(**{**_told(type(self).model_fields), **given})

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if not self.database_url:
            self.database_url = self.mongo_uri or f"sqlite:///{self.data_dir / 'gradewatch.db'}"
        if not self.artifacts_url and not self.database_url.startswith("sqlite"):
            self.artifacts_url = "database"
        if self.environment == "production" and self.pseudonym_secret is None:
            raise ValueError("set GRADEWATCH_PSEUDONYM_SECRET (32 random characters or more): production makes none up")
        if self.pseudonym_secret is not None and len(self.pseudonym_secret.get_secret_value()) < 16:
            raise ValueError("GRADEWATCH_PSEUDONYM_SECRET is shorter than 16 characters")
        if self.token_secret is not None and len(self.token_secret.get_secret_value().encode()) < SHORTEST_TOKEN_SECRET:
            raise ValueError(
                f"GRADEWATCH_TOKEN_SECRET (or JWT_SECRET_KEY) is shorter than {SHORTEST_TOKEN_SECRET} bytes"
            )
        longest = max(filter(None, (getattr(self, f"keep_{kind}") for kind in KEPT_FOR_A_TIME)), default=0)
        if self.keep_accesses is not None and self.keep_accesses < longest:
            raise ValueError(
                f"GRADEWATCH_KEEP_ACCESSES is below {longest}: who looked is known longer than what was seen"
            )
        return self

    def require_safe(self, host: str | None) -> None:
        """Raises UnsafeStart where these settings would open records of students to anyone.

        host: the address that the server was told to listen on; None where nobody said, which means this machine.
        """
        if self.auth == OFF:
            for name in [*sorted(self.hosts), *([host] if host is not None else [])]:
                if not is_loopback(name):
                    raise UnsafeStart(f"{name!r:.80} is not this machine's own: {SWITCH_ON}")
            if self.environment == "production":
                raise UnsafeStart(f"production asks callers who they are: {SWITCH_ON}")
        else:
            self.token_key()

    @property
    def may_show_demo(self) -> bool:
        """Whether an invented school may be shown: only where nobody has to say who they are, on this machine."""
        return self.auth == OFF and self.environment == "development"

    def require_demo(self) -> None:
        """Raises UnsafeStart where no invented school is shown."""
        if not self.may_show_demo:
            raise UnsafeStart("a server that asks callers who they are, or is in production, shows no invented school")

    def token_key(self) -> bytes:
        """The key of the access tokens. Raises UnsafeStart where none is set: none is made up."""
        if self.token_secret is None:
            raise UnsafeStart("set GRADEWATCH_TOKEN_SECRET (32 random bytes or more): access tokens are signed with it")
        return self.token_secret.get_secret_value().encode()

    def open_sign_on(self, workspace: "Workspace") -> "SignOn | None":
        """By which provider people sign on; None where they have passwords alone. Raises BadSignOn."""
        if self.sign_on is None:
            return None
        from access.sign_on import check_rules, read_sign_on

        return check_rules(read_sign_on(self.sign_on), workspace.schemas)

    def require_broker(self) -> str:
        """The address of Celery's broker. Raises UnsafeStart where none is set."""
        if self.celery_url is None:
            raise UnsafeStart("set GRADEWATCH_CELERY_URL (or CELERY_BROKER_URL): redis://host:6379/1")
        return self.celery_url.get_secret_value()

    @property
    def hosts(self) -> frozenset[str]:
        """The names that the service and the dashboard go by, without port; "*" admits all."""
        return frozenset(name.strip().lower() for name in self.allowed_hosts.split(",") if name.strip())

    @field_validator("sign_on", mode="before")
    @classmethod
    def _no_file(cls, told: object) -> object:
        return told or None  # as a Compose file says that there is none

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, text: str) -> str:
        for origin in filter(None, map(str.strip, text.split(","))):
            parts = urlsplit(origin)
            if (
                parts.scheme not in ("http", "https")
                or not parts.netloc
                or origin != f"{parts.scheme}://{parts.netloc}"
            ):
                raise ValueError(f"{origin!r} is no origin; write https://name or https://name:port, without a path")
        return text

    @field_validator("dashboard_url")
    @classmethod
    def _is_page(cls, url: str) -> str:
        if url and (urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc):
            raise ValueError("write an address: https://dashboard.school.example")
        return url

    @field_validator("redis_url", "celery_url")
    @classmethod
    def _is_redis(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not url.get_secret_value().startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("write redis://host:6379/0, or rediss:// for TLS")
        return url

    @field_validator("kafka_url")
    @classmethod
    def _is_kafka(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not url.get_secret_value().startswith(("kafka://", "kafka+ssl://")):
            raise ValueError("write kafka://host:9092, or kafka+ssl://name:password@host:9093")
        return url

    @field_validator("rate_limit")
    @classmethod
    def _is_limit(cls, text: str) -> str:
        from access.rates import parse_limit

        if text != OFF:
            parse_limit(text)
        return text

    def channels(self) -> "dict[str, Channel]":
        """Where alerts go, by name; none where nothing is set. Raises BadChannel with everything that is wrong."""
        from monitoring.channels import open_channels

        return open_channels(
            webhook=self.alert_webhook.get_secret_value(),
            secret=self.alert_secret.get_secret_value(),
            email=self.alert_email,
            smtp_url=self.smtp_url.get_secret_value() if self.alert_email else "",  # alone it is for reports
        )

    def mail_to(self, receivers: "Sequence[str]") -> "dict[str, Channel]":
        """Mail to these addresses, by name; none where no server for mail is set. Raises BadChannel."""
        from monitoring.channels import open_channels

        server = self.smtp_url.get_secret_value()
        return open_channels(email=",".join(receivers), smtp_url=server) if server and receivers else {}

    def brokers(self) -> "dict[BrokerKind, str]":
        """Where the brokers of events are, by kind."""
        urls: dict[BrokerKind, SecretStr | None] = {"redis": self.redis_url, "kafka": self.kafka_url}
        return {kind: url.get_secret_value() for kind, url in urls.items() if url is not None}

    def for_jobs(self) -> "JobSettings":
        """What background work is told of these settings."""
        from jobs.job_settings import JobSettings

        return JobSettings(
            window=self.window,
            channels=self.channels,
            mail_to=self.mail_to,
            study_catalogue=self.study_catalogue,
            inbox=self.inbox.get_secret_value(),
            event_brokers=self.brokers(),
            broker=self.celery_url.get_secret_value() if self.celery_url else "",
            max_rows=self.max_rows,
            max_bytes=self.max_upload_mb * 1_000_000,
            keep=self.periods(),
            train_after=self.train_after if self.training != OFF else 0,
            send_anchors=self.send_anchors,
        )

    def intended_purpose(self) -> IntendedPurpose:
        """What this installation is for."""
        misuses = tuple(one for one in (part.strip() for part in self.misuses.split(";")) if one)
        return IntendedPurpose(
            purpose=self.purpose,
            users=self.intended_users,
            misuses=misuses,
            objecting=self.objecting,
            provider=self.provider,
        )

    def running(self) -> dict[str, str]:
        """How this installation is set up, in words, for whoever reads of it elsewhere: no secret, no address."""
        from importlib.metadata import version

        return {
            "version": version("gradewatch"),
            "environment": self.environment,
            "callers and visitors say who they are": self.auth,
            "database": self.database_url.partition(":")[0] or "sqlite",
            "entries of access are kept for": f"{self.keep_accesses} days" if self.keep_accesses else "ever",
            "what a kept answer survives": "power loss" if self.durability == "full" else "a killed process",
            "training in the service": self.training,
            "new rows that start a training": str(self.train_after or "none do"),
            "students may see what is said of them": self.student_view,
            "the end of the sealed log is sent outside": "on" if self.send_anchors else "off",
        }

    def periods(self) -> "Periods":
        """For how long each kind of record is kept."""
        from jobs.keeping import Periods

        return Periods(**{kind: getattr(self, f"keep_{kind}") for kind in (*KEPT_FOR_A_TIME, "accesses")})

    def open_workspace(self) -> "Workspace":
        """The workspace that these settings describe. Raises SchemaError or StoreUnavailable."""
        from model.workspace import open_workspace

        self.make_data_dir()
        opened = open_workspace(
            database_url=self.database_url,
            artifacts_dir=self.artifacts_dir,
            artifacts_url=self.artifacts_url,
            domains_dir=self.domains_dir,
            secret=self.secret(),
            pool_size=self.mongo_pool_size,
            durability=self.durability,
            tree_lookup=self.tree_lookup != OFF,
        )
        return replace(opened, store=self._guarded(opened.store), tracking=self.mlflow_tracking_uri)

    def open_store(self) -> "RecordStore":
        """The database alone. Raises StoreUnavailable."""
        from database.open import open_store

        self.make_data_dir()
        return self._guarded(open_store(self.database_url, pool_size=self.mongo_pool_size, durability=self.durability))

    def _guarded(self, store: "RecordStore") -> "RecordStore":
        """`store`, which keeps nothing where these settings say so."""
        if self.read_only == OFF:
            return store
        from database.read_only import read_only

        return read_only(store)

    def make_first(self, workspace: "Workspace") -> None:
        """Make the first key and user that are set. Raises BadGrant; UnsafeStart for a file that cannot be read."""
        key, user = _secret_of(self.first_key, self.first_key_file), self.first_user or None  # blank: as not set
        if key is None and user is None:
            return
        from access.first import make_first

        password = _secret_of(self.first_password, self.first_password_file)
        role = self.first_key_role
        make_first(workspace.store, key=key, key_role=role, user=user, password=password, domains=workspace.schemas)

    @property
    def artifacts_dir(self) -> Path:
        """Where models lie on this machine: all of them, or those that it has used."""
        return self.data_dir / "models"

    def secret(self) -> bytes:
        """The key of the student pseudonyms; in development one is made on first use and kept in data_dir."""
        if self.pseudonym_secret is not None:
            return self.pseudonym_secret.get_secret_value().encode()
        path = self.data_dir / "pseudonym.secret"
        self.make_data_dir()
        _create_once(path, secrets.token_hex(32).encode())
        return path.read_bytes()

    def keep_secret(self, secret: bytes) -> None:
        """Make `secret` the key of the pseudonyms here. Raises UnsafeStart where there is another one."""
        if self.pseudonym_secret is None:
            self.make_data_dir()
            _create_once(self.data_dir / "pseudonym.secret", secret)
        if self.secret() != secret:
            raise UnsafeStart(
                "there is another pseudonym secret here: unset GRADEWATCH_PSEUDONYM_SECRET, or remove "
                f"{self.data_dir / 'pseudonym.secret'} if nothing needs it"
            )

    def make_data_dir(self) -> None:
        """Records of students lie in it: a folder that is made here is its owner's alone."""
        self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)


def _secret_of(given: SecretStr | None, file: Path | None) -> str | None:
    """What is given itself, else what stands in the file, without the line's end."""
    if (text := given.get_secret_value() if given else "") or file is None:
        return text or None
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UnsafeStart(f"{file} cannot be read: {error}") from error


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
