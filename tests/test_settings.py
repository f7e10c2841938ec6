"""What is set from outside, checked at once; the secret that development makes for itself."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from settings import ALIASES, Settings, UnsafeStart, told_host

ROOT = Path(__file__).resolve().parents[1]
SECRET = "0123456789abcdef" * 2


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of the machine, no .env of the checkout."""
    import os

    for name in os.environ:
        if name.startswith(("GRADEWATCH_", "MONGO_", "MLFLOW_")) or name in ALIASES.values():
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_nothing_set_means_sqlite_in_the_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().database_url == "sqlite:///.gradewatch/gradewatch.db"
    monkeypatch.setenv("GRADEWATCH_DATA_DIR", "elsewhere")
    assert Settings().database_url == "sqlite:///elsewhere/gradewatch.db"
    assert Settings().artifacts_dir == Path("elsewhere/models")
    assert not Path("elsewhere").exists()


def test_mongo_uri_chooses_mongodb_unless_a_database_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONGO_URI", "mongodb://host/name")
    monkeypatch.setenv("MONGO_POOL_SIZE", "25")
    assert (Settings().database_url, Settings().mongo_pool_size) == ("mongodb://host/name", 25)
    monkeypatch.setenv("GRADEWATCH_DATABASE_URL", "postgresql://host/name")
    assert Settings().database_url == "postgresql://host/name"


def test_a_file_of_settings_is_read(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"GRADEWATCH_WINDOW=500\nGRADEWATCH_PSEUDONYM_SECRET={SECRET}\nOTHER=1\n")
    assert Settings().window == 500
    assert Settings().secret() == SECRET.encode()


@pytest.mark.parametrize(
    ("name", "value"),
    [("WINDOW", "10"), ("POLL_SECONDS", "0"), ("ENVIRONMENT", "testing"), ("MAX_ROWS", "none")],
)
def test_a_setting_out_of_range_is_refused_by_name(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"GRADEWATCH_{name}", value)
    with pytest.raises(ValidationError, match=name.lower()):
        Settings()


def test_production_makes_up_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADEWATCH_ENVIRONMENT", "production")
    with pytest.raises(ValidationError, match="set GRADEWATCH_PSEUDONYM_SECRET"):
        Settings()
    monkeypatch.setenv("GRADEWATCH_PSEUDONYM_SECRET", SECRET)
    assert Settings().secret() == SECRET.encode()


def test_a_short_secret_is_refused_and_no_secret_is_ever_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADEWATCH_PSEUDONYM_SECRET", "too short")
    with pytest.raises(ValidationError, match="shorter than 16") as refused:
        Settings()
    assert "too short" not in str(refused.value)
    monkeypatch.setenv("GRADEWATCH_PSEUDONYM_SECRET", SECRET)
    assert SECRET not in repr(Settings())


def test_a_secret_made_up_stays_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    secret = Settings().secret()
    assert len(secret) == 64
    assert Settings().secret() == secret
    (path,) = (tmp_path / ".gradewatch").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_a_killed_start_left_behind_is_no_obstacle(tmp_path: Path) -> None:
    import os

    (tmp_path / ".gradewatch").mkdir()
    (tmp_path / ".gradewatch" / f"pseudonym.secret.{os.getpid()}").write_bytes(b"half")
    assert len(Settings().secret()) == 64


