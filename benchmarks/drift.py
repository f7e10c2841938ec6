"""`gradewatch drift` beside bare decoding, and the comparison that it makes beside a SciPy loop and its peers.

`python -m benchmarks.drift [--quick] [--without-peers]` from the project's root. Each peer runs in an environment of
its own, made once. CPU seconds, because other work on the machine changes wall time.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.commands import GRADEWATCH, measured, settings_of
from benchmarks.result import Figure, cpu_seconds, write_results
from benchmarks.servers import environment
from drift.column import Column, count_levels, summarise_numbers
from drift.compare import compare
from drift.files import profile_file
from drift.profile import Profile, assemble, build_profile
from drift.univariate import ks_distance, ks_p_value
from preprocessing.schema import DomainSchema, Feature, Target

LEVELS = np.array(["none", "primary", "secondary", "higher", "other", "unknown", "not asked"])
FORTY = {"mark": 10, "cent": 10, "time": 10, "level": 10}  # integers 0–20; two decimals; continuous; seven levels
TEN = {"mark": 3, "cent": 2, "time": 3, "level": 2}
SETUP = "10 integer marks, 10 two-decimal, 10 continuous and 10 categorical columns; reference profile stored"


def schema_of(counts: dict[str, int]) -> DomainSchema:
    names = [f"{kind}{i}" for kind, count in counts.items() for i in range(count)]
    kinds = [("categorical", True) if name.startswith("level") else ("numeric", False) for name in names]
    features = tuple(Feature(name=n, kind=k, open=o) for n, (k, o) in zip(names, kinds, strict=True))  # type: ignore[arg-type]
    return DomainSchema(name="benchmark", title="", features=features, targets=(Target(name="y"),))


def sample(counts: dict[str, int], rows: int, seed: int) -> pl.DataFrame:
    generator = np.random.default_rng(seed)
    make: dict[str, Callable[[], Any]] = {
        "mark": lambda: generator.integers(0, 21, rows),
        "cent": lambda: np.round(generator.normal(60, 15, rows), 2),
        "time": lambda: generator.normal(size=rows),
        "level": lambda: pl.Series(LEVELS).gather(generator.integers(0, len(LEVELS), rows)),
    }
    return pl.DataFrame({f"{kind}{i}": make[kind]() for kind, count in counts.items() for i in range(count)})


def middle_cpu(work: Callable[[], object], runs: int = 3) -> float:
    """The median CPU seconds of `runs` runs."""
    seconds = []
    for _ in range(runs):
        with cpu_seconds() as spent:
            work()
        seconds.append(spent.seconds)
    return statistics.median(seconds)


def scipy_loop(reference: pl.DataFrame, current: pl.DataFrame) -> None:
    """What most people write: one SciPy test per column, counting levels with polars."""
    from scipy import stats

    for name in reference.columns:
        first, second = reference[name], current[name]
        if name.startswith("level"):
            counts = [dict(column.value_counts().iter_rows()) for column in (first, second)]
            table = [[count.get(level, 0) for level in LEVELS] for count in counts]
            stats.chi2_contingency(table, correction=False)
        else:
            stats.ks_2samp(first.to_numpy(), second.to_numpy(), method="asymp")


def engine(rows: int) -> tuple[Callable[[], object], Callable[[], object]]:
    """A report on two samples in memory, the reference profiled before; and the SciPy loop over the same."""
    schema = schema_of(FORTY)
    before, after = sample(FORTY, rows, 1), sample(FORTY, rows, 2)
    reference = build_profile(before, schema)
    return lambda: compare(reference, after, schema), lambda: scipy_loop(before, after)


def speed(rows: int, goal: float) -> list[Figure]:
    report, scipy = engine(rows)
    turns = [(middle_cpu(report), middle_cpu(scipy, runs=1)) for _ in range(3)]  # load changes
    ours, loop = (statistics.median(turn[i] for turn in turns) for i in (0, 1))
    how = f"{SETUP}; {rows:,} × {rows:,} rows in memory; engine {ours:.3f} CPU s, SciPy loop {loop:.3f} CPU s"
    ratio = loop / ours
    return [Figure(f"SciPy loop / engine, N = {rows:,}", ratio, "× less CPU", f"≥ {goal:g}", ratio >= goal, how)]


def in_child(*arguments: str) -> dict[str, float]:
    """Run this module in a process of its own, so that its memory can be told; what it prints."""
    command = [sys.executable, "-m", "benchmarks.drift", "--child", *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def child(what: str, current: str, reference: str, columns: str) -> None:
    """One measurement of a fresh process: decoding a file, or the report on it."""
    import scipy.special  # noqa: F401 (start-up is a figure of its own)

    schema = schema_of(FORTY if columns == "40" else TEN)
    profile = Profile.from_bytes(Path(reference).read_bytes()) if what == "report" else None
    with cpu_seconds() as spent:
        if profile is None:
            pl.read_parquet(current)
        else:
            assert compare(profile, Path(current), schema).columns
    print(json.dumps({"cpu": spent.seconds, "peak": peak_megabytes()}))


def peak_megabytes() -> float:
    """The most memory that this program has held; `getrusage` would count what its parent held at the fork."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1e3


