"""What a worker of a sweep does: train one task. Imports no torch, so that a worker sets its threads before it does."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnist_lab.config import RunConfig
from mnist_lab.events import Epoch, Event, Started
from mnist_lab.runs.job import check_same_data, record_failure
from mnist_lab.runs.record import PART
from mnist_lab.runs.writer import RunWriter

if TYPE_CHECKING:
    from mnist_lab.data.mnist import Mnist
    from mnist_lab.training import TrainedRun


@dataclass(frozen=True)
class Task:
    """One run of a sweep. Its id says what it is, so that the next sweep finds it."""

    id: str
    config: RunConfig
    name: str
    preset: str | None = None


@dataclass(frozen=True)
class Outcome:
    """How a task ended: "finished", "failed" (then `message` says why), or "interrupted", to be gone on with later.

    `files` are the run's files, name -> content, where the worker could not write them into the sweep's folder.
    """

    id: str
    status: str
    message: str = ""
    test_accuracy: float | None = None
    seconds: float = 0.0
    files: dict[str, bytes] = field(default_factory=dict, repr=False)


class LetGo(Exception):
    """The sweep is being interrupted: leave the run as it is, with its checkpoint."""


_stop: Any = None  # the event of the sweep that this process works for


def start_worker(stop: Any, threads: int) -> None:
    """Prepare a local worker process: its threads, and its end when the sweep ends, however that happens."""
    import multiprocessing
    import multiprocessing.connection
    import signal

    global _stop
    _stop = stop
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the sweep says when to let go
    os.environ["OMP_NUM_THREADS"] = str(threads)

    def end_with_parent() -> None:
        multiprocessing.connection.wait([multiprocessing.parent_process().sentinel])
        os._exit(1)  # the sweep was killed: nobody reads the result, and the run is resumed from its checkpoint

    threading.Thread(target=end_with_parent, daemon=True).start()


def run_here(task: Task, root: Path, checksum: str, threads: int) -> Outcome:
    """Train `task` in the folder `root`, from its last checkpoint if it was begun there before."""
    try:
        if (root / f"{task.id}{PART}").exists():
            writer, checkpoint = RunWriter.resume(root, task.id)
        else:
            writer = RunWriter.create(root, task.id, task.config, name=task.name, preset=task.preset)
            checkpoint = None
    except Exception as error:  # another sweep is at it, or the disk is full: the others go on
        return Outcome(task.id, "failed", str(error))
    try:
        trained = _train(task, writer, checkpoint, checksum, threads)
        writer.finish(trained)
        return Outcome(
            task.id, "finished", test_accuracy=trained.summary.get("test_accuracy"),
            seconds=trained.timings.get("seconds", 0.0),
        )
    except LetGo:
        return Outcome(task.id, "interrupted")
    except Exception as error:
        return Outcome(task.id, "failed", record_failure(writer, error).message)
    finally:
        writer.close()


def run_elsewhere(task: Task, checksum: str, threads: int) -> Outcome:
    """Train `task` on a machine that need not see the sweep's folder; the run's files come back in the outcome."""
    from dataclasses import replace

    with tempfile.TemporaryDirectory(prefix="mnist-lab-") as folder:
        outcome = run_here(task, Path(folder), checksum, threads)
        kept = Path(folder) / task.id
        files = {path.name: path.read_bytes() for path in kept.iterdir()} if kept.exists() else {}
        return replace(outcome, files=files)


def _train(task: Task, writer: RunWriter, checkpoint: Any, checksum: str, threads: int) -> TrainedRun:
    load_data, train = _functions()
    import torch

    torch.set_num_threads(threads)
    data = load_data()
    check_same_data({"checksum": checksum, "source": "the sweep's own"}, data)
    return train(
        task.config, data, _emit(writer), _should_stop, resume=checkpoint, on_checkpoint=writer.checkpoint
    )


def _functions() -> tuple[Callable[..., Mnist], Callable[..., TrainedRun]]:
    from mnist_lab.data.mnist import load_mnist
    from mnist_lab.training import train

    return load_mnist, train


def _should_stop() -> bool:
    if _stop is not None and _stop.is_set():
        raise LetGo
    return False


def _emit(writer: RunWriter) -> Callable[[Event], None]:
    def emit(event: Event) -> None:
        if isinstance(event, Started):
            writer.started(event)
        elif isinstance(event, Epoch):
            writer.epoch(event)

    return emit
