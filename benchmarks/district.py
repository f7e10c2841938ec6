"""A simulated district of 20,000 students with a known bias, a known effect of help and poisoned feeds, lived through
by the commands that its people would use: what is there is found and sized, and the safe decision is taken.

Its figures are a part of `benchmarks.trust`.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import polars as pl

from benchmarks.result import Figure, print_figures
from clock import now

BIAS, HELP = 1.0, 1.0
"""Points: what boys end below girls of the same record, whom no model tells apart; what help adds."""
DOMAIN = """
name = "district"
title = "A simulated district"
moments = ["half"]
group = ["school"]
period = "year"
[student]
name = "student"
[[context]]
name = "school"
[[context]]
name = "year"
[[features]]
name = "midterm"
kind = "numeric"
minimum = 0
maximum = 20
[[features]]
name = "absences"
kind = "numeric"
minimum = 0
maximum = 90
[[features]]
name = "sex"
kind = "categorical"
levels = ["f", "m"]
protected = true
[[targets]]
name = "mark"
minimum = 0
maximum = 20
unit = "points"
cut_points = [10]
naive = ["midterm"]
"""


class Size(NamedTuple):
    """Of a district. learned: rows of the year before, and of each feed; window: records that a retraining reads.
    capacity: whom each school may warn of, by_lot: slots of these at the edge. near: how far a bias may be told from
    what it is, in points."""

    schools: int = 50
    a_school: int = 400
    learned: int = 4_000
    window: int = 6_000
    capacity: int = 60
    by_lot: int = 30
    near: float = 0.1

    @property
    def students(self) -> int:
        return self.schools * self.a_school


Command = Callable[[Sequence[str], Mapping[str, str]], tuple[int, str, str]]
"""Runs a command with these settings: exit code, what it prints, and what it says beside."""


def in_a_process(words: Sequence[str], settings: Mapping[str, str]) -> tuple[int, str, str]:
    """As people run commands."""
    command = [sys.executable, "-m", "cli.main", *words]
    done = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


class District(NamedTuple):
    """A district's folder, its size, and how its commands are run."""

    folder: Path
    size: Size = Size()
    command: Command = in_a_process

    def run(self, *words: str, fails: bool = False) -> str:
        """What a command prints. Raises RuntimeError where it fails and was not to."""
        home = {
            "GRADEWATCH_DATA_DIR": str(self.folder / "data"),
            "GRADEWATCH_DOMAINS_DIR": str(self.folder / "domains"),
        }
        code, printed, beside = self.command(words, home)
        if code and not fails:
            raise RuntimeError(f"{' '.join(words)}: {beside[-2000:]}{printed[-2000:]}")
        return printed

    def asked(self, *words: str, fails: bool = False) -> Any:
        """The JSON that a command prints."""
        return msgspec.json.decode(self.run(*words, "--json", fails=fails))

    def file(self, name: str) -> str:
        """The path of one of its files."""
        return str(self.folder / name)

    def write(self, name: str, frame: pl.DataFrame) -> str:
        """A file of the district."""
        frame.write_csv(self.folder / name)
        return self.file(name)


def district_figures(size: Size = Size(), command: Command = in_a_process) -> list[Figure]:  # noqa: B008 (frozen)
    """What is found of what is known to be there."""
    draw = np.random.default_rng(20)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "domains").mkdir()
        (Path(folder) / "domains" / "district.toml").write_text(DOMAIN, encoding="utf-8")
        district = District(Path(folder), size, command)
        before, answered = students(draw, size, size.learned, "2025"), students(draw, size, size.students, "2026")
        district.run("train", "-d", "district", "--data", district.write("before.csv", before))
        asked = ["-d", "district", "-o", district.file("answers.csv"), "--keep", "student"]
        district.run("predict", district.write("now.csv", answered.drop("mark")), *asked)
        helped = _help(district)
        ended = answered.with_columns(mark=pl.col("mark") + HELP * pl.col("student").is_in(list(helped)))
        outcomes = ended.select("student", "school", "year", "mark")
        district.run("outcomes", district.write("outcomes.csv", outcomes), "-d", "district")
        return [
            *_bias(district),
            *_effect(district),
            *_learning(district, len(helped)),
            *_feeds(district, draw),
        ]


def students(draw: np.random.Generator, size: Size, n: int, year: str) -> pl.DataFrame:
    """So many students of a year, each school a little of its own."""
    ability, boys = draw.normal(0, 1, n), draw.random(n) < 0.5
    school = np.arange(n) % size.schools
    absences = np.clip(draw.gamma(2, 5, n) - 3 * ability, 0, 90)
    level = np.random.default_rng(7).normal(0, 0.4, size.schools)[school]
    midterm = np.clip(11 + 3 * ability + draw.normal(0, 1.2, n), 0, 20)
    mark = 11.4 + 2.8 * ability - 0.05 * absences + level + BIAS * (0.5 - boys) + draw.normal(0, 1.3, n)
    return pl.DataFrame(
        {
            "student": [f"{year}-{number}" for number in range(n)],
            "school": [f"school {number:02}" for number in school],
            "year": [year] * n,
            "midterm": midterm.round(1),
            "absences": absences.round(0),
            "sex": np.where(boys, "m", "f"),
            "mark": np.clip(mark, 0, 18).round(2),
        }
    )


