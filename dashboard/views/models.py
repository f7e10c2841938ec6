"""The models of a domain: how they score, what they look at, who was champion when, and going back.

Scores come from the bundles and history from the registry; rolling back and activating are `model.registry`'s.
"""

from collections.abc import Callable, Mapping, Sequence

import streamlit as st

from access.roles import Forbidden
from dashboard import words
from dashboard.figures import models as figures
from dashboard.frame import controls
from dashboard.parts import (
    capital,
    champions_of,
    choose_champion,
    draw,
    say_no_champion,
    warn_of_examples,
)
from dashboard.visit import Visit
from database.errors import Conflict, StoreUnavailable
from database.records import ChampionKey, DecisionRecord, ModelVersion, Succession
from model.bundle import EXAMPLES, Manifest
from model.registry import NoSuchModel, Serving
from model.scores import ClassScores, Scores, ValueScores, told_overtaken
from model.trial import Trial
from monitoring.trial_report import TrialReport

ACTIONS = {"promote": "promoted", "rollback": "rolled back to", "activate": "activated"}
DECISIONS_SHOWN = 20
BRIER = (
    "Brier score: how far the probabilities are from what happened, 0 (certain and right) to 1. Lower is better; a low "
    "one means that the probabilities can be taken at their word."
)
IMPORTANCE = (
    "How much the error grows when the values of one column are shuffled between students: what the model looks at, "
    "not what causes a grade."
)


def models(visit: Visit) -> None:
    """Draw the page."""
    st.title("Models", anchor=False)
    schema = controls(visit, at=False, target=False, days=False).schema
    found = champions_of(visit, schema)
    if not found:
        say_no_champion(schema)
        return
    warn_of_examples(visit, [schema.name])
    key = choose_champion(schema, list(found))
    _headline(found[key])
    if (challenger := found[key].challenger) is not None:
        _trial(visit, challenger.trial)
    changes = visit.may("change", schema.name)
    tabs = st.tabs(["Scores", "What it looks at", "History", *(["Go back"] if changes else [])])
    scores, inputs, history = tabs[:3]
    versions = visit.models(key)
    with scores:
        _scores(found[key].predictor.manifest)
    with inputs:
        _inputs(found[key].predictor.manifest)
    with history:
        _history(visit, key, versions, found[key])
    if changes:
        with tabs[3]:
            _change(visit, key, versions, found[key])


def _headline(serving: Serving) -> None:
    manifest = serving.predictor.manifest
    verdict = words.STANDINGS[words.headline(manifest).standing]
    st.markdown(
        f"Model in use (champion): **{words.candidate(manifest.candidate)}**, "
        f"version `{words.version(serving.predictor.version)}`, generation {serving.generation}: "
        f"**{verdict}** (plain rule: {manifest.naive})."
    )


def _trial(visit: Visit, trial: Trial) -> None:
    """The challenger that is tried next to the champion; its report, which reads the log, on request."""
    st.info(words.trial(trial), icon=":material/science:")
    if st.button("What has it shown so far?", key=f"trial:{trial.id}"):
        report = visit.trial_report(trial)
        st.markdown(f"**{report.sentence}**")
        st.dataframe(trial_rows(report), hide_index=True, width="stretch")
        if (apart := report.differences) is not None:
            st.caption(
                f"Their answers differ in {apart.share:.0%} of {words.rows(apart.n)}, by {words.number(apart.mean)} on "
                f"average and {words.number(apart.largest)} at most."
            )


def trial_rows(report: TrialReport) -> list[dict[str, object]]:
    """Both models of a trial beside the plain rule on the same students."""
    unit = f" ({report.unit})" if report.unit else ""
    return [
        {
            "": name,
            "version": words.version(arm.model),
            "outcomes": arm.n,
            "students": arm.students,
            f"mean error{unit}": words.with_interval(arm.mae) if arm.mae else "",
            "plain rule": words.with_interval(arm.naive_mae) if arm.naive_mae else "",
        }
        for name, arm in (("champion", report.champion), ("challenger", report.challenger))
    ]


# Scores -------------------------------------------------------------------------------------------------------------


