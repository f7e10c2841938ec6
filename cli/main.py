"""`gradewatch`: reads a command, runs its verb, and explains a refusal in words, without a traceback.

Exit codes: 0 done, 1 refused or failed with a reason, 2 wrong usage; more in `cli.output`.
"""

from collections.abc import Sequence

# Each hangs its verbs on the tree, in the order of the help.
# isort: off
import cli.domains
import cli.data
import cli.uploads
import cli.observations
import cli.features
import cli.weeks
import cli.withdraw
import cli.keep
import cli.students
import cli.reports
import cli.models
import cli.monitor
import cli.overview
import cli.feedback
import cli.fairness
import cli.changes
import cli.retrain
import cli.access
import cli.effects
import cli.evidence
import cli.warnings
import cli.pause
import cli.audit
import cli.backup
import cli.database
import cli.doctor
import cli.schedules
import cli.demo
import cli.run  # noqa: F401

# isort: on
from cli.apps import app
from cli.output import explain


def main(arguments: Sequence[str] | None = None) -> None:
    """The `gradewatch` command. arguments: those of this process if None."""
    raise SystemExit(run(arguments))


def run(arguments: Sequence[str] | None) -> int:
    """Run one command; its exit code where it returned or was refused. Raises whatever is no refusal."""
    try:
        app(arguments, prog_name="gradewatch")
    except Exception as error:  # whatever is no refusal goes on as it came
        return explain(error)
    return 0


if __name__ == "__main__":
    main()
