"""What one visitor may see and do: the only thing that a page is given, made of what their principal allows.

Pages have no store, no artifacts and no other domain's champions: they ask this, question by question. What may be seen
is settled when it is made, at each drawing; what a button does is asked about again when it is pressed.
"""

from dashboard.visit.base import Uncounted
from dashboard.visit.data import DataQuestions
from dashboard.visit.demo import DemoQuestions
from dashboard.visit.given import GivenFile
from dashboard.visit.listing import ListQuestions, SeenStudent
from dashboard.visit.models import ModelQuestions
from dashboard.visit.own import OwnQuestions
from dashboard.visit.pausing import PauseQuestions
from dashboard.visit.results import ResultQuestions
from dashboard.visit.rights import RightsQuestions
from dashboard.visit.settings import SettingQuestions
from dashboard.visit.students import StudentQuestions
from dashboard.visit.today import TodayQuestions
from dashboard.visit.upload import UploadQuestions
from dashboard.visit.warnings import WarningQuestions
from monitoring.weekly_history import WeeksSeen

__all__ = ["GivenFile", "SeenStudent", "Uncounted", "Visit", "WeeksSeen"]


class Visit(
    TodayQuestions,
    StudentQuestions,
    ListQuestions,
    RightsQuestions,
    DataQuestions,
    ModelQuestions,
    ResultQuestions,
    UploadQuestions,
    WarningQuestions,
    PauseQuestions,
    SettingQuestions,
    OwnQuestions,
    DemoQuestions,
):
    """All questions of a visitor, those of each page in a file of their own.

    Every method raises Forbidden for a domain that is none of theirs, StoreUnavailable where the database is down.
    """
