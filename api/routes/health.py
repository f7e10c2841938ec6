"""Whether the process lives, and whether it can answer."""

import asyncio

from fastapi import APIRouter, Request, Response
from starlette.responses import PlainTextResponse

from api.fast import probes
from api.routes.dependencies import OPEN, CurrentState, needs, noted
from api.routes.openapi import answers
from api.routes.prometheus import LABEL_OF_PROCESS, expose, look_around
from api.schemas import Cleared, Health, Readiness, respond
from model.cache import CacheState

router = APIRouter(tags=["operation"])


@router.get("/health", responses=answers(Health, words="the process lives"), dependencies=[OPEN])
async def health(request: Request, state: CurrentState) -> Response:
    """Answers as long as the process lives; asks nothing of the database."""
    return await probes.health(state, request.scope)


@router.get("/ready", responses=answers(Readiness, words="requests can be answered"), dependencies=[OPEN])
async def ready(request: Request, state: CurrentState) -> Response:
    """Ready: the database answers and at least one champion is in memory. Champions that failed to load are listed."""
    return await probes.ready(state, request.scope)


@router.get("/admin/cache/stats", responses=answers(CacheState), dependencies=[needs("operate")])
async def cache_stats(state: CurrentState) -> Response:
    """The cache of answers, as this worker sees it: where it is, hits, misses, errors."""
    return respond(state.cache.state)


@router.delete("/admin/cache", responses=answers(Cleared), dependencies=[needs("operate")])
async def clear_cache(request: Request, state: CurrentState) -> Response:
    """Empty the cache of answers: this worker's, or the shared one. Not needed after a change of champion: its answers
    have other keys."""
    await asyncio.to_thread(noted, request, "cache emptied")
    return respond(Cleared(cleared=await asyncio.to_thread(state.cache.clear)))


@router.get("/metrics", response_class=PlainTextResponse, dependencies=[needs("measure")])
async def metrics(request: Request, state: CurrentState) -> Response:
    """What this worker counted, for Prometheus (text or OpenMetrics, as asked). Of several, each scrape may be answered
    by another one: its connection is not kept."""
    accept = request.headers.get("accept", "")
    around = await asyncio.to_thread(look_around, state)
    body, media_type = expose(state, around, accept=accept)
    return Response(body, headers={"connection": "close"} if LABEL_OF_PROCESS else None, media_type=media_type)
