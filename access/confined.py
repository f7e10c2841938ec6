"""What of a report whoever is confined to groups may see: the segments that are groups of their own."""

from collections.abc import Sequence

import msgspec

from access.roles import Principal
from database.records import DriftRecord


def own_segments(report: DriftRecord, principal: Principal, columns: Sequence[str]) -> DriftRecord:
    """The report without the segments of groups that `principal` may not see. columns: of the domain's groups."""
    by = report.document.get("by")
    if principal.groups is None or by not in columns:
        return report
    own = {group.split(" / ")[columns.index(by)] for group in principal.groups}
    segments = [one for one in report.document["segments"] if one["segment"] in own]
    return msgspec.structs.replace(report, document={**report.document, "segments": segments})
