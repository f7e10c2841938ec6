"""A challenger next to the champion: trying it, and who is asked. One trial at a time per champion.

Here is what a trial is and how it begins and ends; scoring is `model.service`'s, judging `monitoring.trial_report`'s,
and replacing the champion is decided elsewhere.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

import msgspec

from clock import new_id, now
from database.records import ChampionKey, Document, ModelVersion, Succession
from database.store import RecordStore
from database.withdrawal import require_nobody_named
from errors import Category, GradewatchError
from model.partners import partners_of

TRIAL_KIND = "trial"
TRIALS_KEPT = 20  # past trials of a champion that stay on record

TRIAL_ROWS = 200
"""New outcomes after which a challenger in shadow is judged, where no policy says otherwise."""

Mode = Literal["shadow", "split"]


class TrialRefused(GradewatchError):
    """This trial cannot begin; the message says why."""

    category = Category.CONFLICT


class NoSuchTrial(GradewatchError):
    """No trial of that id, or none is running."""

    category = Category.UNKNOWN


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One trial of `challenger` against the champion of a key as it was in `generation`.

    shadow: the challenger scores the same rows, and its answers are logged only. split: it answers `share` (0 to 1) of
    the students, always the same ones. needed: new outcomes after which a shadow trial is judged. ended, why: None and
    empty while it runs. It ends by hand, by a decision, or as soon as the champion has another generation.
    """

    id: str
    domain: str
    target: str
    moment: str
    mode: Mode
    share: float
    champion: str
    generation: int
    challenger: str
    started: datetime
    actor: str
    reason: str
    needed: int = TRIAL_ROWS
    ended: datetime | None = None
    why: str = ""

    @property
    def key(self) -> ChampionKey:
        return ChampionKey(self.domain, self.target, self.moment)

    def tries(self, student: str | None) -> bool:
        """Whether the challenger answers this student (a pseudonym); nobody without one is tried on.

        The same for the same student for as long as the trial lasts, and independent of every other trial.
        """
        if self.mode != "split" or student is None:
            return False
        drawn = hashlib.blake2b(f"{self.id}:{student}".encode(), digest_size=8).digest()
        return int.from_bytes(drawn) < self.share * 2**64


def start_trial(
    store: RecordStore,
    model: ModelVersion,
    *,
    mode: Mode,
    share: float = 0.5,
    actor: str,
    reason: str = "",
    needed: int = TRIAL_ROWS,
) -> Trial:
    """Try `model` next to the champion of its key from now on; every worker notices at its next look.

    Raises NamesSomebody; TrialRefused when there is no champion, it is the same model, a split would part a task, the
    share is not between 0 and 1, or another trial runs; Conflict in a race.
    """
    require_nobody_named(reason)
    champion = next((one for one in store.champions() if one.key == model.key), None)
    if champion is None:
        raise TrialRefused(f"{model.key} has no champion to try {model.version[:12]} against; train one first")
    if champion.version == model.version:
        raise TrialRefused(f"{model.version[:12]} is the champion of {model.key} itself")
    if mode == "split" and (partners := partners_of(store, model)):
        names = " and ".join(one.target for one in partners)
        raise TrialRefused(
            f"{model.target} is one task with {names}, which its answers would contradict in a split; try it in shadow"
        )
    if not 0 < share < 1:
        raise TrialRefused(f"a share of {share:g} is no trial; give one between 0 and 1, such as 0.5")
    kept = store.document(TRIAL_KIND, str(model.key))
    before = _trials(kept)
    if before and before[0].ended is None and before[0].generation == champion.generation:
        raise TrialRefused(
            f"trial {before[0].id} of {before[0].challenger[:12]} runs for {model.key} already; stop it first"
        )
    trial = Trial(
        id=new_id(),
        domain=model.domain,
        target=model.target,
        moment=model.moment,
        mode=mode,
        share=share if mode == "split" else 1.0,
        champion=champion.version,
        generation=champion.generation,
        challenger=model.version,
        started=now(),
        actor=actor,
        reason=reason,
        needed=needed,
    )
    _put(store, kept, [trial, *before])
    return trial


def stop_trial(store: RecordStore, id: str, *, actor: str, why: str, domain: str | None = None) -> Trial:
    """End a running trial, with the reason. Raises NamesSomebody, NoSuchTrial when it does not run, Conflict in a
    race."""
    require_nobody_named(why)
    trial = find_trial(store, id, domain=domain)
    if trial.ended is not None:
        raise NoSuchTrial(f"trial {trial.id} runs no more: {trial.why}")
    kept = store.document(TRIAL_KIND, str(trial.key))
    ended = msgspec.structs.replace(
        trial, ended=now(), why=f"stopped by {actor}: {why}" if why else f"stopped by {actor}"
    )
    _put(store, kept, [ended if one.id == trial.id else one for one in _trials(kept)])
    return ended


def find_trial(store: RecordStore, id: str, *, domain: str | None = None) -> Trial:
    """The trial whose id starts with `id`. Raises NoSuchTrial."""
    found = [trial for trial in trials(store, domain) if trial.id.startswith(id)]
    if len(found) == 1:
        return found[0]
    if found:
        raise NoSuchTrial(f"{id!r} is the beginning of {len(found)} trials; give more of it")
    raise NoSuchTrial(f"no trial {id!r}; `gradewatch trials list` shows those there are")


def trials(store: RecordStore, domain: str | None = None) -> list[Trial]:
    """All trials on record, newest first; those that a change of champion ended say so."""
    found = [trial for document in store.documents(TRIAL_KIND, domain=domain) for trial in _trials(document)]
    histories = {key: store.successions(key) for key in {trial.key for trial in found}}
    known = [_overtaken(trial, histories[trial.key]) for trial in found]
    return sorted(known, key=lambda trial: (trial.started, trial.id), reverse=True)


def running_trial(store: RecordStore, champion: Succession) -> Trial | None:
    """The trial that runs against this very champion."""
    return running_trials(store, [champion]).get(champion.key)


def running_trials(store: RecordStore, champions: Sequence[Succession]) -> Mapping[ChampionKey, Trial]:
    """The trials that run against these champions, by key. A trial of an earlier generation runs no more."""
    generations = {champion.key: champion.generation for champion in champions}
    newest = [kept[0] for document in store.documents(TRIAL_KIND) if (kept := _trials(document))]
    return {
        trial.key: trial for trial in newest if trial.ended is None and generations.get(trial.key) == trial.generation
    }


def _overtaken(trial: Trial, history: Sequence[Succession]) -> Trial:
    """The trial as ended by the first change of champion after its beginning, where there was one."""
    after = next((one for one in history if one.generation > trial.generation), None)
    if trial.ended is not None or after is None:
        return trial
    who = "the challenger itself" if after.version == trial.challenger else after.version[:12]
    why = f"the champion changed: generation {after.generation} ({after.action} by {after.actor}) is {who}"
    return msgspec.structs.replace(trial, ended=after.at, why=why)


def _trials(document: Document | None) -> list[Trial]:
    return [] if document is None else msgspec.convert(document.body["trials"], list[Trial])


def _put(store: RecordStore, kept: Document | None, found: Sequence[Trial]) -> None:
    newest = found[0]
    store.put_document(
        Document(
            kind=TRIAL_KIND,
            name=str(newest.key),
            revision=1 if kept is None else kept.revision + 1,
            at=now(),
            domain=newest.domain,
            body={"trials": msgspec.to_builtins(list(found[:TRIALS_KEPT]))},
        )
    )
