"""What several pages share: choosing a domain or a champion, drawing a figure, saying that something is missing.

It knows no single page, and asks the store nothing.
"""

from collections.abc import Iterable, Sequence

import streamlit as st

from dashboard.charts import CONFIG, Figure
from dashboard.visit import GivenFile, Visit
from database.records import ChampionKey
from language import _
from model.bundle import EXAMPLES
from model.registry import Serving
from preprocessing.reading.files import kind_of
from preprocessing.render import problems_csv
from preprocessing.schema import DomainSchema, title_of
from preprocessing.validation.rules import Problem

FILE_TYPES = ("csv", "tsv", "txt", "xlsx", "xls", "ods", "parquet", "arrow", "json", "jsonl")


def domains_of(visit: Visit) -> list[DomainSchema]:
    """The domains: those with champions of real records first, those that nobody serves last."""
    source = {key.domain: serving.predictor.manifest.lineage.source for key, serving in visit.champions.items()}
    return sorted(
        visit.schemas.values(),
        key=lambda schema: (schema.name not in source, source.get(schema.name) == EXAMPLES, schema.name),
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


def choose_champion(schema: DomainSchema, keys: Sequence[ChampionKey]) -> ChampionKey:
    """One of several champions; nothing is asked where there is only one."""
    if len(keys) == 1:
        return keys[0]
    return st.selectbox(
        "Model in use (champion)",
        keys,
        format_func=lambda key: champion_name(schema, key),
        key=f"champion:{schema.name}",
        persist_state="session",
        help="A domain has one champion for each target and each moment at which something new becomes known.",
    )


def choose_file(purpose: str) -> GivenFile | None:
    """A file with what may be said of it; None where none is given. purpose: tells the choices of a session apart."""
    file = st.file_uploader("File", type=FILE_TYPES, key=f"file:{purpose}")
    if file is None:
        return None
    content, sheet = file.getvalue(), ""
    if kind_of(content) == "excel":
        shown = "The first that is visible"
        sheet = st.text_input("Sheet", key=f"sheet:{purpose}", placeholder=shown, help="Its name or number.")
    skip = st.checkbox("Leave out bad rows", key=f"skip:{purpose}", help="Otherwise one bad row refuses the file.")
    return GivenFile(file.file_id, file.name, content, sheet.strip(), skip)


def choose_list(purpose: str) -> tuple[str, bytes] | None:
    """A list of the visitor's own that is read and forgotten, by name and content."""
    file = st.file_uploader(_("Class list"), type=FILE_TYPES, key=purpose)
    return None if file is None else (file.name, file.getvalue())


def offer_problems(name: str, problems: Sequence[Problem]) -> None:
    """Every problem of a file, as a file. name: of the domain."""
    text = problems_csv(problems)
    st.download_button("Download all problems (CSV)", text, f"{name}-problems.csv", "text/csv", on_click="ignore")


def champion_name(schema: DomainSchema, key: ChampionKey) -> str:
    """What a champion answers, and from when on: 'Final grade (G3), once G2 is known'."""
    target = schema.target_by_name[key.target]
    named = title_of(target)
    name = named if named == target.name else f"{named} ({target.name})"
    return name if len(schema.moments) == 1 else f"{name}, {moment_name(schema, key.moment)}"


def moment_name(schema: DomainSchema, moment: str) -> str:
    """A moment for people: 'once G2 is known' of a column's, 'at midterm' of any other; the only one needs no name."""
    if len(schema.moments) == 1:
        return "at any time"
    if moment in schema.moment_titles:
        return schema.moment_titles[moment]
    if moment in schema.feature_by_name:
        return f"once {moment} is known"
    return f"at {'the ' if moment in ('start', 'end') else ''}{moment}"


def capital(text: str) -> str:
    """A text with its first letter in upper case and the others as they were."""
    return text[:1].upper() + text[1:]


def say_no_champion(schema: DomainSchema) -> None:
    """What to do in a domain that nobody serves yet."""
    st.info(
        f"**No model in use (champion) yet for {schema.title}.** Train one on your own records:", icon=":material/info:"
    )
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
        names = "; ".join(visit.schemas[name].title if name in visit.schemas else name for name in sorted(taught))
        st.warning(
            f"**Not for real students.** Trained on generated examples: {names}. "
            "Train on your own records and these champions are replaced: "
            f"`gradewatch train --domain {next(iter(taught)) if len(taught) == 1 else 'DOMAIN'} --data FILE`",
            icon=":material/warning:",
        )


def warn_of_changed_schemas(visit: Visit, domains: Iterable[str]) -> None:
    """A banner where a domain's file has changed since its champion learned, and one where that stops the champion."""
    among = set(domains) & set(visit.schemas)
    stopped = {key.domain: one.why for key, one in visit.stopped.items() if key.domain in among}
    changed = {key.domain: one.changes for key, one in visit.champions.items() if key.domain in among and one.changes}
    for name in sorted(stopped.keys() | changed.keys()):
        title, again = visit.schemas[name].title, f"`gradewatch train --domain {name} --data FILE`"
        told = "; ".join(stopped.get(name) or changed[name])
        if name in stopped:
            st.error(
                f"**The champion of {title} learned another form of the data, and answers nobody.** {told}. Train one "
                f"on rows of the new form, {again}, or undo the change of the domain's file.",
                icon=":material/block:",
            )
        else:
            st.warning(
                f"**The file of the domain {title} has changed since its champion was trained.** Answers are what they "
                f"were; drift may not be judged until it is trained again ({again}): {told}",
                icon=":material/update:",
            )


def draw(figure: Figure, alt: str, *, key: str) -> None:
    """A figure over the whole width, with `alt` for those who cannot see it."""
    st.plotly_chart(figure, width="stretch", theme=None, config=CONFIG, key=key, alt=alt)
