"""Instructions for use, as article 13 of the AI Act has them: what the system does and does not, how an answer is read
and used, what people oversee, what changes by itself, what it needs and how its logs are read.

What is said of this installation comes from its settings; figures stand in the other files of a pack.
"""

from collections.abc import Mapping, Sequence

from model.purpose import IntendedPurpose
from preprocessing.schema import DomainSchema

NOT_SAID = "Not said: the institution has to put it beside this, or set it (GRADEWATCH_PROVIDER)."


TOLD_EVERYWHERE: Mapping[str, Sequence[str]] = {
    "Reading an answer": [
        "An answer is an estimate of an outcome to come, not a mark and not a decision.",
        "Beside it stand a range and how often it held (02-models/, How good it was), the chance of "
        "failing, and what the plain rule says of the same student.",
        "No answer is an answer: where most of what the model rests on is missing, or nobody like the student was "
        "seen, it says so instead of guessing.",
        "A column outside what was seen in training is named (out of range).",
    ],
    "Using an answer": [
        "A person decides, and does not follow the number alone (article 14): they see the reasons, ask the "
        "student, and write down what they did as a step of a case.",
        "Whoever an answer is about gets a sheet on request: what was predicted, why, from what, how to object.",
        "An objection holds at once: nothing is predicted of that student any more.",
    ],
    "Reasons": [
        "Each answer can be asked for its factors: the columns that moved it most, which way and how far, found by "
        "putting each aside. They say what the model looked at, not what caused an outcome.",
        "What a model looks at on the whole stands in 02-models/, What it looks at.",
    ],
    "Risks": [
        "Being missed: a student who needs help and is not warned of. By group in 04-performance.json (fairness).",
        "Being warned of for nothing: help is taken from somebody else. Same place.",
        "Being treated by the number: a warning that becomes a label. Misuses stand above; who looked is logged.",
        "Learning from its own success: who was helped teaches no model, and a growing share of them is told.",
        "Data that changed: found by drift reports (05-drift.jsonl); a model of another form of the data stops.",
    ],
    "Security": [
        "Keys are kept as digests, roles limit who sees what, rates are limited, requests are bounded in size and "
        "time. Models are data, never programs: no pickle is read, and a file that is not what it was is refused.",
        "Students are pseudonyms. Who looked at whom is logged before the answer leaves.",
        "Accesses, events, decisions and changes of models are sealed in a chain; what of it is not whole "
        "stands in 11-integrity.json (faults).",
        "Not tested here: attacks on the institution's own network, and on whoever sends the data.",
    ],
    "Oversight": [
        "Pause: all answers become the plain rule, or none, at once, with a reason (07-oversight.json: pauses).",
        "Warning policies are previewed before they count, recorded and rolled back (07-oversight.json).",
        "A champion is put back or chosen by hand at any time (07-oversight.json: champions_by_hand).",
        "What people did with warnings, 'wrong' and 'not applicable' among it, is counted (steps_of_cases).",
    ],
    "What changes by itself": [
        "Training starts by new rows, drift or a schedule; a new model takes over only where it was better on the "
        "same unseen rows by more than chance, and no group was credibly worse off. Every contest with its figures "
        "stands in 06-decisions.jsonl, every change in 10-changes.json.",
        "Columns, outcomes, purpose and who may act never change by themselves.",
    ],
    "Needs and upkeep": [
        "A processor with 2 cores and 2 GB of memory serve one institution; no graphics card is needed. 512 MB "
        "serve where models are trained elsewhere.",
        "A model lasts as long as its drift reports and errors say; look at both once a term, retrain once a year "
        "at least, and read what changed before a promotion by hand.",
        "Update the software when a version is released; back up the database daily, and try a backup once a term.",
    ],
    "Logs": [
        "08-accesses.jsonl: a line for each look, change and refusal: id, actor, action, at (UTC), domain, more.",
        "09-incidents.jsonl: what went wrong or was withdrawn, by kind. 06-decisions.jsonl: contests of models.",
        "Every prediction is logged with its inputs, before it is answered; `gradewatch students export` hands out "
        "what is kept of one student. `gradewatch audit verify` compares the logs with their seals.",
    ],
}
"""What holds of each installation, by heading."""


def write_instructions(
    schemas: Sequence[DomainSchema], purpose: IntendedPurpose, running: Mapping[str, str] | None = None
) -> str:
    """In Markdown. running: how the installation is set up, what to how."""
    parts: dict[str, Sequence[str]] = {
        "Who answers for it": [purpose.provider or NOT_SAID],
        "What it is for": [
            *(f"{one.title or one.name}: {one.description}" for one in schemas),
            f"Purpose: {purpose.purpose}",
            f"Who may act on answers: {purpose.users}",
            f"Not for: {'; '.join(purpose.not_for)}. No setting takes these away.",
        ],
        **TOLD_EVERYWHERE,
        "How this installation is set up": [f"{what}: {how}." for what, how in (running or {}).items()]
        or ["Not said."],
    }
    lines = ["# Instructions for use", ""]
    for heading, told in parts.items():
        lines += [f"## {heading}", "", *(f"- {one}" for one in told), ""]
    return "\n".join(lines)
