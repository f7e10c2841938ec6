"""Whom to warn of: `gradewatch warnings list`, `preview`, `activate`, `rollback` and `history`."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cli.apps import warnings_app
from cli.inputs import actor, opened_workspace
from cli.options import Domain, Groups, Reason
from cli.output import err, out, write_json

if TYPE_CHECKING:
    from monitoring.warning_policy import WarningPolicy

OneTarget = Annotated[str | None, typer.Option("--target", help="About this one; the first with a pass mark if none.")]
Threshold = Annotated[
    float, typer.Option(min=0.0, max=1.0, help="The least chance of ending below the pass mark, or of an event.")
]
Capacity = Annotated[int | None, typer.Option(min=1, help="Of each group at most so many, the likeliest.")]
Ties = Annotated[
    Literal["in", "out", "older"],
    typer.Option(help="Of those with the same chance at the end of a capacity: all, none, or whoever waits longer."),
]
CoolDown = Annotated[int, typer.Option("--cool-down", min=0, help="Nobody again within so many days.")]
Transitions = Annotated[bool, typer.Option("--transitions", help="Not whoever gave cause by the answer before.")]
ByLot = Annotated[int, typer.Option(min=0, help="So many slots of a capacity by lot, to tell later what help did.")]
Seed = Annotated[int, typer.Option(help="Of the lots; whoever knows it can draw again.")]
Period = Annotated[str | None, typer.Option(help="Only students of this period.")]
Levels = Annotated[
    str, typer.Option(metavar="low:0.25:some:0.5:high", help="Names of levels of urgency, parted by chances.")
]


def _policy(
    threshold: float,
    capacity: int | None,
    ties: Literal["in", "out", "older"],
    days: int,
    transitions: bool,
    levels: str,
    by_lot: int,
    seed: int,
) -> "WarningPolicy":
    from monitoring.warning_policy import WarningPolicy, read_levels

    cuts, names = read_levels(levels)
    return WarningPolicy(
        threshold=threshold,
        capacity=capacity,
        ties=ties,
        cool_down_days=days,
        transitions_only=transitions,
        cuts=cuts,
        levels=names,
        by_lot=by_lot,
        seed=seed,
    )


@warnings_app.command("list")
def warnings_list(
    domain: Domain,
    target: OneTarget = None,
    group: Groups = None,
    period: Period = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False,
) -> None:
    """List whom the policy in use warns of by the newest answers, the largest chances first, under pseudonyms."""
    from access.journal import note
    from database.newest import Which
    from monitoring.at_risk import ranked_target
    from monitoring.render import warned_table
    from monitoring.warning_lists import WarningList

    with opened_workspace() as workspace:
        schema, store = workspace.service.schema(domain), workspace.store
        about = ranked_target(schema, target)
        store.catch_up_newest()
        listed = WarningList(store, schema, about, Which(groups=group, period=period), workspace.objections)
        found = listed.warned()
        note(store, actor(), "students listed", domain, groups=group, found=len(found))
    if listed.paused is not None:
        err.print(str(listed.paused), style="yellow", highlight=False, soft_wrap=True)
    write_json(found) if as_json else out.print(warned_table(found, listed.policy))


@warnings_app.command("preview")
def warnings_preview(
    domain: Domain,
    target: OneTarget = None,
    threshold: Threshold = 0.5,
    capacity: Capacity = None,
    ties: Ties = "older",
    cool_down: CoolDown = 0,
    transitions: Transitions = False,
    levels: Levels = "",
    by_lot: ByLot = 0,
    seed: Seed = 0,
    period: Period = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Say what a policy would change: how many come in and go, how many of them are likely to fail (or to come to an
    event), for each group, beside the policy in use and the plain rule. Nothing is changed."""
    from access.journal import note
    from database.newest import Which
    from monitoring.at_risk import ranked_target
    from monitoring.render import preview_tables
    from monitoring.warning_lists import preview

    policy = _policy(threshold, capacity, ties, cool_down, transitions, levels, by_lot, seed)
    with opened_workspace() as workspace:
        schema = workspace.service.schema(domain)
        about = ranked_target(schema, target)
        workspace.store.catch_up_newest()
        found = preview(workspace.store, schema, about, policy, Which(period=period), workspace.objections)
        note(workspace.store, actor(), "students listed", domain, period=period, found=found.lists["proposed"].warned)
    write_json(found) if as_json else out.print(str(policy), *preview_tables(found))


