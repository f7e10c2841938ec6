"""What Upload asks: the history, and a file to keep."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from access.roles import require as require_of
from dashboard.gate import require
from dashboard.visit.base import VisitBase
from dashboard.visit.given import GivenFile
from database.ingest import StoredOutcomes
from database.records import new_id
from database.uploads import Upload, UploadKind, begin_upload, new_upload, refuse_upload, uploads_of
from jobs.uploads import TakenRows, take_outcomes, take_rows
from preprocessing.reading.chunks import FileSource, open_source
from preprocessing.reading.raw_table import UnreadableFile


class UploadQuestions(VisitBase):
    """Every method as `Visit` says."""

    def uploads(self, domain: str, limit: int) -> list[Upload]:
        """The history of uploads, newest first; of who is confined to groups, their own."""
        require_of(self._principal, "upload", self._own(domain))
        whose = None if self._groups is None else self._principal.name
        return uploads_of(self._shared.workspace.store, domain, actor=whose, limit=limit)

    def upload(self, domain: str, kind: UploadKind, file: GivenFile) -> TakenRows | StoredOutcomes:
        """A file of rows or outcomes, kept; rows of groups that are not the visitor's left out. Raises UnreadableFile,
        also for more than is taken at once; BadData."""
        present, workspace = require(self._shared, "upload", self._own(domain)), self._shared.workspace
        schema, upload = self.schemas[domain], new_upload(new_id(), domain, kind, name=file.name, actor=present.name)
        groups = None if present.groups is None else sorted(present.groups)
        rules: dict[str, Any] = {"groups": groups, "train_after": self._shared.train_after}
        rules |= {"skip_bad_rows": file.skip_bad_rows}

        if len(file.content) > self.max_upload_mb * 1_000_000:
            large = UnreadableFile(f"{file.name} is larger than {self.max_upload_mb} MB; use `gradewatch ingest`")
            refuse_upload(workspace.store, begin_upload(workspace.store, upload), large)
            raise large
        if kind == "outcomes":
            read_as: dict[str, Any] = {"sheet": file.sheet, "most_rows": self.max_rows, "name": file.name}
            return take_outcomes(workspace, schema, file.content, upload, **rules, **read_as)[0]

        def opened() -> FileSource:
            path.write_bytes(file.content)
            return open_source(path, name=file.name, sheet=file.sheet, most_rows=self.max_rows)

        with TemporaryDirectory(prefix="gradewatch-upload-") as folder:
            path = Path(folder) / "file"
            return take_rows(workspace, schema, opened, upload, **rules)
