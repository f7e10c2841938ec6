"""What Students asks: one prediction or a file of them."""

from collections.abc import Iterable, Mapping, Sequence

from access.roles import Principal, require_groups
from access.roles import require as require_of
from dashboard.gate import require
from dashboard.shared_workspace import SharedWorkspace
from dashboard.visit.base import VisitBase
from dashboard.visit.given import GivenFile
from database.packed import PackedPredictions
from database.records import Prediction
from model.predict_file import AnsweredFile, predict_file
from model.service import PredictionService
from preprocessing.columns import ColumnRows
from preprocessing.reading.files import read_table
from preprocessing.reading.raw_table import RawTable, UnreadableFile
from preprocessing.schema import DomainSchema
from preprocessing.validation.json_rows import ValidRow
from preprocessing.validation.rules import TooManyRows
from reports.class_list import keys_of


class StudentQuestions(VisitBase):
    """Every method as `Visit` says."""

    def __init__(self, shared: SharedWorkspace, principal: Principal) -> None:
        super().__init__(shared, principal)
        self._service = _Answers(self.schemas, shared)

    def predict(self, domain: str, row: Mapping[str, object], *, moment: str, explain: int) -> Sequence[Prediction]:
        """One logged prediction. Raises Forbidden, BadData, NoChampion."""
        return self._service.predict(self._own(domain), [row], source="dashboard", moment=moment, explain=explain)

    def columns_of(self, name: str, content: bytes, *, sheet: str = "") -> list[str]:
        """The columns of a file as it spells them. Raises UnreadableFile, also for more than is taken at once."""
        return self._table(name, content, sheet).frame.columns

    def keys_in(self, domain: str, file: GivenFile) -> Mapping[str, str]:
        """Pseudonym to key of the students of a file; nothing of it is kept. Raises UnreadableFile, NoKeys."""
        require_of(self._principal, "predict", self._own(domain))
        raw = self._table(file.name, file.content, file.sheet)
        return keys_of(raw, self.schemas[domain], secret=self._shared.workspace.secret)

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


class _Answers(PredictionService):
    """Predicts for whoever looks, if they may: within their groups, logged under their name."""

    def __init__(self, schemas: Mapping[str, DomainSchema], shared: SharedWorkspace) -> None:
        workspace = shared.workspace
        super().__init__(
            schemas, workspace.champions, workspace.store, secret=workspace.secret, objections=workspace.objections
        )
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
