"""`python -m mnist_lab train | sweep | study | predict | robustness | answer-time | bench | data`: no pages needed.

Results go to stdout as JSON, progress to stderr. Exit status: 2 for bad input, 1 for a failure, 130 when interrupted.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mnist_lab.config import KNOBS, ConfigError, RunConfig
from mnist_lab.config_forms import from_settings, title
from mnist_lab.events import Epoch, Event, Failed, Finished, Preparing, Started, Step, Stopped
from mnist_lab.predict import add_predict
from mnist_lab.presets import ALIASES, DEFAULT_PRESET, PRESETS, preset
from mnist_lab.runs.job import explain
from mnist_lab.runs.sweep import SweepError
from mnist_lab.study_command import add_study
from mnist_lab.sweep_command import add_sweep

BAD_INPUT, FAILURE, INTERRUPTED = 2, 1, 130


class BadInput(Exception):
    """What was asked for cannot be done; the message is one line that says what to do."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    options = parser().parse_args(arguments)
    try:
        return options.run(options)
    except (BadInput, ConfigError, SweepError) as error:
        say(f"mnist_lab: {error}")
        return BAD_INPUT
    except OSError as error:
        say(f"mnist_lab: {explain(error)}")
        return FAILURE
    except KeyboardInterrupt:
        say("mnist_lab: interrupted")
        return INTERRUPTED


def parser() -> argparse.ArgumentParser:
    """The options of every command."""
    root = argparse.ArgumentParser(prog="python -m mnist_lab", description=__doc__.split("\n")[0])
    commands = root.add_subparsers(required=True, metavar="COMMAND")
    train = commands.add_parser("train", help="train one network and keep the run")
    train.set_defaults(run=run_train)
    names = ", ".join([*PRESETS, *ALIASES])
    train.add_argument("--preset", action="append", metavar="NAME", help=f"one of {names} (default: {DEFAULT_PRESET})")
    train.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change a setting of the preset")
    train.add_argument("--seed", type=int, help="start of every random choice")
    train.add_argument("--out", type=Path, metavar="DIR", help="where runs are kept (default: MNIST_LAB_RUNS or runs/)")
    add_sweep(commands)
    add_study(commands)
    add_predict(commands)
    bench = commands.add_parser("bench", help="speed against the loop most people write")
    bench.set_defaults(run=run_bench)
    which = bench.add_mutually_exclusive_group()
    which.add_argument("--time-to-accuracy", action="store_true", help="instead: time to 99.4 %%; takes up to 2 hours")
    which.add_argument("--race", action="store_true", help="instead: time of a race of six settings on 1,000 images")
    which.add_argument(
        "--precision", choices=KNOBS["precision"].choices, default="auto", help="the lab's, beside the peer's float32"
    )
    bench.add_argument("--seeds", type=int, default=3, metavar="N", help="for the time to accuracy (default: 3)")
    bench.add_argument("--peer-epochs", type=int, metavar="N", help="give the peer up after so many (default: its 25)")
    data = commands.add_parser("data", help="which images are used, and whether they are complete")
    data.set_defaults(run=run_data)
    data.add_argument("--download", action="store_true", help="fetch MNIST if it is not there")
    return root


def say(text: str) -> None:
    """A line for a person, beside the results."""
    print(text, file=sys.stderr, flush=True)


def run_train(options: argparse.Namespace) -> int:
    """Train one network in the job's own thread, as the app does; the last line on stdout is its result."""
    names = options.preset or [DEFAULT_PRESET]
    if len(names) > 1:
        raise BadInput(f"train takes one --preset. For several: python -m mnist_lab sweep --preset {' '.join(names)}")
    config = from_settings(options.set, preset(names[0]).config)
    if options.seed is not None:
        config = config.replace(seed=options.seed)
    refuse_too_many_images(config)
    from mnist_lab.device import resolve_device
    from mnist_lab.runs.queue import RunQueue
    from mnist_lab.runs.store import RunStore

    resolve_device(config.device)
    queue = RunQueue(RunStore(options.out), workers=1)
    job = queue.submit(config)
    say(f"{title(config)} (seed {config.seed})")
    with Progress(config) as progress, _stop_on_signals(job.request_stop) as interrupted:
        seen = 0
        while not job.join(0.1) or seen < len(job.log):
            for event in job.log.since(seen):
                progress.show(event)
                seen += 1
    return report(job, queue.store, bool(interrupted))


