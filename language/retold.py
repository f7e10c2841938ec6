"""Sentences that were composed in plain English and kept, or that the API tells too, said again to a reader of pages.

Why a file was refused, what stands out in a student's row and what is to be known of a model are texts of records. They
are known again by their form, a sentence with places; what fills a place is said again in the same way. A text of no
known form stays as it is: that is English, or what somebody wrote.
"""

import re
from collections.abc import Iterator
from functools import cache

from language.format import number, share
from language.speech import SOURCE_LANGUAGE, catalogue_in, current, worded

KEPT_FORMS = (
    # What stands out in a student's row (`advice.reasons`, `advice.plan`, `reports.advising`)
    "{what}: nothing is there; {n} of {all} others have it",
    "{what}: {value}, above {limit}",
    "{what}: {value}, below {limit}",
    "{what}: {value}, above {limit}; {share} of {n} others do better",
    "{what}: {value}, below {limit}; {share} of {n} others do better",
    "{what}: {value}; {share} of {n} others do better",
    "result in {group} (final); {share} of {n} others do better",
    "result in {group} (so far); {share} of {n} others do better",
    "weak in {group} (final): {share} of {n} others do better",
    "weak in {group} (so far): {share} of {n} others do better",
    "better than {before} of {n} others before ({columns}), than {now} now ({others})",
    "nothing that can be changed stands out",
    # What a value must be (`preprocessing.validation.rules`)
    "must be a number",
    "must be a whole number",
    "must be a number from {low} to {high}",
    "must be a whole number from {low} to {high}",
    "must be a number, at least {low}",
    "must be a whole number, at least {low}",
    "must be a number, at most {high}",
    "must be a whole number, at most {high}",
    "must be one of {levels}",
    "must be text of at most {n} characters that names no person",
    "must be a date or time such as 2026-06-20 or 2026-06-20T14:30:00+02:00",
    "lies in the future: an outcome is known once it has happened",
    "is of a group that you have no access to",
    "missing; it is required and {rule}",
    "missing; it is required from moment '{moment}' on and {rule}",
    "missing, although '{column}' is given, which becomes known later; {rule}",
    "missing; an outcome needs the student or the prediction it is of",
    "no outcome; a labelled row needs a value for {column}",
    "{rule} ({unit})",
    "{rule}; NaN and infinity are no values: leave it empty (null) where it is not known",
    "{rule}; a comma before three digits may group thousands: write 1234 or 1.234",
    "{rule}; this column has both decimal points and decimal commas: use one of them",
    "{rule}; others of this column are percent (85%), and this looks like a share (0.85): write all of them in one way",
    "{rule}, written without thousands separators",
    "{rule}, without the percent sign",
    "{rule}; did you mean '{level}'?",
    "{rule}; it looks like {reason}",
    "it looks like {reason}",
    "a person's name",
    "an e-mail address",
    "a phone number",
    "a text with a phone number",
    "a national identity number",
    "leave it out (null) where it is not known",
    # What columns and rows a file must have (`preprocessing.validation.tables`)
    "column '{column}' missing",
    "column '{column}' missing: {rule}",
    "column '{column}' missing; the file has {found}: {rule}",
    "column '{column}' missing; the file has {found}",
    "columns '{column}' and '{found}' both mean '{name}'; keep one",
    "columns {first} and {second} are both called '{column}'; give every column a name of its own",
    "moment '{moment}' is none of {levels}",
    "rows {first} and {second} are the same student, group and period; a file says each thing once",
    "the student, group and period of a row again; a file says each thing once",
    "{reason}: columns that identify people are refused; {remedy}",
    "keep an opaque student key instead",
    'remove it, or say allow = ["column"] in the domain file where it names nobody',
    "it is called '{column}'",
    "it holds e-mail addresses",
    "it holds names of people",
    "it holds phone numbers",
    "it holds phone or identity numbers",
    # Files that cannot be read (`preprocessing.reading`)
    "the file is empty",
    "there is a header ({found}) and no row under it",
    "there is a header and no row under it",
    "row {row} has {found} where the header has {width} (separated by {sign})",
    "this is {kind}; open it in a spreadsheet program and save it as .xlsx or .csv",
    "this is {kind}; unpack it, and give the file in it",
    "this is {kind}; give a CSV, Excel, Parquet or JSON file",
    "it looks like {kind} but is damaged",
    "it looks like {kind} but cannot be read: {why}",
    "an HTML page, whatever its name ends in",
    "an XML document, whatever its name ends in",
    "an Excel workbook",
    "a Parquet file",
    "its first row holds numbers and no names: give the columns a header",
    "it has {n} columns; at most {most} are read",
    "line {row} is not UTF-8 and its alphabet cannot be told; save the file as UTF-8",
    'a quote (") opened in this file is never closed',
    "{n} rows in one request; at most {most} are allowed: send them in parts",
    # What is told of a file (`preprocessing.validation`, `database.uploads`, `jobs.uploads`)
    "{n} cell of '{column}': {rule}, found {found}; row {rows}",
    "{n} cells of '{column}': {rule}, found {found}; rows {rows}",
    "{n} cell of '{column}': {rule}; row {rows}",
    "{n} cells of '{column}': {rule}; rows {rows}",
    "column '{column}': {rule}",
    "{rule} ({n} rows, the first is row {row})",
    "{rule} (row {row})",
    "and {n} more problems",
    "{n} bad row left out",
    "{n} bad rows left out",
    "column '{column}' identifies people ({reason}): dropped, not stored",
    "the words of this refusal hold {reason}, and are not kept",
    "training does not start by itself here (GRADEWATCH_TRAIN_AFTER is 0)",
    "a training is under way; these rows count for the next one",
    "this very content came before and changed nothing; what came since then stays",
    "the file says nothing new to learn from",
    "{n} new rows to learn from since the last training; {most} start the next one",
    "it ended before it was stored: send it again",
    "something went wrong here; the worker's log says what",
    "this job was cancelled before it was done",
    # What a drift report compares (`monitoring`)
    "what the champion was trained on",
    "predictions",
    # Moments without a title, and why a model is in use (`preprocessing.domains`, `retraining`)
    "start",
    "midterm",
    "end",
    "first champion",
    # What a role may not do, and who is let in where (`access.roles`)
    "your role does not allow you to {what}",
    "see aggregates: domains, models, drift reports, performance; no row of a student",
    "predict",
    "read logged predictions",
    "upload batches and outcomes, list uploads",
    "download models",
    "take back uploads and predictions",
    "run drift reports, see what challengers said in shadow",
    "start retraining and read its runs",
    "change champions",
    "read and empty caches",
    "answer a student's request: hand out all that is known, erase it, record an objection, link a user",
    "read who looked at what",
    "read the service's metrics",
    "note what was done about a student, and read such notes",
    "add and end users, keys and schedules on the dashboard",
    "see what is said of the one student that one is linked to, and object",
    "you have access to some domains only",
    "{n} row is of groups that you have no access to; nothing of this request was kept",
    "{n} rows are of groups that you have no access to; nothing of this request was kept",
    "your user is linked to no student: ask whoever answers for data protection to link it",
    "to say for all that something is known takes a role that may compare, in all groups",
    "a model tells of all groups that it learned from, and you are confined to some",
    "no user of that name and password may sign in",
    "this user is disabled",
    # Why a challenger replaced the model in use, or did not (`retraining`)
    "{who} has a graph of {size} MB, above the {most} MB that a model may take in every serving process",
    "{who} has a graph of {size} MB, within the {most} MB that a model may take in every serving process",
    "it",
    "the challenger",
    "the challenger's error is {gain} smaller (more than {limit}), with a {share} lower bound of {low}, on {n} unseen "
    "rows",
    "the plain rule is no worse on the same rows, nor surely better: {low} against {high}",
    "the plain rule is better than both models on {n} unseen rows and takes the champion's place: its error is {gain} "
    "smaller than the champion's (more than {limit}), with a {share} lower bound of {low}",
    "the plain rule is better than the challenger on the same rows: its error is {gain} smaller, with a {share} lower "
    "bound of {low}",
    "the gain of {gain} is not above {limit}",
    "the gain may be luck: its {share} lower bound is {low} over {n} rows in {all} clusters",
    "its answers are not seen to follow the outcomes of these rows ({share} bound): as if the outcomes were other "
    "students'",
    "students with {found} would get worse by {gain} ({n} rows)",
    "of the students with {found} who failed, {share} fewer would be warned of ({n} rows)",
    "of the students with {found} who came to an event, {share} fewer would be warned of ({n} rows)",
    "not enough data: {n} rows in {all} clusters that neither model has seen; {most} rows in 2 clusters are the least",
    "not enough data: {n} rows in {all} clusters that neither model has seen, which count as {now} (a student, and "
    "equal rows, once); {most} rows in 2 clusters are the least",
    "not enough data: all {all} clusters show the very same difference of {limit}",
    "every outcome of the {n} judging rows is {limit}: they tell no model from another",
    "the outcomes of the {n} judging rows run against the champion's answers: where it said more, less came. A scale "
    "that was turned round looks like that; look at the file before anybody learns from it",
    "not enough data: no labelled rows that the champion has not seen",
    "not enough data: all {n} new labelled rows belong to a {what} that the champion was trained on; {why}",
    "only rows of a later {column} than all that it learned from judge, or of another {what}",
    "give the domain a period column: rows of a later period judge, whatever the {what} is called",
    "these outcomes were judged before, at {when} (then: {verdict}); new ones may say otherwise",
    "it was not made a model: {why}",
    "no challenger: {why}",
    # A model's card: how rows were set apart, its plain rule, what no model may be used for (`model`)
    "period",
    "group",
    "student",
    "student and year",
    "row",
    "{column}, or {limit} where it is missing",
    "always {value}",
    "admitting or placing students",
    "discipline and exclusion",
    "grading",
    # Columns of which a drift report says nothing (`drift.compare`)
    "only in the reference",
    "only in the current sample",
    "numeric in one sample, categorical in the other",
    "means something else since the model learned: {told}",
    "most rows are of groups that the other sample has not: {n} of {all} are new",
    # What a report rests on, and why something of it was not compared (`drift`, `monitoring`)
    "an estimate without outcomes, right only as long as students like these still end as they did",
    "{n} of {all} rows of now",
    "{n} of {all} rows of the past",
    "{n} of {all} rows of training",
    "there are no values in the current sample",
    "there are no values in the reference",
    "its levels are too rare to be compared, even counted together",
    "new: the reference has no such segment",
    "gone: the current sample has no such segment",
    "not enough data: fewer than {n} rows on one side",
    "no column in common",
    # What is to be known of a report, and what a backtest keeps of one (`monitoring`, `drift.sentences`)
    "of {n} school weeks in these days the newest, {name}, is compared",
    "{name}: no {feed} {since}, {n} school days: {told}",
    "attendance",
    "grades",
    "since {day}",
    "all year",
    "nothing is said of its students",
    "its students are known less well",
    "{n} of {all} rows of the files of these batches were left out as bad and are not compared",
    "nothing to compare",
    "{now} rows against {before}",
    "interval {low} to {high}",
    "Drift in {n} of {all} columns ({now} rows against {before}).",
    "No drift found in {now} rows against {before}.",
    "No drift found in single columns of {now} rows against {before}.",
    "No drift found in {now} rows against {before} as a whole, but in {n} of {all} segments.",
    "Too few rows to tell whether anything changed ({now} rows against {before}).",
    "The mean answer for {name} {verb} {told}.",
    "rose",
    "fell",
    "Whether the mean answer for {name} moved is open: {told}.",
    "from {before} to {now} ({limit}, interval {low} to {high}, {n} rows)",
    "Rows of now can be told from earlier ones, in {share} of pairs ({told}; 50% is guessing; {now} rows "
    "against {before}), by {name}.",
    "Rows of now can hardly be told from earlier ones, in {share} of pairs ({told}; 50% is guessing; {now} rows "
    "against {before}).",
    "There is no sign that rows of now can be told from earlier ones: {share} of pairs ({told}; 50% is guessing; {now} "
    "rows against {before}).",
    "Whether rows of now can be told from earlier ones is open: in {share} of pairs ({told}; 50% is guessing; {now} "
    "rows against {before}).",
    "{what} changed clearly: {share} of the {kind} are at or below {limit}, {before} before.",
    "{what} changed clearly: {share} of the {kind} are '{level}', {before} before.",
    "rows",
    "the newest window is {verdict}",
    "undecided",
    "quiet",
    "{n} of the last {all} windows raised an alarm",
    "{n} of {all} are needed",
    "{told}, and a retraining was proposed for this window before",
    "not carried out: no period comes after it",
    # How a domain changed since a model learned (`preprocessing.schema_changes`, `model.bundle`)
    "there is no moment '{moment}' any more",
    "column '{column}' is gone, or known only later",
    "{what}; new is {found}",
    "column '{column}' is new, and unknown to the model",
    "{what}, though it is required",
    "column '{column}' is gone",
    "column '{column}' is new",
    "target '{name}' is gone",
    "target '{name}': its bands are cut elsewhere, or no more",
    "target '{name}': its pass mark was {first}, is now {second}",
    "column '{column}': {name} was {first}, is now {second}",
    "target '{found}': {name} was {first}, is now {second}",
    "something that this older model cannot name",
    # When a job is done by itself, and how far one is (`jobs`, `retraining`)
    "daily",
    "daily at {at} UTC",
    "every {n} days",
    "every {n} hours",
    "checking",
    "comparing",
    "scoring",
    "waiting for another run to finish",
    "{name}: challenger",
    "{name}: champion",
    "{name}: promotion",
    # What help did (`reports.effects`, `reports.effect_report`)
    "as good as it gets: chance alone said who was warned of",
    "nearly as good as chance: students just below and above the threshold are alike",
    "as good as what is known of students: what nobody wrote down may explain it",
    "as good as what is known of students: those who were helped beside others like them",
    "a description: who was worst off tends to come nearer the middle by itself",
    "{n} students are few: the interval is wide, and may be too narrow all the same",
    "{n} students are left out: fewer than two were drawn, or were not, where their lots were",
    "{n} students are left out: nearly all who are like them were helped, or nearly none",
    "{n} of those who were helped are left out: nobody like them is among the others",
    "hardly more were helped of those who were drawn",
    "hardly more were helped above it than below",
    "who was warned of does not follow the threshold",
    "not everybody above the threshold was warned of: a policy had a capacity, a cool-down or transitions",
    "implausible: {n} standard deviations of the outcome",
    # What is wrong with a draw of slots (`monitoring.warning_lots`)
    "who stood and drew is not what its event says",
    "the lot of prediction {name} does not follow from the seed",
    "in {group} somebody with a larger lot drew",
    "{name}: the policy in use gives no slots by lot: {rule}",
    # What is not taken of people who work here (`advice.cases`, `access`)
    "you have no access to domain {name}",
    "a note needs a text",
    "a warning that does not apply needs a reason, as a text",
    "a wrong warning needs a reason, as a text",
    "a review needs what came of the help, as a text",
    "there is no help to look back on",
    "there is no open case to close",
    "the warning is accepted already",
    "the help ends on {end}, before it begins on {start}",
    "the note has {n} letters; at most {most} are kept",
    "the note holds {reason}: say it without; it stands beside the student's pseudonym",
)
"""In English, with the places that differ."""