def test_many_processes_starting_at_once_share_one_secret(tmp_path: Path) -> None:
    program = (
        "from settings import ALIASES, Settings; import sys; sys.stdin.read(1); print(Settings().secret().decode())"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env={"PYTHONPATH": str(ROOT)},
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("x")
        process.stdin.flush()
    secrets = {process.communicate()[0].strip() for process in processes}
    assert len(secrets) == 1
    assert len(secrets.pop()) == 64
    assert [path.name for path in (tmp_path / ".gradewatch").iterdir()] == ["pseudonym.secret"]


def test_the_data_folder_that_is_made_is_its_owner_s_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADEWATCH_PSEUDONYM_SECRET", SECRET)
    Settings().open_workspace().close()
    assert stat.S_IMODE(Path(".gradewatch").stat().st_mode) == 0o700
    assert Path(".gradewatch/gradewatch.db").exists()


def test_variables_of_older_systems_count_where_ours_say_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    older = {"DATABASE_URL": "postgresql://host/older", "MODEL_PATH": "./models", "MODEL_VERSION": "v1.0.0"}
    for name, value in older.items():
        monkeypatch.setenv(name, value)
    found = Settings()
    assert (found.database_url, found.artifacts_url) == (older["DATABASE_URL"], "./models")
    assert found.model_version == "v1.0.0"
    monkeypatch.setenv("MONGO_URI", "mongodb://host/name")
    assert Settings().database_url == "mongodb://host/name"
    monkeypatch.setenv("GRADEWATCH_DATABASE_URL", "sqlite:///ours.db")
    assert Settings().database_url == "sqlite:///ours.db"


SIGNED_IN = {"auth": "on", "token_secret": "x" * 32}


@pytest.mark.parametrize(
    ("changes", "host", "words"),
    [
        ({}, "0.0.0.0", "GRADEWATCH_AUTH=on"),
        ({}, "::", "GRADEWATCH_AUTH=on"),
        ({}, "", "GRADEWATCH_AUTH=on"),
        ({}, "192.168.1.5", "GRADEWATCH_AUTH=on"),
        ({}, "predict.school.example", "GRADEWATCH_AUTH=on"),
        ({}, "localhost.school.example", "GRADEWATCH_AUTH=on"),
        ({"allowed_hosts": "*"}, None, "GRADEWATCH_AUTH=on"),
        ({"allowed_hosts": "localhost,predict.school.example"}, None, "GRADEWATCH_AUTH=on"),
        ({"environment": "production", "pseudonym_secret": SECRET}, None, "production"),
        ({"auth": "on"}, None, "set GRADEWATCH_TOKEN_SECRET"),
        ({"auth": "on"}, "127.0.0.1", "set GRADEWATCH_TOKEN_SECRET"),
    ],
)
def test_what_would_let_anyone_in_does_not_start(changes: dict[str, str], host: str | None, words: str) -> None:
    with pytest.raises(UnsafeStart, match=words):
        Settings(**changes).require_safe(host)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "host"),
    [
        ({}, None),
        ({}, "127.0.0.1"),
        ({}, "127.8.8.8"),
        ({}, "::1"),
        ({}, "[::1]"),
        ({}, "localhost"),
        (SIGNED_IN, "0.0.0.0"),
        (SIGNED_IN | {"allowed_hosts": "*"}, "::"),
        (SIGNED_IN | {"environment": "production", "pseudonym_secret": SECRET}, "192.168.1.5"),
    ],
)
def test_what_lets_nobody_in_unknown_starts(changes: dict[str, str], host: str | None) -> None:
    Settings(**changes).require_safe(host)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "environment", "host"),
    [
        (["uvicorn", "api.app:app"], {}, None),
        (["uvicorn", "api.app:app", "--host", "0.0.0.0"], {}, "0.0.0.0"),
        (["uvicorn", "--host=::", "api.app:app"], {}, "::"),
        (["uvicorn", "api.app:app"], {"UVICORN_HOST": "0.0.0.0"}, "0.0.0.0"),
        (["gunicorn", "-b", "0.0.0.0:8000"], {}, "0.0.0.0"),
        (["gunicorn", "--bind", "[::]:8000"], {}, "::"),
        (["gunicorn", "--bind=127.0.0.1:8000"], {}, "127.0.0.1"),
        (["uvicorn", "--host"], {}, None),
    ],
)
def test_where_a_server_was_told_to_listen_is_read_from_its_command_line(
    arguments: list[str], environment: dict[str, str], host: str | None
) -> None:
    assert told_host(arguments, environment) == host


def test_an_address_of_redis_without_its_scheme_is_refused_in_words() -> None:
    with pytest.raises(ValidationError, match=r"write redis://host:6379/0") as refused:
        Settings(redis_url=SecretStr("secret-host:6379"))
    assert "secret-host" not in str(refused.value)


def test_a_short_token_secret_is_refused_and_none_is_ever_shown() -> None:
    with pytest.raises(ValidationError, match="shorter than 32 bytes") as refused:
        Settings(token_secret="thirty-one bytes are not enough")  # type: ignore[arg-type]
    assert "not enough" not in str(refused.value)
    assert "x" * 32 not in repr(Settings(**SIGNED_IN))  # type: ignore[arg-type]


def test_variables_of_a_system_before_this_one_are_read_and_ours_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEY", "their key")
    monkeypatch.setenv("JWT_SECRET_KEY", SECRET)
    monkeypatch.setenv("REDIS_URL", "redis://theirs:6379")
    settings = Settings()
    assert (settings.first_key, settings.first_key_role) == (SecretStr("their key"), "client")
    assert settings.token_key() == SECRET.encode()
    assert settings.redis_url == SecretStr("redis://theirs:6379")
    monkeypatch.setenv("GRADEWATCH_FIRST_KEY", "our key")
    monkeypatch.setenv("GRADEWATCH_REDIS_URL", "redis://ours:6379")
    assert (Settings().first_key, Settings().first_key_role) == (SecretStr("our key"), "admin")
    assert Settings().redis_url == SecretStr("redis://ours:6379")
    monkeypatch.setenv("JWT_SECRET_KEY", "short")
    with pytest.raises(ValidationError, match="JWT_SECRET_KEY"):
        Settings()


def test_a_key_of_another_program_never_stands_before_a_file_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEY", "a key of another program")
    assert Settings().first_key is not None
    monkeypatch.setenv("GRADEWATCH_FIRST_KEY_FILE", "first.key")
    assert Settings().first_key is None
