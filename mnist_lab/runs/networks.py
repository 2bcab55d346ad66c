"""The networks of runs, read once and shared by every session; and the one that reads drawings if nobody chooses."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from mnist_lab.runs.library import Library
from mnist_lab.runs.record import CHECKPOINT, NO_WEIGHTS, WEIGHTS, RunError, RunRecord, RunSummary

if TYPE_CHECKING:
    from torch import nn

# People write unlike MNIST, so what was trained on changed images (source A's recipe, "fast") comes first.
DEFAULTS = ("best", "a-gbn", "a-bn", "a-l2-gbn", "a-l2-bn", "fast", "b-gbn", "b-bn")
KEPT = 48  # networks in memory, of some 40 kB each: every variant, and some runs made here


def default_variant(library: Library) -> RunSummary | None:
    """The run that reads drawings if nobody chooses: the first of `DEFAULTS` that is there, else the first variant,
    else the newest run. None if there is no trained network at all."""
    runs = library.list()
    by_id = {run.id: run for run in runs}
    return next((by_id[id] for id in DEFAULTS if id in by_id), runs[0] if runs else None)


def network_of(run: RunSummary) -> nn.Module:
    """The run's network in evaluation mode, on the CPU. It is shared: never train it. Raises `RunError`."""
    return _read(_Weights(run))


def latest_network_of(run: RunSummary) -> nn.Module:
    """As `network_of`; of a run that goes on, or was killed, the network after its last epoch. Raises `RunError`."""
    if (run.folder / WEIGHTS).exists():
        return network_of(run)
    return _read_live(_Weights(run, CHECKPOINT, NO_WEIGHTS))


class _Weights:
    """A run by its weights: equal to another while that file is the same one, unchanged. Raises `RunError`."""

    def __init__(self, run: RunSummary, name: str = WEIGHTS, absent: str = ""):
        self.run = run
        path = run.folder / name
        try:
            status = path.stat()
        except OSError as error:
            raise RunError(absent or f"There is no {name} in the run {run.id}. It may have been deleted.") from error
        self._key = path, status.st_mtime_ns, status.st_size, status.st_ino

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Weights) and other._key == self._key

    def __hash__(self) -> int:
        return hash(self._key)


@lru_cache(maxsize=KEPT)
def _read(weights: _Weights) -> nn.Module:
    return _build(weights.run)


@lru_cache(maxsize=4)  # a run that goes on has another one after every epoch
def _read_live(weights: _Weights) -> nn.Module:
    return _build(weights.run)


def _build(run: RunSummary) -> nn.Module:
    from mnist_lab.nn.networks import build_network

    record = RunRecord(**vars(run) | {"history": []})  # reading the history would take longest
    module = build_network(record.config)
    try:
        module.load_state_dict(record.latest_weights())
    except RuntimeError as error:
        raise RunError(f"{WEIGHTS} is damaged: it does not fit the network.") from error
    return module.eval()