def from_parquet(folder: Path) -> list[Figure]:
    files = write_pair(folder, FORTY, 1_000_000)
    pairs = [(in_child("decode", *files, "40"), in_child("report", *files, "40")) for _ in range(7)]  # load changes
    decode, report = (statistics.median(pair[i]["cpu"] for pair in pairs) for i in (0, 1))
    peak = max(pair[1]["peak"] for pair in pairs)
    how = f"{SETUP}; 1M rows, zstd, fresh process; polars.read_parquet {decode:.3f}, report {report:.3f} CPU s"
    ratio = report / decode
    return [
        Figure("Parquet 1M × 40: report / decoding alone", ratio, "× CPU", "≤ 2", ratio <= 2, how),
        Figure("Parquet 1M × 40: peak memory", peak, "MB", "≤ 500", peak <= 500, how),
    ]


def write_pair(folder: Path, counts: dict[str, int], rows: int) -> tuple[str, str]:
    """A current file and a stored reference profile of `rows` rows each."""
    current, reference = folder / f"{rows}.parquet", folder / f"{rows}.profile"
    sample(counts, rows, 1).write_parquet(current, row_group_size=250_000)
    profile = profile_file(current, schema_of(counts), exact_up_to=rows)
    reference.write_bytes(profile.to_bytes())
    sample(counts, rows, 2).write_parquet(current, row_group_size=250_000)
    return str(current), str(reference)


def first_report(folder: Path) -> list[Figure]:
    """What somebody waits for: a new process that reads a profile and a small file and reports."""
    files = write_pair(folder, FORTY, 10_000)
    script = (
        "import sys; from pathlib import Path; from benchmarks.drift import FORTY, schema_of;"
        "from drift.compare import compare; from drift.profile import Profile;"
        "compare(Profile.from_bytes(Path(sys.argv[2]).read_bytes()), Path(sys.argv[1]), schema_of(FORTY))"
    )
    spent = middle_cpu(lambda: subprocess.run([sys.executable, "-c", script, *files], check=True))
    how = "new process, imports of polars, NumPy and SciPy's special functions included; nothing is compiled"
    return [Figure("first report, 10k × 40, from process start", spent, "CPU s", "≤ 2", spent <= 2, how)]


def whole_commands(folder: Path, settings: dict[str, str]) -> list[Figure]:
    """`gradewatch drift` of a million rows as a user runs it, beside a program that only decodes the file."""
    now, before = (folder / f"{name}.parquet" for name in ("now", "before"))
    for seed, path in ((1, before), (2, now)):
        sample(FORTY, 1_000_000, seed).write_parquet(path, row_group_size=250_000)
    asked = (GRADEWATCH, "drift", "--domain", "benchmark", "--current", str(now))
    against = {"its champion": (), "a reference file": ("--reference", str(before))}
    only = {"": (), ", --columns-only": ("--columns-only",)}
    decode = statistics.median(measured({}, str(write_decoder(folder)), str(now))[0] for _ in range(5))
    figures = []
    for (whom, reference), files in zip(against.items(), (1, 2), strict=True):
        for (what, option), goal in zip(only.items(), (8, 3), strict=True):
            runs = [measured(settings, *asked, *reference, *option) for _ in range(5)]
            spent, peak = statistics.median(run[0] for run in runs), max(run[1] for run in runs)
            how = (
                f"{SETUP}; start included; the command {spent:.2f}, a program that decodes one file {decode:.2f} CPU s"
            )
            name, ratio = f"gradewatch drift, 1M × 40 against {whom}{what}", spent / decode
            most = goal * files
            figures.append(Figure(f"{name} / decoding alone", ratio, "× CPU", f"≤ {most}", ratio <= most, how))
            figures.append(Figure(f"{name}: peak memory", peak, "MB", "≤ 600", peak <= 600, how))
    return figures


