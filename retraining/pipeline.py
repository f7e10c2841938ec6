"""`python -m retraining.pipeline [--domain D [--data FILE]]`: the `retrain` command by its older name.

It lends its name and owns nothing: the options are the command line's, the work is `retraining.run`'s.
"""

import sys

from cli.main import main as command_line


def main() -> None:
    """Run `gradewatch retrain` with the arguments of this process."""
    command_line(["retrain", *sys.argv[1:]])


if __name__ == "__main__":
    main()
