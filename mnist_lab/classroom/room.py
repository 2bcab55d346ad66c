"""The class of one server: who may put which run in line, with which seed, and what all of them came to."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mnist_lab.classroom.limits import Limits, from_environment
from mnist_lab.classroom.locks import TaskFile, broken
from mnist_lab.classroom.pool import Group, PoolReader, setting_of
from mnist_lab.config import RunConfig
from mnist_lab.config_forms import same_setting
from mnist_lab.runs.race import RaceStore, stop_runs
from mnist_lab.runs.record import RunError, RunSummary
from mnist_lab.runs.store import RunStore

if TYPE_CHECKING:
    from mnist_lab.runs.job import Job
    from mnist_lab.runs.queue import RunQueue

SEEDS = 9_999  # browsers are told apart by the last four digits of their seeds
NEXT_SEED = 10_000  # from one run of a browser to its next of the same setting
TRUST_HOURS = 4  # that a teacher stays logged in: a browser that is left behind is not free for good
STOP_SECONDS = 20.0  # that stopped runs have to write their records before they are deleted


class Classroom:
    """One for the process, shared by every session. Everything public is safe from any thread.

    A browser is known by its owner's hash, as in `RunSummary`. `limits` are by default those of the environment;
    `clock` gives seconds that only grow.
    """

    def __init__(self, store: RunStore, limits: Limits | None = None, clock: Callable[[], float] = time.monotonic):
        self.store, self.limits = store, limits or from_environment()
        self.pool = PoolReader(store)
        self._lock = threading.Lock()
        self._file = TaskFile(store.root)
        self._task = self._file.read()
        self._clock = clock
        self._trusted: dict[str, float] = {}  # until when

    def admit(self, job: Job, live: Sequence[Job]) -> None:
        """Raise `RunError` if the class may not have this run beside those that run or wait; for `RunQueue`."""
        if self.is_trusted(job.owner_hash):
            return
        if wrong := self.limits.problems(job.config):
            raise RunError(" ".join(wrong.values()))
        if wrong := broken(self.task, job.config):
            raise RunError(wrong)
        self._admit_in_line(job, live)
        if not self.store.exists(job.id):  # else it is one that goes on
            self._admit_on_disk(job, live)

    def _admit_in_line(self, job: Job, live: Sequence[Job]) -> None:
        limits = self.limits
        if len(live) >= limits.queue:
            raise RunError(
                f"The line is full: {limits.queue} runs are under way or waiting, as many as this class may have. Try "
                "again when some of them have ended."
            )
        if sum(other.owner_hash == job.owner_hash for other in live) >= limits.queue_each:
            raise RunError(
                f"One browser may have {limits.queue_each} runs under way or in line here; a race counts a run for "
                "every contestant and seed. Wait until some of yours have ended, or stop them."
            )

    def _admit_on_disk(self, job: Job, live: Sequence[Job]) -> None:
        limits, runs = self.limits, self._runs()
        owners = {run.id: run.owner_hash for run in runs} | {other.id: other.owner_hash for other in live}
        if len(owners) >= limits.runs:
            raise RunError(
                f"The class has {limits.runs:,} runs on this server, as many as it may keep. Your teacher can delete "
                "some on the Class page."
            )
        if sum(owner == job.owner_hash for owner in owners.values()) >= limits.runs_each:
            raise RunError(
                f"You have {limits.runs_each:,} runs on this server, as many as one browser may keep here. Delete some "
                "on the Runs page."
            )

    def seed_for(self, config: RunConfig, owner: str, live: Sequence[Job]) -> int:
        """The seed of this browser's next run of that setting: its own, or one on if a run has that already.

        No two runs of one setting get the same, and a browser's first runs of two settings do: they are a fair pair.
        """
        others = [*(run.config for run in self._runs()), *(job.config for job in live)]
        taken = {other.seed for other in others if same_setting(other, config)}
        seed = own_seed(owner)
        while seed in taken:
            seed += NEXT_SEED
        return seed

    @property
    def task(self) -> dict[str, Any]:
        """What is locked for everybody: knob name -> value; empty without a task."""
        with self._lock:
            return dict(self._task)

    def set_task(self, locks: Mapping[str, Any]) -> None:
        """Lock these for everybody; with none, end the task. Raises `OSError` if it cannot be written down."""
        with self._lock:
            self._file.write(locks)
            self._task = dict(locks)

    def trust(self, owner: str) -> None:
        """For `TRUST_HOURS` no limit and no task holds for this browser: a teacher has logged in there."""
        with self._lock:
            self._trusted[owner] = self._clock() + TRUST_HOURS * 3600

    def distrust(self, owner: str) -> None:
        """The teacher has logged out."""
        with self._lock:
            self._trusted.pop(owner, None)

    def is_trusted(self, owner: str | None) -> bool:
        """Whether a teacher is logged in in this browser, so that no limit and no task holds for it."""
        with self._lock:
            return owner is not None and self._clock() < self._trusted.get(owner, -math.inf)

    def stop_all(self, queue: RunQueue) -> None:
        """Stop what runs, and empty the line."""
        stop_runs(queue, [job.id for job in queue.jobs()])

    def ids(self, group: Group | None = None) -> list[str]:
        """The runs that browsers have started, ended or not, newest first; of that group's setting only, if given."""
        return [run.id for run in self._runs() if group is None or setting_of(run.config) == group.setting]

    def delete(self, ids: Sequence[str]) -> list[str]:
        """Delete these runs. Returns a sentence for each that could not be deleted."""
        problems = []
        for id in ids:
            try:
                self.store.delete(id)
            except (RunError, OSError) as error:
                problems.append(str(error))
        self.pool.refresh()
        return problems

    def clear(self, queue: RunQueue) -> list[str]:
        """Stop and delete every run and race of the class. Returns a sentence for each run that is still there."""
        jobs = queue.jobs()
        self.stop_all(queue)
        deadline = time.monotonic() + STOP_SECONDS
        for job in jobs:
            job.join(max(0.0, deadline - time.monotonic()))
        races = RaceStore(self.store)
        for race in races.list():
            if race.owner_hash is not None:
                races.delete(race.id)
        return self.delete(self.ids())

    def _runs(self) -> list[RunSummary]:
        return [run for run in self.store.list() if isinstance(run, RunSummary) and run.owner_hash is not None]


def own_seed(owner: str) -> int:
    """A browser's own seed, 1 to `SEEDS`, always the same: runs of different browsers differ without anyone's doing."""
    return 1 + int(owner[:12], 16) % SEEDS

