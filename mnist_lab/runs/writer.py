"""Writing a run to disk so that a kill at any moment leaves something readable, and the lock that says "alive"."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import platform
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from mnist_lab import __version__
from mnist_lab.config import RunConfig
from mnist_lab.config_forms import title
from mnist_lab.events import Epoch, Started
from mnist_lab.runs.record import (
    CHECKPOINT,
    HISTORY,
    LOGITS,
    PART,
    RUN,
    WEIGHTS,
    RunError,
    RunRecord,
    RunSummary,
    read_history,
    read_summary,
)

if TYPE_CHECKING:
    from torch import Tensor

    from mnist_lab.training import Checkpoint, TrainedRun

_probing = threading.Lock()


class RunWriter:
    """Writes one run, from its first epoch or from its last checkpoint on. Use it from one thread.

    While it lives it holds the run's lock, by which every other process sees the run as running; the operating
    system drops the lock when the process dies. One of `finish`, `stop` and `fail` ends the run and turns
    `<id>.part` into `<id>`; `close` alone lets go of it and leaves it interrupted.
    """

    def __init__(self, root: Path, record: RunRecord, lock: FileLock):
        self.root, self.record, self._lock = root, record, lock

    @classmethod
    def create(
        cls, root: Path, id: str, config: RunConfig, *, name: str | None = None, preset: str | None = None,
        owner_hash: str | None = None,
    ) -> RunWriter:
        """Start a run that is not there yet. Raises `RunError` if it is, `OSError` if it cannot be written."""
        lock = acquire(root, id)
        with _release_on_error(lock):
            part = root / f"{id}{PART}"
            if part.exists() or (root / id).exists():
                raise RunError(f"There is already a run {id}.")
            record = RunRecord(
                id=id, folder=part, name=name or title(config), config=config, preset=preset, versions=_versions(),
                timings={"started": _now(), "ended": None, "seconds": 0.0, "resumed": []}, data={}, summary={},
                owner_hash=owner_hash, history=[],
            )
            # Filled under another name, so that nobody meets a run without its run.json.
            new = _emptied(root / f".new-{id}")
            write_summary(new, record)
            _patiently(new.rename, part)
        return cls(root, record, lock)

    @classmethod
    def resume(cls, root: Path, id: str) -> tuple[RunWriter, Checkpoint | None]:
        """Go on with an interrupted run; the checkpoint is None if it was killed in its first epoch.

        Raises `RunError` if there is nothing to go on with, or another process is at it.
        """
        lock = acquire(root, id)
        with _release_on_error(lock):
            part = root / f"{id}{PART}"
            if not part.exists():
                raise RunError(f"There is no interrupted run {id}.")
            summary = read_summary(part)
            if summary.status != "running":
                raise RunError(f"The run {id} is {summary.status}: there is nothing left to resume.")
            record = RunRecord(**vars(summary), history=read_history(part))
            checkpoint = record.checkpoint()
            writer = cls(root, record, lock)
            writer._cut_history(checkpoint.epoch if checkpoint else 0)
        return writer, checkpoint

    def _cut_history(self, epochs: int) -> None:
        """Drop what was written after the checkpoint: those epochs are about to be trained again."""
        history = self.record.history[:epochs]
        write_atomically(self.record.folder / HISTORY, "".join(map(_line, history)).encode())
        timings = dict(self.record.timings)
        timings["resumed"] = [*timings.get("resumed", []), {"at": _now(), "after_epoch": epochs}]
        self._save(history=history, timings=timings, versions=_versions())

    def started(self, event: Started) -> None:
        """Note the device, the network's size and the data it sees."""
        values = {name: value for name, value in vars(event).items() if name not in ("epochs", "first_epoch")}
        self._save(**values, versions=_versions())

    def epoch(self, event: Epoch) -> None:
        """Append a line to the history, unless a checkpoint brought it. Raises `RunError` for an epoch out of turn."""
        if event.epoch > len(self.record.history):
            self._append(asdict(event))

    def checkpoint(self, checkpoint: Checkpoint) -> None:
        """Replace the last checkpoint by this one, after the lines of the history that it relies on."""
        for line in checkpoint.history[len(self.record.history):]:
            self._append(line)
        names = ("epoch", "seconds", "training_seconds", "evaluating_seconds")
        metadata = {name: repr(getattr(checkpoint, name)) for name in names}
        write_atomically(self.record.folder / CHECKPOINT, _tensor_bytes(checkpoint.tensors, metadata))

    def _append(self, line: dict[str, Any]) -> None:
        done = len(self.record.history)
        if line["epoch"] != done + 1:
            raise RunError(f"Epoch {line['epoch']} cannot follow epoch {done} in {HISTORY}.")
        with (self.record.folder / HISTORY).open("a", encoding="utf-8", newline="\n") as file:
            file.write(_line(line))
        self.record.history.append(line)

    def finish(self, trained: TrainedRun) -> None:
        """Keep what was trained, "finished" or "stopped" as it says, and end the run."""
        import numpy as np

        folder = self.record.folder
        if trained.weights:
            metadata = {
                "config": json.dumps(self.record.config.to_dict()), "versions": json.dumps(self.record.versions),
                "history": self.record.history_csv(), "run": self.record.id,
            }
            write_atomically(folder / WEIGHTS, _tensor_bytes(trained.weights, metadata))
        if trained.test_logits is not None and len(trained.test_logits):
            logits = trained.test_logits.numpy()
            np.savez_compressed(
                folder / LOGITS, indices=np.arange(len(logits)), labels=trained.test_labels.numpy(),
                digits=logits.argmax(1), logits=logits,
            )
        self._end(trained.status, summary=trained.summary, timings=trained.timings)

    def stop(self) -> None:
        """End a run that was stopped before it was trained at all."""
        self._end("stopped")

    def fail(self, message: str, traceback: str) -> None:
        """End the run by an error; the history is kept."""
        self._end("failed", error={"message": message, "traceback": traceback})

    def close(self) -> None:
        """Let go of the run. Without an end before it, it is interrupted from now on. May be called twice."""
        self._lock.release()

    def _end(self, status: str, **changes: Any) -> None:
        history = self.record.history
        timings = {"seconds": history[-1]["seconds"] if history else 0.0} | changes.pop("timings", {})
        timings = self.record.timings | timings | {"ended": _now()}
        self._save(status=status, epochs_done=len(history), timings=timings, **changes)
        part = self.record.folder
        (part / CHECKPOINT).unlink(missing_ok=True)
        final = self.root / self.record.id
        try:
            _patiently(part.rename, final)
        except PermissionError:
            final = part  # on Windows, somebody keeps a file of it open; a run that ended is read from here as well
        self.record = replace(self.record, folder=final)
        forget(self.root, self.record.id)
        self.close()

    def _save(self, **changes: Any) -> None:
        self.record = replace(self.record, **changes)
        write_summary(self.record.folder, self.record)