def _scores(manifest: Manifest) -> None:
    line = words.headline(manifest)
    st.markdown(
        f"**{capital(line.name)} of every candidate on {words.rows(line.n)} that it had not seen**", help=line.help
    )
    lower = "" if isinstance(manifest.scores[manifest.candidate], ClassScores) else ", lower is better"
    found = {name: words.deciding(score) for name, score in ranked(manifest).items()}
    axis = f"{line.name}{f' ({line.unit})' if line.unit else ''}{lower or ', higher is better'}"
    draw(figures.scores(found, chosen=manifest.candidate, axis=axis), f"{line.name} by candidate", key="scores")
    st.caption(f"Bars are 95 % intervals; the dotted line is the plain rule ({manifest.naive}).")
    config = {
        "RMSE": st.column_config.TextColumn(help=words.RMSE),
        "MAE": st.column_config.TextColumn(help=words.MAE),
        "R²": st.column_config.TextColumn(
            help="Share of the differences between students that is explained; 1 is all."
        ),
        "weighted F1": st.column_config.TextColumn(help=words.F1),
        "Brier": st.column_config.TextColumn(help=BRIER),
    }
    table = [{"candidate": words.candidate(name), **row_of(score)} for name, score in ranked(manifest).items()]
    st.dataframe(table, hide_index=True, width="stretch", column_config=config)
    for name, one in manifest.overtaken.items():
        st.caption(told_overtaken(words.candidate(name), one, line.name))
    chosen = manifest.scores[manifest.candidate]
    if isinstance(chosen, ClassScores):
        _classes(manifest, chosen)
    elif manifest.half_width is not None and manifest.coverage is not None:
        width = f"{words.number(manifest.half_width)}{words.space(manifest.target.unit)}"
        st.markdown(f"{manifest.coverage:.0%} of unseen outcomes lay within {width} of the answer.")


def ranked(manifest: Manifest) -> Mapping[str, Scores]:
    """Candidates with the chosen one first, then the others, then the plain rule."""
    place = {manifest.candidate: 0, "naive": 2}
    return dict(sorted(manifest.scores.items(), key=lambda item: place.get(item[0], 1)))


def row_of(scores: Scores) -> dict[str, str]:
    """One candidate's scores, each with its 95 % interval."""
    if isinstance(scores, ValueScores):
        found = {"RMSE": scores.rmse, "MAE": scores.mae, "R²": scores.r2}
        return {name: words.with_interval(score) for name, score in found.items()} | {"rows": f"{scores.n:,}"}
    brier = "no probabilities" if scores.brier is None else f"{scores.brier:.3f}"
    found = {"weighted F1": scores.weighted_f1, "accuracy": scores.accuracy}
    shown = {name: words.with_interval(score) for name, score in found.items()}
    return shown | {"Brier": brier, "rows": f"{scores.n:,}"}


def _classes(manifest: Manifest, scores: ClassScores) -> None:
    left, right = st.columns(2, gap="medium")
    with left:
        st.markdown("**Right and wrong answers**", help="Numbers are students; the diagonal is where it was right.")
        draw(figures.confusion(scores), "Confusion matrix", key="confusion")
    with right:
        st.markdown("**Class by class**")
        config = {
            "precision": st.column_config.TextColumn(help="Of those it put in this class, the share that was in it."),
            "recall": st.column_config.TextColumn(help="Of those in this class, the share that it found."),
            "Brier": st.column_config.TextColumn(help=BRIER),
        }
        st.dataframe(class_rows(scores), hide_index=True, width="stretch", column_config=config)
        st.markdown("**Can its probabilities be trusted?**", help=BRIER)
        before = manifest.uncalibrated_brier
        if before is not None and scores.brier is not None:
            st.write(
                f"Brier score {scores.brier:.3f} as served; {before:.3f} before its probabilities were calibrated."
            )


def class_rows(scores: ClassScores) -> list[dict[str, str]]:
    """One row per class, worst class first."""
    return [
        {
            "class": level,
            "students": f"{report.n:,} ({report.share:.0%})",
            "precision": f"{report.precision:.0%}",
            "recall": f"{report.recall:.0%}",
            "F1": f"{report.f1:.2f}",
            "Brier": "" if report.brier is None else f"{report.brier:.3f}",
        }
        for level, report in ((level, scores.report[level]) for level in scores.levels)
    ]


def _inputs(manifest: Manifest) -> None:
    st.markdown("**What the model looks at**", help=IMPORTANCE)
    unit = "levels" if manifest.target.levels else manifest.target.unit
    draw(figures.importance(manifest.importance, unit=unit), "Importance of the columns", key="importance")
    rest = len(manifest.importance) - 15
    st.caption(IMPORTANCE + (f" {rest} less telling columns are not drawn." if rest > 0 else ""))
    lineage = manifest.lineage
    came = "generated examples, no real students" if lineage.source == EXAMPLES else "records of this institution"
    st.markdown(f"Trained on {words.rows(lineage.rows)}: {came}. Unseen rows were set apart by {lineage.split}.")


# History ------------------------------------------------------------------------------------------------------------


