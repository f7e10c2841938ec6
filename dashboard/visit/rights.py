"""What an officer asks to answer a student's request: all that is known, erasing it, an objection."""

from access.hand_out import hand_out
from access.known import KnownOfStudent, known_everywhere, known_of
from access.roles import require as require_of
from clock import now
from dashboard.gate import record, require
from dashboard.visit.base import VisitBase
from jobs.erasures import ask_to_erase
from jobs.holdings import files_about
from model.objections import Objection
from preprocessing.validation.pii import is_pseudonym, pseudonym
from preprocessing.validation.rules import plain_key


class RightsQuestions(VisitBase):
    """Every method as `Visit` says, and takes the permission to answer students' requests but for the first."""

    def pseudonym_of(self, key: str) -> str:
        """What stands for a key of the institution, or the pseudonym that was given."""
        typed = plain_key(key.strip())
        return typed if is_pseudonym(typed) else pseudonym(typed, self._shared.workspace.secret)

    def known(self, domain: str, student: str) -> KnownOfStudent | None:
        """All that is known of a student (a pseudonym)."""
        require_of(self._principal, "rights", self._own(domain))
        return known_of(self._shared.workspace, domain, student)

    def export(self, domain: str, student: str) -> bytes:
        """The archive to hand out. Raises NobodyKnown."""
        self._begin("rights", "student exported", domain, student=student)
        workspace = self._shared.workspace
        known = known_everywhere(workspace, student, [domain])
        return hand_out(known, files_about(workspace.store, [domain], student), now())

    def erase(self, domain: str, student: str, *, reason: str) -> str:
        """The job that erases the student. Raises NobodyKnown, NamesSomebody."""
        present, workspace = require(self._shared, "rights", self._own(domain)), self._shared.workspace
        known_everywhere(workspace, student, [domain])
        job = ask_to_erase(workspace.store, domain, student, reason=reason, actor=present.name)
        record(self._shared, "student erased", domain, job=job.id)
        return job.id

    def object(self, domain: str, student: str, *, reason: str) -> Objection:
        """Record that the student objects. Raises NamesSomebody."""
        present, workspace = require(self._shared, "rights", self._own(domain)), self._shared.workspace
        made = workspace.objections.add(student, workspace.schemas, actor=present.name, reason=reason)
        record(self._shared, "objection recorded", domain)
        return made
