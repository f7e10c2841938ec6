"""What trust rests on, measured: unequal help that is there is found and none is invented, and a log is compared
with its seals in seconds.

`python -m benchmarks.trust [--quick]` from the project's root.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.district import district_figures
from benchmarks.result import Figure, print_figures, replace_results, write_results
from clock import new_id, now
from database.open import open_store
from database.pairs import Pair
from database.records import Access, Answer, Outcome, Prediction
from database.seals import seal, verify
from monitoring.evidence import EvidenceColumns, columns_of
from monitoring.fairness import judge_fairness
from preprocessing.schema import DomainSchema, Feature, Target
from reports.effects import Floats, Integers, Mask, Way, at_threshold, by_lot, doubly_robust, matched

A_GROUP, BASE_RATE, FALSE_ALARM, GAP = 300, 0.2, 0.1, 0.3
A_CLASS, A_MINUTE = 40, 1_000
MISSED = (0.1, 0.2, 0.35)
"""Of the failing students of the group that is served better, the shares that are missed."""
MARK = Target(name="mark", unit="points", cut_points=(10.0,))
SCHEMA = DomainSchema(
    name="class",
    title="",
    moments=("end",),
    features=(Feature(name="sex", kind="categorical", levels=("F", "M"), protected=True),),
    targets=(MARK,),
)
BEGIN = datetime(2026, 3, 1, tzinfo=UTC)


def main(given: Sequence[str] = ()) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="a tenth of the runs")
    parser.add_argument("--only", action="append", choices=PARTS, help="one part; again for more")
    options = parser.parse_args(given)
    for_all = {"runs": 200, "rows": 100_000} if options.quick else {"runs": 2_000, "rows": 1_000_000}
    wanted = options.only or [name for name in PARTS if name != "district" or not options.quick]
    figures = [figure for name in wanted for figure in PARTS[name](**for_all)]
    keep = print_figures if options.quick else replace_results if options.only else write_results
    keep("trust", figures)


def effect_figures(runs: int) -> list[Figure]:
    """How often intervals hold the effect that help had, among 800 students of whom the worse off are helped more."""
    figures = []
    for effect in (0.0, 0.8):
        ways: tuple[Way, ...] = ("by lot", "threshold", "doubly robust", "matched")
        draw, held = np.random.default_rng(1), dict.fromkeys(ways, 0)
        for _ in range(runs):
            ability = draw.normal(0, 1, 800)
            outcome = 10 + 2 * ability + draw.normal(0, 1.5, 800)
            chance = 1 / (1 + np.exp(1.2 * ability))
            warned = chance >= 0.5
            helped = draw.random(800) < 1 / (1 + np.exp(0.3 + 0.8 * ability))
            standing, drawn = _by_lot(draw, chance)
            gained = (outcome + effect * drawn - 10 - 2 * ability)[standing]
            for found in (
                by_lot(standing // A_CLASS, drawn[standing], drawn[standing], gained),
                at_threshold(chance, warned, warned, outcome + effect * warned, 0.5),
                doubly_robust(ability[:, None], helped, outcome + effect * helped),
                matched(ability[:, None], helped, outcome + effect * helped),
            ):
                held[found.way] += (
                    found.low is not None and found.high is not None and found.low <= effect <= found.high
                )
        for way, count in held.items():
            share, what = count / runs, f"an effect of {effect:g} of help, {way}: within the interval"
            figures.append(Figure(what, share, "of runs", "0.93 to 0.97", 0.93 <= share <= 0.97, f"{runs:,} runs"))
    return figures


def _by_lot(draw: np.random.Generator, chance: Floats) -> tuple[Integers, Mask]:
    """Of each class of 40 the eight at the edge of a capacity of ten, by place, and who drew one of four slots."""
    standing = [np.argsort(-chance[begin : begin + A_CLASS])[6:14] + begin for begin in range(0, len(chance), A_CLASS)]
    drawn = np.zeros(len(chance), dtype=bool)
    for places in standing:
        drawn[draw.permutation(places)[:4]] = True
    return np.concatenate(standing), drawn


def seal_figures(rows: int) -> list[Figure]:
    """How long sealing and comparing so many entries of access takes, in SQLite, and a minute's block behind them."""
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(f"sqlite:///{Path(folder) / 'log.db'}")
        at = now() - timedelta(days=30)
        for begin in range(0, rows, 10_000):
            store.add_accesses([_look(at + timedelta(seconds=begin + n), begin + n) for n in range(10_000)])
        began = time.process_time()
        seal(store, now())
        sealed = time.process_time() - began
        began = time.process_time()
        found = verify(store)
        verified = (time.process_time() - began) * 1_000_000 / rows
        minute = now() + timedelta(minutes=2)
        store.add_accesses([_look(minute - timedelta(seconds=90), rows + n) for n in range(A_MINUTE)])
        began = time.process_time()
        more = seal(store, minute)
        behind = time.process_time() - began
        store.close()
    how = f"{rows:,} entries of access in SQLite, {found.number} blocks"
    whole = found.whole and found.sealed == rows
    return [
        Figure("a million rows compared with their seals", verified, "CPU s", "≤ 10", whole and verified <= 10, how),
        Figure(
            f"a minute's block of {A_MINUTE} entries behind them",
            behind,
            "CPU s",
            "≤ 0.5",
            more == A_MINUTE and behind <= 0.5,
            how,
        ),
        Figure("sealing a row", sealed * 1e6 / rows, "CPU µs", "≤ 50", sealed * 1e6 / rows <= 50, how),
    ]


