"""Every address of the service as a template, for what is said of requests that were refused before they reached it.

The routes themselves stand in the framework, which a worker that only predicts never loads; this knows nothing else.
"""

import re
from functools import cache

TEMPLATES = (
    "/health",
    "/ready",
    "/admin/cache/stats",
    "/admin/cache",
    "/metrics",
    "/api/v1/token",
    "/api/v1/accesses",
    "/api/v1/me",
    "/api/v1/me/sheets/{id}",
    "/api/v1/me/objection",
    "/api/v1/users/{name}/link",
    "/api/v1/domains",
    "/api/v1/domains/{domain}",
    "/api/v1/domains/{domain}/template",
    "/api/v1/conditions",
    "/api/v1/models",
    "/api/v1/models/history",
    "/api/v1/models/{version}/download",
    "/api/v1/models/{version}/card",
    "/api/v1/models/promote",
    "/api/v1/models/activate",
    "/api/v1/models/rollback",
    "/api/v1/pauses",
    "/api/v1/pauses/resume",
    "/api/v1/jobs",
    "/api/v1/jobs/{id}",
    "/api/v1/jobs/{id}/answers",
    "/api/v1/{domain}/trials",
    "/api/v1/{domain}/trials/{trial}",
    "/api/v1/{domain}/predict",
    "/api/v1/{domain}/predict/batch",
    "/api/v1/{domain}/predictions",
    "/api/v1/{domain}/predictions/find",
    "/api/v1/{domain}/predictions/{id}",
    "/api/v1/{domain}/predictions/{id}/sheet",
    "/api/v1/{domain}/students",
    "/api/v1/{domain}/students/{student}/advice",
    "/api/v1/{domain}/predictions/{id}/advice",
    "/api/v1/{domain}/students/{student}/week",
    "/api/v1/{domain}/changes",
    "/api/v1/{domain}/changes/reports",
    "/api/v1/{domain}/warnings/policy",
    "/api/v1/{domain}/warnings/preview",
    "/api/v1/{domain}/warnings/activate",
    "/api/v1/{domain}/warnings/rollback",
    "/api/v1/{domain}/warnings/draws",
    "/api/v1/{domain}/students/{student}/notes",
    "/api/v1/{domain}/cases",
    "/api/v1/{domain}/reports",
    "/api/v1/{domain}/reports/latest",
    "/api/v1/{domain}/reports/{id}",
    "/api/v1/{domain}/students/export",
    "/api/v1/{domain}/students/erase",
    "/api/v1/{domain}/students/erasures",
    "/api/v1/{domain}/students/object",
    "/api/v1/{domain}/batches",
    "/api/v1/{domain}/uploads",
    "/api/v1/{domain}/uploads/{id}",
    "/api/v1/{domain}/outcomes",
    "/api/v1/{domain}/performance",
    "/api/v1/{domain}/results",
    "/api/v1/{domain}/events",
    "/api/v1/{domain}/exports",
    "/api/v1/{domain}/withdrawals",
    "/api/v1/{domain}/drift",
    "/api/v1/{domain}/drift/window",
    "/api/v1/{domain}/drift/{id}",
    "/api/v1/{domain}/earliness",
    "/api/v1/{domain}/effects",
    "/api/v1/{domain}/train",
    "/api/v1/{domain}/retrain",
    "/api/v1/{domain}/retrain/{run}",
    "/login",
    "/auth/login",
    "/admin/cache/clear",
    "/drift-status",
    "/update-csv",
    "/get-report",
    "/api/v1/predict",
    "/api/v1/predict/batch",
    "/api/v1/metrics",
    "/api/v1/train/update",
    "/v2",
    "/v2/health/live",
    "/v2/health/ready",
    "/v2/models/{domain}",
    "/v2/models/{domain}/ready",
    "/v2/models/{domain}/infer",
    "/",
    "/docs",
    "/openapi.json",
    "/docs/openapi.json",
    "/docs/{name}",
)
"""In the order in which the routes are asked."""

UNMATCHED = "unmatched"


def template_of(path: str) -> str:
    """The template that an address as it was typed fits; UNMATCHED where it fits none.

    >>> template_of("/api/v1/school/predictions/17")
    '/api/v1/{domain}/predictions/{id}'
    """
    found = _pattern().fullmatch(path)
    return TEMPLATES[int(found.lastgroup[1:])] if found and found.lastgroup else UNMATCHED


@cache
def _pattern() -> re.Pattern[str]:
    kinds = [re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template)) for template in TEMPLATES]
    return re.compile("|".join(f"(?P<t{place}>{kind})" for place, kind in enumerate(kinds)))
