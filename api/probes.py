"""Whether the process lives, and whether it can answer: asked by machines every few seconds, so without the framework.

The API's page has them among the framework's routes (`api.routes.health`), which say the same.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.types import Scope

from access.roles import Principal
from api.admission import PRINCIPAL
from api.schemas import BrokenChampion, ChampionState, Health, Readiness, respond
from api.state import Running
from database.errors import StoreUnavailable

if TYPE_CHECKING:
    from api.app import Service


async def health(_service: "Service", _scope: Scope) -> Response:
    """Answers as long as the process lives; asks nothing of the database."""
    return respond(Health())


async def ready(service: "Service", scope: Scope) -> Response:
    """Ready: the database answers and at least one champion is in memory."""
    stopping = service.door.watch.stopping
    answer = await asyncio.to_thread(readiness, service.running, scope[PRINCIPAL], stopping=stopping)
    return respond(answer, 200 if answer.ready else 503, None if answer.ready else {"retry-after": "2"})


PROBES: Mapping[str, Callable[["Service", Scope], Awaitable[Response]]] = {"/health": health, "/ready": ready}
"""By address."""


def readiness(running: Running, principal: Principal, *, stopping: bool) -> Readiness:
    """What `principal` may know of it: whoever may not see a domain is told whether, not what."""
    store, champions = _store_state(running), running.workspace.champions
    states = tuple(
        ChampionState(
            domain=key.domain,
            target=key.target,
            moment=key.moment,
            version=one.predictor.version,
            generation=one.generation,
            from_examples=one.predictor.from_examples,
        )
        for key, one in sorted(champions.all().items())
    )
    broken = tuple(
        BrokenChampion(domain=key.domain, target=key.target, moment=key.moment, generation=generation)
        for key, generation in sorted(champions.broken.items())
    )
    reasons = ["this worker is being stopped"] if stopping else []
    reasons += [] if store == "ok" else [store]
    reasons += [] if states else ["no champion is loaded: train one"]
    return Readiness(
        ready=not reasons,
        store=store,
        reasons=tuple(reasons),
        champions=tuple(one for one in states if principal.may("see", one.domain)),
        broken=tuple(one for one in broken if principal.may("see", one.domain)),
    )


def _store_state(running: Running) -> str:
    try:
        running.workspace.store.ping()
    except StoreUnavailable:
        return "the database does not answer"
    return "ok"
