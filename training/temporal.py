"""A recurrent network over a student's weeks as a candidate: the one door of PyTorch for what learns by it.

Each modality has a bidirectional GRU of its own; self-attention looks over what they say of all weeks together, and a
hazard of each level says how likely it is where no sooner one came: chances of horizons are cumulative and cannot fall.
Nothing that serves loads this module: a fitted network leaves as an ONNX graph (docs/decisions/0169).
"""

import hashlib
import io
import json
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from errors import GradewatchError, MissingExtra

OPSET = 18
ROWS_A_PASS = 1_024
HELD_OUT = 0.2
"""Of students, by whom it is decided when to stop and when to learn more slowly."""
FURTHEST = 5.0
"""Deviations from the mean of training: what is further off counts as so far, and no single value takes over."""

Matrix = NDArray[np.float32]


class NetworkSize(NamedTuple):
    """epochs: at most. patience: epochs without a better one, after half of which it learns half as fast."""

    hidden: int
    layers: int
    heads: int = 4
    dropout: float = 0.3
    learning_rate: float = 1e-3
    batch: int = 256
    epochs: int = 40
    patience: int = 6
    largest_gradient: float = 1.0


SIZES: Mapping[str, NetworkSize] = {
    "small": NetworkSize(hidden=16, layers=1),
    "large": NetworkSize(hidden=128, layers=2, epochs=15, patience=4),
}
"""large: 3.6 million weights, as the system had that this takes the place of."""


class BrokenCheckpoint(GradewatchError):
    """A file that holds no interrupted training of this network on these rows."""


@dataclass(frozen=True)
class Branches:
    """Where the weeks of a window lie in a row: for each modality (weeks, channels) places among its columns, the
    oldest week first; `width` where a week has no such column. still: the places of all that is of no week."""

    places: tuple[NDArray[np.int64], ...]
    still: NDArray[np.int64]
    width: int

    @classmethod
    def of(
        cls,
        columns: Sequence[str],
        steps: Mapping[str, tuple[str, int]],
        modalities: Sequence[Sequence[str]],
        window: int,
    ) -> Self:
        """columns: of an encoding, twice where missing values are marked. steps: column to what it is of, and how many
        weeks before. modalities: the columns of each."""
        width, found = len(columns), []
        for names in modalities:
            places = np.full((window, 2 * len(names)), width)
            for place, name in enumerate(columns):
                source, before = steps[name]
                if source in names:
                    marks = place > 0 and columns[place - 1] == name
                    places[window - 1 - before, 2 * list(names).index(source) + marks] = place
            found.append(places[:, (places < width).any(axis=0)])
        weekly = {name for names in modalities for name in names}
        still = [place for place, name in enumerate(columns) if steps[name][0] not in weekly]
        return cls(tuple(found), np.array(still, np.int64), width)


class TemporalClassifier:
    """scikit-learn's way of the network. fit: with the branches of its columns and the student of each row.

    checkpoints: a folder in which each epoch's state is kept, by what is learned; a killed training that is asked for
    again goes on from there to the same bits.
    device: "cpu", "cuda" or "" for a GPU where there is one.
    """

    classes_: NDArray[np.int64]

    def __init__(self, size: NetworkSize, *, seed: int, checkpoints: Path | None = None, device: str = "") -> None:
        self._size, self._seed, self._checkpoints = size, seed, checkpoints
        self._device = device
        self._network: Any = None
        self.epochs = 0

    def fit(self, X: Matrix, y: NDArray[Any], *, branches: Branches, students: NDArray[np.int64]) -> Self:
        """Raises MissingExtra without PyTorch; BrokenCheckpoint."""
        torch = _torch()
        self.classes_, levels = np.unique(y, return_inverse=True)
        held = _held_out(students, self._seed)
        device = self._device or ("cuda" if torch.cuda.is_available() else "cpu")
        with _one_thread(torch), torch.random.fork_rng():
            torch.manual_seed(self._seed)
            network = _network_of(branches, self._size, len(self.classes_)).to(device)
            learning = _Learning(network, self._size, self._seed, self._file_for(X, levels, students))
            parts = [(X[which], levels[which]) for which in (~held, held)]
            given = [tuple(torch.from_numpy(one.copy()).to(device) for one in part) for part in parts]
            self.epochs = learning.run(given[0], given[1])
        self._network = network.cpu().eval().requires_grad_(requires_grad=False)
        return self

    def _file_for(self, X: Matrix, levels: NDArray[Any], students: NDArray[np.int64]) -> Path | None:
        """Where the state of this very training is kept."""
        if self._checkpoints is None:
            return None
        self._checkpoints.mkdir(parents=True, exist_ok=True)
        content = hashlib.sha256(repr((self._size, self._seed, X.shape)).encode())
        for part in (X, levels, students):
            content.update(np.ascontiguousarray(part).tobytes())
        return self._checkpoints / f"{content.hexdigest()}.npz"

    def predict(self, X: Matrix) -> NDArray[Any]:
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])

    def predict_proba(self, X: Matrix) -> NDArray[np.float64]:
        torch = _torch()
        with torch.no_grad():
            pieces = [torch.from_numpy(X[at : at + ROWS_A_PASS]) for at in range(0, len(X), ROWS_A_PASS)]
            said = [self._network(piece).numpy() for piece in pieces]
        return np.concatenate(said).astype(np.float64)

    def to_graph(self, width: int) -> Any:
        """The network as an ONNX graph over (n, `width`) float32."""
        import onnx

        torch, graph = _torch(), io.BytesIO()
        with warnings.catch_warnings(action="ignore"):  # of branches and lengths, all of which are fixed
            torch.onnx.export(
                self._network,
                (torch.zeros(2, width),),
                graph,
                input_names=["X"],
                output_names=["said"],
                dynamic_axes={"X": {0: "rows"}, "said": {0: "rows"}},
                opset_version=OPSET,
                dynamo=False,  # the newer one needs a package more
            )
        return onnx.load_model_from_string(graph.getvalue())

    @property
    def weights(self) -> int:
        """How many there are."""
        return sum(one.numel() for one in self._network.parameters())


