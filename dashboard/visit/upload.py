"""What Upload asks: the history, a file to keep, and how far it is."""

from collections.abc import Mapping

from access.roles import require as require_of
from clock import new_id
from dashboard.gate import require
from dashboard.visit.base import VisitBase
from dashboard.visit.given import GivenFile
from database.records import Job
from database.uploads import Upload, UploadKind, begin_upload, new_upload, refuse_upload, uploads_of
from jobs.queue import BATCH_FILE, OUTCOMES_FILE
from preprocessing.reading.raw_table import UnreadableFile

JOB_OF: Mapping[UploadKind, str] = {"labeled": BATCH_FILE, "unlabeled": BATCH_FILE, "outcomes": OUTCOMES_FILE}


class UploadQuestions(VisitBase):
    """Every method as `Visit` says."""

    def uploads(self, domain: str, limit: int) -> list[Upload]:
        """The history of uploads, newest first; of who is confined to groups, their own."""
        require_of(self._principal, "upload", self._own(domain))
        whose = None if self._groups is None else self._principal.name
        return uploads_of(self._shared.workspace.store, domain, actor=whose, limit=limit)

    def upload(self, domain: str, kind: UploadKind, file: GivenFile) -> Job:
        """A file of rows or outcomes, to be kept; rows of groups that are not the visitor's are left out. A worker does
        it, or this process at once where none is there. Raises UnreadableFile for more than is taken at once."""
        present, store = require(self._shared, "upload", self._own(domain)), self._shared.workspace.store
        if len(file.content) > self.max_upload_mb * 1_000_000:
            large = UnreadableFile(f"{file.name} is larger than {self.max_upload_mb} MB; use `gradewatch ingest`")
            upload = new_upload(new_id(), domain, kind, name=file.name, actor=present.name)
            refuse_upload(store, begin_upload(store, upload), large)
            raise large
        more = {} if kind == "outcomes" else {"kind": kind}
        return self._give(JOB_OF[kind], domain, present, file, **more)

    def upload_job(self, domain: str, id: str) -> Job | None:
        """What became of a file that the visitor gave; None where it is not theirs, or long ago."""
        return self._given(domain, require(self._shared, "upload", self._own(domain)), id)
