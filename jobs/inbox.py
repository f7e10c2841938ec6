"""The inbox: a folder, s3:// or sftp://, whose files become uploads, each once: so come the exports of the night.

A file's place says what it is: DOMAIN/KIND/FILE. What a file brings, or why it is refused, is its job's to say.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import msgspec

from clock import now
from database.records import Document, digest
from database.store import RecordStore
from database.uploads import begin_upload, new_upload, refuse_upload
from errors import Category, GradewatchError
from jobs.queue import BATCH_FILE, OUTCOMES_FILE, JobFile, JobRequest, ask
from model.remote_files import driver_errors, open_remote, written_at
from preprocessing.validation.pii import harmless_name

INBOX_MARK = "inbox file"
INBOX_ACTOR = "inbox"
TAKEN = "done"
"""The folder beside the files into which those that were taken are moved."""

SETTLED = timedelta(seconds=30)
"""A file that was written since then may still be written."""

UNFINISHED_NAMES = (".part", ".partial", ".tmp", ".filepart", ".crdownload")
KINDS_OF_FOLDER: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "labeled": (BATCH_FILE, {"kind": "labeled"}),
    "unlabeled": (BATCH_FILE, {"kind": "unlabeled"}),
    "outcomes": (OUTCOMES_FILE, {}),
}
"""By the name of the folder: the kind of job, and what it is told."""


class BadInbox(GradewatchError):
    """The inbox cannot be looked into."""

    category = Category.MISUSED


class FoundFile(NamedTuple):
    """A file in the inbox. place: domain, kind and name; changed: when it was written."""

    place: tuple[str, str, str]
    size: int
    changed: datetime

    @property
    def mark(self) -> str:
        """Under which it is remembered; it tells nobody the name, which may be a person's."""
        return digest(list(self.place))

    @property
    def state(self) -> dict[str, Any]:
        """Which version of the file it is, without reading it."""
        return {"size": self.size, "changed": self.changed.isoformat()}


class Inbox(Protocol):
    """Where files come in."""

    def files(self) -> Iterator[FoundFile]:
        """What lies in folders of two levels, the domain's and the kind's."""

    def read(self, file: FoundFile) -> bytes: ...

    def put_away(self, file: FoundFile, name: str) -> None:
        """Move it into the folder TAKEN beside it, under another name."""


@contextmanager
def opened_inbox(url: str) -> Iterator[Inbox]:
    """The inbox at a folder or URL, open as long as the block runs. Raises BadInbox, MissingExtra, Unreachable."""
    if "://" not in url:
        yield _Folder(Path(url))
        return
    remote = _Remote(url)
    try:
        yield remote
    finally:
        remote.close()


def new_files(store: RecordStore, inbox: Inbox, at: datetime) -> list[FoundFile]:
    """The files that have not been taken as they are now, and that nobody is writing any more."""
    marks = {one.name: one.body for one in store.documents(INBOX_MARK)}
    return [
        file
        for file in inbox.files()
        if at - file.changed >= SETTLED and file.state.items() - marks.get(file.mark, {}).items()
    ]


