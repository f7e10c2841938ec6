"""A file in the inbox is taken once for what it holds, wherever that lies, whoever looks and whenever they die."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from database.store import RecordStore
from database.uploads import uploads_of
from jobs.inbox import SETTLED, collect, new_files, opened_inbox
from jobs.job_settings import JobSettings
from jobs.queue import BATCH_FILE, COLLECTING, OUTCOMES_FILE
from jobs.tick import Pass, tick
from model.remote_files import Unreachable
from tests.conftest import absent

DOMAINS = ["engagement"]
ROWS, GRADES = b"student_id,assignment_score\na,50\n", b"student_id,assignment_score\na,51\n"
OLD = 3600  # seconds
Place = tuple[str, Callable[[str, bytes], None], Callable[[], list[str]]]


def look(store: RecordStore, url: str) -> list[tuple[str, str]]:
    with opened_inbox(url) as inbox:
        found = collect(store, inbox, DOMAINS, arguments={"limit": 10}, most_bytes=1000)
    return [(one.kind, one.why.partition(";")[0] or "taken") for one in found]


@pytest.fixture
def folder(tmp_path: Path) -> Place:
    return folder_place(tmp_path / "inbox")


def folder_place(root: Path) -> Place:
    def put(name: str, content: bytes) -> None:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (time.time() - OLD,) * 2)

    root.mkdir()
    return str(root), put, lambda: sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A real S3 server; what is put there is taken to have lain for a while."""
    try:
        from moto.server import ThreadedMotoServer
    except ImportError as error:
        absent("an S3 server", error)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    for name, value in (("ENDPOINT_URL", address), ("ACCESS_KEY_ID", "tests"), ("SECRET_ACCESS_KEY", "tests")):
        monkeypatch.setenv(f"AWS_{name}", value)
    urlopen(Request(f"{address}/exports", method="PUT")).close()
    monkeypatch.setattr("jobs.inbox.SETTLED", -SETTLED)
    from s3fs import S3FileSystem

    S3FileSystem.clear_instance_cache()  # those of other tests lead to servers that are gone
    files = S3FileSystem()

    def there() -> list[str]:
        files.invalidate_cache()
        return sorted(path.removeprefix("exports/in/") for path in files.find("exports/in"))

    yield "s3://exports/in", lambda name, content: files.pipe_file(f"exports/in/{name}", content), there
    S3FileSystem.clear_instance_cache()
    server.stop()


SFTP_SERVER = """
import asyncio, sys
import asyncssh

class Welcome(asyncssh.SSHServer):
    def password_auth_supported(self):
        return True

    def validate_password(self, username, password):
        return (username, password) == ("night", "secret")

async def serve():
    key = asyncssh.generate_private_key("ssh-ed25519")
    root = lambda channel: asyncssh.SFTPServer(channel, chroot=sys.argv[1])
    server = await asyncssh.listen("127.0.0.1", 0, server_factory=Welcome, server_host_keys=[key], sftp_factory=root)
    print(server.get_port(), key.export_public_key().decode(), flush=True)
    await asyncio.to_thread(sys.stdin.read)  # until the test is over

asyncio.run(serve())
"""


@pytest.fixture
def sftp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A real SFTP server over a folder, whose host stands among the known ones."""
    pytest.importorskip("paramiko")
    served = tmp_path / "served"
    served.mkdir()
    _, put, there = folder_place(served / "in")
    command = [sys.executable, "-c", SFTP_SERVER, str(served)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        port, _, key = server.stdout.readline().partition(" ")
        if not port:
            absent("an SFTP server", "it ended at once")
        monkeypatch.setenv("HOME", str(tmp_path))
        (tmp_path / ".ssh").mkdir()
        (tmp_path / ".ssh" / "known_hosts").write_text(f"[127.0.0.1]:{port} {key}")
        yield f"sftp://night:secret@127.0.0.1:{port}/in", put, there
        server.kill()


@pytest.mark.parametrize("kind", ["folder", "s3", "sftp"])
def test_a_file_is_taken_once_and_moved_away(
    kind: str, sqlite_url: str, opened: Callable[[str], RecordStore], request: pytest.FixtureRequest
) -> None:
    store: RecordStore = opened(sqlite_url)
    url, put, there = request.getfixturevalue(kind)
    put("engagement/labeled/a.csv", ROWS)
    put("engagement/outcomes/b.csv", GRADES)
    put("engagement/labeled/c.csv.part", ROWS)
    put("nowhere/labeled/d.csv", ROWS)
    put("engagement/labeled/e.csv", b"x" * 2000)
    assert look(store, url) == [("labeled", "taken"), ("labeled", "0 MB, more than the 0 MB of an upload"),
                                ("outcomes", "taken"), ("labeled", "the folder 'nowhere' is no domain")]  # fmt: skip
    assert look(store, url) == []
    told = {one.name: one.state for one in uploads_of(store, "engagement")}
    assert told == {"a.csv": "received", "b.csv": "received", "e.csv": "refused"}
    assert {one.kind: one.actor for one in store.jobs()} == {BATCH_FILE: "inbox", OUTCOMES_FILE: "inbox"}
    names = [name.split("/")[-1][12:] if "/done/" in name else name for name in there()]
    left = ["engagement/labeled/c.csv.part", "engagement/labeled/e.csv", "nowhere/labeled/d.csv"]
    assert sorted(names) == sorted(["-a.csv", "-b.csv", *left])
    put("engagement/labeled/a.csv", ROWS)  # sent again: the same job
    assert look(store, url) == [("labeled", "taken")]
    assert len(store.jobs()) == 2
    put("engagement/labeled/a.csv", ROWS + b"b,60\n")
    assert look(store, url) == [("labeled", "taken")]
    assert len(store.jobs()) == 3


def test_a_host_that_is_not_known_is_not_talked_to(sftp: Place, tmp_path: Path) -> None:
    (tmp_path / ".ssh" / "known_hosts").unlink()
    with pytest.raises(Unreachable, match="known_hosts"), opened_inbox(sftp[0]):
        pass


def test_where_nothing_may_be_moved_the_mark_alone_says_that_it_was_taken(store: RecordStore, folder: Place) -> None:
    url, put, there = folder
    put("engagement/labeled/a.csv", ROWS)
    (Path(url) / "engagement/labeled/done").write_text("a file where the folder would be")
    os.utime(Path(url) / "engagement/labeled/done")
    assert look(store, url) == [("labeled", "taken")]
    assert look(store, url) == []
    assert "engagement/labeled/a.csv" in there()


def test_one_that_is_still_written_waits_and_a_killed_look_asks_for_the_same_job(
    store: RecordStore, folder: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, put, _ = folder
    put("engagement/labeled/a.csv", ROWS)
    put("engagement/labeled/b.csv", GRADES)
    os.utime(Path(url) / "engagement/labeled/b.csv")
    with monkeypatch.context() as patched:
        patched.setattr(store, "put_document", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            look(store, url)
    assert look(store, url) == [("labeled", "taken")]
    assert len(store.jobs()) == 1


def test_a_pass_asks_to_look_only_where_there_is_something(store: RecordStore, folder: Place) -> None:
    url, put, _ = folder
    settings = JobSettings(inbox=url)
    assert tick(Pass(store, settings)).asked == []
    put("engagement/labeled/a.csv", ROWS)
    assert [one.kind for one in tick(Pass(store, settings)).asked] == [COLLECTING]
    look(store, url)
    with opened_inbox(url) as inbox:
        assert new_files(store, inbox, Pass(store).at) == []
    assert "inbox" in tick(Pass(store, JobSettings(inbox="/nowhere"))).failed
