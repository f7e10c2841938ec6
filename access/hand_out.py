"""What is known of a student as one archive to hand out: a file of JSON with everything, and tables as CSV.

It writes what `access.known` gathered, and files that others add; nothing of it is stored.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import msgspec

from access.known import KnownOfStudent
from database.records import Answer, Prediction

EVERYTHING = "everything.json"
READ_ME = """What is kept of one student here, as of {at:%Y-%m-%d %H:%M} UTC.

everything.json  all of it, as it is stored; `student` is the pseudonym that stands for the key
DOMAIN/*.csv     the same as tables: predictions.csv (a line for each answer), rows.csv (of files that were sent),
                 outcomes.csv, observations.csv (in every version), looks.csv (who looked at the student, and at
                 lists in which it may have stood), models.csv (which learned from its rows)
DOMAIN/…         what else the student stands in, such as reports
"""
TOP = (1980, 1, 1, 0, 0, 0)
"""The time of each file in the archive: the same content makes the same archive."""

Cells = Mapping[str, Any]


def hand_out(known: Mapping[str, KnownOfStudent], others: Mapping[str, bytes], at: datetime) -> bytes:
    """The archive, a ZIP. others: further files, by their names in it."""
    files = {"README.txt": READ_ME.format(at=at).encode(), EVERYTHING: _json(list(known.values()))}
    for domain, one in known.items():
        files |= {f"{domain}/{name}.csv": _table(list(cells)) for name, cells in _tables(one).items()}
    made = io.BytesIO()
    with ZipFile(made, "w", ZIP_DEFLATED) as archive:
        for name, content in {**files, **others}.items():
            archive.writestr(ZipInfo(name, TOP), content, ZIP_DEFLATED)
    return made.getvalue()


def _json(content: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(content), indent=1)


def _tables(known: KnownOfStudent) -> dict[str, Iterable[Cells]]:
    return {
        "predictions": (line for one in known.predictions for line in _answers(one)),
        "rows": ({"file": one.file, "batch": one.batch, "at": one.at, **_row(one.row)} for one in known.rows),
        "outcomes": map(msgspec.to_builtins, known.outcomes),
        "observations": map(msgspec.to_builtins, known.observations),
        "looks": (
            {"at": one.at, "who": one.actor, "what": one.action, **one.details}
            for one in sorted([*known.looks, *known.lists], key=lambda one: one.at)
        ),
        "models": map(msgspec.to_builtins, known.models),
    }


def _row(row: Any) -> Cells:
    place = {"row": row.number, "group": row.group, "period": row.period}
    return {**place, **row.inputs, **row.targets}


def _answers(one: Prediction) -> Iterable[Cells]:
    asked = {"prediction": one.id, "at": one.at, "moment": one.moment, "group": one.group, "period": one.period,
             "source": one.source, "asked by": one.actor}  # fmt: skip
    said = [("answer", answer) for answer in one.answers] + [("in shadow", answer) for answer in one.shadow]
    return [{**asked, "said as": how, **_answer(answer), **one.inputs} for how, answer in said]


def _answer(answer: Answer) -> Cells:
    low, high = answer.interval or (None, None)
    return {"target": answer.target, "value": answer.value, "low": low, "high": high,
            "below pass mark": answer.below_pass, "model": answer.model}  # fmt: skip


def _table(lines: Sequence[Cells]) -> bytes:
    """A CSV with a column for all that any line has."""
    from preprocessing.render import harmless_cell

    names = list(dict.fromkeys(name for line in lines for name in line))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(names)
    writer.writerows([harmless_cell(_cell(line.get(name))) for name in names] for line in lines)
    return ("\ufeff" + text.getvalue()).encode()


def _cell(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return msgspec.json.encode(value).decode() if isinstance(value, list | dict | tuple) else value
