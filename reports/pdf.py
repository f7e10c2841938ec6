"""A cohort report as PDF: what its pages say is what the HTML page says. A process of its own sets them with typst."""

import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

from errors import MissingExtra
from language import _, worded
from language.ending_words import ending_words
from language.speech import current
from reports.figures import picture_of, ranked
from reports.page import note_words, place_on_bar, student_line
from reports.records import CohortReport, ReportedStudent
from reports.sentences import (
    about_words,
    change_words,
    class_words,
    completeness_words,
    edition_words,
    health_words,
    limits,
    mark_words,
    model_words,
    picture_words,
    target_words,
)
from reports.tables import NO_CLASS_LIST, Named

PDF_SETTER, PDF_TEMPLATE = (Path(__file__).parent / name for name in ("pdf_process.py", "page.typ"))
SETTING_SECONDS = 60.0


def pdf_of(report: CohortReport, keys: Named = NO_CLASS_LIST) -> bytes:
    """The report as PDF. Raises MissingExtra."""
    return typeset(PDF_TEMPLATE, _told(report, keys))


def typeset(template: Path, told: Mapping[str, Any]) -> bytes:
    """What a template makes of words, with the typefaces that typst brings along. Raises MissingExtra."""
    if find_spec("typst") is None:
        raise MissingExtra("a paper as PDF", "pdf")
    command = [
        sys.executable,
        "-P",
        str(PDF_SETTER),
        str(template),
    ]  # -P: no module beside it is meant by a library's name
    given = msgspec.json.encode(told)
    return subprocess.run(command, input=given, stdout=subprocess.PIPE, check=True, timeout=SETTING_SECONDS).stdout  # noqa: S603 (our own)


def _told(report: CohortReport, keys: Named) -> dict[str, Any]:
    """What the template sets."""
    target, picture = report.target, picture_of(report)
    words = ending_words(event=target.is_event)
    mark = mark_words(target) if target.pass_mark is not None else ""
    chapters = {
        _("Is everything there?"): completeness_words(report),
        _("How good is the model?"): [
            *(" ".join(model_words(one, report)) for one in report.models),
            *health_words(report),
        ],
        _("What this report is not for"): limits(),
    }
    return {
        "domain": worded(report.title),
        "title": f"{report.group}, {report.period}",
        "about": about_words(report),
        "notes": [*filter(None, [edition_words(report)]), *map(note_words, report.notes)],
        "lead": class_words(report),
        "picture": picture_words(picture, target),
        "red": words.red.format(mark=mark) if mark else "",
        "bands": [one._asdict() for one in picture.bands],
        "marked": bool(mark),
        "spoken": current().language,
        "headings": {"changes": _("What changed since the last report"), "students": _("The students")},
        "heads": {
            "student": _("student"),
            "answer": _("predicted: {target}").format(target=target_words(target)),
            "below": words.below.format(mark=mark),
            "reasons": _("what moved the answer most"),
            "advice": _("what may help"),
            "change": _("since the last report"),
        },
        "changes": change_words(report),
        "advised": any(one.advice for one in report.students),
        "students": [_line(one, report, keys) for one in ranked(report)],
        "chapters": [{"title": title, "words": words} for title, words in chapters.items()],
    }


def _line(one: ReportedStudent, report: CohortReport, keys: Named) -> dict[str, Any]:
    """A student, with a bar that the template draws."""
    bar = place_on_bar(one, report.target)
    return student_line(one, report, keys)._asdict() | {"bar": bar and bar._asdict()}
