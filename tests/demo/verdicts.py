"""What an installation of the demo says of itself, without ids, times and figures that a library's version may move."""

from datetime import UTC, datetime, time
from typing import Any

from advice.cases import CASE_KIND
from database.newest import Which
from database.records import ChampionKey
from database.uploads import uploads_of
from demo.plot import DISTRICT, FIRST_MONDAY, LAST_INSTANT, ONE_WEEK, SCHOOL, UNIVERSITY
from model.trial import trials
from model.workspace import Workspace
from monitoring.at_risk import at_risk
from monitoring.student_list import LIKELIER_THAN_NOT
from monitoring.trial_report import report_trial


def verdicts(workspace: Workspace) -> dict[str, Any]:
    """Of all domains, oldest first."""
    return {
        f"{domain}: {what}": found
        for domain in (SCHOOL, UNIVERSITY, DISTRICT)
        for what, found in _of_domain(workspace, domain).items()
    }


def _of_domain(workspace: Workspace, domain: str) -> dict[str, Any]:
    store, schema = workspace.store, workspace.schemas[domain]
    keys = sorted(ChampionKey(domain, target.name, moment) for target in schema.targets for moment in schema.moments)
    running = [report_trial(store, schema, one, learned=workspace.learned) for one in trials(store, domain)]
    return {
        "looks": [one.alarm for one in store.drift_reports(domain, limit=100)][::-1],
        "decisions": {str(key): [one.verdict for one in store.decisions(key=key)][::-1] for key in keys},
        "line": {str(key): [(one.action, one.actor) for one in store.successions(key)] for key in keys},
        "trials": [(one.trial.mode, one.trial.ended is None, one.verdict) for one in running],
        "predictions": store.count_predictions(domain),
        "uploads": [(one.kind, one.state) for one in uploads_of(store, domain, limit=100)][::-1],
        "cases": len(store.documents(CASE_KIND, domain=domain)),
        "below the mark": students_below(workspace, domain),
    }


def students_below(workspace: Workspace, domain: str) -> int:
    """How many of those who were answered in the last week are likelier than not to end below the pass mark."""
    which = Which(since=LAST_INSTANT - ONE_WEEK)
    found = at_risk(workspace.store, workspace.schemas[domain], which=which, least=LIKELIER_THAN_NOT, limit=1000)
    return len(found.students)


def share_inside(workspace: Workspace, domain: str, target: str, moment: str, weeks: range) -> tuple[int, float]:
    """Of the answers of some weeks of the story that gave a range: how many, and the share of outcomes within."""
    told = [
        (answer.interval, pair.outcome.value)
        for week in weeks
        for pair in workspace.store.pairs(domain, target, since=monday(week), until=monday(week + 1))
        if pair.prediction.moment == moment
        for answer in pair.prediction.answers
        if answer.target == target and answer.interval is not None
    ]
    return len(told), sum(low <= float(value) <= high for (low, high), value in told) / len(told)


def monday(week: int) -> datetime:
    """When a week of the story begins; the first is 1."""
    return datetime.combine(FIRST_MONDAY + (week - 1) * ONE_WEEK, time(), tzinfo=UTC)
