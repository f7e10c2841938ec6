"""Whether the process lives, and whether it can answer."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from starlette.responses import PlainTextResponse

from api.admission import OPEN, needs, principal_of
from api.exposition import expose
from api.lookup import noted, running
from api.openapi import answers
from api.running import Running
from api.wire import BrokenChampion, ChampionState, Cleared, Health, Readiness, respond
from database.store import StoreUnavailable
from model.cache import CacheState

router = APIRouter(tags=["operation"])


@router.get("/health", responses=answers(Health, words="the process lives"), dependencies=[OPEN])
async def health() -> Response:
    """Answers as long as the process lives; asks nothing of the database."""
    return respond(Health())


@router.get("/ready", responses=answers(Readiness, words="requests can be answered"), dependencies=[OPEN])
def ready(request: Request, service: Annotated[Running, Depends(running)]) -> Response:
    """Ready: the database answers and at least one champion is in memory. Champions that failed to load are listed."""
    store = _store_state(service)
    champions = service.home.champions
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
    reasons = ["this worker is being stopped"] if request.app.door.watch.stopping else []
    reasons += [] if store == "ok" else [store]
    reasons += [] if states else ["no champion is loaded: train one"]
    may = principal_of(request).may  # whoever may not see a domain is told whether, not what
    states = tuple(one for one in states if may("see", one.domain))
    broken = tuple(one for one in broken if may("see", one.domain))
    answer = Readiness(ready=not reasons, store=store, reasons=tuple(reasons), champions=states, broken=broken)
    return respond(answer, 200 if answer.ready else 503, None if answer.ready else {"retry-after": "2"})


@router.get("/admin/cache/stats", responses=answers(CacheState), dependencies=[needs("operate")])
async def cache_stats(service: Annotated[Running, Depends(running)]) -> Response:
    """The cache of answers, as this worker sees it: where it is, hits, misses, errors."""
    return respond(service.cache.state)


@router.delete("/admin/cache", responses=answers(Cleared), dependencies=[needs("operate")])
async def clear_cache(request: Request, service: Annotated[Running, Depends(running)]) -> Response:
    """Empty the cache of answers: this worker's, or the shared one. Not needed after a change of champion: its answers
    have other keys."""
    await asyncio.to_thread(noted, request, "cache emptied")
    return respond(Cleared(cleared=await asyncio.to_thread(service.cache.clear)))


@router.get("/metrics", response_class=PlainTextResponse, dependencies=[needs("measure")])
async def metrics(request: Request, service: Annotated[Running, Depends(running)]) -> Response:
    """What this worker counted, for Prometheus (text or OpenMetrics, as asked)."""
    app = request.app
    accept = request.headers.get("accept", "")
    body, media_type = expose(app.metrics, service, at_work=app.door.watch.at_work, accept=accept)
    return Response(body, media_type=media_type)


def _store_state(service: Running) -> str:
    try:
        service.home.store.ping()
    except StoreUnavailable:
        return "the database does not answer"
    return "ok"
