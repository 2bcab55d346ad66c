"""Everything the page needs to know of one run, wherever it is: in line, running, ended, or on disk only."""

from __future__ import annotations

from dataclasses import dataclass

from mnist_lab.config import RunConfig
from mnist_lab.runs.job import Job
from mnist_lab.runs.queue import RunQueue
from mnist_lab.runs.record import RunError, RunRecord, replay
from mnist_lab.runs.store import RunStore
from mnist_lab.ui.run_model import Progress, look, progress_of

LIVE = ("queued", "running")


@dataclass(frozen=True, kw_only=True)
class FoundRun:
    """A run as it is at this moment. `position` is its place in line (0: none).

    `state` is a job's state or a record's status. `record` is None while the run goes in this process, and for
    one that ended before it was written. `job` is None for a run that is not known to this process.
    """

    id: str
    name: str
    config: RunConfig
    state: str
    progress: Progress
    position: int = 0
    preset: str | None = None
    job: Job | None = None
    record: RunRecord | None = None

    @property
    def is_live(self) -> bool:
        """Whether there is more to come."""
        return self.state in LIVE


def find_run(id: str, queue: RunQueue, store: RunStore) -> FoundRun:
    """The run of that id. Raises `RunError` if there is none, any more or at all, or it cannot be read."""
    job = queue.job(id)
    if job is None:
        return _on_disk(store.load(id))
    state, progress = job.state, look(job.log)
    if state in LIVE:
        return _of_job(job, state, progress, queue.position(job))
    if not store.exists(id) and _left_a_record(progress):
        raise RunError(f"The run {job.name!r} was deleted, perhaps in another tab.")
    if not store.exists(id):
        return _of_job(job, state, progress)
    return _on_disk(store.load(id), job, progress)


def _left_a_record(progress: Progress) -> bool:
    """Whether a run that ended must have been on disk: not if it never began."""
    return progress.started is not None


def _of_job(job: Job, state: str, progress: Progress, position: int = 0) -> FoundRun:
    return FoundRun(
        id=job.id, name=job.name, config=job.config, preset=job.preset, state=state, progress=progress,
        position=position, job=job,
    )


def _on_disk(record: RunRecord, job: Job | None = None, progress: Progress | None = None) -> FoundRun:
    return FoundRun(
        id=record.id, name=record.name, config=record.config, preset=record.preset, state=record.status,
        progress=progress or progress_of(replay(record)), job=job, record=record,
    )
