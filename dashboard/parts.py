"""What several pages share: choosing a domain or a file, saying that something is missing.

It knows no single page, and asks the store nothing.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import streamlit as st

from dashboard.palette import State
from dashboard.visit import GivenFile, Uncounted, Visit
from database.records import ChampionKey
from language import _, retold, worded
from model.bundle import EXAMPLES
from model.registry import Serving
from preprocessing.reading.files import kind_of
from preprocessing.render import problems_csv
from preprocessing.schema import DomainSchema
from preprocessing.validation.rules import Problem

FILE_TYPES = ("csv", "tsv", "txt", "xlsx", "xls", "ods", "parquet", "arrow", "json", "jsonl")


def domains_of(visit: Visit) -> list[DomainSchema]:
    """The domains: those with champions of real records first, of these those with most, which is where most is to be
    seen; those that nobody serves last."""
    served = Counter(key.domain for key in visit.champions)
    source = {key.domain: serving.predictor.manifest.lineage.source for key, serving in visit.champions.items()}
    return sorted(
        visit.schemas.values(),
        key=lambda schema: (
            schema.name not in source,
            source.get(schema.name) == EXAMPLES,
            -served[schema.name],
            schema.name,
        ),
    )


def champions_of(visit: Visit, schema: DomainSchema) -> dict[ChampionKey, Serving]:
    """The loaded champions of a domain: targets as in the schema, the latest moment first."""
    targets = list(schema.target_by_name)
    found = {
        key: serving
        for key, serving in visit.champions.items()
        if key.domain == schema.name and key.target in targets and key.moment in schema.moments
    }
    order = sorted(found, key=lambda key: (targets.index(key.target), -schema.moments.index(key.moment)))
    return {key: found[key] for key in order}


def choose_file(purpose: str) -> GivenFile | None:
    """A file with what may be said of it; None where none is given. purpose: tells the choices of a session apart."""
    file = st.file_uploader(_("File"), type=FILE_TYPES, key=f"file:{purpose}")
    if file is None:
        return None
    content, sheet = file.getvalue(), ""
    if kind_of(content) == "excel":
        shown, told = _("The first that is visible"), _("Its name or number.")
        sheet = st.text_input(_("Sheet"), key=f"sheet:{purpose}", placeholder=shown, help=told)
    told = _("Otherwise one bad row refuses the file.")
    skip = st.checkbox(_("Leave out bad rows"), key=f"skip:{purpose}", help=told)
    return GivenFile(file.file_id, file.name, content, sheet.strip(), skip)


def choose_list(purpose: str) -> tuple[str, bytes] | None:
    """A list of the visitor's own that is read and forgotten, by name and content."""
    file = st.file_uploader(_("Class list"), type=FILE_TYPES, key=purpose)
    return None if file is None else (file.name, file.getvalue())


def offer_problems(name: str, problems: Sequence[Problem]) -> None:
    """Every problem of a file, as a file. name: of the domain."""
    text, told = problems_csv(problems), _("Download all problems (CSV)")
    st.download_button(told, text, f"{name}-problems.csv", "text/csv", on_click="ignore")


def moment_name(schema: DomainSchema, moment: str) -> str:
    """A moment for people: 'once G2 is known' of a column's, 'at midterm' of any other; the only one needs no name."""
    if len(schema.moments) == 1:
        return _("at any time")
    if moment in schema.moment_titles:
        return worded(schema.moment_titles[moment])
    if moment in schema.feature_by_name:
        return _("once {column} is known").format(column=moment)
    at = {"start": _("at the start"), "end": _("at the end")}
    return at.get(moment) or _("at {moment}").format(moment=moment)


def capital(text: str) -> str:
    """A text with its first letter in upper case and the others as they were."""
    return text[:1].upper() + text[1:]


def say_no_champion(schema: DomainSchema) -> None:
    """What to do in a domain that nobody serves yet."""
    told = _("**No model in use (champion) yet for {domain}.** Train one on your own records:")
    st.info(told.format(domain=worded(schema.title)), icon=":material/info:")
    st.code(f"gradewatch train --domain {schema.name} --data FILE", language=None, wrap_lines=True)


def warn_of_examples(visit: Visit, domains: Iterable[str]) -> None:
    """A banner over champions that were trained on generated examples: they know no real student."""
    among = set(domains)
    taught = {
        key.domain
        for key, serving in visit.champions.items()
        if key.domain in among and serving.predictor.manifest.lineage.source == EXAMPLES
    }
    if taught:
        names = "; ".join(
            worded(visit.schemas[name].title) if name in visit.schemas else name for name in sorted(taught)
        )
        told = _(
            "**Not for real students.** Trained on generated examples: {names}. Train on your own records and these "
            "champions are replaced: {command}"
        )
        command = _train_command(next(iter(taught)) if len(taught) == 1 else "DOMAIN")
        st.warning(told.format(names=names, command=command), icon=":material/warning:")


def warn_of_changed_schemas(visit: Visit, domains: Iterable[str]) -> None:
    """A banner where a domain's file has changed since its champion learned, and one where that stops the champion."""
    among = set(domains) & set(visit.schemas)
    stopped = {key.domain: one.why for key, one in visit.stopped.items() if key.domain in among}
    changed = {key.domain: one.changes for key, one in visit.champions.items() if key.domain in among and one.changes}
    for name in sorted(stopped.keys() | changed.keys()):
        named = {"domain": worded(visit.schemas[name].title), "command": _train_command(name)}
        named["changes"] = "; ".join(map(retold, stopped.get(name) or changed[name]))
        if name in stopped:
            told = _(
                "**The champion of {domain} learned another form of the data, and answers nobody.** {changes}. Train "
                "one on rows of the new form, {command}, or undo the change of the domain's file."
            )
            st.error(told.format(**named), icon=":material/block:")
        else:
            told = _(
                "**The file of the domain {domain} has changed since its champion was trained.** Answers are what they "
                "were; drift may not be judged until it is trained again ({command}): {changes}"
            )
            st.warning(told.format(**named), icon=":material/update:")


def _train_command(domain: str) -> str:
    return f"`gradewatch train --domain {domain} --data FILE`"


def say_uncounted(uncounted: Uncounted | None, told: str) -> None:
    """That newer records are being counted, in the page's words."""
    if uncounted is not None:
        if not uncounted.worked:
            alone = _("Nobody is there to do it: start a worker (`gradewatch worker`).")
            told = f"{told} {alone}"
        st.info(told, icon=State.INFO.icon)
