"""What a run on disk is, and how it is read: run.json, history.jsonl, weights.safetensors, test_logits.npz.

A run that ended is the folder `<id>`; one that goes, or that was killed, is `<id>.part`. How they are
written is in `writer.py`.
"""

from __future__ import annotations

import csv
import io
import json
import types
import typing
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnist_lab.config import ConfigError, RunConfig
from mnist_lab.config_forms import from_dict
from mnist_lab.events import Epoch, Event, Failed, Finished, Started, Stopped

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from mnist_lab.training import Checkpoint

SCHEMA = 1
PART = ".part"
RUN, HISTORY, CHECKPOINT = "run.json", "history.jsonl", "checkpoint.safetensors"
WEIGHTS, LOGITS = "weights.safetensors", "test_logits.npz"
STATUSES = ("running", "finished", "stopped", "failed")
INTERRUPTED = "interrupted"  # never on disk: a run that says "running" and that no process is working on


NO_WEIGHTS = "This run has no weights: no epoch of it has ended, or it failed, and then only its history is kept."


class RunError(Exception):
    """A run that cannot be read, resumed or changed. The message is a sentence that says why."""


@dataclass(frozen=True, kw_only=True)
class BadRun:
    """A folder among the runs that is not a readable run. `id` is the folder's name, `reason` a sentence."""

    id: str
    folder: Path
    reason: str


@dataclass(frozen=True, kw_only=True)
class RunSummary:
    """What run.json says about a run; enough for a list of runs.

    `status` is one of `STATUSES` or "interrupted". `timings` has `started` and `ended` (ISO 8601, UTC; `ended` is
    None until then), `seconds` (of training, over all sittings), `resumed` (one dict a resumption: `at`,
    `after_epoch`) and whatever else training measured. `data` is `Started.data`. `error` is None or has `message`
    and `traceback`. `summary` is empty until the run ended, and stays so if it failed. `owner_hash` is the
    SHA-256 of the starting browser's token, None for a run made on the command line: never show or export it.
    """

    id: str
    folder: Path
    name: str
    config: RunConfig
    preset: str | None = None
    status: str = "running"
    epochs_done: int = 0
    device: str | None = None
    precision: str | None = None
    threads: int | None = None
    parameters: int | None = None
    trainable_parameters: int | None = None
    steps_per_epoch: int | None = None
    versions: dict[str, str]
    timings: dict[str, Any]
    data: dict[str, Any]
    summary: dict[str, Any]
    error: dict[str, str] | None = None
    owner_hash: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """run.json, as a dict."""
        values = {f.name: getattr(self, f.name) for f in fields(RunSummary) if f.name not in ("id", "folder")}
        return {"schema": SCHEMA, **values, "config": self.config.to_dict()}

    def public_dict(self) -> dict[str, Any]:
        """run.json for a download: with the id and without the owner."""
        values = {"id": self.id, **self.to_dict()}
        del values["owner_hash"]
        return values

    def config_json(self) -> str:
        """The settings alone, as JSON text."""
        return json.dumps(self.config.to_dict(), indent=2) + "\n"


@dataclass(frozen=True, kw_only=True)
class TestLogits:
    """What the network answered on the test set: indices, labels and digits int64 [M], logits float32 [M, 10]."""

    __test__ = False  # pytest takes any class whose name starts with Test for its own

    indices: np.ndarray
    labels: np.ndarray
    digits: np.ndarray
    logits: np.ndarray


@dataclass(frozen=True, kw_only=True)
class RunRecord(RunSummary):
    """A run with its history, a dict an epoch (see `events.Epoch`), and its arrays on demand."""

    history: list[dict[str, Any]]

    def history_csv(self) -> str:
        """The history as CSV text, a line an epoch, without the histograms."""
        names = [f.name for f in fields(Epoch) if f.name != "histograms"]
        text = io.StringIO()
        writer = csv.DictWriter(text, names, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.history)
        return text.getvalue()

    def weights(self) -> dict[str, Tensor]:
        """The state dict of the last finished epoch, on the CPU. Raises `RunError` if there is none."""
        return _load_tensors(self.folder / WEIGHTS, "This run has no weights: it ended before its first epoch did.")[0]

    def latest_weights(self) -> dict[str, Tensor]:
        """As `weights`; of a run that has not ended, those that its checkpoint would be tested with."""
        if (self.folder / WEIGHTS).exists():
            return self.weights()
        tensors, _ = _load_tensors(self.folder / CHECKPOINT, NO_WEIGHTS)
        prefix = "ema." if self.config.ema_decay else "model."
        return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}

    def checkpoint(self) -> Checkpoint | None:
        """Where an interrupted run can go on from; None when it has to start anew. Raises `RunError` if damaged."""
        from mnist_lab.training import Checkpoint

        path = self.folder / CHECKPOINT
        if not path.exists():
            return None
        tensors, metadata = _load_tensors(path, "")
        try:
            epoch, seconds = int(metadata["epoch"]), float(metadata["seconds"])
            # Earlier checkpoints do not have these: of their runs, only what is still to come is counted.
            parts = {name: float(metadata.get(name, 0)) for name in ("training_seconds", "evaluating_seconds")}
        except (KeyError, ValueError) as error:
            raise RunError(f"{CHECKPOINT} does not say which epoch it is from.") from error
        if epoch > len(self.history):
            raise RunError(f"{CHECKPOINT} is from epoch {epoch}, but {HISTORY} ends with epoch {len(self.history)}.")
        return Checkpoint(epoch=epoch, tensors=tensors, history=self.history[:epoch], seconds=seconds, **parts)

    def test_logits(self) -> TestLogits:
        """The answers on the test set. Raises `RunError` if there are none or the file is damaged."""
        import zipfile

        import numpy as np

        path = self.folder / LOGITS
        if not path.exists():
            raise RunError("This run has no test results: it ended before its first epoch did.")
        try:
            with np.load(path, allow_pickle=False) as arrays:
                return TestLogits(**{f.name: arrays[f.name] for f in fields(TestLogits)})
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise RunError(f"{LOGITS} is damaged: {error}.") from error


