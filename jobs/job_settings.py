"""What background work is told of the settings, as plain values: no job and no tick reads the environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.keeping import Periods

if TYPE_CHECKING:
    from jobs.event_streams import BrokerUrls
    from monitoring.channels import Channel

USUAL_WINDOW = 20_000


@dataclass(frozen=True)
class JobSettings:
    """window: how many of the newest labelled records are learned from where nobody says. channels: where alerts go,
    opened when first needed; raises BadChannel. mail_to: the ways to these addresses; none without a server for mail.
    study_catalogue: a file of what students may be advised; the shipped one if none. inbox: where files come in; may
    hold a password. event_brokers: by which events come in; likewise. max_rows, max_bytes: of a file in the inbox.
    broker: of Celery, whose workers are told ids of jobs; empty without them. keep: for how long what is kept.
    train_after: so many new rows to learn from, by uploads, start a training; 0: none. send_anchors: whether alerts
    tell the end of the sealed log, once a day."""

    window: int = USUAL_WINDOW
    channels: Callable[[], Mapping[str, Channel]] = dict
    study_catalogue: Path | None = None
    mail_to: Callable[[Sequence[str]], Mapping[str, Channel]] = lambda _: {}
    inbox: str = ""
    event_brokers: BrokerUrls = field(default_factory=dict)
    broker: str = ""
    max_rows: int = 100_000
    max_bytes: int = 100_000_000
    keep: Periods = field(default_factory=Periods)
    train_after: int = 0
    send_anchors: bool = False
