"""`python -m benchmarks [NAME …]`: run all benchmarks, or those named; each keeps its results."""

import importlib
import sys
from pathlib import Path

HERE = Path(__file__).parent
NOT_BENCHMARKS = {"__init__", "__main__", "commands", "district", "result", "servers", "weekly"}


def main(names: list[str]) -> int:
    there = sorted(path.stem for path in HERE.glob("*.py") if path.stem not in NOT_BENCHMARKS)
    if unknown := set(names) - set(there):
        print(f"no benchmark {', '.join(sorted(unknown))}; there are: {', '.join(there)}", file=sys.stderr)
        return 2
    for name in names or there:
        print(f"benchmark {name}", flush=True)
        importlib.import_module(f"benchmarks.{name}").main()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
