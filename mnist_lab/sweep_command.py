"""`python -m mnist_lab sweep`: presets or a study, with several seeds, on all cores or a Dask cluster."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnist_lab.config import RunConfig
from mnist_lab.config_forms import from_settings
from mnist_lab.data.sizes import too_few_images
from mnist_lab.knobs import shown
from mnist_lab.presets import ALIASES, preset
from mnist_lab.runs.store import RunStore
from mnist_lab.runs.sweep import (
    SweepError,
    Task,
    Workers,
    cores,
    dask_workers,
    default_workers,
    epochs_so_far,
    left_to_do,
    local_workers,
    sweep,
    tasks_for,
    work,
)
from mnist_lab.runs.sweep_worker import Outcome
from mnist_lab.studies import SHIPPED_SEED, STUDIES, Plan

if TYPE_CHECKING:
    from mnist_lab.data.mnist import Mnist

FAILURE = 1
MAX_SEEDS = 10_000
PER_CORE = 4  # more processes or threads than that for each core wait for one another, and memory runs out
MAX_THREADS_ELSEWHERE = 1_024  # on a cluster, of whose machines nothing is known here


def add_sweep(commands: Any) -> None:
    """Add the command and its options."""
    command = commands.add_parser("sweep", help="train presets or a study with several seeds; goes on after a kill")
    command.set_defaults(run=run_sweep)
    command.add_argument("--preset", nargs="+", action="extend", default=[], metavar="NAME", help="presets to train")
    command.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change a setting of all")
    command.add_argument(
        "--study", action="append", choices=list(STUDIES), help="instead: all settings and seeds of a study"
    )
    command.add_argument("--seeds", metavar="N", help="how many, from 0; or FIRST-LAST (default: 5)")
    add_workers(command)


def add_workers(command: argparse.ArgumentParser) -> None:
    """The options of every command that sweeps: where the runs are, and who trains them.

    Numbers stay text, for `run_tasks` to refuse in one line: argparse would print its usage before it.
    """
    command.add_argument("--out", type=Path, metavar="DIR", help="folder of runs (default: MNIST_LAB_RUNS or runs/)")
    command.add_argument("--workers", metavar="N", help="processes (default: one a core)")
    command.add_argument("--threads", default="1", metavar="N", help="threads of a process (default: 1)")
    command.add_argument("--dask", metavar="ADDRESS", help="a Dask scheduler, such as tcp://host:8786")


def seeds(text: str) -> range:
    """The seeds meant by "5" (0 to 4) or "10-14". Raises `SweepError`."""
    found = re.fullmatch(r"(\d{1,10})(?:-(\d{1,10}))?", text)  # the largest seed has ten digits
    first, last = (int(found[1]), int(found[2])) if found and found[2] else (0, int(found[1]) - 1 if found else -1)
    if not 0 <= last - first < MAX_SEEDS:
        raise SweepError(
            f"--seeds must be a number from 1 to {MAX_SEEDS:,}, such as 5, or a range of at most so many, such as "
            f"10-14, not {shown(text)}."
        )
    return range(first, last + 1)


def _count(option: str, text: str, is_here: bool = True) -> int:
    """The number of processes or threads given for an option. Raises `SweepError` for one that cannot be borne."""
    most = PER_CORE * cores() if is_here else MAX_THREADS_ELSEWHERE
    number = int(text) if re.fullmatch(r"\d{1,9}", text) else 0
    if not 1 <= number <= most:
        why = f" ({PER_CORE} for each core of this machine)" if is_here else ""
        raise SweepError(f"{option} must be a whole number from 1 to {most:,}{why}, not {shown(text)}.")
    return number


def planned(options: argparse.Namespace) -> list[Task]:
    """The tasks that were asked for. Raises `ConfigError` and `SweepError`."""
    if bool(options.preset) == bool(options.study):
        raise SweepError("Say what to train: --preset NAME... or --study NAME.")
    if options.study and options.set:
        raise SweepError("A study's settings are its own: --set goes with --preset.")
    asked = seeds(options.seeds) if options.seeds is not None else None
    if options.study:
        if len(options.study) > 1:
            raise SweepError("A sweep takes one --study. For several: python -m mnist_lab study NAME NAME...")
        return study_tasks(STUDIES[options.study[0]], asked)
    names = dict.fromkeys(ALIASES.get(name, name) for name in options.preset)
    settings = {name: _setting(options.set, preset(name).config) for name in names}
    return tasks_for(settings, asked or range(5))


def _setting(changes: list[str], base: RunConfig) -> RunConfig:
    """`base` with the changes. Raises `SweepError` for a seed, which would be lost, and `ConfigError`."""
    config = from_settings(changes, base)
    if any(change.partition("=")[0].strip() == "seed" for change in changes):
        raise SweepError(f"The seeds of a sweep are set with --seeds {config.seed}-{config.seed}.")
    return config


def study_tasks(plan: Plan, seeds: Sequence[int] | None = None) -> list[Task]:
    """The tasks of a study; those whose runs ship come first."""
    shipped = [SHIPPED_SEED] if plan.ships else []
    return tasks_for(plan.settings, seeds or list(dict.fromkeys([*shipped, *plan.seeds])))


def run_sweep(options: argparse.Namespace) -> int:
    """Train what was asked for and is not there yet; the exit status."""
    return run_tasks(planned(options), options)


def run_tasks(tasks: Sequence[Task], options: argparse.Namespace) -> int:
    """Train the tasks that are not finished, a line on stdout for each run that ends; the exit status."""
    from mnist_lab.data.mnist import load_mnist

    workers = _workers(options)  # refused before anything takes time
    data = load_mnist(progress=lambda message, share: print(f"{message} {share:.0%}", file=sys.stderr))
    if data.is_sample:
        print(f"NOTE: figures on the bundled sample are not comparable. {data.note}", file=sys.stderr)
    _refuse_impossible(tasks, data, is_here=not options.dask)
    store = RunStore(options.out)
    left = left_to_do(tasks, store, data.checksum)
    failed: list[Outcome] = []
    with Bar(tasks, left, store.root, data) as bar:
        def ended(outcome: Outcome) -> None:
            bar.ended(outcome)
            if outcome.status != "finished":
                failed.append(outcome)

        sweep(left, workers(store.root, data.checksum), store, ended, bar.tick)
    for outcome in failed:
        print(f"mnist_lab: {outcome.id} {outcome.status}: {outcome.message}", file=sys.stderr)
    return FAILURE if failed else 0


def _refuse_impossible(tasks: Sequence[Task], data: Mnist, is_here: bool) -> None:
    """Raise `SweepError` or `ConfigError` for what is bound to fail: more images than there are, or, where this machine
    does the training, a device that it does not have."""
    from mnist_lab.device import resolve_device

    for config in (task.config for task in tasks):
        if text := too_few_images(config.train_images, len(data.train_images), config.validation, data.source):
            raise SweepError(text)
        if is_here:
            resolve_device(config.device)


def _workers(options: argparse.Namespace) -> Callable[[Path, str], Workers]:
    """What makes the workers that were asked for, from the folder of runs and the data's checksum.

    Raises `SweepError` for numbers of them that cannot be.
    """
    threads = _count("--threads", options.threads, is_here=not options.dask)
    workers = None if options.workers is None else _count("--workers", options.workers)
    if options.dask:
        return lambda _, checksum: dask_workers(options.dask, checksum, threads)
    return lambda root, checksum: local_workers(root, checksum, workers or default_workers(), threads)


class Bar:
    """All runs as one bar on stderr with the time left, and a line of JSON on stdout for each that ends."""

    def __init__(self, tasks: Sequence[Task], left: Sequence[Task], root: Path, data: Mnist):
        self.root, self.data, self.total, self.there = root, data, len(tasks), len(tasks) - len(left)
        self.under_way, self.work_ended = {task.id: task for task in left}, 0.0
        self.begun = {task.id: epochs_so_far(root, task) for task in left}  # the time left counts what is done now

    def __enter__(self) -> Bar:
        from tqdm import tqdm

        form = "{percentage:3.0f}%|{bar}| [{elapsed}<{remaining}{postfix}]"
        total = sum(self._work(task, task.config.epochs) for task in self.under_way.values())
        self.bar = tqdm(total=max(total, 1.0), file=sys.stderr, bar_format=form)
        self._show()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def tick(self) -> None:
        """Look at how far the runs under way are."""
        done = sum(self._work(task, epochs_so_far(self.root, task)) for task in self.under_way.values())
        self.bar.n = min(self.work_ended + done, self.bar.total)
        self.bar.refresh()

    def ended(self, outcome: Outcome) -> None:
        """Say that a run ended."""
        task = self.under_way.pop(outcome.id)
        self.work_ended += self._work(task, task.config.epochs)
        self.there += outcome.status == "finished"
        result = {"run": outcome.id, "status": outcome.status, "test_accuracy": outcome.test_accuracy}
        with self.bar.external_write_mode(file=sys.stdout):
            print(json.dumps(result | {"seconds": round(outcome.seconds, 1)}), flush=True)
        self._show()

    def _show(self) -> None:
        self.bar.set_postfix_str(f"{self.there} of {self.total} runs finished")

    def _work(self, task: Task, epochs: int) -> float:
        """What it takes from where the sweep found the task to so many epochs of it."""
        whole = work(task, len(self.data.train_images), len(self.data.test_images))
        return whole * (epochs - self.begun[task.id]) / task.config.epochs
