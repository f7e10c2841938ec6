"""What Models asks about whom to warn of: policies, what another one would change, using one, going back."""

from collections.abc import Sequence

from dashboard.gate import record, require
from dashboard.visit.base import VisitBase
from database.newest import Which
from monitoring.warning_lists import PolicyPreview, activate_previewed, draw_slots, preview
from monitoring.warning_lots import ToldDraw, check_draw, draws_of
from monitoring.warning_policy import PolicyInUse, WarningPolicy, policies_in_use, policy_in_use, roll_back_policy

MOST_CHECKED = 20
"""Draws of slots that a page draws again."""


class WarningQuestions(VisitBase):
    """Every method as `Visit` says."""

    def warning_policy(self, domain: str, target: str) -> WarningPolicy:
        """The one in use."""
        return policy_in_use(self._shared.workspace.store, self._own(domain), target)

    def warning_policies(self, domain: str, target: str) -> Sequence[PolicyInUse]:
        """All that were put into use, oldest first; what they were expected to change is of all groups, and not told to
        whoever is confined to some."""
        return policies_in_use(self._shared.workspace.store, self._own(domain), target)

    def preview_policy(self, domain: str, target: str, policy: WarningPolicy) -> PolicyPreview:
        """What a policy would change, of the visitor's groups; that it was looked at is recorded."""
        which = Which(self._groups)
        self._begin("read", "students listed", domain, groups=which.groups, target=target)
        workspace, schema = self._shared.workspace, self.schemas[domain]
        workspace.store.catch_up_newest()
        about = schema.target_by_name[target]
        return preview(workspace.store, schema, about, policy, which, workspace.objections)

    def activate_policy(
        self, domain: str, target: str, policy: WarningPolicy, reason: str, generation: int
    ) -> PolicyInUse:
        """generation: that of its preview. Raises Conflict, NamesSomebody."""
        present, workspace = require(self._shared, "change", self._own(domain)), self._shared.workspace
        schema = self.schemas[domain]
        about = schema.target_by_name[target]
        made, _found = activate_previewed(
            workspace, schema, about, policy, actor=present.name, reason=reason, expected=generation
        )
        record(self._shared, "warning policy activated", domain, target=target, version=policy.version)
        return made

    def slot_draws(self, domain: str, target: str) -> Sequence[ToldDraw] | None:
        """The newest draws of slots by lot, each drawn again; None for whoever is confined to some groups."""
        store, own = self._shared.workspace.store, self._own(domain)
        if self._groups is not None:
            return None
        return [check_draw(store, one) for one in reversed(draws_of(store, own, target)[-MOST_CHECKED:])]

    def draw_slots(self, domain: str, target: str) -> ToldDraw:
        """Give by lot what the policy in use gives so; that students were looked at is recorded. Raises NoLots."""
        present, workspace = require(self._shared, "change", self._own(domain)), self._shared.workspace
        schema, which = self.schemas[domain], Which(self._groups)
        about = schema.target_by_name[target]
        made = draw_slots(workspace.store, schema, about, which, workspace.objections, actor=present.name)
        told = check_draw(workspace.store, made)
        record(self._shared, "students listed", domain, groups=which.groups, target=target, found=told.stood)
        return told

    def roll_back_policy(self, domain: str, target: str, reason: str) -> PolicyInUse:
        """Raises NoSuchPolicy, NamesSomebody."""
        present = require(self._shared, "change", self._own(domain))
        made = roll_back_policy(self._shared.workspace.store, domain, target, actor=present.name, reason=reason)
        record(self._shared, "warning policy rolled back", domain, target=target, version=made.policy.version)
        return made