class Collected(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a file. job: that takes it; None where none does, for `why`."""

    domain: str
    kind: str
    name: str
    job: str | None = None
    why: str = ""


def collect(
    store: RecordStore, inbox: Inbox, domains: Sequence[str], *, arguments: Mapping[str, Any], most_bytes: int
) -> list[Collected]:
    """Ask for the job of every new file, mark the file, and move it away where that is allowed; a file of a folder
    that means nothing, or too large, is marked and stays. Killed anywhere, the next call asks for the same jobs."""
    found = []
    for file in new_files(store, inbox, now()):
        domain, kind, name = file.place
        shown = harmless_name(name)
        if why := _refused(file, domains, most_bytes):
            _tell_refused(store, file, why, domains)
            _remember(store, file, {"why": why})
            found.append(Collected(domain=domain, kind=kind, name=shown, why=why))
            continue
        content = inbox.read(file)
        sha256 = hashlib.sha256(content).hexdigest()
        job_kind, told = KINDS_OF_FOLDER[kind]
        request = JobRequest(
            job_kind,
            domain,
            INBOX_ACTOR,
            {**arguments, **told},
            files={"file": JobFile(name, content)},
            key=digest([*file.place, sha256]),
        )
        job = ask(store, request)
        _remember(store, file, {"sha256": sha256, "job": job.id})
        with suppress(GradewatchError, OSError):  # where nothing may be moved, the mark alone says that it was taken
            inbox.put_away(file, f"{sha256[:12]}-{name}")
            store.remove_document(INBOX_MARK, file.mark)
        found.append(Collected(domain=domain, kind=kind, name=shown, job=job.id))
    return found


def _refused(file: FoundFile, domains: Sequence[str], most_bytes: int) -> str:
    domain, kind, _ = file.place
    if domain not in domains:
        return f"the folder {domain!r:.80} is no domain; there are: {', '.join(domains)}"
    if kind not in KINDS_OF_FOLDER:
        return f"the folder {kind!r:.80} is no kind of files; there are: {', '.join(KINDS_OF_FOLDER)}"
    if file.size > most_bytes:
        return f"{file.size / 1e6:,.0f} MB, more than the {most_bytes / 1e6:,.0f} MB of an upload"
    return ""


def _tell_refused(store: RecordStore, file: FoundFile, why: str, domains: Sequence[str]) -> None:
    """In the history of uploads, where there is one: of a domain and a kind that are known."""
    domain, kind, name = file.place
    if domain in domains and kind in KINDS_OF_FOLDER:
        known = digest([file.mark, *map(str, file.state.values())])
        upload = new_upload(known, domain, kind, name=name, actor=INBOX_ACTOR)  # type: ignore[arg-type]
        refuse_upload(store, begin_upload(store, upload), BadInbox(why))


def _remember(store: RecordStore, file: FoundFile, told: Mapping[str, Any]) -> None:
    known = store.document(INBOX_MARK, file.mark)
    revision = known.revision + 1 if known else 1
    store.put_document(
        Document(kind=INBOX_MARK, name=file.mark, revision=revision, at=now(), body={**file.state, **told})
    )


def _is_one(name: str) -> bool:
    return not name.startswith((".", "~$")) and not name.lower().endswith(UNFINISHED_NAMES)


class _Folder:
    """On this machine, or mounted."""

    def __init__(self, root: Path) -> None:
        self._root = root
        if not root.is_dir():
            raise BadInbox(f"the inbox {root} is no folder")

    def files(self) -> Iterator[FoundFile]:
        for path in sorted(self._root.glob("*/*/*")):
            if path.is_file() and not path.is_symlink() and _is_one(path.name):
                told = path.stat()
                domain, kind, name = path.relative_to(self._root).parts
                yield FoundFile((domain, kind, name), told.st_size, datetime.fromtimestamp(told.st_mtime, UTC))

    def read(self, file: FoundFile) -> bytes:
        return self._root.joinpath(*file.place).read_bytes()

    def put_away(self, file: FoundFile, name: str) -> None:
        path = self._root.joinpath(*file.place)
        folder = path.parent / TAKEN
        folder.mkdir(exist_ok=True)
        path.rename(folder / name)


class _Remote:
    """At a URL."""

    def __init__(self, url: str) -> None:
        with driver_errors("the inbox"):
            self._files, root = open_remote(url)
        self._root = root.rstrip("/")

    def files(self) -> Iterator[FoundFile]:
        with driver_errors("the inbox"):
            self._files.invalidate_cache()
            told = self._files.find(self._root, maxdepth=3, detail=True)
        for path, one in sorted(told.items()):
            parts = tuple(path[len(self._root) :].strip("/").split("/"))
            if len(parts) == 3 and _is_one(parts[2]):
                at = written_at(one) or datetime.fromtimestamp(0, UTC)
                yield FoundFile((parts[0], parts[1], parts[2]), int(one.get("size") or 0), at)

    def read(self, file: FoundFile) -> bytes:
        with driver_errors("the inbox"):
            return bytes(self._files.cat_file(self._path(file.place)))

    def put_away(self, file: FoundFile, name: str) -> None:
        domain, kind, _ = file.place
        with driver_errors("the inbox"):
            self._files.makedirs(self._path((domain, kind, TAKEN)), exist_ok=True)
            self._files.mv(self._path(file.place), self._path((domain, kind, TAKEN, name)))

    def close(self) -> None:
        """Give the connection back, of those that keep one."""
        if (client := getattr(self._files, "client", None)) is not None and hasattr(client, "close"):
            client.close()

    def _path(self, parts: Sequence[str]) -> str:
        return "/".join([self._root, *parts])
