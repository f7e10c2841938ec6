"""What one visitor may see and do: the only thing that a page is given, made of what their principal allows.

Pages have no store, no artifacts and no other domain's champions: they ask this, question by question. What may be seen
is settled when it is made, at each drawing; what a button does is asked about again when it is pressed.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from access.confined import confine_report
from access.journal import Action
from access.roles import Permission, Principal, require_groups
from access.roles import require as require_of
from dashboard.gate import record, require
from dashboard.shared_workspace import SharedWorkspace
from database.ingest import StoredOutcomes
from database.packed import PackedPredictions
from database.pairs import LeftOut
from database.records import (
    ChampionKey,
    DecisionRecord,
    DriftRecord,
    Event,
    ModelVersion,
    Prediction,
    Succession,
    new_id,
)
from database.uploads import Upload, UploadKind, begin_upload, new_upload, refuse_upload, uploads_of
from database.withdrawal import WITHDRAWN
from jobs.uploads import TakenRows, take_outcomes, take_rows
from model.predict_file import AnsweredFile, predict_file
from model.registry import Serving, UnfitChampion, activate, rollback
from model.service import PredictionService
from model.trial import Trial
from model.workspace import SECRET_EVENT
from monitoring.drift_days import Against, days_of
from monitoring.drift_files import KeptReport, ReportOptions, report_file
from monitoring.drift_monitor import report_days
from monitoring.error_timeline import ErrorTimeline, follow_target, newest_of
from monitoring.evidence import EvidenceColumns, evidence_among
from monitoring.evidence_archive import EvidenceArchive, Selection
from monitoring.profile_archive import ArchivePart, ProfileArchive
from monitoring.trial_report import TrialReport, report_trial
from preprocessing.columns import ColumnRows
from preprocessing.reading.chunks import FileSource, open_source
from preprocessing.reading.files import read_table
from preprocessing.reading.raw_table import RawTable, UnreadableFile
from preprocessing.schema import DomainSchema
from preprocessing.validation.json_rows import ValidRow
from preprocessing.validation.rules import TooManyRows

EVENTS_READ = 200  # those of domains that the visitor may not see are left out
OF_ALL_GROUPS = (WITHDRAWN, "retraining_proposed")  # kinds of events with figures of every group


class GivenFile(NamedTuple):
    """A file that a visitor gives, and how it is to be read. id: other for each that is given."""

    id: str
    name: str
    content: bytes
    sheet: str
    skip_bad_rows: bool


class Visit:
    """schemas: the visitor's domains. max_rows, max_upload_mb: limits of a file.

    Every method raises Forbidden for a domain that is none of theirs, StoreUnavailable where the database is down.
    """

    def __init__(self, shared: SharedWorkspace, principal: Principal) -> None:
        self._shared = shared
        self._principal = principal
        schemas = shared.workspace.schemas
        self.schemas: Mapping[str, DomainSchema] = {
            name: schema for name, schema in schemas.items() if principal.may("see", name)
        }
        self.max_rows, self.max_upload_mb = shared.max_rows, shared.max_upload_mb
        self._service = _Answers(self.schemas, shared)

    def may(self, permission: Permission, domain: str) -> bool:
        """Whether a button is worth drawing; pressing it asks again."""
        return self._principal.may(permission, domain)

    # What there is to see

    @property
    def champions(self) -> dict[ChampionKey, Serving]:
        """The loaded champions of the visitor's domains."""
        loaded = self._shared.workspace.champions.loaded
        return {key: serving for key, serving in loaded.items() if key.domain in self.schemas}

    @property
    def broken(self) -> list[ChampionKey]:
        """Champions of the visitor's domains that could not be loaded."""
        return [key for key in self._shared.workspace.champions.broken if key.domain in self.schemas]

    @property
    def stopped(self) -> dict[ChampionKey, UnfitChampion]:
        """Champions of the visitor's domains that learned another schema than theirs."""
        stopped = self._shared.workspace.champions.stopped
        return {key: one for key, one in stopped.items() if key.domain in self.schemas}

    def newest_changes(self) -> dict[ChampionKey, Succession]:
        """What made each present champion champion."""
        found = self._shared.workspace.store.champions()
        return {one.key: one for one in found if one.domain in self.schemas}

    def count_predictions(self, domain: str) -> int:
        """Of the visitor's groups."""
        return self._shared.workspace.store.count_predictions(self._own(domain), groups=self._groups)

    def predictions_per_day(self, domain: str, since: datetime) -> dict[date, int]:
        """Of the visitor's groups."""
        return self._shared.workspace.store.predictions_per_day(self._own(domain), since, groups=self._groups)

    def drift_reports(self, domain: str, limit: int) -> list[DriftRecord]:
        """Stored reports, newest first; of segments that are groups, only the visitor's own."""
        found = self._shared.workspace.store.drift_reports(self._own(domain), limit=limit)
        return [confine_report(one, self._principal.groups, self.schemas[domain]) for one in found]

    def decisions(self, domain: str, limit: int = 100) -> list[DecisionRecord]:
        return self._shared.workspace.store.decisions(self._own(domain), limit=limit)

    def events(self) -> list[Event]:
        """Of the visitor's domains, or of none in particular; newest first. Whoever is confined to groups sees none
        that tell of all."""
        hidden = {SECRET_EVENT} if self._groups is None else {SECRET_EVENT, *OF_ALL_GROUPS}
        return [
            one
            for one in self._shared.workspace.store.events(limit=EVENTS_READ)
            if one.kind not in hidden and (one.domain is None or one.domain in self.schemas)
        ]

    def models(self, key: ChampionKey) -> list[ModelVersion]:
        self._own(key.domain)
        return self._shared.workspace.store.models(key)

    def successions(self, key: ChampionKey) -> list[Succession]:
        self._own(key.domain)
        return self._shared.workspace.store.successions(key)

    def trial_report(self, trial: Trial) -> TrialReport:
        """Of the visitor's groups."""
        workspace, schema = self._shared.workspace, self.schemas[self._own(trial.domain)]
        return report_trial(workspace.store, schema, trial, learned=workspace.learned, groups=self._groups)

    def turned_out(
        self, domain: str, target: str, since: datetime | None
    ) -> tuple[EvidenceColumns, LeftOut, list[ErrorTimeline]]:
        """Predictions of a target with their outcomes, of the visitor's groups, for aggregates; how many show nothing;
        and their course."""
        workspace, schema = self._shared.workspace, self.schemas[self._own(domain)]
        about, asked = schema.target_by_name[target], Selection(since, groups=self._groups)
        matched = EvidenceArchive(workspace.store, schema, workspace.learned).matched(about, asked)
        newest = newest_of(workspace, domain, asked)
        return *evidence_among(matched), follow_target(workspace, schema, about, matched, newest)

    def days_of_predictions(self, domain: str, since: date, until: date) -> list[ArchivePart]:
        """What is kept of each day, of all groups. Raises Forbidden for who may not compare."""
        require_of(self._principal, "compare", domain)
        schema = self.schemas[self._own(domain)]
        return ProfileArchive(self._shared.workspace, schema).parts("predictions", since, until)

    # What there is to do

    def predict(self, domain: str, row: Mapping[str, object], *, moment: str, explain: int) -> Sequence[Prediction]:
        """One logged prediction. Raises Forbidden, BadData, NoChampion."""
        return self._service.predict(self._own(domain), [row], source="dashboard", moment=moment, explain=explain)

    def columns_of(self, name: str, content: bytes, *, sheet: str = "") -> list[str]:
        """The columns of a file as it spells them. Raises UnreadableFile, also for more than is taken at once."""
        return self._table(name, content, sheet).frame.columns

    def _table(self, name: str, content: bytes, sheet: str) -> RawTable:
        if len(content) > self.max_upload_mb * 1_000_000:
            raise UnreadableFile(
                f"{name}: larger than {self.max_upload_mb} MB; use `gradewatch` for files of that size"
            )
        try:
            return read_table(content, name=name, sheet=sheet, most_rows=self.max_rows)
        except TooManyRows as error:
            raise UnreadableFile(f"{name}: {error}") from None

    def predict_file(
        self,
        domain: str,
        name: str,
        content: bytes,
        *,
        sheet: str = "",
        keep: Sequence[str] = (),
        skip_bad_rows: bool = False,
    ) -> AnsweredFile:
        """One logged prediction per row; of bad rows none with `skip_bad_rows`. sheet: of a workbook. keep: columns of
        the file to hand back.

        Raises UnreadableFile, also for more than is taken at once; BadData.
        """
        self._own(domain)
        self._table(name, content, sheet)
        return predict_file(
            self._service,
            domain,
            content,
            secret=self._shared.workspace.secret,
            name=name,
            origin="dashboard",
            sheet=sheet,
            keep=keep,
            skip_bad_rows=skip_bad_rows,
        )

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

    def compare_file(
        self, domain: str, name: str, content: bytes, *, sheet: str = "", skip_bad_rows: bool = False
    ) -> KeptReport:
        """A stored drift report of a file. Raises UnreadableFile, BadData, NoChampion, and what cannot be compared."""
        self._begin("compare", "drift judged", domain)
        if len(content) > self.max_upload_mb * 1_000_000:
            raise UnreadableFile(f"{name} is larger than {self.max_upload_mb} MB; use `gradewatch drift` for it")
        options = ReportOptions(sheet=sheet, skip_bad_rows=skip_bad_rows)
        return report_file(self._shared.workspace, domain, content, options=options, name=name)

    def compare_days(self, domain: str, since: date, *, moment: str, against: Against, rows: int) -> KeptReport:
        """A stored drift report of the days from `since` on, which hold so many rows."""
        self._begin("compare", "drift judged", domain, predictions=rows)
        return report_days(self._shared.workspace, domain, days_of(since, None, moment=moment, against=against))

    def roll_back(self, key: ChampionKey, reason: str) -> list[Succession]:
        """Raises NoSuchModel, Conflict."""
        present, workspace = require(self._shared, "change", self._own(key.domain)), self._shared.workspace
        done = rollback(
            workspace.store,
            [key],
            actor=present.name,
            reason=reason,
            artifacts=workspace.artifacts,
            schemas=workspace.schemas,
        )
        return self._changed("champion rolled back", key, done)

    def activate(self, key: ChampionKey, version: str, *, all_targets: bool, reason: str) -> list[Succession]:
        """Raises NoSuchModel, Conflict."""
        present, workspace = require(self._shared, "change", self._own(key.domain)), self._shared.workspace
        done = activate(
            workspace.store,
            key.domain,
            version,
            all_targets=all_targets,
            actor=present.name,
            reason=reason,
            artifacts=workspace.artifacts,
            schemas=workspace.schemas,
        )
        return self._changed("champion activated", key, done)

    def _changed(self, action: Action, key: ChampionKey, done: list[Succession]) -> list[Succession]:
        record(self._shared, action, key.domain, champion=str(key))
        self._shared.look_again()
        return done

    def _begin(self, permission: Permission, action: Action, domain: str, **details: object) -> None:
        require(self._shared, permission, self._own(domain))
        record(self._shared, action, domain, **details)

    @property
    def _groups(self) -> Sequence[str] | None:
        """The groups that the visitor is confined to."""
        return None if self._principal.groups is None else sorted(self._principal.groups)

    def _own(self, domain: str) -> str:
        require_of(self._principal, "see", domain)
        return domain


