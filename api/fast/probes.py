"""Whether the process lives, and whether it can answer: asked by machines every few seconds, so without the framework.

The API's page has them among the framework's routes (`api.routes.health`), which say the same.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import parse_qs

from starlette.responses import Response
from starlette.types import Scope

from access.roles import Principal
from api.fast.parameters import refuse_unknown
from api.request.admission import PRINCIPAL
from api.schemas import BrokenChampion, ChampionState, Health, Readiness, StoppedChampion, respond
from api.state import ServiceState


async def health(_state: ServiceState, scope: Scope) -> Response:
    """Answers as long as the process lives; asks nothing of the database. Raises BadQueryParameter, as `ready`."""
    _check_parameters(scope)
    return respond(Health())


async def ready(state: ServiceState, scope: Scope) -> Response:
    """Ready: the database answers and at least one champion is in memory."""
    _check_parameters(scope)
    answer = await asyncio.get_running_loop().run_in_executor(state.prober, readiness, state, scope[PRINCIPAL])
    return respond(answer, 200 if answer.ready else 503, None if answer.ready else {"retry-after": "2"})


PROBES: Mapping[str, Callable[[ServiceState, Scope], Awaitable[Response]]] = {"/health": health, "/ready": ready}
"""By address."""


def _check_parameters(scope: Scope) -> None:
    refuse_unknown(parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True), ())


def readiness(state: ServiceState, principal: Principal) -> Readiness:
    """What `principal` may know of it: whoever may not see a domain is told whether, not what."""
    store, champions = _store_state(state), state.workspace.champions
    states = tuple(
        ChampionState(
            domain=key.domain,
            target=key.target,
            moment=key.moment,
            version=one.predictor.version,
            generation=one.generation,
            from_examples=one.predictor.from_examples,
        )
        for key, one in sorted(champions.loaded.items())
    )
    broken = tuple(
        BrokenChampion(domain=key.domain, target=key.target, moment=key.moment, generation=generation)
        for key, generation in sorted(champions.broken.items())
    )
    stopped = tuple(
        StoppedChampion(domain=key.domain, target=key.target, moment=key.moment, generation=one.generation, why=one.why)
        for key, one in sorted(champions.stopped.items())
    )
    reasons = ["this worker is being stopped"] if state.deadlines.stopping else []
    reasons += [] if store == "ok" else [store]
    reasons += [] if states or stopped else ["no champion is loaded: train one"]
    return Readiness(
        ready=not reasons,
        store=store,
        reasons=tuple(reasons),
        champions=tuple(one for one in states if principal.may("see", one.domain)),
        broken=tuple(one for one in broken if principal.may("see", one.domain)),
        stopped=tuple(one for one in stopped if principal.may("see", one.domain)),
    )


def _store_state(state: ServiceState) -> str:
    state.health.look(state.workspace.store)
    return "ok" if state.health.fault is None else "the database does not answer, or cannot be read"
