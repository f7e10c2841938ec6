"""Lets browsers show answers to pages of other sites that were admitted (CORS); the pipeline sees these requests too.

Starlette's own answers a browser's preflight request without asking anyone; here it passes the limits, is counted and
carries the headers that every answer carries. Who may change something is said elsewhere (`api.request.admission`).
"""

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import Receive, Scope, Send

from api.fast.predict import PREFLIGHT


class AdmittedPages(CORSMiddleware):
    """Around a pipeline, which gives the preflight requests that it lets through back to `answer`."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "OPTIONS" and _asks_beforehand(Headers(scope=scope)):
            scope[PREFLIGHT] = True
            await self.app(scope, receive, send)
            return
        await super().__call__(scope, receive, send)

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Whether a page may ask what its browser says that it wants to."""
        await self.preflight_response(Headers(scope=scope))(scope, receive, send)


def _asks_beforehand(headers: Headers) -> bool:
    return "origin" in headers and "access-control-request-method" in headers
