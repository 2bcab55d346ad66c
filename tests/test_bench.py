"""What the benchmark computes, on tiny data; no time is asserted."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import pytest

from mnist_lab import bench
from mnist_lab.config import RunConfig
from mnist_lab.contestants import READY
from mnist_lab.data.mnist import DataError, load_sample
from mnist_lab.presets import preset
from mnist_lab.runs.record import RunError

TINY = RunConfig(train_images=100, batch_size=50, epochs=2, dropout=0.05, device="cpu")


@pytest.fixture
def tiny():
    whole = load_sample()
    return dataclasses.replace(whole, test_images=whole.test_images[:50], test_labels=whole.test_labels[:50])


def test_rounds_are_interleaved_and_the_first_is_a_warm_up(monkeypatch):
    monkeypatch.setattr(bench, "STEPS", 3)
    order = []
    loops = {name: map(order.append, itertools.repeat(name)) for name in ("lab", "peer")}
    rates = bench.interleaved(loops, 128, rounds=2)
    assert order == (["lab"] * 3 + ["peer"] * 3) * 3
    assert {name: len(each) for name, each in rates.items()} == {"lab": 2, "peer": 2}
    assert all(rate > 0 for each in rates.values() for rate in each)


def test_fewer_steps_a_round_are_counted_as_such(monkeypatch):
    clock = itertools.count(step=0.5)
    monkeypatch.setattr(bench.time, "perf_counter", lambda: next(clock))
    loop = itertools.count()
    assert bench.interleaved({"lab": loop}, 128, rounds=1, steps=4) == {"lab": [4 * 128 / 0.5]}
    assert next(loop) == 2 * 4


def test_seeds_at_once_take_the_same_steps_as_one_after_another(tiny, monkeypatch):
    seen = {}

    def interleaved(loops, images, steps):
        for loop in loops.values():
            next(loop)
        seen.update(images=images, steps=steps, names=set(loops))
        return {"grouped": [8.0, 9.0], "in turn": [10.0, 10.0]}

    monkeypatch.setattr(bench, "interleaved", interleaved)
    assert bench.seeds_at_once(TINY, tiny, range(3)) == pytest.approx(0.85), "below 1: it does not pay"
    assert seen == {"images": 3 * 50, "steps": bench.STEPS // 3, "names": {"grouped", "in turn"}}


def test_a_rate_is_images_over_seconds(monkeypatch):
    clock = itertools.count(step=0.5)
    monkeypatch.setattr(bench.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(bench, "STEPS", 10)
    assert bench.interleaved({"lab": itertools.count()}, 128, rounds=1) == {"lab": [10 * 128 / 0.5]}


def test_the_ratio_is_taken_round_by_round():
    assert bench.median_ratio([2, 9, 40], [1, 3, 10]) == 3
    assert bench.median_ratio([10, 1], [5, 1]) == 1.5, "a slow round slows both sides"
    with pytest.raises(ValueError):
        bench.median_ratio([1], [1, 2])


def test_the_root_is_torchvisions(tiny, tmp_path):
    files = dataclasses.replace(tiny, source="folder", location=str(tmp_path / "MNIST" / "raw"))
    assert bench.torchvision_root(files) == tmp_path == Path(tmp_path)
    with pytest.raises(DataError, match=r"needs the full data set as files\. Because\."):
        bench.torchvision_root(dataclasses.replace(tiny, note="Because."))


def test_the_labs_loop_goes_on_after_its_last_epoch(tiny):
    steps = bench.lab_steps(TINY, tiny)
    for _ in range(7):  # two steps an epoch, two epochs
        assert next(steps) is None


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_both_networks_and_ghosts_are_measured_in_the_precision_asked_for(tiny, monkeypatch, precision):
    loops = []
    rates = {"lab": [6.0], "peer": [2.0], "batch": [5.0], "ghost": [4.0]}
    monkeypatch.setattr(bench, "interleaved", lambda given, *_: {name: rates[name] for name in given})
    monkeypatch.setattr(bench, "torchvision_root", lambda data: "root")
    monkeypatch.setattr(bench, "lab_steps", lambda config, data: loops.append(config))
    monkeypatch.setattr(bench, "PeerLoop", lambda *_, **__: type("Peer", (), {"forever": lambda self: None})())
    monkeypatch.setattr(bench, "seeds_at_once", lambda config, data, seeds: (config.precision, len(seeds)))
    found = bench.bench(tiny, lambda text: None, precision)
    assert [(c.network, c.norm, c.precision) for c in loops] == [
        ("b", "batch", precision), ("a", "batch", precision), ("b", "batch", precision), ("b", "ghost", precision),
    ]
    assert found["network_a"]["ratio"] == found["network_b"]["ratio"] == 3.0 and found["precision"] == precision
    assert found["ghost_over_batch_step_time"] == 1.25
    assert found["seeds_at_once"] == {"4": ("float32", 4), "8": ("float32", 8)}


def test_the_machine_is_described():
    assert set(bench.machine()) == {"cores", "threads", "torch", "device", "cpu_bfloat16", "cpu"}


@pytest.mark.parametrize(("target", "epochs"), [(0.0, 1), (101.0, 2)])
def test_the_time_is_that_of_the_first_epoch_that_gets_there_or_of_the_last(tiny, monkeypatch, target, epochs):
    monkeypatch.setattr(bench, "TARGET", target)
    monkeypatch.setattr(bench, "load_mnist", lambda **asked: {"where": tiny}[asked["root"]])
    seconds, accuracy, epoch = bench.lab_time(TINY, "where")
    assert epoch == epochs and 0 <= accuracy <= 100 and seconds > 0


@pytest.mark.parametrize(("target", "epochs"), [(50.0, 2), (101.0, 3)])
def test_the_peers_time_too(monkeypatch, target, epochs):
    class Peer:
        def __init__(self, *_):
            self.trained = 0

        def epoch(self):
            self.trained += 1
            yield 1.0

        def test_accuracy(self):
            return 30.0 * self.trained

    monkeypatch.setattr(bench, "PeerLoop", Peer)
    monkeypatch.setattr(bench, "TARGET", target)
    said = []
    seconds, accuracy, epoch = bench.peer_time(TINY.replace(epochs=3), "nowhere", said.append)
    assert (accuracy, epoch, len(said)) == (30.0 * epochs, epochs, epochs) and seconds > 0


@pytest.mark.parametrize(("asked", "granted"), [(None, 25), (12, 12)])
def test_the_share_is_of_the_means_and_bounds_are_called_bounds(tiny, monkeypatch, asked, granted):
    trained = []
    monkeypatch.setattr(bench, "torchvision_root", lambda data: "root")
    monkeypatch.setattr(bench, "lab_time", lambda config, root: (trained.append(config), (10.0, 99.45, 5))[1])
    peer = iter([(100.0, 99.4, 20), (200.0, 99.39, 25), (300.0, 99.41, 22)])
    monkeypatch.setattr(bench, "peer_time", lambda config, root, say: (trained.append(config), next(peer))[1])
    found = bench.time_to_accuracy(tiny, lambda text: None, 3, asked)
    fast, recipe = preset("fast").config, preset("b-bn").config
    assert [config.seed for config in trained] == [0, 0, 1, 1, 2, 2], "lab and peer in turn, the same seeds"
    assert [config.epochs for config in trained] == 3 * [fast.epochs, granted], "each peer gets all of its epochs"
    assert {config.learning_rate for config in trained[1::2]} == {recipe.learning_rate}
    assert {config.device for config in trained[::2]} == {"cpu"}, "where the peer is"
    assert found["lab_seconds"] == 10 and found["peer_seconds"] == 200 and found["share_of_peer"] == pytest.approx(0.05)
    assert [run["peer_reached"] for run in found["runs"]] == [True, False, True]
    assert [run["peer_epochs"] for run in found["runs"]] == [20, 25, 22]
    assert found["share_is_upper_bound"] and found["lab_always_reached"] and found["target"] == 99.4


def test_both_sides_run_the_recipes_promised():
    """Issue 2: network B with dropout 0.05 and batch 128; network A with its augmentation."""
    b, a = preset("b-bn").config, preset("a-bn").config
    assert (b.network, b.batch_size, b.dropout) == ("b", 128, 0.05)
    assert (a.network, a.batch_size, a.rotation, a.second_rotation) == ("a", 128, 7.0, 20.0)


def test_a_race_is_timed_side_by_side_and_one_after_another(tiny, monkeypatch):
    monkeypatch.setattr(bench, "RACES", 1)
    said, configs = [], [TINY.replace(epochs=1, l1=l1) for l1 in (0.0, 1e-3)]
    found = bench.race_time(tiny, said.append, configs)
    assert [line.split(":")[0] for line in said] == ["2 runs, 2 at a time", "2 runs, 1 at a time"]
    assert found["runs"] == 2 and found["ratio"] == found["one_after_another_seconds"] / found["seconds"]


def test_a_race_with_a_run_that_fails_has_no_time(tiny, monkeypatch):
    monkeypatch.setattr(bench, "RACES", 1)
    with pytest.raises(RunError, match="did not finish"):
        bench.race_time(tiny, lambda text: None, [TINY, TINY.replace(learning_rate=10.0, epochs=50)])


def test_the_race_that_is_timed_is_a_ready_made_one_of_six():
    assert len(READY[bench.RACE].contestants) == 6
