"""A job: one thread that trains one run, its stop flag, and the log of what happened so far."""

from __future__ import annotations

import errno
import threading
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from mnist_lab.config import RunConfig
from mnist_lab.config_forms import title
from mnist_lab.events import LAST_EVENTS, Epoch, Event, Failed, Finished, Preparing, Started, Stopped
from mnist_lab.runs.record import RunError
from mnist_lab.runs.store import RunStore, may_change
from mnist_lab.runs.writer import RunWriter

if TYPE_CHECKING:
    from mnist_lab.data.mnist import Mnist
    from mnist_lab.training import Checkpoint, TrainedRun

State = Literal["queued", "running", "finished", "stopped", "failed"]


class EventLog:
    """The events of a run from the first on. Only ever appended to; any thread may read or append."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._lock = threading.Lock()

    def append(self, event: Event) -> None:
        """Add one event at the end."""
        with self._lock:
            self._events.append(event)

    def since(self, start: int) -> list[Event]:
        """The events from number `start` (0 is the first) on, as a list of the caller's own."""
        with self._lock:
            return self._events[max(start, 0):]

    def last(self) -> Event | None:
        """The latest event; None while there is none."""
        with self._lock:
            return self._events[-1] if self._events else None

    def __len__(self) -> int:
        return len(self._events)


class _StopRequested(Exception):
    """Ends a download or another preparation when the run is stopped meanwhile."""


class Job:
    """One run on its way: waiting, running, or ended a while ago. Everything public is safe from any thread.

    `train` and `load_data` replace `mnist_lab.training.train` and `mnist_lab.data.mnist.load_mnist`, which are
    imported in the job's thread, torch with them. `on_end(job)` is called there after the last event. Of the runs of
    its `group`, by default it alone, `abreast` go at once and share the processor, and so do `workers` groups.
    """

    def __init__(
        self, store: RunStore, id: str, config: RunConfig, *, name: str | None = None, preset: str | None = None,
        owner_hash: str | None = None, resume: bool = False, train: Callable[..., TrainedRun] | None = None,
        load_data: Callable[..., Mnist] | None = None, on_end: Callable[[Job], None] | None = None,
        group: str | None = None, abreast: int = 1, workers: int = 1,
    ):
        self.id, self.config, self.name, self.preset = id, config, name or title(config), preset
        self.owner_hash, self.log = owner_hash, EventLog()
        self.group, self.abreast, self.workers = group or id, abreast, workers
        self._store, self._resume, self._on_end = store, resume, on_end
        self._train, self._load_data = train, load_data
        self._stop, self._started, self._ended = threading.Event(), threading.Event(), threading.Event()
        self._hurry = threading.Event()
        # A daemon, joined by the queue at exit: any other thread would hold up the exit before it can be stopped.
        self._thread = threading.Thread(target=self._run, name=f"run {id}", daemon=True)

    @property
    def state(self) -> State:
        """Where the run stands. "finished", "stopped" and "failed" once the last event is in the log."""
        # In this order: the thread may end between two of these looks.
        started, alive, last = self._started.is_set(), self._thread.is_alive(), self.log.last()
        if isinstance(last, LAST_EVENTS):
            return {Finished: "finished", Stopped: "stopped", Failed: "failed"}[type(last)]
        if not started:
            return "queued"
        return "running" if alive else "failed"

    @property
    def stopping(self) -> bool:
        """Whether a stop was requested, heeded or not."""
        return self._stop.is_set()

    @property
    def in_a_hurry(self) -> bool:
        """Whether a stop was requested that leaves out the last test."""
        return self._hurry.is_set()

    def start(self) -> None:
        """Start the thread. Once only."""
        self._thread.start()
        self._started.set()

    def request_stop(self, *, in_a_hurry: bool = False) -> None:
        """Ask the run to end after the batch it is at, `in_a_hurry` without a last test. Returns at once."""
        if in_a_hurry:
            self._hurry.set()
        self._stop.set()

    def cancel(self) -> None:
        """End a job that was never started: it leaves no record, and its log says that it was stopped."""
        self._stop.set()
        self.log.append(Stopped(summary={}))
        self._ended.set()

    def join(self, timeout: float | None = None) -> bool:
        """Wait until the run has ended, in line as well, `timeout` seconds at most. Returns whether it has."""
        return self._ended.wait(timeout)

    def is_alive(self) -> bool:
        """Whether the thread is there. A started job without thread and without last event died: it failed."""
        return self._thread.is_alive()

    def may_change(self, owner_hash: str | None) -> bool:
        """Whether the browser with that token's hash may stop the run (see `RunStore.may_change`)."""
        return may_change(self.owner_hash, owner_hash)

    def _run(self) -> None:
        try:
            self.log.append(self._to_the_end())
            if self._on_end:
                self._on_end(self)
        finally:
            self._ended.set()

    def _to_the_end(self) -> Event:
        """Train and write the record, come what may. Returns the last event."""
        writer = None
        try:
            self.log.append(Preparing(message="Loading PyTorch and the data"))
            writer, checkpoint = self._open()
            return self._work(writer, checkpoint)
        # Whatever it is, SystemExit included, the record and the log must tell: nobody else will see it.
        except BaseException as error:
            return record_failure(writer, error)
        finally:
            if writer:
                writer.close()

    def _open(self) -> tuple[RunWriter, Checkpoint | None]:
        if self._resume:
            return RunWriter.resume(self._store.root, self.id)
        writer = RunWriter.create(
            self._store.root, self.id, self.config, name=self.name, preset=self.preset, owner_hash=self.owner_hash
        )
        return writer, None

    def _work(self, writer: RunWriter, checkpoint: Checkpoint | None) -> Event:
        """Load, train and write the record. The last event is returned, to be seen only after the record is."""
        load_data, train = self._functions()
        try:
            data = load_data(progress=self._prepare)
        except _StopRequested:
            writer.stop()
            return Stopped(summary={})
        check_same_data(writer.record.data, data)
        from mnist_lab.device import share_threads, use_threads

        share_threads(self.abreast * self.workers)
        if checkpoint and writer.record.threads:
            use_threads(writer.record.threads)  # with another number it would not end with the same weights
        trained = train(
            self.config, data, self._emit(writer), self._stop.is_set, resume=checkpoint,
            on_checkpoint=writer.checkpoint, in_a_hurry=self._hurry.is_set,
        )
        writer.finish(trained)
        return (Stopped if trained.status == "stopped" else Finished)(summary=trained.summary)

    def _functions(self) -> tuple[Callable[..., Mnist], Callable[..., TrainedRun]]:
        load_data, train = self._load_data, self._train
        if load_data is None:
            from mnist_lab.data.mnist import load_mnist as load_data
        if train is None:
            from mnist_lab.training import train
        return load_data, train

    def _prepare(self, message: str, fraction: float | None = None) -> None:
        if self._stop.is_set():
            raise _StopRequested
        last, now = self.log.last(), Preparing(message=message, fraction=fraction)
        steps = isinstance(last, Preparing) and last.message == message and None not in (last.fraction, fraction)
        # A download reports every block; the log keeps every hundredth part.
        if now != last and not (steps and 0 <= fraction - last.fraction < 0.01):
            self.log.append(now)

    def _emit(self, writer: RunWriter) -> Callable[[Event], None]:
        def emit(event: Event) -> None:
            if isinstance(event, LAST_EVENTS):
                return  # said after the record is written
            if isinstance(event, Epoch):
                writer.epoch(event)
            if isinstance(event, Started):
                writer.started(event)
            self.log.append(event)
            if isinstance(event, Started):
                for line in writer.record.history:  # of a resumed run: the log starts with the first epoch
                    self.log.append(Epoch(**line))

        return emit


