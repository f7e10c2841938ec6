"""What a student or a guardian asks: the one student that they are linked to, and an objection."""

from access.roles import linked_student
from advice.advise import NothingKnown
from advice.own_view import OwnView, own_prediction, own_view
from dashboard.gate import record, require
from dashboard.visit.base import VisitBase
from model.objections import Objection
from reports.sheet_forms import SheetForm, sheet_about


class OwnQuestions(VisitBase):
    """Every method as `Visit` says; NotLinked where the visitor is linked to nobody."""

    @property
    def for_child(self) -> bool:
        """Whether the visitor looks at their child, and not at themselves."""
        return self._principal.role == "guardian"

    @property
    def contact(self) -> str:
        """Whom to ask, as the institution says it; empty where it says nothing."""
        return self._shared.contact

    def own(self) -> OwnView:
        """What is said of the student; each look is recorded."""
        present, workspace = require(self._shared, "own"), self._shared.workspace
        student = linked_student(present)
        domains = [name for name in workspace.schemas if present.may("own", name)]
        found = own_view(workspace, domains, self._shared.catalogue, student)
        for one in found.domains:
            record(self._shared, "own record read", one.domain, student=student)
        return found

    def own_sheet(self, number: str, form: SheetForm) -> bytes:
        """The sheet of that number about the student; that it was read is recorded. Raises NothingKnown, and
        MissingExtra where a form needs what is not there."""
        present, shared = require(self._shared, "own"), self._shared
        workspace, student = shared.workspace, linked_student(present)
        domains = [name for name in workspace.schemas if present.may("own", name)]
        found = own_prediction(workspace, domains, student, number)
        if found is None:
            raise NothingKnown("there is no sheet of that number about you")
        record(shared, "own record read", found.domain, student=student, prediction=found.id)
        made = sheet_about(workspace, workspace.schemas[found.domain], found, shared.purpose, shared.contact)
        return form.write(made)

    def object_to_scoring(self) -> Objection:
        """The student is in no list and never scored from now on, in any domain; an officer alone lifts it."""
        present, workspace = require(self._shared, "own"), self._shared.workspace
        student = linked_student(present)
        made = workspace.objections.add(student, workspace.schemas, actor=f"role:{present.role}")
        record(self._shared, "objection recorded")
        return made
