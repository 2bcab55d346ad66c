"""The rows of the list of runs. Pure Python: the store's runs and the queue's jobs, in one order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mnist_lab.config import RunConfig
from mnist_lab.runs.job import Job
from mnist_lab.runs.queue import RunQueue
from mnist_lab.runs.record import BadRun, RunSummary
from mnist_lab.runs.store import RunStore
from mnist_lab.ui import run_text
from mnist_lab.ui.run_find import LIVE
from mnist_lab.ui.run_model import look


@dataclass(frozen=True, kw_only=True)
class RunRow:
    """One run as the list shows it. Accuracies in per cent, None where there is none (yet).

    `state` is as in `run_find.FoundRun`; `done` is the share of its epochs (0 to 1); `started` is ISO 8601, UTC, and
    empty for a run in line; `seconds` is known only at the end.
    """

    id: str
    name: str
    config: RunConfig
    preset: str | None
    state: str
    done: float
    test_accuracy: float | None
    train_accuracy: float | None
    started: str
    seconds: float | None

    @property
    def state_text(self) -> str:
        """The state in a word, with the share done of a run that goes."""
        label = run_text.STATES[self.state][0]
        return f"{label}, {100 * self.done:.0f} %" if self.state == "running" else label


def list_runs(queue: RunQueue, store: RunStore) -> tuple[list[RunRow], list[BadRun]]:
    """Every run: those in line (the next to start last), then those on disk, newest first; and the damaged folders."""
    jobs = {job.id: job for job in queue.jobs() if job.state in LIVE}
    entries = store.list()
    rows = [_stored(entry, jobs.get(entry.id)) for entry in entries if isinstance(entry, RunSummary)]
    known = {row.id for row in rows}
    waiting = [_of_job(job) for job in jobs.values() if job.id not in known]
    return [*reversed(waiting), *rows], [entry for entry in entries if isinstance(entry, BadRun)]


def is_anything_live(rows: Sequence[RunRow]) -> bool:
    """Whether the list changes by itself."""
    return any(row.state in LIVE for row in rows)


def _of_job(job: Job) -> RunRow:
    return RunRow(
        id=job.id, name=job.name, config=job.config, preset=job.preset, state=job.state, done=0.0,
        test_accuracy=None, train_accuracy=None, started="", seconds=None,
    )


def _stored(run: RunSummary, job: Job | None) -> RunRow:
    done = run.epochs_done / run.config.epochs
    return RunRow(
        id=run.id, name=run.name, config=run.config, preset=run.preset, state=job.state if job else run.status,
        done=look(job.log).fraction if job else done,
        test_accuracy=run.summary.get("test_accuracy"), train_accuracy=run.summary.get("train_accuracy"),
        started=run.timings["started"], # Known only at the end.
        seconds=run.timings["seconds"] or None,
    )