@warnings_app.command("activate")
def warnings_activate(
    domain: Domain,
    target: OneTarget = None,
    threshold: Threshold = 0.5,
    capacity: Capacity = None,
    ties: Ties = "older",
    cool_down: CoolDown = 0,
    transitions: Transitions = False,
    levels: Levels = "",
    by_lot: ByLot = 0,
    seed: Seed = 0,
    period: Period = None,
    reason: Reason = "activated by hand",
) -> None:
    """Put a policy into use; what it changes is shown, and kept with it as counts."""
    from database.newest import Which
    from monitoring.at_risk import ranked_target
    from monitoring.render import preview_tables
    from monitoring.warning_lists import activate_previewed

    policy = _policy(threshold, capacity, ties, cool_down, transitions, levels, by_lot, seed)
    with opened_workspace() as workspace:
        schema = workspace.service.schema(domain)
        about, which = ranked_target(schema, target), Which(period=period)
        made, found = activate_previewed(workspace, schema, about, policy, actor=actor(), reason=reason, which=which)
    out.print(str(policy), *preview_tables(found))
    out.print(f"in use as number {made.generation}, version {policy.version}")


@warnings_app.command("draw")
def warnings_draw(domain: Domain, target: OneTarget = None, period: Period = None) -> None:
    """Give by lot the slots that the policy in use gives so, by the newest answers, and keep who stood and who drew: so
    that chance alone said who was warned of, and `effects` can tell what it did."""
    from access.journal import note
    from database.newest import Which
    from monitoring.at_risk import ranked_target
    from monitoring.warning_lists import draw_slots

    with opened_workspace() as workspace:
        schema, store = workspace.service.schema(domain), workspace.store
        about, which = ranked_target(schema, target), Which(period=period)
        made = draw_slots(store, schema, about, which, workspace.objections, actor=actor())
        tickets = [ticket for block in made.blocks for ticket in block.tickets]
        note(store, actor(), "students listed", domain, period=period, found=len(tickets))
    drew = sum(ticket.drawn for ticket in tickets)
    out.print(f"{drew:,} of {len(tickets):,} drew a slot in {len(made.blocks):,} groups (draw {made.id})")


@warnings_app.command("draws")
def warnings_draws(domain: Domain, target: OneTarget = None) -> None:
    """Draw again what was drawn: whether it follows from its seed, and from what its event in the sealed log says."""
    from monitoring.at_risk import ranked_target
    from monitoring.render import draws_table
    from monitoring.warning_lots import check_draw, draws_of

    with opened_workspace() as workspace:
        about = ranked_target(workspace.service.schema(domain), target)
        found = [check_draw(workspace.store, one) for one in draws_of(workspace.store, domain, about.name)]
    out.print(draws_table(found))
    if any(one.wrong for one in found):
        raise typer.Exit(1)


@warnings_app.command("rollback")
def warnings_rollback(domain: Domain, target: OneTarget = None, reason: Reason = "rolled back by hand") -> None:
    """Bring back the policy before the present one."""
    from monitoring.at_risk import ranked_target
    from monitoring.warning_policy import roll_back_policy

    with opened_workspace() as workspace:
        about = ranked_target(workspace.service.schema(domain), target)
        made = roll_back_policy(workspace.store, domain, about.name, actor=actor(), reason=reason)
    out.print(f"back to {made.policy.version}: {made.policy}", highlight=False, soft_wrap=True)


@warnings_app.command("history")
def warnings_history(domain: Domain, target: OneTarget = None) -> None:
    """List which policy was in use from when on, by whom and why."""
    from monitoring.at_risk import ranked_target
    from monitoring.warning_policy import policies_in_use

    with opened_workspace() as workspace:
        about = ranked_target(workspace.service.schema(domain), target)
        found = policies_in_use(workspace.store, domain, about.name)
    for one in found:
        told = f"{one.generation}. {one.at:%Y-%m-%d %H:%M} UTC {one.action} {one.policy.version}: {one.policy}"
        out.print(f"{told} ({one.actor}: {one.reason})", highlight=False, soft_wrap=True)
    if not found:
        err.print(f"{domain}/{about.name}: the usual policy, nobody chose another one")
