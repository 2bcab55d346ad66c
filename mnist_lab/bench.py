"""`python -m mnist_lab bench`: ratios against the peer loops, measured side by side in one process."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from mnist_lab.config import RunConfig
from mnist_lab.contestants import READY
from mnist_lab.data.mnist import DataError, Mnist, load_mnist
from mnist_lab.data.regime import make_regime
from mnist_lab.device import freeze_loaded, has_bfloat16, keep_freed_memory, resolve_device, resolve_precision
from mnist_lab.events import Epoch
from mnist_lab.peers import PeerLoop
from mnist_lab.presets import preset
from mnist_lab.runs.queue import RunQueue
from mnist_lab.runs.record import RunError
from mnist_lab.runs.store import RunStore
from mnist_lab.seeds_at_once import grouped_steps
from mnist_lab.trainer import Tally, Trainer
from mnist_lab.training import train

TARGET = 99.4  # per cent of the test images: what source B set out to reach
ROUNDS = 7
STEPS = 25  # a round; 25 batches of 128
SEEDS = 3  # of the time to accuracy
SEEDS_AT_ONCE = (4, 8)
RACE = "regularizers"  # of the ready-made ones
RACES = 3  # each way

Say = Callable[[str], None]


def bench(data: Mnist, say: Say, precision: str = "auto") -> dict[str, Any]:
    """Images a second of the lab's loop over the peer's, for networks A and B; what GBN costs beside BN, and what it
    brings to train several seeds as one network.

    Every figure is a median over interleaved rounds. `data` must be the full data set, as files on disk. `precision` is
    the lab's, as in a config; the peer's is float32.
    """
    keep_freed_memory()  # both sides run in this process, so both get it
    a, b = (preset(name).config.replace(precision=precision) for name in ("a-bn", "b-bn"))
    used = resolve_precision(precision, torch.device("cpu"))
    result: dict[str, Any] = {
        "machine": machine(), "precision": used, "rounds": ROUNDS, "steps_per_round": STEPS,
    }
    for name, config, augmented in (("network_b", b, False), ("network_a", a, True)):
        say(f"{name}: the lab's loop beside the peer's, {ROUNDS} rounds")
        peer = PeerLoop(config.replace(schedule="constant"), torchvision_root(data), augmented=augmented)
        rates = interleaved({"lab": lab_steps(config, data), "peer": peer.forever()}, config.batch_size)
        result[name] = {
            "lab_images_per_second": statistics.median(rates["lab"]),
            "peer_images_per_second": statistics.median(rates["peer"]),
            "ratio": median_ratio(rates["lab"], rates["peer"]),
        }
        say(f"{name}: {result[name]['ratio']:.2f} times the peer's images a second")
    say("ghost batch norm beside batch norm")
    loops = {"batch": lab_steps(b, data), "ghost": lab_steps(b.replace(norm="ghost", num_splits=4), data)}
    rates = interleaved(loops, b.batch_size, 2 * ROUNDS)
    result["ghost_over_batch_step_time"] = median_ratio(rates["batch"], rates["ghost"])
    say("several seeds as one network with grouped convolutions beside one after another")
    result["seeds_at_once"] = {
        str(count): seeds_at_once(b.replace(precision="float32"), data, range(count)) for count in SEEDS_AT_ONCE
    }
    return result


def seeds_at_once(config: RunConfig, data: Mnist, seeds: Sequence[int]) -> float:
    """How many times as fast the seeds are as one network, which is in float32, as a step of each in turn."""
    in_turn = zip(*[lab_steps(config.replace(seed=seed), data) for seed in seeds], strict=True)
    loops = {"grouped": grouped_steps(config, data, seeds), "in turn": in_turn}
    rates = interleaved(loops, config.batch_size * len(seeds), steps=max(1, STEPS // len(seeds)))
    return median_ratio(rates["grouped"], rates["in turn"])


def torchvision_root(data: Mnist) -> Path:
    """The folder that torchvision's MNIST wants as its root. Raises `DataError` for the bundled sample."""
    if data.is_sample:
        raise DataError(f"The benchmark needs the full data set as files. {data.note}")
    return Path(data.location).parents[1]  # without its MNIST/raw


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    cpu = torch.device("cpu")
    return {
        "cores": os.cpu_count(), "threads": torch.get_num_threads(), "torch": torch.__version__,
        "device": "cpu", "cpu_bfloat16": has_bfloat16(cpu),
        "cpu": torch.backends.cpu.get_cpu_capability(),
    }


def lab_steps(config: RunConfig, data: Mnist) -> Iterator[None]:
    """The lab's own loop without end, a step at a time; nothing is read from the device."""
    device = resolve_device("cpu")
    trainer = Trainer(config, make_regime(config, data), device, resolve_precision(config.precision, device))
    epoch = 0
    while True:
        epoch += 1
        tally = Tally(device)
        for batch in trainer.batches(1 + (epoch - 1) % config.epochs):
            trainer.step(batch, tally)
            yield


def interleaved(
    loops: dict[str, Iterator], images: int, rounds: int = ROUNDS, steps: int | None = None
) -> dict[str, list[float]]:
    """Images a second of each loop in each round; every round runs `steps` (`STEPS`) steps of `images` of each."""
    steps = steps or STEPS
    rates: dict[str, list[float]] = {name: [] for name in loops}
    for number in range(rounds + 1):
        for name, loop in loops.items():
            started = time.perf_counter()
            for _ in range(steps):
                next(loop)
            if number:  # the first round warms up
                rates[name].append(steps * images / (time.perf_counter() - started))
        freeze_loaded()
    return rates


