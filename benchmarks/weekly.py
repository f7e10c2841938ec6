"""An installation that answers students week by week, made by commands alone: an invented district is written as any
system would export it, taken in, learned from, and answered.
"""

from datetime import date
from pathlib import Path
from typing import NamedTuple

import polars as pl

from benchmarks.commands import GRADEWATCH, measured, settings_of
from preprocessing.panel.example import LABELLED, write_district
from preprocessing.panel.kinds import DAY_OF, OBSERVATION_KINDS, SAYS_OF
from preprocessing.schema import load_domains

DOMAIN, SOURCE = "k12", "sis"
CLOSED_AT = date(2026, 2, 6)
"""A day of the invented year's 24th week."""

LEARNS_FROM, WEEKS_APART = 1_500, 6
"""Students of another invented district whose year is learned from, by the rows of every sixth week."""


class Weekly(NamedTuple):
    """An installation in a folder. keys: the students, as their school calls them."""

    folder: Path
    keys: list[str]

    @property
    def settings(self) -> dict[str, str]:
        return settings_of(self.folder / "data")

    def run(self, *command: str) -> tuple[float, float]:
        """CPU seconds and most MB of one of its commands."""
        return measured(self.settings, GRADEWATCH, *command)


def weekly_installation(folder: Path, *, students: int, policy: Path | None = None) -> Weekly:
    """So many students of whom a year is observed, and a champion that learned from the year of others. policy: of how
    it learns."""
    schema = load_domains()[DOMAIN]
    (folder / "data").mkdir(parents=True)
    for name, count, seed in (("learned", LEARNS_FROM, 7), ("district", students, 2)):
        write_district(folder / name, schema, students=count, seed=seed)
    learned = pl.read_parquet(folder / "learned" / LABELLED).filter(pl.col("school_week") % WEEKS_APART == 0)
    learned.write_parquet(folder / "learned.parquet")
    export(folder / "district", folder / "export")
    keys = pl.read_parquet(folder / "district" / "enrolment.parquet")["student"].unique().sort().to_list()
    made = Weekly(folder, keys)
    mapping = str(folder / "export.toml")
    made.run("observations", "ingest", str(folder / "export"), "-d", DOMAIN, "--mapping", mapping)
    rules = [] if policy is None else ["--policy", str(policy)]
    made.run("train", "-d", DOMAIN, "--data", str(folder / "learned.parquet"), *rules)
    return made


def export(district: Path, folder: Path) -> None:
    """The observations of a district as CSV files of a system of its own, with the mapping that says which column is
    what."""
    folder.mkdir()
    lines = [f'source = "{SOURCE}"']
    for kind in OBSERVATION_KINDS:
        frame = pl.read_parquet(district / f"{kind}.parquet")
        if kind == "grades":
            frame = frame.with_columns(entry=pl.int_range(pl.len()))
        frame.write_csv(folder / f"{kind}.csv")
        told = [name for name in ("student", DAY_OF[kind], *SAYS_OF[kind]) if name in frame.columns]
        said = [name for name in told if name == "end" or frame[name].null_count() < frame.height]
        event = {"grades": ["entry"], "incidents": ["event_id"], "attendance": ["day"]}.get(kind, [])
        lines += ["[[files]]", f'kind = "{kind}"', f'file = ["{kind}.csv"]', f"event = {event}".replace("'", '"')]
        lines += ["columns = { " + ", ".join(f'{name} = "{name}"' for name in said) + " }"]
    folder.with_suffix(".toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
