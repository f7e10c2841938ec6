"""`python -m benchmarks [NAME …]`: run all benchmarks, or those named, and write docs/benchmarks.md from them."""

import importlib
import sys
from pathlib import Path

import msgspec

from benchmarks.result import RESULTS, Results

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "benchmarks.md"
NOT_BENCHMARKS = {"__init__", "__main__", "commands", "result", "servers"}


def main(names: list[str]) -> int:
    there = sorted(path.stem for path in HERE.glob("*.py") if path.stem not in NOT_BENCHMARKS)
    if unknown := set(names) - set(there):
        print(f"no benchmark {', '.join(sorted(unknown))}; there are: {', '.join(there)}", file=sys.stderr)
        return 2
    for name in names or there:
        print(f"benchmark {name}", flush=True)
        importlib.import_module(f"benchmarks.{name}").main()
    PAGE.write_text(page(), encoding="utf-8")
    return 0


def page() -> str:
    """docs/benchmarks.md, made from every benchmarks/results/<name>.json."""
    lines = [
        "# Benchmarks",
        "",
        "Made by `make bench` from `benchmarks/results/`; `make bench BENCH=name` runs one.",
        "",
    ]
    for path in sorted(RESULTS.glob("*.json")):
        results = msgspec.json.decode(path.read_bytes(), type=Results)
        where = f"On {results.machine}." if results.machine else "On a machine that was not noted."
        lines += [f"## {path.stem}", "", where, "", "| figure | value | goal | holds | how |", "|---|---|---|---|---|"]
        for figure in results.figures:
            holds = "yes" if figure.holds else "**no**"
            cells = (figure.figure, f"{figure.value:g} {figure.unit}", figure.goal, holds, figure.how)
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
