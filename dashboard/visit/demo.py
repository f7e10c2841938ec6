"""What a visitor may ask about the invented school: whether they look at it, and whether its tour is over."""

from clock import now
from dashboard.visit.base import VisitBase
from database.records import Document

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

    def end_tour(self) -> None:
        """Offer it no more."""
        if self.on_tour:
            over = Document(kind=TOUR_KIND, name=TOUR_NAME, revision=1, at=now(), body={})
            self._shared.workspace.store.put_document(over)