def write_decoder(folder: Path) -> Path:
    """A program that reads a file and does nothing with it."""
    path = folder / "decode.py"
    path.write_text("import sys\n\nimport polars as pl\n\npl.read_parquet(sys.argv[1])\n")
    return path


def open_benchmark(folder: Path) -> dict[str, str]:
    """The settings of an installation whose domain has the forty columns, and a champion that learned 5,000 rows."""
    domains, taught = folder / "domains", folder / "taught.parquet"
    domains.mkdir()
    (domains / "benchmark.toml").write_text(domain_file(FORTY))
    rows = sample(FORTY, 5_000, 3)
    noise = np.random.default_rng(4).normal(0, 2, rows.height)  # an exact sum of inputs would be no outcome
    rows.with_columns(y=pl.col("mark0") + pl.col("mark1") + pl.col("time0") + noise).write_parquet(taught)
    settings = settings_of(folder) | {"GRADEWATCH_DOMAINS_DIR": str(domains)}
    measured(settings, GRADEWATCH, "train", "--domain", "benchmark", "--data", str(taught))
    return settings


def domain_file(counts: dict[str, int]) -> str:
    """The domain as a user would declare it."""
    levels = f"levels = {json.dumps(LEVELS.tolist())}"
    lines = ['name = "benchmark"', 'title = "Benchmark"']
    for feature in schema_of(counts).features:
        lines += ["", "[[features]]", f'name = "{feature.name}"', f'kind = "{feature.kind}"']
        lines += [levels] if feature.kind == "categorical" else []
    return "\n".join([*lines, "", "[[targets]]", 'name = "y"', 'kind = "value"', "minimum = -100", "maximum = 100", ""])


def ten_million(folder: Path) -> list[Figure]:
    seconds, peaks = {}, {}
    for rows in (1_000_000, 10_000_000):
        files = write_pair(folder, TEN, rows)
        runs = [in_child("report", *files, "10") for _ in range(3)]
        seconds[rows], peaks[rows] = statistics.median(r["cpu"] for r in runs), max(r["peak"] for r in runs)
    short, long = seconds.values()
    peak, growth = peaks[10_000_000], long / short
    how = f"3 marks, 2 two-decimal, 3 continuous, 2 categorical; exact; 1M {short:.3f}, 10M {long:.3f} CPU s"
    return [
        Figure("Parquet 10M × 10: report", long, "CPU s", "≤ 3", long <= 3, how),
        Figure("Parquet 10M × 10: peak memory", peak, "MB", "≤ 1000", peak <= 1000, how),
        Figure("Parquet: 10M / 1M rows", growth, "× CPU", "≤ 11 (linear)", growth <= 11, how),
    ]


def chance_profile(schema: DomainSchema, rows: int, generator: np.random.Generator, shift: float = 0.0) -> Profile:
    """30 normal columns, of which four are shifted, and 10 of five levels."""
    columns: list[tuple[str, Column]] = []
    for feature in schema.features:
        if feature.kind == "numeric":
            moved = shift if int(feature.name[4:]) < 4 else 0.0
            columns.append((feature.name, summarise_numbers(generator.normal(moved, size=rows))))
        else:
            counts = generator.multinomial(rows, [0.4, 0.3, 0.15, 0.1, 0.05]).tolist()
            columns.append((feature.name, count_levels(dict(zip("abcde", counts, strict=True)), 0)))
    return assemble(schema, rows, columns)


def alarm_rate(rows: int, runs: int, shift: float = 0.0) -> float:
    schema = schema_of({"time": 30, "level": 10})
    generator = np.random.default_rng(rows + runs)
    alarms = 0
    for _ in range(runs):
        reference = chance_profile(schema, rows, generator)
        alarms += compare(reference, chance_profile(schema, rows, generator, shift)).alarm
    return alarms / runs


