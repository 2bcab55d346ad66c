"""A sweep: many runs on several workers, resumable after a kill at any moment.

It talks to a `concurrent.futures.Executor`. Local worker processes write the runs where they belong, checkpoints
included, so that a killed run goes on; the workers of a Dask cluster need only the package and the data, and send the
ended run's files back.
"""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, ProcessPoolExecutor, wait
from contextlib import AbstractContextManager
from pathlib import Path

from mnist_lab.config import ALL, RunConfig
from mnist_lab.config_forms import title
from mnist_lab.data.sizes import max_train_images, validation_size
from mnist_lab.presets import preset_of
from mnist_lab.runs.record import HISTORY, PART, RunError, RunSummary
from mnist_lab.runs.store import RunStore
from mnist_lab.runs.sweep_worker import Outcome, Task, run_elsewhere, run_here, start_worker
from mnist_lab.runs.writer import write_folder

POLL_SECONDS = 1.0
MAX_BREAKS = 3  # pools of workers lost in a row, with no run ended in between, before the rest is given up
TEST_COST = 1 / 3  # of an image, in images trained on: the way there without the way back, which takes twice as long

Submit = Callable[[Task], "Future[Outcome]"]
Workers = Callable[[], AbstractContextManager[Submit]]


class SweepError(Exception):
    """The sweep cannot begin, or not on those workers. The message says what to do."""


def tasks_for(settings: Mapping[str, RunConfig], seeds: Sequence[int]) -> list[Task]:
    """Every setting with every seed; seed by seed, so that a sweep cut short has few seeds of all settings."""
    about = {name: (title(config), preset_of(config)) for name, config in settings.items()}  # the same for every seed
    return [
        Task(f"{name}-seed-{seed}", config.replace(seed=seed), f"{about[name][0]}, seed {seed}", about[name][1])
        for seed in seeds
        for name, config in settings.items()
    ]


def left_to_do(tasks: Sequence[Task], store: RunStore, checksum: str) -> list[Task]:
    """The tasks that are not finished. A run that failed or was stopped is deleted first: it is done anew.

    Raises `SweepError` for a run of a task's id that has other settings or saw other data than the one with
    `checksum`, or that cannot be read: it is left as it is.
    """
    known = {run.id: run for run in store.list()}
    left = []
    for task in tasks:
        run = known.get(task.id)
        if run is not None:
            _check_belongs(task, run, checksum)
            if run.status in ("failed", "stopped"):
                store.delete(run.id)
        if run is None or run.status != "finished":
            left.append(task)
    return left


def _check_belongs(task: Task, run, checksum: str) -> None:
    if not isinstance(run, RunSummary):
        raise SweepError(f"{run.folder} is damaged. {run.reason} Delete it, or choose another folder with --out.")
    if run.config != task.config:
        raise SweepError(
            f"{run.folder} has other settings than {task.id} has now. Delete it, or choose another folder with --out."
        )
    if run.data and run.data.get("checksum") != checksum:
        raise SweepError(
            f"{run.folder} saw other images ({run.data.get('source')}) than there are now. Bring them back, or choose "
            "another folder with --out."
        )


def sweep(
    tasks: Sequence[Task], workers: Workers, store: RunStore, on_outcome: Callable[[Outcome], None],
    on_tick: Callable[[], None] = lambda: None,
) -> None:
    """Bring every task to its end and report each once through `on_outcome`, when it ends.

    When a pool of workers breaks because one was killed, what had not ended goes to a new pool. `on_tick` is called
    about once a second.
    """
    left, breaks = list(tasks), 0
    while left:
        before = len(left)
        with workers() as submit:
            futures = _submit_all(submit, left)
            for future in _as_they_end(futures, on_tick):
                if future.cancelled() or not isinstance(future.exception(), BrokenExecutor):
                    left.remove(futures[future])
                    on_outcome(_keep(store, futures[future], future))
        breaks = breaks + 1 if len(left) == before else 0
        if breaks == MAX_BREAKS:
            for task in left:
                on_outcome(Outcome(task.id, "failed", "Its worker died again and again. Is there enough memory?"))
            return