def _load_tensors(path: Path, absent: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of a safetensors file, copied: a file mapped into memory cannot be deleted on Windows."""
    from safetensors import SafetensorError, safe_open
    from safetensors.torch import load

    if not path.exists():
        raise RunError(absent)
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
        return load(path.read_bytes()), metadata
    except (OSError, SafetensorError) as error:
        raise RunError(f"{path.name} is damaged: {error}.") from error


def read_summary(folder: Path) -> RunSummary:
    """The run in `folder` by its run.json; the folder's name is the id. Raises `RunError`.

    Raises:
        FileNotFoundError: the folder has just been renamed or deleted.
        RunError: it is not a run, or a damaged one.
    """
    try:
        values = json.loads((folder / RUN).read_text("utf-8"))
    except FileNotFoundError:
        folder.stat()
        raise RunError(f"There is no {RUN} in it: it is not a run, or a damaged one.") from None
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(f"Its {RUN} cannot be read: {error}.") from error
    if not isinstance(values, dict) or not isinstance(values.get("schema"), int):
        raise RunError(f"Its {RUN} is not one that MNIST Lab wrote.")
    if values["schema"] > SCHEMA:
        raise RunError("It was made by a newer version of MNIST Lab. Update this one to open it.")
    return _summary(folder, values)


def _summary(folder: Path, values: dict[str, Any]) -> RunSummary:
    names = _HINTS.keys() - {"id", "folder", "config"}
    bad = [name for name in names if not fits(values.get(name), _HINTS[name])]
    if bad or not isinstance(values.get("config"), dict):
        raise RunError(f"Its {RUN} lacks a proper {', '.join(sorted(bad)) or 'config'}.")
    if values["status"] not in STATUSES:
        raise RunError(f"Its {RUN} gives a status that does not exist: {values['status']!r}.")
    if not fits(values["timings"].get("started"), str) or not fits(values["timings"].get("seconds"), float):
        raise RunError(f"Its {RUN} does not say when it was started and how long it took.")
    try:
        config = from_dict(values["config"])
    except ConfigError as error:
        raise RunError(f"Its settings cannot be used: {error}") from error
    known = {name: values[name] for name in names}
    return RunSummary(id=folder.name.removesuffix(PART), folder=folder, config=config, **known)


def read_history(folder: Path) -> list[dict[str, Any]]:
    """The epochs in history.jsonl, from the first on without a gap. Raises `RunError` for a damaged line.

    A last line without its end is left out: the process was killed while it wrote it.
    """
    try:
        text = (folder / HISTORY).read_text("utf-8")
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise RunError(f"Its {HISTORY} cannot be read: {error}.") from error
    return [_epoch(line, number) for number, line in enumerate(text.split("\n")[:-1], start=1)]


def _epoch(line: str, number: int) -> dict[str, Any]:
    try:
        epoch = Epoch(**json.loads(line))
    except (ValueError, TypeError, RecursionError) as error:
        raise RunError(f"Line {number} of its {HISTORY} cannot be read: {error}.") from error
    bad = [name for name, hint in _EPOCH_HINTS.items() if not fits(getattr(epoch, name), hint)]
    if bad or epoch.epoch != number:
        raise RunError(f"Line {number} of its {HISTORY} does not hold epoch {number} as MNIST Lab writes it.")
    return asdict(epoch)


def fits(value: Any, hint: Any) -> bool:
    """Whether a JSON value is of a type hint's outermost type; a whole number is a float too."""
    if isinstance(hint, types.UnionType):
        return any(fits(value, part) for part in typing.get_args(hint))
    kind = typing.get_origin(hint) or hint
    return isinstance(value, int | float if kind is float else kind)


_HINTS = typing.get_type_hints(RunSummary)
_EPOCH_HINTS = typing.get_type_hints(Epoch)


def replay(record: RunRecord) -> list[Event]:
    """The run's event log rebuilt from the record, without the steps. No last event unless the run ended."""
    events: list[Event] = []
    if record.device is not None:
        names = [f.name for f in fields(Started) if f.name not in ("epochs", "first_epoch")]
        known = {name: getattr(record, name) for name in names}
        events.append(Started(**known, epochs=record.config.epochs, first_epoch=1))
    events += [Epoch(**line) for line in record.history]
    if record.status == "finished":
        events.append(Finished(summary=record.summary))
    elif record.status == "stopped":
        events.append(Stopped(summary=record.summary))
    elif record.status == "failed":
        error = {"message": "The run failed and did not record why."} | (record.error or {})
        events.append(Failed(message=str(error["message"]), traceback=str(error.get("traceback", ""))))
    return events
