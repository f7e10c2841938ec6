"""Pages for people: where to go from / and, at /docs, the API's, with scripts and styles from this service alone, so
that it works without the internet.

What the API's page shows is made in `api.routes.openapi`.
"""

import asyncio
import base64
import hashlib
import re
from html import escape
from importlib.util import find_spec
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import FileResponse, HTMLResponse, JSONResponse

from api.routes.dependencies import OPEN, CurrentState, NotFound
from api.routes.openapi import describe_page

router = APIRouter(include_in_schema=False)

SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)
PAGE_FILES = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css", "favicon.png": "image/png"}
PAGE_OPENS = {"docExpansion": "none", "defaultModelsExpandDepth": -1, "filter": True, "displayRequestDuration": True}
"""How the page begins: what there is by what it is for, to be opened."""

KEPT_A_DAY = "public, max-age=86400"


START_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Gradewatch</title>
<link rel="icon" href="{root}/docs/favicon.png">
<style>{style}</style>
<main>
<h1>Gradewatch</h1>
<p>This address is the API: programs ask here how students will do, and send what became of them.</p>
<ul>
<li><a href="{root}/docs">What it can be asked</a>, with examples to try</li>
<li><a href="{root}/openapi.json">The same for programs</a> (OpenAPI)</li>
<li>{dashboard}</li>
</ul>
</main>
</html>
"""
START_STYLE = (
    ":root{color-scheme:light dark}body{font:1.1rem/1.6 system-ui,sans-serif;margin:0}"
    "main{max-width:40rem;margin:12vh auto;padding:0 1.25rem}h1{font-size:2rem;margin:0 0 .5rem}li{margin:.4rem 0}"
)
DASHBOARD_APART = "The dashboard, for people, is a program of its own: <code>make dashboard</code>"


@router.get("/", dependencies=[OPEN])
async def start(request: Request, state: CurrentState) -> HTMLResponse:
    """Where to go from here."""
    root, address = _root(request), state.settings.dashboard_url
    link = f'<a href="{escape(address)}">The dashboard</a>, for people' if address else DASHBOARD_APART
    answer = HTMLResponse(START_PAGE.format(root=root, style=START_STYLE, dashboard=link))
    policy = f"default-src 'none'; img-src 'self'; style-src '{_named(START_STYLE.encode())}'; frame-ancestors 'none'"
    answer.headers["content-security-policy"] = policy
    return answer


def _root(request: Request) -> str:
    """What stands before every path, where a proxy says so."""
    return str(request.scope.get("root_path", "")).rstrip("/")


def _named(content: bytes) -> str:
    """How a policy names a script or style that stands in a page: by its digest."""
    return f"sha256-{base64.b64encode(hashlib.sha256(content).digest()).decode()}"


@router.get("/docs", dependencies=[OPEN])
async def page(request: Request) -> HTMLResponse:
    """Swagger UI. Only its own script runs, which the policy names by its digest."""
    root = _root(request)
    answer = get_swagger_ui_html(
        openapi_url=f"{root}/docs/openapi.json",
        title=f"{request.app.title} API",
        swagger_js_url=f"{root}/docs/swagger-ui-bundle.js",
        swagger_css_url=f"{root}/docs/swagger-ui.css",
        swagger_favicon_url=f"{root}/docs/favicon.png",
        swagger_ui_parameters=PAGE_OPENS,
    )
    scripts = [_named(script) for script in SCRIPT.findall(answer.body)]
    answer.headers["content-security-policy"] = "; ".join(
        [
            "default-src 'none'",
            "script-src 'self' " + " ".join(f"'{digest}'" for digest in scripts),
            "style-src 'self' 'unsafe-inline'",  # Swagger UI styles elements in place
            "img-src 'self' data:",
            "connect-src 'self'",
            "frame-ancestors 'none'",
        ]
    )
    return answer


@router.get("/openapi.json", dependencies=[OPEN])
async def description(request: Request) -> JSONResponse:
    """What there is, for programs: the addresses of each domain."""
    return JSONResponse(request.app.openapi())


@router.get("/docs/openapi.json", dependencies=[OPEN])
async def page_description(request: Request) -> JSONResponse:
    """What the page shows: each address once."""
    base = str(request.base_url).rstrip("/")
    return JSONResponse(await asyncio.to_thread(describe_page, request.app, base))


@router.get("/docs/{name}", dependencies=[OPEN])
async def asset(name: str) -> FileResponse:
    """A file that the page needs. Raises NotFound."""
    if name not in PAGE_FILES:
        raise NotFound(f"the page has no file of that name; it has {', '.join(PAGE_FILES)}")
    return FileResponse(_folder() / name, media_type=PAGE_FILES[name], headers={"cache-control": KEPT_A_DAY})


def _folder() -> Path:
    """Where the package lies that brings Swagger UI."""
    found = find_spec("fastapi_offline")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("the API's page needs fastapi-offline")
    return Path(found.origin).parent / "static"