def _help(district: District) -> set[str]:
    """Warn by a capacity of each school, some slots by lot, and help whoever is warned of; whom. Lists know pseudonyms
    alone; the file of answers has both."""
    places, lots = str(district.size.capacity), str(district.size.by_lot)
    policy = ["-d", "district", "--capacity", places, "--by-lot", lots, "--seed", "11"]
    district.run("warnings", "activate", *policy, "--reason", f"{places} places in each school")
    district.run("warnings", "draw", "-d", "district")
    district.run("warnings", "draws", "-d", "district")
    warned = [one[0][0] for one in district.asked("warnings", "list", "-d", "district")]
    steps = pl.DataFrame({"student": warned, "done": "helped", "when": now().date().isoformat()})
    district.run("students", "import", district.write("steps.csv", steps), "-d", "district")
    keys = pl.read_csv(district.file("answers.csv")).select("student", "student (file)")
    return set(keys.filter(pl.col("student").is_in(warned))["student (file)"])


def _bias(district: District) -> list[Figure]:
    """Boys end BIAS points below girls of the same record: answers about them are so much too high."""
    (told,) = district.asked("performance", "-d", "district")
    (cut,) = [one for one in told["fairness"]["cuts"] if one["by"] == "sex"]
    boys, girls = ({one["name"]: one for one in cut["groups"]}[sex] for sex in ("m", "f"))
    sized = boys["bias"]["value"] - girls["bias"]["value"]
    how = f"{boys['n']:,} boys, {girls['n']:,} girls; no model sees sex"
    worse = boys["verdict"] == "credibly worse"
    missed = girls["found"]["value"] - boys["found"]["value"]
    return [
        Figure(
            "district: answers about boys too high, beside girls",
            sized,
            "points",
            f"{BIAS:g} ± {district.size.near:g}",
            abs(sized - BIAS) <= district.size.near,
            how,
        ),
        Figure(
            "district: more boys than girls missed of those who fail",
            missed,
            "of them",
            "called credibly worse",
            worse,
            how,
        ),
    ]


def _effect(district: District) -> list[Figure]:
    """Help adds HELP points to whoever is warned of."""
    found = district.asked("effects", "-d", "district")
    by_way = {one["way"]: one for one in found["effects"]}
    figures = []
    for way in ("by lot", "matched"):
        one = by_way[way]
        within = one["low"] is not None and one["low"] <= HELP <= one["high"]
        how = f"{one['helped']:,} and {one['others']:,} students, {one['low']:+.2f} to {one['high']:+.2f}"
        figures.append(
            Figure(f"district: what help did, {way}", one["effect"], "points", f"{HELP:g} within", within, how)
        )
    return figures


def _learning(district: District, helped: int) -> list[Figure]:
    """Whoever was helped teaches nothing; that their share grew is told."""
    (district.folder / "rules.toml").write_text(f"[training]\nwindow = {district.size.window}\n", encoding="utf-8")
    district.run("retrain", "-d", "district", "--policy", district.file("rules.toml"))
    (event,) = [one for one in district.asked("conditions", "list") if one["kind"] == "helped share"]
    told = event["figures"]
    share, left_out, true = told["share"], told["left_out"], helped / district.size.students
    how = f"the newest {told['records']:,} records; of all {true:.3f} are of helped students"
    taught, near = told["helped"] - left_out, abs(share - true) <= 0.02
    return [
        Figure("district: records of helped students that taught a model", taught, "records", "0", taught == 0, how),
        Figure("district: their share, told on Today", share, "of records", f"{true:.3f} ± 0.02", near, how),
    ]


def _feeds(district: District, draw: np.random.Generator) -> list[Figure]:
    """A feed with absences in hours instead of days, and one whose marks stand upside down."""
    later = students(draw, district.size, district.size.learned, "2027")
    hours = later.with_columns(absences=(pl.col("absences") * 6).clip(0, 90)).drop("mark")
    report = district.asked("drift", "-d", "district", "--current", district.write("hours.csv", hours), fails=True)
    flagged = {one["column"] for one in report["columns"] if one["verdict"] in ("drift", "changed clearly")}
    named = report["alarm"] and "absences" in flagged
    upside = later.with_columns(mark=20 - pl.col("mark"))
    rules = ["--policy", district.file("rules.toml"), "--data", district.write("upside.csv", upside)]
    said = district.run("retrain", "-d", "district", *rules)
    same = "champion stays" in " ".join(said.split())
    return [
        Figure(
            "district: a feed of absences in hours, found by name",
            float(named),
            "reports",
            "1",
            named,
            f"{district.size.learned:,} rows",
        ),
        Figure(
            "district: promotions by a feed of marks upside down",
            float(not same),
            "promotions",
            "0",
            same,
            f"{district.size.learned:,} rows",
        ),
    ]


if __name__ == "__main__":
    print_figures("district", district_figures())