def _look(at: datetime, number: int) -> Access:
    details = {"student": f"{number:032x}"}
    return Access(id=new_id(), actor="user:anna", action="student looked up", at=at, domain="school", details=details)


def fairness_figures(runs: int) -> list[Figure]:
    """How often a gap in missed help is found, and how often one is invented."""
    figures = []
    for missed in MISSED:
        how = f"{runs:,} runs, {A_GROUP} students a group, base rate {BASE_RATE:g}, {FALSE_ALARM:g} alarmed for nothing"
        found, _ = called_worse(missed, GAP, runs)
        what = f"missed help of {missed:.2f} and {missed + GAP:.2f}: found"
        figures.append(Figure(what, found, "of runs", "≥ 0.9", found >= 0.9, how))
        _, invented = called_worse(missed, 0.0, runs)
        what = f"missed help of {missed:.2f} in both: a gap invented"
        figures.append(Figure(what, invented, "of runs", "≤ 0.05, give or take chance", invented <= 0.06, how))
    return figures


def called_worse(missed: float, gap: float, runs: int) -> tuple[float, float]:
    """How often the first group, of which `gap` more are missed, is called worse served, and how often any is."""
    draw, base = np.random.default_rng(round(100 * missed)), columns()
    n, first = 2 * A_GROUP, np.arange(2 * A_GROUP) < A_GROUP
    found = any_found = 0
    for _ in range(runs):
        fails, luck = draw.random(n) < BASE_RATE, draw.random(n)
        warned = np.where(fails, luck >= missed + gap * first, luck < FALSE_ALARM)
        truth = np.where(fails, draw.uniform(4, 10, n), draw.uniform(10, 16, n))
        said = np.where(warned, draw.uniform(6, 10, n), draw.uniform(10, 15, n))
        (cut,) = judge_fairness(SCHEMA, MARK, "end", base._replace(truth=truth, said=said)).cuts
        worse = [group.name for group in cut.groups if group.verdict == "credibly worse"]
        found, any_found = found + ("F" in worse), any_found + bool(worse)
    return found / runs, any_found / runs


def columns() -> EvidenceColumns:
    """An answer about each of two groups of students, whose values are to be replaced."""
    answer = Answer(target="mark", value=10.0, naive=11.0, model="m", generation=1)
    pairs = []
    for number in range(2 * A_GROUP):
        at, sex = BEGIN + timedelta(minutes=number), "F" if number < A_GROUP else "M"
        about: dict[str, Any] = {"domain": "class", "moment": "end", "source": "api", "at": at, "student": f"s{number}"}
        asked = Prediction(id=f"{number:032x}", inputs={"sex": sex}, answers=(answer,), **about)
        after = at + timedelta(days=30)
        pairs.append(Pair(asked, Outcome(domain="class", target="mark", value=10.0, at=after, student=f"s{number}")))
    return columns_of(MARK, pairs, protected=["sex"])


PARTS: dict[str, Callable[..., list[Figure]]] = {
    "fairness": lambda runs, **_: fairness_figures(runs),
    "effects": lambda runs, **_: effect_figures(runs // 2),
    "seals": lambda rows, **_: seal_figures(rows),
    "district": lambda **_: district_figures(),
}


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
