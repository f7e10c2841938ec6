"""Every route is known by its template before the framework is asked."""

import re

from api.observe.route_templates import TEMPLATES, UNMATCHED, template_of
from tests.api.guarded import every_route


def test_every_route_is_known_by_its_template_before_the_framework_is_asked() -> None:
    paths = list(dict.fromkeys(route.path for route in every_route()))
    assert list(TEMPLATES) == paths
    for path in paths:
        assert template_of(re.sub(r"{\w+}", "anything", path)) == path
    for stranger in ("/no", "/api/v1", "/api/v1/school/predict/", "/health/x", "/api/v1//predict", "/docs/a/b"):
        assert template_of(stranger) == UNMATCHED
