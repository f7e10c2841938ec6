"""What the list of students and the page of one ask: who is likely to fail, why, what was done about it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from access.roles import require as require_of
from access.roles import require_groups
from advice.advise import Advice, NothingKnown, advise
from advice.case_steps import CaseStep, NewStep, Stage
from advice.cases import CaseList, StudentCase, Writer, case_of, cases_of, list_cases, take_step
from dashboard.gate import record, require
from dashboard.visit.base import VisitBase
from dashboard.visit.given import GivenFile
from database.newest import Which
from database.records import Factor, Job, Outcome, Prediction
from jobs.queue import STEPS_FILE
from language import worded
from model.asked_again import factors_of
from monitoring.moves import Move, PastModels, explained_move
from monitoring.student_list import ListCounts, ListPage, ListPlace, Shown, StudentLists
from monitoring.warning_lists import WarningList
from monitoring.weekly_history import WeeksSeen, weeks_seen
from preprocessing.reading.raw_table import UnreadableFile
from reports.archive import ReportEntry, read_report, reports_of
from reports.class_list import read_names
from reports.forms import write_report
from reports.sheet_forms import sheet_about, sheet_page

MOST_GROUPS = 500
MOST_SEEN = 200
"""Predictions of one student, the newest."""


class SeenStudent(NamedTuple):
    """One student (a pseudonym) as its page shows it. predictions: of the visitor's groups, the newest first. outcomes:
    what became of them."""

    student: str
    predictions: Sequence[Prediction]
    outcomes: Sequence[Outcome]


class ListQuestions(VisitBase):
    """Every method as `Visit` says; all but notes take the permission to read predictions."""

    def groups(self, domain: str) -> list[str]:
        """Those that the visitor may choose among."""
        require_of(self._principal, "read", self._own(domain))
        if self._groups is not None:
            return list(self._groups)
        return self._shared.workspace.store.answered_groups(domain, limit=MOST_GROUPS)

    def newest_answer_at(self, domain: str) -> datetime | None:
        """When somebody whom the visitor may see was last answered about."""
        require_of(self._principal, "read", self._own(domain))
        found = self._shared.workspace.store.predictions(domain, groups=self._groups, limit=1)
        return found[0].at if found else None

    def count_students(
        self, domain: str, target: str, groups: Sequence[str] = (), given_from: datetime | None = None
    ) -> ListCounts:
        """Of these groups, or of all that are the visitor's, by the answers given from then on."""
        return self._lists(domain, target, groups, given_from).counts()

    def list_students(
        self,
        domain: str,
        target: str,
        groups: Sequence[str] = (),
        given_from: datetime | None = None,
        *,
        shown: Shown = "all",
        after: ListPlace | None = None,
        limit: int,
        since: datetime,
    ) -> ListPage:
        """A page of the list; since: from when on somebody is new in it. That it was looked at is recorded."""
        lists = self._lists(domain, target, groups, given_from)
        seen = groups or self._groups
        self._begin("read", "students listed", domain, groups=None if seen is None else list(seen), target=target)
        return lists.page(shown, after=after, limit=limit, since=since)

    def _lists(self, domain: str, target: str, groups: Sequence[str], given_from: datetime | None) -> StudentLists:
        require_of(self._principal, "read", self._own(domain))
        require_groups(self._principal, groups)
        workspace, schema = self._shared.workspace, self.schemas[domain]
        which = Which(list(groups) if groups else self._groups, since=given_from)
        about = schema.target_by_name[target]
        return StudentLists(workspace.store, schema, about, which, workspace.objections)

    def reasons(
        self, domain: str, target: str, predictions: Sequence[Prediction], most: int
    ) -> Mapping[str, tuple[Factor, ...]]:
        """By id of a prediction, what moved its answer."""
        require_of(self._principal, "read", self._own(domain))
        return factors_of(self._shared.workspace.service, self.schemas[domain], predictions, target, most=most)

    def student(self, domain: str, student: str) -> SeenStudent | None:
        """One student; None where nobody was answered about it in the visitor's groups, or it objected. That it was
        looked at is recorded."""
        require_of(self._principal, "read", self._own(domain))
        store = self._shared.workspace.store
        if student in self._shared.workspace.objections:
            return None
        found = store.predictions(domain, student=student, groups=self._groups, limit=MOST_SEEN)
        if not found:
            return None
        self._begin("read", "student looked up", domain, student=student)
        seen = {(one.group, one.period) for one in found}
        ids = {one.id for one in found}
        became = store.student_outcomes(domain, student)
        own = [one for one in became if one.prediction in ids or (one.group, one.period) in seen]
        return SeenStudent(student, found, own)

    def warning_of(self, domain: str, target: str, prediction: Prediction) -> bool:
        """Whether the policy in use warns of the student of the newest prediction in a group."""
        require_of(self._principal, "read", self._own(domain))
        require_groups(self._principal, [prediction.group])
        workspace, schema = self._shared.workspace, self.schemas[domain]
        which = Which(None if prediction.group is None else [prediction.group], prediction.period)
        about = schema.target_by_name[target]
        listed = WarningList(workspace.store, schema, about, which, workspace.objections)
        return listed.cause_in(prediction) is not None and any(
            one.cause.prediction == prediction.id for one in listed.warned()
        )

    def weeks(self, domain: str, student: str, target: str) -> WeeksSeen | None:
        """How a student stood week by week, by what was answered and observed, as far as the visitor may see; None
        where no week of it was answered."""
        require_of(self._principal, "read", self._own(domain))
        workspace = self._shared.workspace
        found = workspace.store.predictions(domain, student=student, groups=self._groups, limit=MOST_SEEN)
        schema = self.schemas[domain]
        about = schema.target_by_name[target]
        return weeks_seen(workspace, schema, about, student, found, self._groups)

    def move(self, domain: str, target: str, before: Prediction, after: Prediction) -> Move | None:
        """By what the answer about a student moved between two predictions that the visitor sees; None where one of
        both has none."""
        require_of(self._principal, "read", self._own(domain))
        require_groups(self._principal, [before.group, after.group])
        workspace, schema = self._shared.workspace, self.schemas[domain]
        models = PastModels(workspace.store, workspace.artifacts)
        return explained_move(models, schema, schema.target_by_name[target], before, after)

    def advice(self, domain: str, prediction: Prediction) -> Advice | None:
        """Weak subjects, what stands out and a plan, by one prediction that the visitor sees."""
        require_of(self._principal, "read", self._own(domain))
        require_groups(self._principal, [prediction.group])
        workspace = self._shared.workspace
        try:
            return advise(
                workspace.store,
                self.schemas[domain],
                self._shared.catalogue,
                prediction,
                groups=self._groups,
                objected=workspace.objections,
            )
        except NothingKnown:
            return None

    def sheet(self, domain: str, prediction: Prediction) -> bytes:
        """A page for the person about one prediction that the visitor sees. That it was read is recorded."""
        require_groups(self._principal, [prediction.group])
        self._begin("read", "prediction read", domain, prediction=prediction.id, student=prediction.student)
        shared = self._shared
        made = sheet_about(shared.workspace, self.schemas[domain], prediction, shared.purpose, shared.contact)
        return sheet_page(made)

    # What was done

    def cases(self, domain: str, students: Sequence[str]) -> Mapping[str, StudentCase]:
        """What was done about these, of whom there is something; nothing for who may not read it."""
        if not self.may("note", self._own(domain)):
            return {}
        return cases_of(self._shared.workspace.store, domain, students, self._groups)

    def case(self, domain: str, student: str) -> StudentCase:
        """What was done about one. Raises Forbidden."""
        self._begin("note", "notes read", domain, student=student)
        return case_of(self._shared.workspace.store, domain, student, self._groups)

    def case_list(self, domain: str, stages: Sequence[Stage]) -> CaseList:
        """Where the cases stand, of the visitor's groups; that it was read is recorded. Raises Forbidden."""
        self._begin("note", "notes read", domain)
        return list_cases(self._shared.workspace.store, domain, stages, self._groups)

    def import_steps(self, domain: str, file: GivenFile) -> Job:
        """Steps of cases from a file, by a worker, or by this process at once where none is there. Raises
        UnreadableFile for more than is taken at once."""
        present = require(self._shared, "note", self._own(domain))
        if len(file.content) > self.max_upload_mb * 1_000_000:
            raise UnreadableFile(f"{file.name} is larger than {self.max_upload_mb} MB")
        return self._give(STEPS_FILE, domain, present, file)

    def steps_job(self, domain: str, id: str) -> Job | None:
        """What became of a file that the visitor gave; None where it is not theirs, or long ago."""
        return self._given(domain, require(self._shared, "note", self._own(domain)), id)

    def help_kinds(self) -> Mapping[str, str]:
        """The kinds of help that there are, by id what they are called."""
        return {one.id: worded(one.title) for one in self._shared.catalogue.entries}

    def take_step(self, domain: str, student: str, step: NewStep) -> CaseStep:
        """Keep what was done. Raises Forbidden, BadStep, NamesSomebody, NothingKnown."""
        present, workspace = require(self._shared, "note", self._own(domain)), self._shared.workspace
        groups = None if present.groups is None else sorted(present.groups)
        by = Writer(present.name, groups, workspace.objections, self._shared.catalogue.by_id)
        made = take_step(workspace.store, self.schemas[domain], student, step, by)
        record(self._shared, "student noted", domain, student=student, done=made.done)
        return made

    # Names and papers

    def names_in(self, domain: str, name: str, content: bytes) -> Mapping[str, str]:
        """Pseudonym to what a class list calls the student; nothing of it is kept. Raises UnreadableFile, NoKeys."""
        require_of(self._principal, "read", self._own(domain))
        return read_names(content, self.schemas[domain], secret=self._shared.workspace.secret, name=name)

    def report_on(self, domain: str, group: str | None, period: str | None) -> ReportEntry | None:
        """The newest report on a group and period, where there is one."""
        require_of(self._principal, "read", self._own(domain))
        require_groups(self._principal, [group])
        if group is None or period is None:
            return None
        return next(iter(reports_of(self._shared.workspace.store, domain, group, period)), None)

    def report_page(self, entry: ReportEntry, names: Mapping[str, str]) -> bytes:
        """A report as a page, with these names. That it was read is recorded."""
        require_groups(self._principal, [entry.group])
        self._begin("read", "report read", entry.domain, report=entry.id, group=entry.group, period=entry.period)
        return write_report(read_report(self._shared.workspace.store, entry), "html", names)