def alarms(quick: bool) -> list[Figure]:
    figures = []
    for rows in (1_000, 100_000):
        runs = 40 if quick and rows > 1_000 else 400
        rate = alarm_rate(rows, runs)
        how = f"{runs} seeded pairs of samples without drift, 30 normal and 10 five-level columns, default policy"
        figures.append(Figure(f"alarms without drift, N = {rows:,}", rate, "share", "≤ 0.05", rate <= 0.05, how))
    power = alarm_rate(1_000, 400, shift=0.2)
    how = "400 seeded pairs, normal columns, default policy"
    figures.append(Figure("power, 0.2 sd in 4 of 40, N = 1,000", power, "share", "≥ 0.95", power >= 0.95, how))
    runs = 20 if quick else 100
    rate = alarm_rate(100_000, runs, shift=0.05)
    how = f"{runs} seeded pairs, 4 of 40 columns shifted by 0.05 sd, default policy"
    return [*figures, Figure("alarms at an irrelevant 0.05 sd, N = 100,000", rate, "share", "0", rate == 0, how)]


def accuracy() -> list[Figure]:
    from scipy import stats

    generator = np.random.default_rng(17)
    worst = {"D": 0.0, "p": 0.0}
    for _ in range(3_000):
        first, second = (odd_column(generator) for _ in range(2))
        found = ks_distance(summarise_numbers(first), summarise_numbers(second))
        expected = stats.ks_2samp(first, second, method="asymp")
        p_value = ks_p_value(found.low, len(first), len(second))
        worst["D"] = max(worst["D"], abs(found.low - float(expected.statistic)))
        worst["p"] = max(worst["p"], abs(p_value - float(expected.pvalue)))
    how = "6,000 random columns: ties, grids, Cauchy tails over 400 decades, infinities, constants, outliers of 1e300"
    return [
        Figure(f"largest difference of {what} from SciPy", value, "", "≤ 1e-12", value <= 1e-12, how)
        for what, value in worst.items()
    ]


def odd_column(generator: np.random.Generator) -> np.ndarray[Any, np.dtype[np.float64]]:
    size = int(10 ** generator.uniform(0.5, 3.5))
    base = generator.standard_cauchy(size) * 10.0 ** generator.integers(-200, 200)
    kind = generator.integers(6)
    if kind == 0:
        return base
    if kind == 1:
        return generator.integers(0, 21, size).astype(np.float64)
    if kind == 2:
        return np.round(generator.normal(60, 15, size), int(generator.integers(0, 3)))
    if kind == 3:
        return np.where(generator.random(size) < 0.1, generator.choice([np.inf, -np.inf, 1e300, -0.0]), base)
    if kind == 4:
        return np.full(size, generator.choice([0.0, -0.0, 7.0]))
    return generator.normal(size=size)


SCIPY = """
from scipy import stats
def run():
    for c in numeric:
        stats.ks_2samp(before[c].to_numpy(), after[c].to_numpy(), method="asymp")
    for c in categorical:
        table = pd.concat([f[c].value_counts() for f in (before, after)], axis=1).fillna(0)
        stats.chi2_contingency(table.T, correction=False)
"""
PEERS = {
    "evidently": """
from evidently import Report, Dataset, DataDefinition
from evidently.presets import DataDriftPreset
definition = DataDefinition(numerical_columns=numeric, categorical_columns=categorical)
make = lambda f: Dataset.from_pandas(f, data_definition=definition)
run = lambda: Report([DataDriftPreset(num_method="ks", cat_method="chisquare")]).run(make(after), make(before)).dict()
""",
    "alibi-detect": """
import numpy as np
from alibi_detect.cd import TabularDrift
codes = {c: {v: i for i, v in enumerate(sorted(set(before[c])))} for c in categorical}
def matrix(f):
    f = f.copy()
    for c in categorical: f[c] = f[c].map(codes[c])
    return f[numeric + categorical].to_numpy(dtype=float)
x, y = matrix(before), matrix(after)
per = {len(numeric) + i: None for i in range(len(categorical))}
run = lambda: TabularDrift(x, p_val=.05, categories_per_feature=per, correction="fdr").predict(y)
""",
    "frouros": """
from frouros.detectors.data_drift import KSTest, ChiSquareTest
def run():
    for c in numeric + categorical:
        detector = KSTest() if c in numeric else ChiSquareTest()
        detector.fit(X=before[c].to_numpy())
        detector.compare(X=after[c].to_numpy())
""",
}
AROUND = """
import sys, time, warnings
warnings.simplefilter("ignore")
import pandas as pd
before, after = (pd.read_parquet(p) for p in sys.argv[1:3])
numeric = [c for c in before if not c.startswith("level")]
categorical = [c for c in before if c.startswith("level")]
{peer}
start = time.process_time()
run()
end = time.process_time()
print("CPU", end - start, end)
"""


