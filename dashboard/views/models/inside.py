"""What is inside the model in use: its candidates, what it looks at, where it is right and wrong, its probabilities."""

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from dashboard import words
from dashboard.charts import draw
from dashboard.figures import models as figures
from dashboard.tables import number_column, share_column, show_table
from language import _, ngettext, worded
from language.format import count, number, share
from model.bundle import EXAMPLES, Manifest
from model.card import leaning_of
from model.scores import ClassScores, Scores, ValueScores, told_overtaken
from preprocessing.schema import DomainSchema, Target, label_of, title_of


def draw_inside(manifest: Manifest, schema: DomainSchema) -> None:
    """All of it, folded: what is not open is not drawn."""
    st.header(_("Inside the model in use"), anchor=False)
    parts: dict[str, Callable[[], None]] = {
        _("What it looks at"): lambda: _looks(manifest, schema),
        _("The candidates that it was chosen among"): lambda: _candidates(manifest),
    }
    chosen = manifest.scores[manifest.candidate]
    present = schema.target_by_name.get(manifest.target.name, manifest.target)  # which may have labels by now
    if isinstance(chosen, ClassScores):
        parts[_("Right and wrong answers")] = lambda: _confusion(chosen, present)
        parts[_("Can its probabilities be trusted?")] = lambda: _calibration(manifest, chosen)
    elif manifest.half_width is not None and manifest.coverage is not None:
        parts[_("How wide its ranges are")] = lambda: _range(manifest)
    for label, shown in parts.items():
        box = st.expander(label, key=f"inside:{label}", on_change="rerun")
        if box.open:
            with box:
                shown()


def _looks(manifest: Manifest, schema: DomainSchema) -> None:
    leaning = leaning_of(manifest.importance)
    if not leaning.leading:
        st.caption(_("It looks at nothing: it says the same of everybody."))
        return
    told = {column.name: title_of(column) for column in schema.columns}
    unit = "levels" if manifest.target.levels else manifest.target.unit
    most = next(iter(leaning.leading))
    draw(
        figures.importance(leaning.leading, told, unit=unit),
        title=_("It looks most at: {column}").format(column=told.get(most, most)),
        alternative=_("How much its error rises when the values of a column are shuffled between students."),
        table=[
            {_("column"): told.get(name, name), _("error rises by"): rise} for name, rise in leaning.leading.items()
        ],
        key="importance",
    )
    if leaning.others:
        rest = ngettext("and {n} more, {sum}", "and {n} more, together {sum}", leaning.others)
        st.caption(rest.format(n=count(leaning.others), sum=number(leaning.together, 3)))
    st.caption(_("What the model looks at is no cause of a result."))
    lineage = manifest.lineage
    said = (
        _("It learned from {n} generated examples, no real students.")
        if lineage.source == EXAMPLES
        else _("It learned from {n} rows of this institution.")
    )
    st.caption(said.format(n=count(lineage.rows)))


def ranked(manifest: Manifest) -> Mapping[str, Scores]:
    """Candidates with the chosen one first, then the others, then the plain rule."""
    place = {manifest.candidate: 0, "naive": 2}
    return dict(sorted(manifest.scores.items(), key=lambda item: place.get(item[0], 1)))


def _candidates(manifest: Manifest) -> None:
    found = {name: words.deciding(score) for name, score in ranked(manifest).items()}
    score, best = manifest.scores[manifest.candidate], found[manifest.candidate]
    measure, of_values = words.measure(score), isinstance(score, ValueScores)
    unit = f" ({worded(manifest.target.unit)})" if of_values and manifest.target.unit else ""
    better = _("lower is better") if of_values else _("higher is better")
    draw(
        figures.scores(found, chosen=manifest.candidate, axis=f"{measure}{unit}, {better}"),
        title=_("{name} was chosen: {measure} {value} on {n} students that it had not seen").format(
            name=words.candidate(manifest.candidate), measure=measure, value=number(best.value, 3), n=count(score.n)
        ),
        alternative=_("A dot and its 95 % interval for each candidate; the dotted line is the plain rule."),
        table=candidate_rows(manifest),
        key="scores",
    )
    for name, one in manifest.overtaken.items():
        st.caption(told_overtaken(words.candidate(name), one, measure))


def candidate_rows(manifest: Manifest) -> list[dict[str, object]]:
    """Every candidate's scores, as numbers."""
    rows = []
    for name, score in ranked(manifest).items():
        row: dict[str, object] = {_("candidate"): words.candidate(name)}
        if isinstance(score, ValueScores):
            row |= {"RMSE": score.rmse.value, "MAE": score.mae.value, "R²": score.r2.value}
        else:
            row |= {"F1": score.weighted_f1.value, _("right"): score.accuracy.value, "MAE": score.mae.value}
            row |= {"Brier": score.brier}
        rows.append(row | {_("students"): score.n})
    return rows


def _confusion(scores: ClassScores, target: Target) -> None:
    called = {level: label_of(level, target.labels) for level in scores.levels}
    right = sum(scores.confusion[place][place] for place in range(len(scores.levels)))
    near = sum(n for i, row in enumerate(scores.confusion) for j, n in enumerate(row) if abs(i - j) <= 1)
    title = _("The right level for {right} of 10 students, at most one level off for {near} of 10 ({n} students)")
    draw(
        figures.confusion(scores, list(called.values())),
        title=title.format(
            right=number(10 * right / scores.n, 0), near=number(10 * near / scores.n, 0), n=count(scores.n)
        ),
        alternative=_("True levels in rows, answers in columns; the diagonal is where it was right."),
        table=[
            {_("true level"): called[level], **dict(zip(called.values(), row, strict=True))}
            for level, row in zip(scores.levels, scores.confusion, strict=True)
        ],
        key="confusion",
    )
    rows = [{**row, "class": called[str(row["class"])]} for row in class_rows(scores)]
    show_table(rows, hide_index=True, width="stretch", column_config=_class_columns())


def _class_columns() -> dict[str, Any]:
    column = st.column_config
    return {
        "class": column.TextColumn(_("level")),
        "students": number_column(_("students"), 0),
        "precision": share_column(_("rightly said"), help=_("Of those it put there.")),
        "recall": share_column(_("found"), help=_("Of those who belong there.")),
        "F1": number_column(digits=2),
        "Brier": number_column(digits=3),
    }


def class_rows(scores: ClassScores) -> list[dict[str, object]]:
    """One row per class, worst class first."""
    return [
        {
            "class": level,
            "students": report.n,
            "precision": report.precision,
            "recall": report.recall,
            "F1": report.f1,
            "Brier": report.brier,
        }
        for level, report in ((level, scores.report[level]) for level in scores.levels)
    ]


def _calibration(manifest: Manifest, scores: ClassScores) -> None:
    if scores.brier is None:
        st.write(_("It gives no probabilities."))
        return
    said = _("Brier score {now}: how far its probabilities are from what happened, 0 (certain and right) to 1.")
    st.write(said.format(now=number(scores.brier, 3)))
    if manifest.uncalibrated_brier is not None:
        st.write(
            _("Before they were calibrated it was {before}.").format(before=number(manifest.uncalibrated_brier, 3))
        )


def _range(manifest: Manifest) -> None:
    width = f"{number(manifest.half_width or 0.0)}{words.space(manifest.target.unit)}"
    said = _("{share} of outcomes that it had not seen lay within {width} of the answer.")
    st.write(said.format(share=share(manifest.coverage or 0.0), width=width))
