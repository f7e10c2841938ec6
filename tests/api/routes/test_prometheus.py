"""Metrics come in the format that a scraper asks for."""

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from tests.api.serving import Server


def test_metrics_come_in_the_format_that_the_scraper_asks_for(shared: Server) -> None:
    plain = shared.client.get("/metrics")
    assert plain.headers["content-type"].startswith("text/plain; version=")
    openmetrics = shared.client.get("/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
    assert openmetrics.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    names = {family.name for family in parse_openmetrics(openmetrics.text)}
    assert {"gradewatch_requests", "gradewatch_build_info", "process_resident_memory_bytes"} <= names
    assert {"gradewatch_database_away", "gradewatch_jobs_waiting", "gradewatch_disk_free_bytes"} <= names
    assert {"process_cpu_seconds", "gradewatch_stage_seconds"} <= {family.name for family in parse_text(plain.text)}
