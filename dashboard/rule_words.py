"""The rules of drift, retraining and promotion as people say them; what files call them stands beside it.

It knows no rule's value and asks nothing.
"""

from collections.abc import Mapping

from dashboard.visit.settings import Rule
from language import _, worded
from language.format import number
from preprocessing.schema import DomainSchema, title_of


def part_words(table: str) -> str:
    """What a table of a policy file is about."""
    return {
        "drift": _("When students count as different"),
        "trigger": _("When a retraining is proposed"),
        "promotion": _("When a challenger takes over"),
        "training": _("What a model learns from"),
    }.get(table, table)


def rule_words(rule: Rule, schema: DomainSchema) -> str:
    """A rule as a question that its value answers; its name in a file where nobody has said it."""
    if column := schema.column_by_name.get(rule.about):
        said = {
            "thresholds": _("Change from which {column} counts as moved (share of students)"),
            "min_gain": _("How much nearer the answers for {column} must be"),
        }.get(rule.name.partition(".")[0].partition(" ")[0], "{column}")
        return said.format(column=title_of(column))
    return _words().get((rule.table, rule.name), rule.name)


def _words() -> Mapping[tuple[str, str], str]:
    return {
        ("drift", "q"): _("Share of false alarms that is put up with"),
        ("drift", "ks_threshold"): _("Share of students who must have moved, in a fact of numbers"),
        ("drift", "cramers_v_threshold"): _("How strong a change must be, in a fact of words (0 to 1)"),
        ("drift", "missing_threshold"): _("How many more may lack a fact"),
        ("drift", "thresholds"): _("Limits of single facts"),
        ("drift", "level"): _("How sure all ranges of a report are together"),
        ("drift", "together"): _("Facts in doubt that raise an alarm together"),
        ("drift", "auc_threshold"): _("How well now and before must be told apart (0.5 is guessing)"),
        ("trigger", "alarms"): _("Alarms that propose a retraining"),
        ("trigger", "windows"): _("Among so many of the last checks"),
        ("trigger", "cool_down_days"): _("Days of rest after a proposal"),
        ("trigger", "longest_gap_days"): _("Days after which a check counts no more"),
        ("trigger", "errors"): _("Whether rising errors propose one, too"),
        ("promotion", "min_gain"): _("How much nearer its answers must be"),
        ("promotion", "level"): _("How sure it must be that the gain is not luck"),
        ("promotion", "min_rows"): _("Students who must judge, at least"),
        ("promotion", "holdout_share"): _("Share of new students who judge and do not teach"),
        ("promotion", "slice_rows"): _("From how many students on a group may not get worse"),
        ("promotion", "max_missed"): _("How many more of a group's failing students may go without a warning"),
        ("promotion", "trial_rows"): _("Outcomes after which a trial is judged (0: no trials)"),
        ("promotion", "max_megabytes"): _("Largest size of a model (MB)"),
        ("promotion", "helped"): _("Share of helped students who teach and judge"),
        ("training", "window"): _("Newest records that are learned from"),
        ("training", "foundation"): _("Files of a foundation model that competes"),
        ("training", "temporal"): _("Size of a recurrent network that competes"),
        ("training", "checkpoints"): _("Folder in which a training finds its place again"),
    }


def value_words(rule: Rule) -> str:
    """What a rule says: a number as its reader writes it, yes or no, or that nothing is said."""
    value = rule.value
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, int | float):
        return number(float(value), 4)
    if value is None:
        usual = {"min_gain": _("as each prediction says"), "window": _("as the installation is set")}
        return usual.get(rule.name, _("none"))
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {number(float(one), 4)}" for name, one in value.items()) or _("none")
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or _("none")
    return worded(str(value)) or _("none")