def program_seconds(script: str, python: str, folder: Path, rows: int) -> tuple[float, float]:
    """CPU seconds of a program that compares two files: of its comparison, and of all of it with start and reading."""
    command = [python, "-c", AROUND.format(peer=script), *map(str, pair_of_files(folder, rows))]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    compared, whole = done.stdout.split("CPU")[-1].split()
    return float(compared), float(whole)


def pair_of_files(folder: Path, rows: int) -> list[Path]:
    """Two samples as Parquet files, the reference first."""
    paths = [folder / f"peer-{rows}-{seed}.parquet" for seed in (1, 2)]
    for seed, path in enumerate(paths, start=1):
        if not path.exists():
            sample(FORTY, rows, seed).write_parquet(path)
    return paths


def installed_peers() -> dict[str, str]:
    """The Python of every peer that installs; the others are left out, with the reason."""
    pythons = {}
    for peer in PEERS:
        try:
            pythons[peer] = str(environment(peer))
        except RuntimeError as error:
            print(f"  left out: {error}")
    return pythons


def peers(folder: Path, settings: dict[str, str]) -> list[Figure]:
    """Every peer, each between two measurements of ours; then whole programs beside our command."""
    goals = {("evidently", 10_000): 100.0, ("evidently", 1_000_000): 150.0}
    pythons, figures, programs = installed_peers(), [], {}
    for rows in (10_000, 100_000, 1_000_000):
        report, _ = engine(rows)
        for peer, python in pythons.items():
            before = middle_cpu(report)
            seconds, programs[peer] = program_seconds(PEERS[peer], python, folder, rows)
            spent = statistics.mean((before, middle_cpu(report)))
            goal = goals.get((peer, rows), 10.0 if rows == 1_000_000 else 1.0)
            ratio = seconds / spent
            how = f"{SETUP}; {rows:,} rows in memory, start excluded; engine {spent:.3f}, {peer} {seconds:.2f} CPU s"
            name = f"{peer} / engine, N = {rows:,}"
            figures.append(Figure(name, ratio, "× less CPU", f"≥ {goal:g}", ratio >= goal, how))
    if pythons:
        programs["SciPy loop"] = program_seconds(SCIPY, next(iter(pythons.values())), folder, 1_000_000)[1]
    return figures + beside_the_command(programs, folder, settings)


def beside_the_command(programs: dict[str, float], folder: Path, settings: dict[str, str]) -> list[Figure]:
    """What a user waits for: start, reading of both files of a million rows and comparison, theirs and ours.

    programs: CPU seconds of each whole program.
    """
    before, now = pair_of_files(folder, 1_000_000)
    command = (GRADEWATCH, "drift", "--domain", "benchmark", "--current", str(now), "--reference", str(before))
    spent = statistics.median(measured(settings, *command, "--columns-only")[0] for _ in range(3))
    figures = []
    for peer, seconds in programs.items():
        ratio = seconds / spent
        how = f"{SETUP}; start and reading of both files included; the command {spent:.2f}, {peer} {seconds:.2f} CPU s"
        name = f"{peer}, a program / gradewatch drift --columns-only, 1M × 40"
        figures.append(Figure(name, ratio, "× less CPU", "≥ 1", ratio >= 1, how))
    return figures


def main(given: Sequence[str] = ()) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer runs where a figure takes minutes")
    parser.add_argument("--without-peers", action="store_true", help="install and run nobody else's engine")
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args(given)
    if arguments.child:
        child(*arguments.child)
        return
    figures = [*speed(10_000, 1.0), *speed(100_000, 5.0), *speed(1_000_000, 10.0)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = open_benchmark(folder)
        if not arguments.without_peers:
            figures += peers(folder, settings)
        figures += whole_commands(folder, settings) + first_report(folder) + from_parquet(folder)
        figures += ten_million(folder)
    write_results("drift", figures + alarms(arguments.quick) + accuracy())


if __name__ == "__main__":
    main(sys.argv[1:])
