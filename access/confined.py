"""What of a stored drift report a principal confined to groups may see: nothing that names other groups."""

from collections.abc import Collection

import msgspec

from database.records import DriftRecord
from preprocessing.schema import DomainSchema


def confine_report(report: DriftRecord, groups: Collection[str] | None, schema: DomainSchema) -> DriftRecord:
    """The report as somebody may see it who is confined to `groups`; as it is where that is None.

    Of segments that are groups only their own stay, of columns all but the groups, of the summary what it finds.
    """
    if groups is None or not schema.group:
        return report
    document, by = dict(report.document), report.document.get("by")
    if by in (*schema.group, "group"):
        place = schema.group.index(by) if by in schema.group else None
        own = {group if place is None else group.split(" / ")[place] for group in groups}
        document["segments"] = [one for one in document["segments"] if one["segment"] in own]
    document["summary"] = document["summary"].partition(". ")[0].rstrip(".") + "."
    names = {schema.group_name, *schema.group, *schema.other_context}  # all of them may name other groups
    for part in ("columns", "not_compared", "refused"):
        document[part] = [one for one in document.get(part, ()) if one["column"] not in names]
    document["segments"] = [
        {**one, "columns": [column for column in one.get("columns", ()) if column["column"] not in names]}
        for one in document.get("segments", ())
    ]
    return msgspec.structs.replace(report, document=document)