def refuse_too_many_images(config: RunConfig) -> None:
    """Raise `BadInput` if a run would want more images than there are, which may have to be downloaded to be known."""
    from mnist_lab.data.files import data_status
    from mnist_lab.data.sizes import too_few_images

    status = data_status()
    problem = too_few_images(config.train_images, status["train"], config.validation, status["source"])
    if problem and not status["complete"]:
        from mnist_lab.data.mnist import load_mnist

        with Progress(config) as progress:
            data = load_mnist(progress=lambda message, _: progress.show(Preparing(message=message)))
        problem = too_few_images(config.train_images, len(data.train_images), config.validation, data.source)
        problem = problem and f"{problem} {data.note}".strip()
    if problem:
        raise BadInput(problem)


def report(job: Any, store: Any, interrupted: bool) -> int:
    """Print the result of an ended job and return the exit status."""
    last = job.log.last()
    if isinstance(last, Failed):
        say(f"mnist_lab: {last.message}")
        return FAILURE
    names = ("parameters", "epochs", "test_accuracy", "best_test_accuracy", "train_accuracy", "seconds", "device")
    print(json.dumps({"run": job.id} | {name: last.summary.get(name) for name in names}), flush=True)
    if interrupted:
        say(f"mnist_lab: stopped; what was trained is kept in {store.root / job.id}")
    return INTERRUPTED if interrupted else 0


class Progress:
    """A run's events as a progress bar on stderr and a line an epoch."""

    def __init__(self, config: RunConfig):
        self.config = config
        self.bar: Any = None

    def __enter__(self) -> Progress:
        from tqdm import tqdm

        form = "{l_bar}{bar}| {n:.1f}/{total} epochs [{elapsed}<{remaining}{postfix}]"
        self.bar = tqdm(total=self.config.epochs, file=sys.stderr, bar_format=form, leave=False)
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def show(self, event: Event) -> None:
        """Put one event on the screen."""
        match event:
            case Preparing(message=message):
                self.bar.set_postfix_str(message)
            case Started():
                self._started(event)
            case Step():
                self.bar.n = event.progress
                self.bar.set_postfix_str(f"{event.images_per_second:,.0f} images/s, loss {event.loss:.3f}")
            case Epoch():
                self.bar.n = event.epoch
                tested = "" if event.eval_accuracy is None else f"{event.eval_name} {event.eval_accuracy:.2f} %, "
                self.bar.write(
                    f"epoch {event.epoch}: train loss {event.train_loss:.4f}, train {event.train_accuracy:.2f} %, "
                    f"{tested}{event.seconds:.1f} s", file=sys.stderr,
                )
            case Finished() | Stopped() | Failed():
                pass

    def _started(self, event: Started) -> None:
        self.bar.n = self.bar.initial = event.first_epoch - 1
        data = event.data
        self.bar.write(
            f"{event.parameters:,} parameters, {data['train_images']:,} training images ({data['source']}: "
            f"{data['location']}), {event.device}, {event.precision}", file=sys.stderr,
        )
        if data["source"] == "sample":
            self.bar.write(f"NOTE: figures on the bundled sample are not comparable. {data['note']}", file=sys.stderr)


class _stop_on_signals:
    """While active, Ctrl-C and SIGTERM call `stop`, and a second one interrupts at once. The list holds what came."""

    def __init__(self, stop: Any):
        self.stop, self.came = stop, []

    def __enter__(self) -> list[int]:
        self.before = {number: signal.signal(number, self._handle) for number in (signal.SIGINT, signal.SIGTERM)}
        return self.came

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, _frame: object) -> None:
        if self.came:
            raise KeyboardInterrupt
        self.came.append(number)
        self.stop()


def run_bench(options: argparse.Namespace) -> int:
    """Measure, and print one JSON object."""
    from mnist_lab import bench
    from mnist_lab.data.mnist import DataError, load_mnist

    if options.seeds < 1 or (options.peer_epochs is not None and options.peer_epochs < 1):
        raise BadInput("--seeds and --peer-epochs must be at least 1.")
    try:
        data = load_mnist()
        bench.torchvision_root(data)  # refused before anything takes time
        if options.time_to_accuracy:
            result = bench.time_to_accuracy(data, say, options.seeds, options.peer_epochs)
        else:
            result = bench.race_time(data, say) if options.race else bench.bench(data, say, options.precision)
        print(json.dumps(result, indent=2))
    except DataError as error:
        raise BadInput(str(error)) from error
    return 0


def run_data(options: argparse.Namespace) -> int:
    """Print what there is, after a download if one was asked for."""
    from mnist_lab.data.files import data_status

    if options.download:
        from mnist_lab.data.mnist import load_mnist

        data = load_mnist(progress=lambda message, share: say(f"{message} {share:.0%}"), refresh=True)
        if data.is_sample:
            say(f"mnist_lab: {data.note}")
            return FAILURE
    print(json.dumps(data_status(), indent=2))
    return 0
