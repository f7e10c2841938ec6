"""What people and schedules do in an installation, as the real functions do it; only the clock is told.

Nothing is inserted here but what those functions store. When something happens is `demo.story`'s.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from advice.case_steps import NewStep
from advice.cases import Writer, take_step
from clock import new_id
from database.layout import EVENTS_AT_ONCE, parts
from database.newest import Which
from database.observed import store_events
from database.records import ChampionKey
from database.uploads import UploadKind, new_upload
from demo.clocks import ToldTime
from demo.plot import ONE_WEEK
from jobs.drift_watch import Plan, look
from jobs.schedule import Schedule
from jobs.uploads import take_outcomes, take_rows
from model.predict_file import predict_file
from model.registry import activate, rollback
from model.trial import start_trial
from model.workspace import Workspace
from monitoring.at_risk import at_risk
from monitoring.week_close import close_week, last_day_over
from preprocessing.panel.live import GivenEvent
from preprocessing.reading.chunks import open_source
from preprocessing.schema import DomainSchema
from retraining.first_champions import keys_of, train_records
from retraining.policy import PromotionPolicy
from retraining.run import Run, retrain

OFFICE, ANALYST, TEACHER = "key:school-office", "user:anna", "user:maria"
ALL_RECORDS, SINCE_JOINING = 20_000, 320  # newest records to learn from: as by default, and those of about three weeks
LOOKS = Schedule(every=ONE_WEEK)
JOINING_JUDGES = PromotionPolicy(holdout_share=0.3)
"""As by default, but fewer of the new rows judge: most of those who came from the south should teach."""

Say = Callable[[str], None]


@dataclass
class Teller:
    """Who lives through the weeks. clock: what the installation lives by meanwhile."""

    workspace: Workspace
    clock: ToldTime
    say: Say

    def schema(self, domain: str) -> DomainSchema:
        return self.workspace.schemas[domain]

    def upload(self, domain: str, kind: UploadKind, rows: pl.DataFrame, name: str, actor: str = OFFICE) -> None:
        """A file of rows or outcomes, as from the page Upload. Raises BadData for one that is refused."""
        schema, upload = self.schema(domain), new_upload(new_id(), domain, kind, name=name, actor=actor)
        with TemporaryDirectory(prefix="gradewatch-demo-") as folder:
            path = Path(folder) / name
            rows.write_csv(path)
            if kind == "outcomes":
                take_outcomes(self.workspace, schema, path, upload, name=name)
            else:
                take_rows(self.workspace, schema, lambda: open_source(path, name=name), upload)

    def train(self, domain: str, *, window: int = ALL_RECORDS, moments: Sequence[str] | None = None) -> None:
        """Models of the stored records, as `gradewatch train`: the first ones serve."""
        keys = keys_of(self.schema(domain), moments=moments)
        for one in train_records(self.workspace, self.schema(domain), keys, window=window, actor=ANALYST, seed=1):
            self.say(f"  {one.key}: {one.model.candidate if one.model else one.reason}")

    def ask(self, domain: str, rows: pl.DataFrame, moment: str) -> None:
        """Answers at a moment, logged; from a file without outcomes, as the school's office sends it."""
        schema = self.schema(domain)
        self.workspace.champions.refresh()
        content = rows.drop(target.name for target in schema.targets).write_csv().encode()
        service, secret = self.workspace.service, self.workspace.secret
        predict_file(
            service, domain, content, secret=secret, name="class.csv", moment=moment, origin="api", actor=OFFICE
        )

    def observe(self, domain: str, events: Iterable[GivenEvent]) -> None:
        """What a school system tells of students, as by the route of events."""
        for some in parts(events, EVENTS_AT_ONCE):
            store_events(self.workspace.store, domain, some, secret=self.workspace.secret, at=self.clock())

    def close_week(self, domain: str) -> None:
        """The school week that is over, answered for everybody, as the tick has it."""
        self.workspace.champions.refresh()
        day = last_day_over(self.clock().date())
        closed = close_week(self.workspace, domain, day, actor=OFFICE)
        self.say(f"  {domain}, {closed.week}: {closed.answered} answered, {closed.without} not")

    def outcomes(self, domain: str, rows: pl.DataFrame, name: str, actor: str = OFFICE) -> None:
        """The ends of students, as far as rows tell them."""
        schema = self.schema(domain)
        placing = [one for one in (*schema.context_names, *schema.placing) if one in rows.columns]
        told = rows.select(list(dict.fromkeys([*placing, *(target.name for target in schema.targets)])))
        self.upload(domain, "outcomes", told, name, actor)

    def look(self, domain: str, days: int = 7) -> None:
        """The watch's look at the days before the newest due time."""
        found = look(self.workspace, Plan(domain, LOOKS, days=days), LOOKS.due(self.clock()), {})
        if found:
            self.say(f"  {domain}: {found.level}. {found.sentence}")

    def contest(self, domain: str) -> None:
        """A challenger for every champion, judged by the newest ends."""
        schema = self.schema(domain)
        run = Run(self.workspace, schema, SINCE_JOINING, policy=JOINING_JUDGES, actor=ANALYST, seed=1)
        for one in retrain(run, keys_of(schema)):
            self.say(f"  {one.key}: {one.decision.verdict}: {'; '.join(one.decision.reasons)}")

    def roll_back(self, key: ChampionKey, reason: str) -> None:
        """The champion before the present one."""
        opened = self.workspace
        checked: dict[str, Any] = {"artifacts": opened.artifacts, "schemas": opened.schemas}
        rollback(opened.store, [key], actor=ANALYST, reason=reason, **checked)

    def bring_back(self, key: ChampionKey, reason: str) -> None:
        """The champion that a rollback replaced."""
        opened = self.workspace
        checked: dict[str, Any] = {"artifacts": opened.artifacts, "schemas": opened.schemas}
        version = opened.store.successions(key)[-2].version
        activate(opened.store, key.domain, version, all_targets=False, actor=ANALYST, reason=reason, **checked)

    def try_newest(self, key: ChampionKey, records: int, reason: str) -> None:
        """A challenger that learned from the newest records alone, tried in shadow."""
        self.train(key.domain, window=records, moments=[key.moment])
        challenger = self.workspace.store.models(key)[0]
        start_trial(self.workspace.store, challenger, mode="shadow", actor=ANALYST, reason=reason)

    def note(self, domain: str, steps: Sequence[NewStep], actor: str = TEACHER) -> None:
        """What somebody did about the students who are likeliest to end below the pass mark, one step each."""
        store, schema = self.workspace.store, self.schema(domain)
        found = at_risk(store, schema, which=Which(since=self.clock() - ONE_WEEK), limit=len(steps))
        for one, step in zip(found.students, steps, strict=True):
            take_step(store, schema, one.student, step, Writer(actor))
