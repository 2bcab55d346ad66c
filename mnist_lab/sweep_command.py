"""`python -m mnist_lab sweep`: presets or a study, with several seeds, on all cores or a Dask cluster."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnist_lab.config_forms import from_settings
from mnist_lab.data.sizes import too_few_images
from mnist_lab.presets import ALIASES, preset
from mnist_lab.runs.store import RunStore
from mnist_lab.runs.sweep import (
    SweepError,
    Task,
    Workers,
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


def add_sweep(commands: Any) -> None:
    """Add the command and its options."""
    command = commands.add_parser("sweep", help="train presets or a study with several seeds; goes on after a kill")
    command.set_defaults(run=run_sweep)
    command.add_argument("--preset", nargs="+", default=[], metavar="NAME", help="presets to train")
    command.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change a setting of all")
    command.add_argument("--study", choices=list(STUDIES), help="instead: all settings and seeds of a study")
    command.add_argument("--seeds", type=seeds, metavar="N", help="how many, from 0; or FIRST-LAST (default: 5)")
    add_workers(command)


def add_workers(command: argparse.ArgumentParser) -> None:
    """The options of every command that sweeps: where the runs are, and who trains them."""
    command.add_argument("--out", type=Path, metavar="DIR", help="folder of runs (default: MNIST_LAB_RUNS or runs/)")
    command.add_argument("--workers", type=int, metavar="N", help="processes (default: one a core)")
    command.add_argument("--threads", type=int, default=1, metavar="N", help="threads of a process (default: 1)")
    command.add_argument("--dask", metavar="ADDRESS", help="a Dask scheduler, such as tcp://host:8786")


def seeds(text: str) -> list[int]:
    """The seeds meant by "5" (0 to 4) or "10-14"."""
    found = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", text)
    first, last = (int(found[1]), int(found[2])) if found and found[2] else (0, int(found[1]) - 1 if found else -1)
    if last < first:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number, such as 5, nor a range, such as 10-14")
    return list(range(first, last + 1))


def planned(options: argparse.Namespace) -> list[Task]:
    """The tasks that were asked for. Raises `ConfigError` and `SweepError`."""
    if bool(options.preset) == bool(options.study):
        raise SweepError("Say what to train: --preset NAME... or --study NAME.")
    if options.study and options.set:
        raise SweepError("A study's settings are its own: --set goes with --preset.")
    if options.study:
        return study_tasks(STUDIES[options.study], options.seeds)
    names = dict.fromkeys(ALIASES.get(name, name) for name in options.preset)
    settings = {name: from_settings(options.set, preset(name).config) for name in names}
    return tasks_for(settings, options.seeds or range(5))


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

    if (options.workers is not None and options.workers < 1) or options.threads < 1:
        raise SweepError("--workers and --threads must be at least 1.")
    data = load_mnist(progress=lambda message, share: print(f"{message} {share:.0%}", file=sys.stderr))
    if data.is_sample:
        print(f"NOTE: figures on the bundled sample are not comparable. {data.note}", file=sys.stderr)
    _refuse_impossible(tasks, data, is_here=not options.dask)
    store = RunStore(options.out)
    left = left_to_do(tasks, store, data.checksum)
    failed: list[Outcome] = []
    with Bar(tasks, left, store.root, len(data.train_images)) as bar:
        def ended(outcome: Outcome) -> None:
            bar.ended(outcome)
            if outcome.status != "finished":
                failed.append(outcome)

        sweep(left, _workers(options, store.root, data.checksum), store, ended, bar.tick)
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


def _workers(options: argparse.Namespace, root: Path, checksum: str) -> Workers:
    if options.dask:
        return dask_workers(options.dask, checksum, options.threads)
    return local_workers(root, checksum, options.workers or default_workers(), options.threads)


class Bar:
    """All runs as one bar on stderr with the time left, and a line of JSON on stdout for each that ends."""

    def __init__(self, tasks: Sequence[Task], left: Sequence[Task], root: Path, images: int):
        self.root, self.images, self.total, self.there = root, images, len(tasks), len(tasks) - len(left)
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
        return work(task, self.images) * (epochs - self.begun[task.id]) / task.config.epochs
