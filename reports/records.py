"""What a cohort report says: complete in itself, so that it reads the same in years, whatever became of the models.

Every figure of the whole class follows from its students (`reports.figures`), so that a report without one of them is
made by leaving that one out. No record holds a key or a name: `student` is a pseudonym.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple

import msgspec

from database.records import Answer, Cell, digest
from errors import Category, GradewatchError
from model.scores import Estimate
from monitoring.performance import TargetPerformance
from preprocessing.schema import DomainSchema, Target

REPORT_SOURCE = "report"
"""Under which predictions are logged that a report asked for."""


USUAL_DAYS = 21
"""Between two reports, where no schedule says otherwise."""


class Occasion(NamedTuple):
    """Which report: on a group in a period, for a day. every: days until the next."""

    group: str
    period: str
    due: date
    every: int = USUAL_DAYS


class NoCohorts(GradewatchError):
    """A domain whose rows are placed in no group and period has no cohorts to report on."""

    category = Category.INVALID


class SpokenReason(msgspec.Struct, frozen=True, kw_only=True):
    """Why: an input that moved the answer, in words."""

    feature: str
    words: str


class ChangedCell(msgspec.Struct, frozen=True, kw_only=True):
    """A column of a student's row that says something else than before, or is known now."""

    feature: str
    before: Cell
    now: Cell


class ReportedColumn(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a column and its values are said. title: as the domain's file calls it."""

    title: str = ""
    unit: str = ""
    labels: dict[str, str] = {}


class Before(msgspec.Struct, frozen=True, kw_only=True):
    """What the last report said of a student, and what the change of the answer since then comes from.

    value, below_pass: of the first target. by_data, by_model: how far new data and another model moved the answer, in
    target units or levels, in sum the change; None where one of the answers is none. cells: what changed in the row.
    moment: at which the student was answered then.
    """

    value: float | str | None
    below_pass: float | None
    moment: str
    cells: tuple[ChangedCell, ...] = ()
    by_data: float | None = None
    by_model: float | None = None


class PlannedStep(msgspec.Struct, frozen=True, kw_only=True):
    """What a student may do next: an entry of the catalogue, for how long, and why, in words."""

    id: str
    title: str
    how_long: str
    why: str


class ReportedAdvice(msgspec.Struct, frozen=True, kw_only=True):
    """What stands out in a student's row that can be changed, and what may help. weak: results among the lowest of the
    class, in words. nothing_because: why there are no steps."""

    weak: tuple[str, ...] = ()
    steps: tuple[PlannedStep, ...] = ()
    nothing_because: str = ""


class ReportedStudent(msgspec.Struct, frozen=True, kw_only=True):
    """A student of the cohort. prediction: under which its answers are logged; None where nobody answers at `moment`.

    row_at: when the row that was answered came in. missing: columns that are known at that moment and are empty in this
    row. advice: by rule; None where nobody was answered. reasons: what moved the answer about the first target most,
    the strongest first. before: None where the last report does not have the student, or there is none.
    """

    student: str
    moment: str
    row_at: datetime
    prediction: str | None = None
    answers: tuple[Answer, ...] = ()
    reasons: tuple[SpokenReason, ...] = ()
    missing: tuple[str, ...] = ()
    advice: ReportedAdvice | None = None
    before: Before | None = None

    def answer(self, target: str) -> Answer | None:
        """What was said about a target."""
        return next((one for one in self.answers if one.target == target), None)


class ReportedModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model that answered in a report, as it was then.

    trained: when. rows: that it learned from. examples: whether these were generated and stand for no student. serves:
    since when it is in use, and why it came. mae, naive_mae: its mean absolute error (target units, or levels) on rows
    that it had not seen, and the plain rule's; None where none is kept. n: of these rows. doubts: against it.
    """

    version: str
    target: str
    moment: str
    candidate: str
    trained: datetime
    rows: int
    examples: bool
    serves: datetime | None = None
    why: str = ""
    n: int = 0
    mae: Estimate | None = None
    naive_mae: Estimate | None = None
    doubts: tuple[str, ...] = ()


class LastReport(msgspec.Struct, frozen=True, kw_only=True):
    """The report that this one is compared with. models: the versions that answered then."""

    id: str
    due: date
    made: datetime
    models: tuple[str, ...] = ()


class DriftSeen(msgspec.Struct, frozen=True, kw_only=True):
    """The newest drift report of the domain: whether the data of all its rows are still what models learned from."""

    at: datetime
    alarm: bool


class CohortReport(msgspec.Struct, frozen=True, kw_only=True):
    """A report on the students of a group in a period.

    due: the day that it is for, of which there is one. every: days until the next one. edition: counts from 1; a later
    one is made only when a student is erased, which `withdrawn` tells. targets: of the domain, the one that is reported
    on first. columns: of the domain, that a student's row may have. moments: what the domain's file calls them. left:
    students of the last report without a row now. notes: what a reader should know first.
    """

    domain: str
    title: str
    group: str
    period: str
    due: date
    every: int
    made: datetime
    edition: int = 1
    withdrawn: tuple[date, ...] = ()
    targets: tuple[Target, ...]
    students: tuple[ReportedStudent, ...]
    left: tuple[str, ...] = ()
    columns: dict[str, ReportedColumn] = {}
    moments: dict[str, str] = {}
    last: LastReport | None = None
    models: tuple[ReportedModel, ...] = ()
    performance: tuple[TargetPerformance, ...] = ()
    drift: DriftSeen | None = None
    notes: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Of the report, whatever its edition."""
        return report_key(self.domain, self.group, self.period, self.due)

    @property
    def target(self) -> Target:
        """What is reported on first."""
        return self.targets[0]


def report_key(domain: str, group: str, period: str, due: date) -> str:
    """The id of the one report of a group and period that is due on a day."""
    return digest([domain, group, period, due.isoformat(), "cohort report"])


def require_cohorts(schema: DomainSchema) -> None:
    """Raises NoCohorts where rows have no group, no period or no student."""
    lacking = [
        what
        for what, has in (("group", schema.group), ("period", schema.period), ("student", schema.student))
        if not has
    ]
    if lacking:
        raise NoCohorts(
            f"{schema.name} has no {' and no '.join(lacking)}: its file names none, so there is no class to report on"
        )


def reported_targets(schema: DomainSchema) -> tuple[Target, ...]:
    """The targets of a domain in the order of a report: a value with a pass mark first, then what else has one."""
    return tuple(sorted(schema.targets, key=lambda one: (one.pass_mark is None, one.kind != "value")))


def without_student(report: CohortReport, student: str, at: date) -> CohortReport:
    """The next edition of a report, in which a student does not occur; the same one where it does not."""
    if not stands_in(report, student):
        return report
    return msgspec.structs.replace(
        report,
        edition=report.edition + 1,
        withdrawn=(*report.withdrawn, at),
        students=tuple(one for one in report.students if one.student != student),
        left=tuple(one for one in report.left if one != student),
    )


def stands_in(report: CohortReport, student: str) -> bool:
    """Whether a report says anything of a student."""
    return student in report.left or any(one.student == student for one in report.students)


def columns_moved(students: Sequence[ReportedStudent]) -> dict[str, int]:
    """Column to the number of students whose row says something else in it than before, most first."""
    counts: dict[str, int] = {}
    for one in students:
        for cell in one.before.cells if one.before else ():
            counts[cell.feature] = counts.get(cell.feature, 0) + 1
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))