def check_same_data(seen: dict[str, Any], data: Mnist) -> None:
    """Refuse to go on with other images than the run began with. Raises `RunError`."""
    if seen and seen.get("checksum") != data.checksum:
        raise RunError(
            f"This run began on other images ({seen.get('source')}) than there are now ({data.source}), and its two "
            "halves would not fit together. Start a new run, or bring the data back."
        )


def record_failure(writer: RunWriter | None, error: BaseException) -> Failed:
    """End the run by `error`, on disk too if there is a writer, and return the event that says so."""
    message, trace = explain(error), "".join(traceback.format_exception(error))
    if writer:
        try:
            writer.fail(message, trace)
        except OSError as second:
            message += f" The run could not be written to disk either: {second}."
            trace += "".join(traceback.format_exception(second))
    return Failed(message=message, traceback=trace)


def explain(error: BaseException) -> str:
    """What went wrong and what to do about it, for somebody who has never seen a traceback."""
    text = str(error)
    # By name: importing torch, or the module whose import may just have failed, is no good here.
    names = {kind.__name__ for kind in type(error).__mro__}
    if names & {"OutOfMemoryError", "MemoryError"} or "can't allocate memory" in text or "not enough memory" in text:
        return "There was not enough memory. Choose a smaller batch, or close other programs, and start again."
    if names & {"TrainingFailed", "DataError", "ConfigError", "RunError"} or (
        isinstance(error, ValueError) and _raised_by_the_lab(error)
    ):
        return text
    if isinstance(error, OSError) and errno.errorcode.get(error.errno) in ("ENOSPC", "EDQUOT"):
        return "The disk is full. Delete runs that you no longer need, or other files, and start again."
    if isinstance(error, OSError) and error.strerror:
        return f"A file could not be read or written: {error.strerror} ({error.filename})."
    if isinstance(error, ImportError):
        return f"A part of the installation is missing ({text}). Run: pip install -r requirements.txt"
    return f"Something went wrong that the lab did not expect: {type(error).__name__}: {text}"


def _raised_by_the_lab(error: BaseException) -> bool:
    frames = list(traceback.walk_tb(error.__traceback__))
    return bool(frames) and str(frames[-1][0].f_globals.get("__name__")).startswith("mnist_lab.")
