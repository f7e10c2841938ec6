"""Taking back what came in by mistake."""

import asyncio
from collections.abc import Sequence
from functools import partial

from fastapi import APIRouter, Request, Response

from api.routes.dependencies import needs, noted, principal_of, schema_of, service_state
from api.routes.openapi import answers, takes
from api.routes.uploads import read_command
from api.schemas import Withdraw, respond
from database.ingest import outcomes
from database.withdrawal import Withdrawal, withdraw_batch, withdraw_outcomes, withdraw_predictions
from errors import GradewatchError
from model.registry import learned_from_batch
from preprocessing.validation.json_rows import plain_outcomes


class UnclearWithdrawal(GradewatchError):
    """A request that does not say which records it means."""


router = APIRouter(prefix="/api/v1/{domain}/withdrawals", tags=["outcomes"])


@router.post(
    "",
    status_code=201,
    responses=answers(Withdrawal, 201, "withdrawn; figures follow"),
    openapi_extra=takes(Withdraw),
    dependencies=[needs("withdraw")],
)
async def withdraw(domain: str, request: Request) -> Response:
    """Take back one of: a batch by id, predictions by id, outcomes as they were sent. The reason is kept for good."""
    wanted = await read_command(request, Withdraw)
    schema_of(service_state(request), domain)
    return respond(await asyncio.to_thread(_withdraw, request, domain, wanted), 201)


def _withdraw(request: Request, domain: str, wanted: Withdraw) -> Withdrawal:
    state, who = service_state(request), principal_of(request).name
    store, given = state.workspace.store, (bool(wanted.batch), bool(wanted.predictions), bool(wanted.outcomes))
    if sum(given) != 1:
        raise UnclearWithdrawal("say one of batch, predictions and outcomes")
    if wanted.batch:
        learned = partial(learned_from_batch, store, state.workspace.artifacts, domain)
        done = withdraw_batch(store, domain, wanted.batch, reason=wanted.reason, actor=who, learned=learned)
    elif wanted.predictions:
        done = withdraw_predictions(store, domain, wanted.predictions, reason=wanted.reason, actor=who)
    else:
        rows: Sequence[dict[str, object]] = wanted.outcomes
        plain = plain_outcomes(rows, state.predictions.schema(domain), secret=state.workspace.secret)
        if plain is None:
            raise UnclearWithdrawal("outcomes are withdrawn as they were sent, under the columns' own names")
        found = outcomes([one.row for one in plain], domain, [one.prediction for one in plain], [None] * len(plain))
        done = withdraw_outcomes(store, domain, found, reason=wanted.reason, actor=who)
    noted(request, "withdrawn", domain, what=done.kind, found=done.count)
    return done
