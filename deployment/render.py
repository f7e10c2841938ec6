"""Results of load tests and security checks for a terminal. Nothing is measured or judged here."""

from collections.abc import Sequence

from rich import box
from rich.table import Table

from deployment.loadtest import LoadResult
from deployment.security import Finding


def load_table(result: LoadResult) -> Table:
    """What a caller of the service saw."""
    table = Table("what", "value", title=f"{result.requests:,} requests in {result.seconds:.1f} s")
    table.add_row("requests a second", f"{result.requests / max(result.seconds, 1e-9):,.0f}")
    table.add_row("rows a second", f"{result.rows / max(result.seconds, 1e-9):,.0f}")
    for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("slowest", 1.0)):
        table.add_row(name, f"{result.quantile(share) * 1e3:.2f} ms")
    for kind, number in sorted(result.errors.items()):
        table.add_row(f"error: {kind}", f"{number:,}", style="red")
    if not result.errors:
        table.add_row("errors", "none")
    return table


def findings_table(findings: Sequence[Finding]) -> Table:
    """What was found, and what to do about it; findings first."""
    table = Table(box=box.SIMPLE)
    for name in ("check", "", "found", "what to do"):
        table.add_column(name, overflow="fold")
    for finding in sorted(findings, key=lambda finding: finding.safe):
        verdict, style = ("ok", "") if finding.safe else ("FINDING", "red")
        table.add_row(finding.check, verdict, finding.found, "" if finding.safe else finding.advice, style=style)
    return table