def _torch() -> Any:
    try:
        import torch
    except ImportError:
        raise MissingExtra("the recurrent network", "torch") from None
    return torch


class _one_thread:  # noqa: N801 (a context, as contextlib's own are called)
    """The same sums on every machine."""

    def __init__(self, torch: Any) -> None:
        self._torch, self._before = torch, torch.get_num_threads()

    def __enter__(self) -> None:
        self._torch.set_num_threads(1)

    def __exit__(self, *_: object) -> None:
        self._torch.set_num_threads(self._before)


def _held_out(students: NDArray[np.int64], seed: int) -> NDArray[np.bool_]:
    """(n,) the rows of a fifth of the students, one at least."""
    who = np.unique(students)
    drawn = np.random.default_rng(seed).permutation(who)[: max(1, int(len(who) * HELD_OUT))]
    return np.isin(students, drawn)


def _branch_of(channels: int, size: NetworkSize) -> Any:
    """The weeks of one modality, read forwards and backwards: (n, weeks, channels) to (n, weeks, 2 hidden)."""
    import torch
    from torch import nn

    class Branch(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            sizes = [channels] + [2 * size.hidden] * (size.layers - 1)
            self.layers = nn.ModuleList(nn.GRU(one, size.hidden, batch_first=True, bidirectional=True) for one in sizes)
            self.dropout = nn.Dropout(size.dropout)

        def forward(self, weeks: Any) -> Any:
            for number, layer in enumerate(self.layers):
                weeks = layer(self.dropout(weeks) if number else weeks)[0]
            return weeks

    return Branch()


def _attention_of(wide: int, size: NetworkSize) -> Any:
    """Each week in the light of all others: (n, weeks, wide) to the same. Written out, since the library's own cannot
    leave as a graph."""
    import torch
    from torch import nn

    class Attention(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.asked, self.said = nn.Linear(wide, 3 * wide), nn.Linear(wide, wide)
            self.norm, self.dropout = nn.LayerNorm(wide), nn.Dropout(size.dropout)

        def forward(self, weeks: Any) -> Any:
            long, part = weeks.shape[1], wide // size.heads
            parts = self.asked(weeks).reshape(-1, long, 3, size.heads, part).permute(2, 0, 3, 1, 4)
            looks = (parts[0] @ parts[1].transpose(-2, -1) / part**0.5).softmax(-1)
            seen = (looks @ parts[2]).transpose(1, 2).reshape(-1, long, wide)
            return self.norm(weeks + self.dropout(self.said(seen)))

    return Attention()


def _network_of(branches: Branches, size: NetworkSize, levels: int) -> Any:
    """The untrained module: (n, width) rows to (n, levels) chances. logits: of the hazards of all levels but the
    last."""
    import torch
    from torch import nn

    wide = 2 * size.hidden * len(branches.places)

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            for number, places in enumerate(branches.places):
                self.register_buffer(f"places{number}", torch.from_numpy(places.reshape(-1).copy()))
            self.branches = nn.ModuleList(_branch_of(places.shape[1], size) for places in branches.places)
            self.register_buffer("still", torch.from_numpy(branches.still.copy()))
            self.attention, self.dropout = _attention_of(wide, size), nn.Dropout(size.dropout)
            self.hazards = nn.Linear(2 * wide + len(branches.still), levels - 1)

        def logits(self, rows: Any) -> Any:
            within = rows.clamp(-FURTHEST, FURTHEST)
            rows, read = torch.cat([within, torch.zeros_like(rows[:, :1])], dim=1), []
            for number, (branch, places) in enumerate(zip(self.branches, branches.places, strict=True)):
                weeks = rows.index_select(1, getattr(self, f"places{number}"))
                read.append(branch(weeks.reshape(-1, *places.shape)))
            looked = self.attention(torch.cat(read, dim=2))
            read = [looked[:, -1], looked.mean(dim=1), within.index_select(1, self.still)]
            return self.hazards(self.dropout(torch.cat(read, dim=1)))

        def forward(self, rows: Any) -> Any:
            stays = (-nn.functional.softplus(self.logits(rows))).cumsum(dim=1).exp()  # a graph has no running product
            before = torch.cat([torch.ones_like(stays[:, :1]), stays], dim=1)
            return before - torch.cat([stays, torch.zeros_like(stays[:, :1])], dim=1)

    return Network()


class _Learning:
    """Epochs of a network, each drawn from a seed of its own: what follows a kept epoch is what would have followed."""

    def __init__(self, network: Any, size: NetworkSize, seed: int, checkpoint: Path | None) -> None:
        self._torch, self._network, self._size, self._seed = _torch(), network, size, seed
        self._optimizer = self._torch.optim.Adam(network.parameters(), lr=size.learning_rate)
        self._checkpoint = checkpoint
        self._done, self._best_loss, self._worse = 0, float("inf"), 0
        self._best = self._weights()

    def run(self, taught: Any, held: Any) -> int:
        """How many epochs it took. The network is then that of the best one."""
        if self._checkpoint is not None and self._checkpoint.exists():
            self._resume(self._checkpoint)
        while self._done < self._size.epochs and self._worse < self._size.patience:
            self._epoch(*taught)
            loss = self._loss_of(*held)
            if loss < self._best_loss:
                self._best_loss, self._best, self._worse = loss, self._weights(), 0
            else:
                self._worse += 1
                if self._worse == self._size.patience // 2:
                    for group in self._optimizer.param_groups:
                        group["lr"] /= 2
            self._done += 1
            if self._checkpoint is not None:
                self._keep(self._checkpoint)
        self._network.load_state_dict(self._best)
        return self._done

    def _epoch(self, rows: Any, levels: Any) -> None:
        torch = self._torch
        torch.manual_seed(self._seed * 10_007 + self._done + 1)
        order = torch.randperm(len(rows)).to(rows.device)
        self._network.train()
        for at in range(0, len(rows), self._size.batch):
            drawn = order[at : at + self._size.batch]
            loss = _hazard_loss(torch, self._network.logits(rows[drawn]), levels[drawn])
            self._optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self._network.parameters(), self._size.largest_gradient)
            self._optimizer.step()

    def _loss_of(self, rows: Any, levels: Any) -> float:
        self._network.eval()
        with self._torch.no_grad():
            pieces = range(0, len(rows), ROWS_A_PASS)
            logits = [self._network.logits(rows[at : at + ROWS_A_PASS]) for at in pieces]
            return float(_hazard_loss(self._torch, self._torch.cat(logits), levels))

    def _weights(self) -> dict[str, Any]:
        return {name: one.detach().clone() for name, one in self._network.state_dict().items()}

    def _keep(self, path: Path) -> None:
        """Arrays alone, never a pickle; the file appears when it is whole."""
        numbers = {
            "done": self._done,
            "best_loss": self._best_loss,
            "worse": self._worse,
            "lr": self._optimizer.param_groups[0]["lr"],
        }
        partial = path.with_name(f".{path.name}.partial")
        with partial.open("wb") as file:
            np.savez(file, allow_pickle=False, numbers=np.array(json.dumps(numbers)), **dict(self._arrays()))
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)

    def _arrays(self) -> Iterator[tuple[str, NDArray[Any]]]:
        for name, one in self._network.state_dict().items():
            yield f"now.{name}", one.cpu().numpy()
        for name, one in self._best.items():
            yield f"best.{name}", one.cpu().numpy()
        for number, state in self._optimizer.state_dict()["state"].items():
            for name, one in state.items():
                yield f"adam.{number}.{name}", one.cpu().numpy()

    def _resume(self, path: Path) -> None:
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                kept = {name: arrays[name] for name in arrays.files}
            numbers = json.loads(str(kept["numbers"]))
            now, self._best = ({name: self._tensor(kept[f"{when}.{name}"]) for name in self._best}
                               for when in ("now", "best"))  # fmt: skip
            self._network.load_state_dict(now)
            adam = self._optimizer.state_dict()
            keys = [name.split(".")[1:] for name in kept if name.startswith("adam.")]
            for number, name in keys:
                adam["state"].setdefault(int(number), {})[name] = self._tensor(kept[f"adam.{number}.{name}"])
            adam["param_groups"][0]["lr"] = numbers["lr"]
            self._optimizer.load_state_dict(adam)
            self._done, self._best_loss, self._worse = (numbers[name] for name in ("done", "best_loss", "worse"))
        except (OSError, KeyError, ValueError, RuntimeError, BadZipFile) as error:
            raise BrokenCheckpoint(f"{path} holds no training of this network, remove it: {str(error)[:200]}") from None

    def _tensor(self, array: NDArray[Any]) -> Any:
        return self._torch.from_numpy(array.copy())


def _hazard_loss(torch: Any, logits: Any, levels: Any) -> Any:
    """The mean negative log-likelihood: hazards of levels that were passed were survived, that of the reached one
    struck."""
    steps = torch.arange(logits.shape[1], device=logits.device)
    passed, struck = (steps < levels[:, None]).float(), (steps == levels[:, None]).float()
    softplus = torch.nn.functional.softplus
    return (passed * softplus(logits) + struck * softplus(-logits)).sum(dim=1).mean()