def _submit_all(submit: Submit, tasks: Sequence[Task]) -> dict[Future, Task]:
    futures: dict[Future, Task] = {}
    with contextlib.suppress(BrokenExecutor):  # so are the futures there are, and the caller looks at those
        for task in tasks:
            futures[submit(task)] = task
    return futures


def _as_they_end(futures: Mapping[Future, Task], on_tick: Callable[[], None]) -> Iterator[Future]:
    pending = set(futures)
    while pending:
        ended, pending = wait(pending, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
        yield from ended
        on_tick()


def _keep(store: RunStore, task: Task, future: Future[Outcome]) -> Outcome:
    """How the task ended, with the files that came back, if any, in the store."""
    if future.cancelled():  # not by us
        return Outcome(task.id, "failed", "The cluster dropped it. Is its scheduler there? Run the command again.")
    if error := future.exception():
        return Outcome(task.id, "failed", f"{type(error).__name__}: {error}")
    outcome = future.result()
    if outcome.files:
        try:
            write_folder(store.root, task.id, outcome.files)
        except (OSError, RunError) as error:
            return Outcome(task.id, "failed", f"It ended, and could not be kept: {error}")
    return outcome


def local_workers(root: Path, checksum: str, count: int, threads: int = 1) -> Workers:
    """`count` processes on this machine with `threads` each; they end when the sweep does, killed or not."""

    @contextlib.contextmanager
    def pool() -> Iterator[Submit]:
        spawn = multiprocessing.get_context("spawn")  # a forked child of a process that has used torch may hang
        stop = spawn.Event()
        with ProcessPoolExecutor(
            count, mp_context=spawn, initializer=start_worker, initargs=(stop, threads)
        ) as executor:
            try:
                yield lambda task: executor.submit(run_here, task, root, checksum, threads)
            except BaseException:
                stop.set()
                executor.shutdown(cancel_futures=True)
                raise

    return pool


def dask_workers(address: str, checksum: str, threads: int = 1) -> Workers:
    """The workers of the Dask cluster whose scheduler is at `address`; a lost worker's task goes to another.

    Raises `SweepError` without the package `distributed`, or when nobody answers.
    """

    @contextlib.contextmanager
    def cluster() -> Iterator[Submit]:
        try:
            from distributed import Client
        except ImportError as error:
            raise SweepError("A Dask cluster needs the package distributed: pip install distributed") from error
        try:
            client = Client(address, timeout="10s")
        except (OSError, ValueError) as error:
            raise SweepError(f"No Dask scheduler answers at {address}: {error}") from error
        with client:
            executor = client.get_executor(pure=False)
            try:
                yield lambda task: executor.submit(run_elsewhere, task, checksum, threads)
            finally:
                executor.shutdown(wait=False)  # what has not ended is cancelled

    return cluster


def default_workers() -> int:
    """One process a core that this process may use; one alone where there is a GPU, which they would share."""
    from mnist_lab.device import resolve_device

    if resolve_device("auto").type != "cpu":
        return 1
    return cores()


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def work(task: Task, train_images: int, test_images: int) -> float:
    """What a task costs, in images trained on, on a data set of that many: for the time left."""
    config = task.config
    images = max_train_images(train_images, config.validation) if config.train_images == ALL else config.train_images
    tests = math.ceil(config.epochs / config.eval_every)  # one after the last epoch in any case
    tested = tests * test_images
    if config.validation:
        tested = tests * validation_size(train_images) + test_images  # the test set once, at the end
    return config.epochs * images + TEST_COST * tested


def epochs_so_far(root: Path, task: Task) -> int:
    """How many epochs of a task that is under way in `root` are done."""
    try:
        return (root / f"{task.id}{PART}" / HISTORY).read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0
