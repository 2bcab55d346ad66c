"""The queue: which run is trained when, a bounded number at a time, first come, first served."""

from __future__ import annotations

import atexit
import os
import re
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from mnist_lab.config import RunConfig
from mnist_lab.presets import preset_of
from mnist_lab.runs.job import Job
from mnist_lab.runs.record import INTERRUPTED, RunError
from mnist_lab.runs.store import RunStore, tidy_name

if TYPE_CHECKING:
    from mnist_lab.data.mnist import Mnist
    from mnist_lab.training import TrainedRun

KEPT_JOBS = 50  # ended jobs whose logs stay in memory; the log of an older one is rebuilt with `record.replay`
_HASH = re.compile(r"[0-9a-f]{64}")


def default_workers() -> int:
    """How many runs are trained at once: MNIST_LAB_WORKERS, else 1.

    One run already uses all the cores of a processor, or the GPU. With more workers each has its share of the threads:
    more threads than cores would wait for one another at every operation.
    Raises `RunError` if the variable is not a whole number above 0.
    """
    text = os.environ.get("MNIST_LAB_WORKERS", "").strip() or "1"
    if not text.isdecimal() or int(text) < 1:
        raise RunError(f"MNIST_LAB_WORKERS must be a whole number above 0, not {text!r}.")
    return int(text)


