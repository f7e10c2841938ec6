"""What counts as drift: limits of effects, the share of false alarms, and how many doubtful columns alarm together."""

from __future__ import annotations

from typing import Literal

import msgspec

Verdict = Literal["drift", "warn", "ok", "undecided", "constant"]
ALARMING: frozenset[Verdict] = frozenset({"drift", "warn"})
FEWEST_ALARMING = 20  # rows of each sample; of fewer nothing raises an alarm, whatever a test says


class DriftPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What counts as drift.

    q: share of false alarms among flagged columns (Benjamini–Hochberg, over all tests of the report).
    ks_threshold: share of rows, 0 to 1, that must have moved in a numeric column. cramers_v_threshold: the effect that
    levels must show. missing_threshold: difference in the share of missing values. thresholds: effects by column,
    before a schema's own and these. level: at which all intervals of a report hold together. together: columns that
    raise the alarm jointly when each changed beyond chance and may have changed enough, but none surely did.
    auc_threshold: how well rows of both samples must be told apart, from 0.5 (not at all) to 1.
    """

    q: float = 0.05
    ks_threshold: float = 0.1
    cramers_v_threshold: float = 0.1
    missing_threshold: float = 0.05
    thresholds: dict[str, float] = {}
    level: float = 0.95
    together: int = 2
    auc_threshold: float = 0.55

    def __post_init__(self) -> None:
        shares = {"q": self.q, "level": self.level}
        effects = {"ks_threshold": self.ks_threshold, "cramers_v_threshold": self.cramers_v_threshold}
        effects |= {"missing_threshold": self.missing_threshold, **self.thresholds}
        wrong = [f"{name} is {value}, not above 0 and below 1" for name, value in shares.items() if not 0 < value < 1]
        wrong += [f"{name} is {value}, not from 0 to 1" for name, value in effects.items() if not 0 <= value <= 1]
        wrong += [] if 0.5 <= self.auc_threshold < 1 else [f"auc_threshold is {self.auc_threshold}, not from 0.5 to 1"]
        wrong += [f"together is {self.together}, not 1 or more"] if self.together < 1 else []
        if wrong:
            raise ValueError("drift policy: " + "; ".join(wrong))


DEFAULT_POLICY = DriftPolicy()
