"""Whom to warn of: the policy in use and all before it, what another one would change, putting one into use, going
back."""

import asyncio
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Request, Response

from access.roles import Forbidden
from api.routes.dependencies import CurrentState, groups_of, needs, noted, principal_of, schema_of, service_state
from api.routes.openapi import answers, takes
from api.routes.uploads import read_command
from api.schemas import ActivatePolicy, DrawSlots, LotDraws, ProposePolicy, RollBackPolicy, WarningPolicies, respond
from database.newest import Which
from database.withdrawal import NamesSomebody, require_nobody_named
from monitoring.at_risk import ranked_target
from monitoring.warning_lists import PolicyPreview, activate_previewed, draw_slots, preview
from monitoring.warning_lots import ToldDraw, check_draw, draws_of
from monitoring.warning_policy import (
    PolicyFields,
    PolicyInUse,
    WarningPolicy,
    faults_of,
    policies_in_use,
    policy_in_use,
    roll_back_policy,
)
from preprocessing.schema import DomainSchema, Target
from preprocessing.validation.rules import BadData, Problem

router = APIRouter(prefix="/api/v1/{domain}/warnings", tags=["students"])
PolicyTarget = Annotated[str | None, Query(description="the first one with a pass mark by default")]


class BadPolicyRequest(BadData):
    """A request about a warning policy that cannot be; its problems are everything that is wrong with it."""


@router.get("/policy", responses=answers(WarningPolicies), dependencies=[needs("see")])
def policies(domain: str, request: Request, state: CurrentState, target: PolicyTarget = None) -> Response:
    """The warning policy in use, and which was in use when, by whom and why, oldest first. `preview`, what each was
    expected to change, is of all groups: it is empty for whoever is confined to some."""
    schema, store = schema_of(state, domain), state.workspace.store
    about = _checked(schema, target).name
    history = policies_in_use(store, domain, about)
    if groups_of(request) is not None:
        history = tuple(msgspec.structs.replace(one, preview={}) for one in history)
    policy = policy_in_use(store, domain, about)
    told = WarningPolicies(
        domain=domain,
        target=about,
        generation=len(history),
        version=policy.version,
        words=str(policy),
        policy=policy,
        history=history,
    )
    return respond(told)


@router.post(
    "/preview", responses=answers(PolicyPreview), openapi_extra=takes(ProposePolicy), dependencies=[needs("read")]
)
async def preview_policy(domain: str, request: Request) -> Response:
    """What a policy would change, beside the one in use and beside the plain rule: who comes onto the list and who
    leaves it, how many of them are likely to fail or would be warned for nothing, for each group. Nothing is changed;
    `generation` is of the policy that it was compared with."""
    wanted = await read_command(request, ProposePolicy)
    return respond(await asyncio.to_thread(_preview, request, domain, wanted))


def _preview(request: Request, domain: str, wanted: ProposePolicy) -> PolicyPreview:
    state = service_state(request)
    schema, workspace, groups = schema_of(state, domain), state.workspace, groups_of(request)
    about, policy = _checked(schema, wanted.target, wanted), _policy_of(wanted)
    workspace.store.catch_up_newest()
    which = Which(groups, wanted.period)
    found = preview(workspace.store, schema, about, policy, which, workspace.objections)
    noted(
        request,
        "students listed",
        domain,
        groups=groups,
        period=wanted.period,
        found=found.lists["proposed"].warned,
    )
    return found


@router.post(
    "/activate",
    status_code=201,
    responses=answers(PolicyInUse, 201, "in use from now on, everywhere"),
    openapi_extra=takes(ActivatePolicy),
    dependencies=[needs("change")],
)
async def activate(domain: str, request: Request) -> Response:
    """Put a policy into use; what it changes is kept with it, as counts. 409 where another one came into use since
    `generation`, that of its preview."""
    wanted = await read_command(request, ActivatePolicy)
    return respond(await asyncio.to_thread(_activate, request, domain, wanted), 201)