def write_summary(folder: Path, record: RunSummary) -> None:
    """Write run.json, at once and whole."""
    write_atomically(folder / RUN, (json.dumps(record.to_dict(), indent=1) + "\n").encode())


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that readers, and whoever comes after a kill, find the old one or the new one, never half."""
    temporary = path.with_name(f"{path.name}.tmp")
    temporary.write_bytes(content)
    _patiently(os.replace, temporary, path)


def _patiently(action: Callable[..., Any], *arguments: Path) -> None:
    """Rename again after a moment: on Windows it fails while somebody reads the file or one in the folder."""
    for seconds in (0.01, 0.05, 0.2, 0.5):
        try:
            action(*arguments)
            return
        except PermissionError:
            time.sleep(seconds)
    action(*arguments)


def _line(epoch: dict[str, Any]) -> str:
    return json.dumps(epoch) + "\n"


def _tensor_bytes(tensors: dict[str, Tensor], metadata: dict[str, str]) -> bytes:
    from safetensors.torch import save

    # safetensors knows the plain memory layout only; convolution weights may be channels-last.
    return save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, metadata)


def _versions() -> dict[str, str]:
    """What the numbers depend on besides the record. Torch itself says more (2.15.0+cu132) once it is loaded."""
    torch = sys.modules.get("torch")
    return {
        "mnist_lab": __version__,
        "torch": str(torch.__version__) if torch else importlib.metadata.version("torch"),
        "python": platform.python_version(),
        "platform": platform.platform(),
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _lock_path(root: Path, id: str) -> Path:
    # Not in the run's own folder: Windows does not rename a folder in which a file is open.
    return root / ".locks" / f"{id}.lock"


def acquire(root: Path, id: str) -> FileLock:
    """The run's lock, held. Raises `RunError` if somebody else holds it."""
    path = _lock_path(root, id)
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, thread_local=False)
    try:
        lock.acquire(timeout=1.0)  # long enough for a process that is only asking whether the run is alive
    except Timeout:
        raise RunError(f"The run {id} is still running.") from None
    return lock


def is_live(root: Path, id: str) -> bool:
    """Whether a process, this one included, is working on the run."""
    path = _lock_path(root, id)
    if not path.exists():
        return False
    with _probing:  # two threads that ask at once must not take each other for the run
        lock = FileLock(path, thread_local=False)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return True
        lock.release()
        return False


def forget(root: Path, id: str) -> None:
    """Remove the lock file of a run that ended, while holding the lock. On Windows it stays, which does no harm."""
    with contextlib.suppress(OSError):
        _lock_path(root, id).unlink()


@contextlib.contextmanager
def _release_on_error(lock: FileLock) -> Iterator[None]:
    try:
        yield
    except BaseException:
        lock.release()
        raise


def write_folder(root: Path, id: str, files: dict[str, bytes]) -> None:
    """Write a run that ended elsewhere, at once and whole; one of that id that ended here before is kept instead.

    What an earlier attempt left half done is removed. Raises `RunError` while a process is at work on it.
    """
    lock = acquire(root, id)
    try:
        if not (root / id).exists():
            new = _emptied(root / f".new-{id}")
            for name, content in files.items():
                (new / name).write_bytes(content)
            _patiently(new.rename, root / id)
        if (root / f"{id}{PART}").exists():
            remove_folder(root / f"{id}{PART}")
        forget(root, id)
    finally:
        lock.release()


def _emptied(folder: Path) -> Path:
    """The folder, made anew: a process that was killed may have left a part of one. Its run's lock must be held."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def remove_folder(folder: Path) -> None:
    """Delete a folder so that it is gone as a whole or not at all, from the readers' point of view."""
    trash = folder.with_name(f".trash-{folder.name}-{time.time_ns()}")
    _patiently(folder.rename, trash)
    for left in folder.parent.glob(".trash-*"):
        # What another program still has open on Windows goes with the next deletion; the run is gone already.
        shutil.rmtree(left, ignore_errors=True)
