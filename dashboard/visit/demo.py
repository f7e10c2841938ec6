"""What a visitor may ask about the invented school: whether they look at it, and whether its tour is over."""

from datetime import UTC, datetime, time

from clock import now
from dashboard.visit.base import VisitBase
from database.records import Document
from demo.plot import CHANGED, FIRST_MONDAY, JOINED, ONE_WEEK

TOUR_KIND = TOUR_NAME = "tour"


class DemoQuestions(VisitBase):
    """Of the invented school."""

    @property
    def of_demo(self) -> bool:
        """Whether all that is seen is invented."""
        return self._shared.is_demo

    @property
    def demo_there(self) -> bool:
        """Whether an invented school lies beside what is seen."""
        return self._shared.has_demo

    @property
    def on_tour(self) -> bool:
        """Whether the tour of the invented school is still offered."""
        return self.of_demo and self._shared.workspace.store.document(TOUR_KIND, TOUR_NAME) is None

    def report_of_joining(self) -> str:
        """The drift report of the week in which the other school joined; empty where it is gone."""
        ends = datetime.combine(FIRST_MONDAY + JOINED * ONE_WEEK, time(), tzinfo=UTC)
        found = self._shared.workspace.store.drift_reports(CHANGED.domain, before=(ends, ""), limit=1)
        return found[0].id if found else ""

    def end_tour(self) -> None:
        """Offer it no more."""
        if self.on_tour:
            over = Document(kind=TOUR_KIND, name=TOUR_NAME, revision=1, at=now(), body={})
            self._shared.workspace.store.put_document(over)