def median_ratio(over: list[float], under: list[float]) -> float:
    """The median of the ratios round by round: what the machine did to both sides of a round cancels out."""
    return statistics.median(a / b for a, b in zip(over, under, strict=True))


def time_to_accuracy(
    data: Mnist, say: Say, seeds: int = SEEDS, peer_epochs: int | None = None
) -> dict[str, Any]:
    """Seconds to the end of the first epoch at or above `TARGET`: the lab's "fast" beside the peer's `b-bn`.

    Mean of the seeds 0, 1, ..., lab and peer in turn, both on the CPU; reading the images is part of the time. A run
    that never gets there counts with all its epochs, and the result says so: a lower bound for the peer, a failure for
    the lab. `peer_epochs` gives the peer up earlier.
    """
    root = torchvision_root(data)  # first: without it there is no peer
    recipe = preset("b-bn").config
    recipe = recipe.replace(epochs=peer_epochs or recipe.epochs)
    runs = []
    for seed in range(seeds):
        seconds, accuracy, epochs = lab_time(preset("fast").config.replace(seed=seed, device="cpu"), root)
        say(f"seed {seed}: lab {accuracy:.2f} % after {epochs} epochs, {seconds:.1f} s")
        run = {
            "seed": seed, "lab_seconds": seconds, "lab_accuracy": accuracy, "lab_epochs": epochs,
            "lab_reached": accuracy >= TARGET,
        }
        seconds, accuracy, epochs = peer_time(recipe.replace(seed=seed), root, say)
        say(f"seed {seed}: peer {accuracy:.2f} % after {epochs} epochs, {seconds:.1f} s")
        runs.append(run | {
            "peer_seconds": seconds, "peer_accuracy": accuracy, "peer_epochs": epochs,
            "peer_reached": accuracy >= TARGET,
        })
    lab, peer = (statistics.mean(run[side] for run in runs) for side in ("lab_seconds", "peer_seconds"))
    return {
        "machine": machine(), "target": TARGET, "runs": runs, "lab_seconds": lab, "peer_seconds": peer,
        "share_of_peer": lab / peer, "share_is_upper_bound": not all(run["peer_reached"] for run in runs),
        "lab_always_reached": all(run["lab_reached"] for run in runs),
    }


def lab_time(config: RunConfig, root: Path | str) -> tuple[float, float, int]:
    """Seconds, accuracy and number of the first epoch at or above `TARGET`, or of the last. `root` has the images."""
    started, epochs = time.perf_counter(), []
    data = load_mnist(root=root, refresh=True, download=False)

    def emit(event: Any) -> None:
        if isinstance(event, Epoch):
            epochs.append((time.perf_counter() - started, event.eval_accuracy, event.epoch))

    train(config, data, emit, lambda: bool(epochs) and epochs[-1][1] >= TARGET)
    return epochs[-1]


def peer_time(config: RunConfig, root: Path | str, say: Say) -> tuple[float, float, int]:
    """The same for the peer's loop, tested after every epoch as the lab is."""
    started = time.perf_counter()
    peer = PeerLoop(config, root)
    for epoch in range(1, config.epochs + 1):
        for _ in peer.epoch():
            pass
        accuracy = peer.test_accuracy()
        say(f"  peer, epoch {epoch}: {accuracy:.2f} %, {time.perf_counter() - started:.0f} s")
        if accuracy >= TARGET:
            break
    return time.perf_counter() - started, accuracy, epoch


def race_time(data: Mnist, say: Say, configs: Sequence[RunConfig] | None = None) -> dict[str, Any]:
    """Seconds of a race, by default the ready-made one of six settings on 1,000 images, with one seed.

    Side by side, as the Race page runs them, and one after another with all threads for each: medians, taken in turn.
    Raises `RunError` when a run fails.
    """
    configs = configs or [one.config for one in READY[RACE].contestants]
    seconds: dict[int, list[float]] = {len(configs): [], 1: []}
    with tempfile.TemporaryDirectory(prefix="mnist-lab-race-") as folder:
        queue = RunQueue(RunStore(folder), workers=1, load_data=lambda progress: data)
        for number in range(RACES):
            for abreast, taken in seconds.items():
                started = time.perf_counter()
                group = f"race {number}" if abreast > 1 else None
                jobs = [queue.submit(config, group=group, abreast=abreast) for config in configs]
                for job in jobs:
                    job.join()
                taken.append(time.perf_counter() - started)
                if failed := [job for job in jobs if job.state != "finished"]:
                    raise RunError(f"The run {failed[0].name} did not finish: {failed[0].log.last()}")
                say(f"{len(configs)} runs, {abreast} at a time: {taken[-1]:.1f} s")
        queue.shutdown()
    side_by_side, in_turn = seconds.values()
    return {
        "machine": machine(), "runs": len(configs), "rounds": RACES, "seconds": statistics.median(side_by_side),
        "one_after_another_seconds": statistics.median(in_turn), "ratio": median_ratio(in_turn, side_by_side),
    }