def _history(visit: Visit, key: ChampionKey, versions: Sequence[ModelVersion], serving: Serving) -> None:
    st.markdown("**Who was champion when**")
    successions = visit.successions(key)
    st.dataframe([succession_row(one) for one in reversed(successions)], hide_index=True, width="stretch")
    st.markdown("**Decisions on challengers**", help="Each says why a challenger replaced the champion, or did not.")
    decided = [d for d in visit.decisions(key.domain) if (d.target, d.moment) == (key.target, key.moment)]
    if decided:
        st.dataframe([decision_row(d) for d in decided[:DECISIONS_SHOWN]], hide_index=True, width="stretch")
    else:
        st.caption(f"None yet: `gradewatch retrain --domain {key.domain}` trains a challenger and judges it.")
    st.markdown("**All versions**")
    st.dataframe([version_row(m, serving.predictor.version) for m in versions], hide_index=True, width="stretch")


def succession_row(one: Succession) -> dict[str, object]:
    """One change of champion."""
    return {
        "generation": one.generation,
        "when": words.when(one.at),
        "what": f"{ACTIONS[one.action]} {words.version(one.version)}",
        "by": one.actor,
        "because": one.reason,
    }


def decision_row(decision: DecisionRecord) -> dict[str, object]:
    """One decision with its reasons and the number of rows it rests on."""
    return {
        "when": words.when(decision.at),
        "decision": words.decided(decision),
        "unseen rows": decision.document.get("n", 0),
        "because": "; ".join(decision.document.get("reasons", ())),
        "challenger": words.version(decision.challenger or ""),
    }


def version_row(model: ModelVersion, champion: str) -> dict[str, object]:
    """One version, as a line of the list."""
    return {
        "version": words.version(model.version),
        "serves": "champion" if model.version == champion else "",
        "kind": words.candidate(model.candidate),
        "trained": words.when(model.at),
        "rows": model.lineage["rows"],
        "from": model.lineage["source"],
    }


# Going back ---------------------------------------------------------------------------------------------------------


def _change(visit: Visit, key: ChampionKey, versions: Sequence[ModelVersion], serving: Serving) -> None:
    st.write(
        "Both take effect at once for everyone, the API included, and are kept in the history with your reason. "
        "No model is lost by it."
    )
    if said := st.session_state.pop("changed", None):
        good, sentence = said
        (st.success if good else st.error)(sentence)
    back, choose = st.columns(2, gap="medium")
    with back, st.form(f"rollback:{key}"):
        st.markdown("**Roll back**")
        st.caption("Undo the last change: the champion before this one serves again.")
        _ask_reason(f"rollback {key}")
        st.form_submit_button("Roll back", on_click=_roll_back, args=(visit, key))
    others = {model.version: model for model in versions if model.version != serving.predictor.version}
    with choose, st.form(f"activate:{key}"):
        st.markdown("**Activate a version**")
        if not others:
            st.caption("There is no other version yet.")
            st.form_submit_button("Activate", disabled=True)
            return
        st.selectbox(
            "Version",
            list(others),
            format_func=lambda version: _version_name(others[version]),
            key=f"activate {key} version",
        )
        st.checkbox("Also the other targets and moments of its training run", key=f"activate {key} together")
        _ask_reason(f"activate {key}")
        st.form_submit_button("Activate", on_click=_activate, args=(visit, key))


def _version_name(model: ModelVersion) -> str:
    return f"{words.version(model.version)}, {words.candidate(model.candidate)}, {words.when(model.at)}"


def _ask_reason(action: str) -> None:
    st.text_input("Reason", key=f"{action} reason", help="Kept in the history for those who ask later.")
    st.checkbox("Yes, change the champion", key=f"{action} sure")


def _roll_back(visit: Visit, key: ChampionKey) -> None:
    _confirmed(f"rollback {key}", lambda reason: visit.roll_back(key, reason))


def _activate(visit: Visit, key: ChampionKey) -> None:
    action, session = f"activate {key}", st.session_state
    version, together = session[f"{action} version"], session[f"{action} together"]
    _confirmed(action, lambda reason: visit.activate(key, version, all_targets=together, reason=reason))


def _confirmed(action: str, do: Callable[[str], list[Succession]]) -> None:
    """Do it if the visitor has confirmed and given a reason; what came of it is said at the next drawing."""
    session = st.session_state
    reason = str(session.get(f"{action} reason", "")).strip()
    if not session.get(f"{action} sure") or not reason:
        session["changed"] = (False, "Nothing was changed: give a reason and tick the box to confirm.")
        return
    try:
        done = do(reason)
    except (NoSuchModel, Conflict, StoreUnavailable, Forbidden) as error:
        session["changed"] = (False, f"Nothing was changed: {error}")
        return
    names = ", ".join(f"{one.key}: {words.version(one.version)}" for one in done)
    session["changed"] = (True, f"Done. {names} serves now.")
