"""Every run there is to look at: the pretrained variants that ship, and the runs made here."""

from __future__ import annotations

import os
from pathlib import Path

from mnist_lab.presets import PRESETS
from mnist_lab.runs.record import WEIGHTS, RunError, RunRecord, RunSummary
from mnist_lab.runs.store import RunStore

STUDY = "study"  # the folder beside the pretrained variants that holds the studies, not a run


def pretrained_root() -> Path:
    """Where the variants that ship are: MNIST_LAB_PRETRAINED, else `pretrained` beside app.py."""
    chosen = os.environ.get("MNIST_LAB_PRETRAINED", "").strip()
    return Path(chosen).expanduser() if chosen else Path(__file__).parents[2] / "pretrained"


class Library:
    """The runs of `own` and the pretrained variants, which differ in nothing but the folder they are in.

    A variant's id is its preset's name. Nothing here writes to the pretrained folder.
    """

    def __init__(self, own: RunStore | None = None, pretrained: Path | None = None):
        self.own = own or RunStore()
        self.pretrained = RunStore(pretrained or pretrained_root(), leave_out=(STUDY,))

    def variants(self) -> list[RunSummary]:
        """The pretrained variants with weights, in the presets' order."""
        order = {name: place for place, name in enumerate(PRESETS)}
        return sorted(_usable(self.pretrained), key=lambda run: (order.get(run.id, len(order)), run.id))

    def list(self) -> list[RunSummary]:
        """What can be looked at: the pretrained variants, then the runs made here that left weights, newest first."""
        return [*self.variants(), *_usable(self.own)]

    def load(self, id: str) -> RunRecord:
        """The run of that id, one made here before a variant of the same name. Raises `RunError`."""
        if not self.own.exists(id) and self.pretrained.exists(id):
            return self.pretrained.load(id)
        return self.own.load(id)

    def why_not(self, id: str) -> str:
        """A sentence on why the run of that id is not in `list`."""
        try:
            run = self.load(id)
        except RunError as error:
            return str(error)
        if run.status == "running":
            return f"The run {id} is still going: its network can be asked when it has ended."
        return f"The run {id} has no weights: it has not ended, or it ended before its first epoch did."

    def is_pretrained(self, run: RunSummary) -> bool:
        """Whether the run shipped with the lab."""
        return run.folder.parent == self.pretrained.root


def _usable(store: RunStore) -> list[RunSummary]:
    return [
        run for run in store.list()
        if isinstance(run, RunSummary) and run.status in ("finished", "stopped") and (run.folder / WEIGHTS).exists()
    ]
