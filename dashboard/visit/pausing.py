"""What Models asks about pausing answers: what is paused, pausing, letting the models answer again."""

from dashboard.gate import record, require
from dashboard.visit.base import VisitBase
from model.pauses import EVERY_DOMAIN, InPlace, Pause, pause, pause_of, pauses, resume
from monitoring.alerts import post_pause


class PauseQuestions(VisitBase):
    """Every method as `Visit` says."""

    def paused(self, domain: str) -> Pause | None:
        """What holds of a domain, by itself or with all."""
        return pause_of(pauses(self._shared.workspace.store), self._own(domain))

    def pause_answers(self, domain: str, answers: InPlace, reason: str) -> Pause:
        """Raises NamesSomebody."""
        present, shared = require(self._shared, "change", self._own(domain)), self._shared
        made = pause(shared.workspace.store, domain, answers, reason=reason, actor=present.name)
        record(shared, "answers paused", domain, answers=answers)
        post_pause(shared.workspace.store, made, shared.jobs.channels())
        shared.look_again()
        return made

    def resume_answers(self, paused: Pause, reason: str) -> None:
        """Of whatever was paused, which may be all domains. Raises NotPaused, NamesSomebody."""
        everywhere, workspace = paused.domain == EVERY_DOMAIN, self._shared.workspace
        named = list(workspace.schemas) if everywhere else [paused.domain]
        whoever = {require(self._shared, "change", name).name for name in named}  # of each of them, before any resumes
        resume(workspace.store, paused.domain, reason=reason, actor=whoever.pop())
        record(self._shared, "answers resumed", None if everywhere else paused.domain)
        self._shared.look_again()