def _activate(request: Request, domain: str, wanted: ActivatePolicy) -> PolicyInUse:
    state = service_state(request)
    schema = schema_of(state, domain)
    about, policy = _checked(schema, wanted.target, wanted, wanted.reason), _policy_of(wanted)
    made, _found = activate_previewed(
        state.workspace,
        schema,
        about,
        policy,
        actor=principal_of(request).name,
        reason=wanted.reason,
        which=Which(period=wanted.period),
        expected=wanted.generation,
    )
    noted(request, "warning policy activated", domain, target=about.name, version=policy.version)
    return made


@router.post(
    "/rollback", responses=answers(PolicyInUse), openapi_extra=takes(RollBackPolicy), dependencies=[needs("change")]
)
async def roll_back(domain: str, request: Request) -> Response:
    """Bring back the policy before the one in use."""
    wanted = await read_command(request, RollBackPolicy)
    return respond(await asyncio.to_thread(_roll_back, request, domain, wanted))


def _roll_back(request: Request, domain: str, wanted: RollBackPolicy) -> PolicyInUse:
    state = service_state(request)
    about = _checked(schema_of(state, domain), wanted.target, reason=wanted.reason)
    made = roll_back_policy(
        state.workspace.store, domain, about.name, actor=principal_of(request).name, reason=wanted.reason
    )
    noted(request, "warning policy rolled back", domain, target=about.name, version=made.policy.version)
    return made


@router.get("/draws", responses=answers(LotDraws), dependencies=[needs("see")])
def draws(domain: str, request: Request, state: CurrentState, target: PolicyTarget = None) -> Response:
    """Slots of the capacity that were given by lot, each drawn again: whether it follows from its seed, and from what
    its event in the sealed log says. They name nobody, and are of all groups: 403 for whoever is confined to some."""
    about, store = _checked(schema_of(state, domain), target), state.workspace.store
    if groups_of(request) is not None:
        raise Forbidden("a draw tells of all groups, and you are confined to some")
    return respond(LotDraws(draws=[check_draw(store, one) for one in draws_of(store, domain, about.name)]))


@router.post(
    "/draws",
    status_code=201,
    responses=answers(ToldDraw, 201, "drawn and kept"),
    openapi_extra=takes(DrawSlots),
    dependencies=[needs("change")],
)
async def draw(domain: str, request: Request) -> Response:
    """Give by lot the slots that the policy in use gives so, by the newest answers, and keep who stood and who drew: so
    that chance alone said who was warned of, and `…/effects` can tell what it did. 409 where it gives none so."""
    wanted = await read_command(request, DrawSlots)
    return respond(await asyncio.to_thread(_draw, request, domain, wanted), 201)


def _draw(request: Request, domain: str, wanted: DrawSlots) -> ToldDraw:
    state = service_state(request)
    schema, workspace, groups = schema_of(state, domain), state.workspace, groups_of(request)
    about, which, actor = _checked(schema, wanted.target), Which(groups, wanted.period), principal_of(request).name
    made = draw_slots(workspace.store, schema, about, which, workspace.objections, actor=actor)
    told = check_draw(workspace.store, made)
    noted(request, "students listed", domain, groups=groups, period=wanted.period, found=told.stood)
    return told


def _policy_of(said: PolicyFields) -> WarningPolicy:
    return WarningPolicy(**{name: getattr(said, name) for name in PolicyFields.__struct_fields__})


def _checked(
    schema: DomainSchema, target: str | None, said: PolicyFields | None = None, reason: str | None = None
) -> Target:
    """The target that a request is about. Raises BadPolicyRequest with everything that is wrong with it, NoPassMark."""
    problems = faults_of(said) if said is not None else []
    if target is not None and target not in schema.target_by_name:
        problems.append(_problem("target", f"is one of {', '.join(schema.target_by_name)}"))
    if reason is not None:
        try:
            require_nobody_named(reason)
        except NamesSomebody as error:
            problems.append(_problem("reason", str(error)))
        if not reason.strip():
            problems.append(_problem("reason", "is empty: say why, for those who ask later"))
    if problems:
        raise BadPolicyRequest(problems)
    return ranked_target(schema, target)


def _problem(field: str, rule: str) -> Problem:
    return Problem(file="body", row=None, column=field, value=None, rule=rule)
