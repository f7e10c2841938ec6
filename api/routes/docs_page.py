"""The API's page for people at /docs, with scripts and styles from this service: it works without the internet.

What it shows is made in `api.routes.openapi`.
"""

import base64
import hashlib
import re
from importlib.util import find_spec
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import FileResponse, HTMLResponse, JSONResponse

from api.routes.dependencies import OPEN, NotFound

router = APIRouter(include_in_schema=False)

SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)
PAGE_FILES = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css", "favicon.png": "image/png"}
KEPT_A_DAY = "public, max-age=86400"


@router.get("/docs", dependencies=[OPEN])
async def page(request: Request) -> HTMLResponse:
    """Swagger UI. Only its own script runs, which the policy names by its digest."""
    root = str(request.scope.get("root_path", "")).rstrip("/")
    answer = get_swagger_ui_html(
        openapi_url=f"{root}/openapi.json",
        title=f"{request.app.title} API",
        swagger_js_url=f"{root}/docs/swagger-ui-bundle.js",
        swagger_css_url=f"{root}/docs/swagger-ui.css",
        swagger_favicon_url=f"{root}/docs/favicon.png",
    )
    scripts = [base64.b64encode(hashlib.sha256(script).digest()).decode() for script in SCRIPT.findall(answer.body)]
    answer.headers["content-security-policy"] = "; ".join(
        [
            "default-src 'none'",
            "script-src 'self' " + " ".join(f"'sha256-{digest}'" for digest in scripts),
            "style-src 'self' 'unsafe-inline'",  # Swagger UI styles elements in place
            "img-src 'self' data:",
            "connect-src 'self'",
            "frame-ancestors 'none'",
        ]
    )
    return answer


@router.get("/openapi.json", dependencies=[OPEN])
async def description(request: Request) -> JSONResponse:
    """What the page shows, for programs."""
    return JSONResponse(request.app.openapi())


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