class _Answers(PredictionService):
    """Predicts for whoever looks, if they may: within their groups, logged under their name."""

    def __init__(self, schemas: Mapping[str, DomainSchema], shared: SharedWorkspace) -> None:
        workspace = shared.workspace
        super().__init__(schemas, workspace.champions, workspace.store, secret=workspace.secret)
        self._shared = shared

    def answer(
        self, schema: DomainSchema, rows: Sequence[ValidRow], *, source: str, actor: str | None = None, explain: int = 0
    ) -> Sequence[Prediction]:
        """One logged prediction per validated row, in order. Raises Forbidden, NoChampion, StoreUnavailable."""
        actor = self._admitted(schema, (row.group for row in rows))
        return super().answer(schema, rows, source=source, actor=actor, explain=explain)

    def answer_columns(
        self,
        schema: DomainSchema,
        tables: Sequence[ColumnRows],
        *,
        source: str,
        actor: str | None = None,
        explain: int = 0,
    ) -> list[PackedPredictions]:
        """As `answer`, for whole columns."""
        for table in tables:
            actor = self._admitted(schema, (None,) if table.groups is None else table.groups)
        return super().answer_columns(schema, tables, source=source, actor=actor, explain=explain)

    def _admitted(self, schema: DomainSchema, groups: Iterable[str | None]) -> str:
        """The name of whoever looks, who may predict for rows of these groups. Raises Forbidden."""
        present = require(self._shared, "predict", schema.name)
        require_groups(present, groups)
        return present.name