AS_IT_IS = frozenset(
    ("column", "file", "first", "found", "group", "level", "levels", "moment", "name", "row", "rows", "second", "width")
)
"""Places of what stands in a file so, and nowhere in another language."""

FIGURE_PLACES = frozenset(("all", "before", "high", "limit", "low", "most", "n", "now", "share"))
"""Places of one number or share alone."""

PLAIN_FIGURE = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?|[+-]?\d+(?:\.\d+)?")
FORM_PLACES = re.compile(r"\{(\w+)\}")


def retold(text: str) -> str:
    """`text` in the language that is spoken; itself where that is English, or its form is not known."""
    if current().language == SOURCE_LANGUAGE or not text:
        return text
    for pattern, form in _patterns():
        if found := pattern.fullmatch(text):
            places = {name: value if name in AS_IT_IS else _place(value) for name, value in found.groupdict().items()}
            return catalogue_in(current().language).gettext(form).format(**places)
    head, mark, rest = text.partition(": ")  # a file's name, and what is wrong with it
    return f"{head}{mark}{said}" if mark and (said := retold(rest)) != rest else _named(text)


def retold_reasons(text: str) -> str:
    """`text` of several reasons that semicolons part, each said again."""
    return "; ".join(map(retold, text.split("; ")))


def _named(text: str) -> str:
    """What a domain's file says, also where a sentence began with it."""
    said = worded(text)
    if said != text:
        return said
    small = text[:1].lower() + text[1:]
    found = worded(small)
    return text if found == small else found[:1].upper() + found[1:]


def _place(text: str) -> str:
    """What fills a place: a number, with its unit or alone, a text with a form of its own, or several that commas
    part."""
    figure, space, unit = text.partition(" ")
    percent = figure.removesuffix("%")
    if PLAIN_FIGURE.fullmatch(percent):
        value = float(percent.replace(",", ""))
        digits = len(percent.partition(".")[2])
        return (number(value, digits) if percent == figure else share(value / 100, digits)) + space + worded(unit)
    said = retold(text)
    return ", ".join(map(retold, text.split(", "))) if said == text and ", " in text else said


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    """The forms, those first that say most by themselves."""

    def parts(form: str) -> Iterator[str]:
        for place, part in enumerate(FORM_PLACES.split(form)):
            held = r"[^\s;:()]+" if part in FIGURE_PLACES else "[^(;]+?" if part == "levels" else ".+?"
            yield f"(?P<{part}>{held})" if place % 2 else re.escape(part)

    longest_first = sorted(KEPT_FORMS, key=lambda form: -len(FORM_PLACES.sub("", form)))
    return tuple((re.compile("".join(parts(form)), re.DOTALL), form) for form in longest_first)