class RunQueue:
    """The jobs of one process: those that wait, those that run, and the last ones that ended.

    One per process, shared by every session. At exit the runs are stopped and kept. `train` and `load_data` are
    handed to the jobs. `admit(job, others)` raises `RunError` for a run that may not be put in line beside the others
    that run or wait; it is called with the lock held.
    """

    def __init__(
        self, store: RunStore, workers: int | None = None, *, train: Callable[..., TrainedRun] | None = None,
        load_data: Callable[..., Mnist] | None = None, admit: Callable[[Job, Sequence[Job]], None] | None = None,
    ):
        self.store, self.workers = store, default_workers() if workers is None else workers
        self._admit = admit
        self._options = {"train": train, "load_data": load_data, "workers": self.workers}
        # Everything below is touched only with the lock held. A job that ends calls `_ended` in its own thread.
        self._lock = threading.Lock()
        self._waiting: list[Job] = []
        self._running: dict[str, Job] = {}
        self._kept: dict[str, Job] = {}
        self._closed = False
        atexit.register(self.shutdown)

    def submit(
        self, config: RunConfig | None = None, *, owner: str | None = None, name: str | None = None,
        preset: str | None = None, resume_id: str | None = None, group: str | None = None, abreast: int = 1,
    ) -> Job:
        """Put a run in line, or an interrupted one again, and return its job at once.

        Args:
            owner: hash of the token of the browser that asks; None makes a run that anybody may change.
            name: what the run is called; by default its settings in short.
            preset: by default the name of the preset with these settings, if there is one.
            resume_id: the interrupted run to go on with. It keeps its settings (`config` may be left out or must
                be equal), name, preset and owner.
            group: runs of one group take one place among the workers together, and `abreast` of them go at once, each
                with its share of the threads.

        Raises:
            RunError: there is nothing to resume, it is resumed already, it is not admitted, or the queue is shutting
                down.
        """
        job = self._resumed(resume_id, config) if resume_id else self._new(
            config, owner, name, preset, group=group, abreast=abreast
        )
        self._put_in_line([job])
        return job

    def submit_group(
        self, runs: Sequence[tuple[RunConfig, str]], *, group: str, abreast: int, owner: str | None = None
    ) -> list[Job]:
        """Put new runs, each with its settings and name, in line as one group: all of them, or none.

        Arguments and errors are those of `submit`.
        """
        jobs: list[Job] = []
        for config, name in runs:
            job = self._new(config, owner, name, None, group=group, abreast=abreast)
            while any(job.id == other.id for other in jobs):
                job = self._new(config, owner, name, None, group=group, abreast=abreast)
            jobs.append(job)
        self._put_in_line(jobs)
        return jobs

    def _put_in_line(self, jobs: Sequence[Job]) -> None:
        with self._lock:
            if self._closed:
                raise RunError("The lab is shutting down: no new run can be started.")
            live = [*self._running.values(), *self._waiting]
            for number, job in enumerate(jobs):
                if any(job.id == other.id for other in live):
                    raise RunError(f"The run {job.id} is already running or waiting in line.")
                if self._admit:
                    self._admit(job, [*live, *jobs[:number]])
            for job in jobs:
                self._kept.pop(job.id, None)
                self._waiting.append(job)
            self._start_next()

    def job(self, id: str) -> Job | None:
        """The job that waits, runs or ended lately under that id; None if there is none in this process."""
        with self._lock:
            waiting = next((job for job in self._waiting if job.id == id), None)
            return waiting or self._running.get(id) or self._kept.get(id)

    def jobs(self) -> list[Job]:
        """The jobs that run and then those that wait, in their order."""
        with self._lock:
            return [*self._running.values(), *self._waiting]

    def position(self, job: Job) -> int:
        """The job's place in line, 1 for the next to start; 0 when it does not wait any more."""
        with self._lock:
            return self._waiting.index(job) + 1 if job in self._waiting else 0

    def stop(self, id: str, *, in_a_hurry: bool = False) -> bool:
        """Stop a run, `in_a_hurry` without a last test. One in line leaves the line and no record.

        Returns whether there was something to stop.
        """
        with self._lock:
            for job in self._waiting:
                if job.id == id:
                    self._waiting.remove(job)
                    job.cancel()
                    self._keep(job)
                    return True
            running = self._running.get(id)
        if running:
            running.request_stop(in_a_hurry=in_a_hurry)
        return running is not None

    def may_change(self, id: str, owner_hash: str | None) -> bool:
        """Whether the browser with that token's hash may stop, rename or delete the run, on disk yet or not."""
        job = self.job(id)
        return job.may_change(owner_hash) if job else self.store.may_change(id, owner_hash)

    def shutdown(self, timeout: float = 2.0) -> bool:
        """Stop every run and wait for their records, `timeout` seconds in all. Called at exit; nothing starts after.

        Returns whether every run ended. One that did not is interrupted and can be resumed.
        """
        with self._lock:
            self._closed = True
            waiting, self._waiting = self._waiting, []
            running = list(self._running.values())
        for job in waiting:
            job.cancel()
        for job in running:
            job.request_stop(in_a_hurry=True)
        atexit.unregister(self.shutdown)
        deadline = time.monotonic() + timeout
        return all(job.join(max(0.0, deadline - time.monotonic())) for job in running)

    def _new(
        self, config: RunConfig | None, owner: str | None, name: str | None, preset: str | None, **together: Any
    ) -> Job:
        if config is None:
            raise ValueError("A new run needs its settings.")
        if owner is not None and not _HASH.fullmatch(owner):
            raise ValueError("The owner must be a SHA-256 hash in hex; the token itself is never stored.")
        preset = preset or preset_of(config)
        id = self.store.new_id(config, preset)
        while self.job(id):  # in line, so not on disk yet: a race puts many runs in line within a second
            id = self.store.new_id(config, preset)
        return Job(
            self.store, id, config, name=tidy_name(name) if name else None, preset=preset, owner_hash=owner,
            on_end=self._ended, **together, **self._options,
        )

    def _resumed(self, id: str, config: RunConfig | None) -> Job:
        run = self.store.load(id)
        if run.status != INTERRUPTED:
            raise RunError(f"The run {id} is {run.status}, not interrupted: there is nothing to resume.")
        if config not in (None, run.config):
            raise RunError(f"The run {id} has other settings. Resume it as it is, or start a new run.")
        return Job(
            self.store, id, run.config, name=run.name, preset=run.preset, owner_hash=run.owner_hash, resume=True,
            on_end=self._ended, **self._options,
        )

    def _ended(self, job: Job) -> None:
        with self._lock:
            del self._running[job.id]
            self._keep(job)
            self._start_next()

    def _keep(self, job: Job) -> None:
        self._kept[job.id] = job
        while len(self._kept) > KEPT_JOBS:
            del self._kept[next(iter(self._kept))]

    def _start_next(self) -> None:
        while self._waiting and self._has_room(self._waiting[0]):
            job = self._waiting.pop(0)
            self._running[job.id] = job
            job.start()

    def _has_room(self, job: Job) -> bool:
        """Whether a job may start: beside others of its group, or in a place of its own."""
        groups = [other.group for other in self._running.values()]
        if job.group in groups:
            return groups.count(job.group) < job.abreast
        return len(set(groups)) < self.workers
