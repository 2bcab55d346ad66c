"""`sweep` as it is used: in processes that are killed, interrupted, or elsewhere (Dask)."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from mnist_lab.cli import main, parser
from mnist_lab.runs.record import INTERRUPTED
from mnist_lab.runs.store import RunStore
from mnist_lab.sweep_command import planned, seeds

PROJECT = Path(__file__).parents[1]
MEASURED = ("seconds", "images_per_second")  # by the clock: never the same twice
# 300 images take a moment; the 1,000 test images of the bundled sample, after each epoch, another.
QUICK = [f"--set={setting}" for setting in ("train_images=300", "epochs=4", "batch_size=50", "device=cpu")]
posix = pytest.mark.skipif(os.name == "nt", reason="sends POSIX signals")


@pytest.fixture(autouse=True)
def no_data(monkeypatch, tmp_path):
    """No MNIST on disk and, by conftest.py, none on the network: the bundled sample."""
    monkeypatch.setenv("MNIST_LAB_DATA", str(tmp_path / "no-data"))


@pytest.fixture
def store(tmp_path) -> RunStore:
    return RunStore(tmp_path / "runs")


@contextmanager
def sweeping(store: RunStore, *more: str):
    """A sweep of two presets and two seeds in a process group of its own."""
    command = [
        sys.executable, "-m", "mnist_lab", "sweep", "--preset", "b-bn", "b-gbn", "--seeds", "2", "--workers", "2",
        "--out", str(store.root), *QUICK, *more,
    ]
    child = subprocess.Popen(
        command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        yield child
    finally:
        for process in (*psutil.Process(child.pid).children(recursive=True), child) if child.poll() is None else ():
            process.kill()
        child.communicate()


def until(condition, seconds: float = 120.0):
    """Wait for what `condition` returns to be true, and return it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError("it did not happen")


def epochs_done(store: RunStore) -> int:
    return sum(path.read_bytes().count(b"\n") for path in store.root.glob("*/history.jsonl"))


def workers_of(child: subprocess.Popen) -> list[psutil.Process]:
    return [p for p in psutil.Process(child.pid).children(recursive=True) if "spawn_main" in " ".join(p.cmdline())]


def results(output: str) -> Counter:
    return Counter(json.loads(line)["run"] for line in output.splitlines())


def numbers(record) -> list[dict]:
    return [{name: value for name, value in line.items() if name not in MEASURED} for line in record.history]


ALL = Counter(["b-bn-seed-0", "b-gbn-seed-0", "b-bn-seed-1", "b-gbn-seed-1"])


@posix
@pytest.mark.timeout(600)  # several processes that import torch, on a machine that may be busy
def test_a_sweep_killed_and_resumed_ends_with_the_records_of_one_that_was_not(store, tmp_path):
    with sweeping(store) as child:
        until(lambda: epochs_done(store) >= 1)
        family = workers_of(child)
        child.kill()
        until(lambda: not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in family))
    before = {run.id: run.status for run in store.list()}
    assert INTERRUPTED in before.values()
    with sweeping(store) as child:
        output, errors = child.communicate(timeout=240)
    assert child.returncode == 0, errors
    assert results(output) == ALL - Counter(id for id, status in before.items() if status == "finished")
    assert {run.id: run.status for run in store.list()} == dict.fromkeys(ALL, "finished")

    once = RunStore(tmp_path / "once")
    with sweeping(once) as child:
        child.communicate(timeout=240)
    for id in ALL:
        assert numbers(store.load(id)) == numbers(once.load(id))
    with sweeping(once) as child:
        assert child.communicate(timeout=60)[0] == "", "there was nothing left to do"


@posix
def test_a_killed_worker_costs_no_run(store):
    with sweeping(store) as child:
        until(lambda: epochs_done(store) >= 1)
        workers_of(child)[0].kill()
        output, errors = child.communicate(timeout=240)
    assert child.returncode == 0, errors
    assert results(output) == ALL
    assert {run.id: run.status for run in store.list()} == dict.fromkeys(ALL, "finished")


@posix
def test_ctrl_c_leaves_runs_that_can_be_gone_on_with(store):
    with sweeping(store) as child:
        until(lambda: epochs_done(store) >= 1)
        os.killpg(child.pid, signal.SIGINT)
        _, errors = child.communicate(timeout=60)
    assert child.returncode == 130 and "Traceback" not in errors, errors
    assert {run.status for run in store.list()} <= {INTERRUPTED, "finished"}
    with sweeping(store) as child:
        child.communicate(timeout=240)
    assert {run.id: run.status for run in store.list()} == dict.fromkeys(ALL, "finished")


@contextmanager
def dask_cluster(folder: Path):
    """A real scheduler and two worker processes with one thread each: its address and the workers.

    All of them start in the project's folder: Dask wants the same modules everywhere, on the scheduler too.
    """
    dask = [sys.executable, "-m", "dask"]
    quiet = os.environ | {"DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "5s", "OMP_NUM_THREADS": "1"}
    address_file = folder / "scheduler.json"
    children = [subprocess.Popen(
        [*dask, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", address_file],
        cwd=PROJECT, env=quiet, stderr=subprocess.DEVNULL,
    )]
    try:
        until(address_file.exists)
        address = until(lambda: re.search(r"tcp://[\d.:]+", address_file.read_text()))[0]
        for name in ("first", "second"):
            children.append(subprocess.Popen(
                [*dask, "worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--name", name,
                 "--local-directory", folder / name],
                cwd=PROJECT, env=quiet, stderr=subprocess.DEVNULL,
            ))
        yield address, children[1:]
    finally:
        for child in reversed(children):
            child.kill()
            child.wait()


@posix
@pytest.mark.timeout(600)
def test_on_a_dask_cluster_that_loses_a_worker_every_run_still_ends_once(store, tmp_path):
    from distributed import Client

    with dask_cluster(tmp_path) as (address, workers), Client(address) as client:
        client.wait_for_workers(2, timeout=60)
        with sweeping(store, "--dask", address) as child:
            until(lambda: child.poll() is not None or all(client.processing().values()))
            workers[0].kill()
            output, errors = child.communicate(timeout=240)
    assert child.returncode == 0, errors
    assert results(output) == ALL
    assert {run.id: run.status for run in store.list()} == dict.fromkeys(ALL, "finished")
    assert sorted(path.name for path in store.root.iterdir() if not path.name.startswith(".")) == sorted(ALL)


def test_nobody_at_the_dask_address_is_bad_input(store, capsys):
    pytest.importorskip("distributed")
    arguments = ["sweep", "--preset", "b-bn", "--seeds", "1", "--out", str(store.root), "--dask", "tcp://127.0.0.1:9"]
    assert main([*arguments, *QUICK]) == 2
    assert "No Dask scheduler answers at tcp://127.0.0.1:9" in capsys.readouterr().err


@pytest.mark.parametrize(("arguments", "said"), [
    ([], "Say what to train"),
    (["--preset", "b-bn", "--study", "sources"], "Say what to train"),
    (["--study", "sources", "--set", "epochs=1"], "--set goes with --preset"),
    (["--preset", "b-bm"], "There is no preset 'b-bm'. Try one of: b-"),
    (["--preset", "b-bn", "--set", "epochs=0"], "Epochs must be between"),
    (["--study", "scan", "--study", "best"], "one --study. For several: python -m mnist_lab study NAME"),
    (["--preset", "b-bn", "--set", "seed=7"], "The seeds of a sweep are set with --seeds 7-7."),
    (["--preset", "b-bn", "--set", " seed =7", "--seeds", "3"], "The seeds of a sweep are set with --seeds 7-7."),
    (["--preset", "b-bn", "--set", "seed=-7"], "Seed must be between 0"),
    (["--preset", "b-bn", "--seeds", "2147483648-2147483649"], "Seed must be between 0"),
    (["--preset", "b-bn", "--workers", "0"], "--workers must be a whole number from 1 to 8 (4 for each core"),
    (["--preset", "b-bn", "--workers", "9"], "--workers must be a whole number from 1 to 8 (4 for each core"),
    (["--preset", "b-bn", "--workers", "two"], "of this machine), not 'two'."),
    (["--preset", "b-bn", "--threads", "100000"], "--threads must be a whole number from 1 to 8"),
    (["--preset", "b-bn", "--threads", "-1"], "--threads must be a whole number from 1 to 8"),
    (["--preset", "b-bn", "--threads", "9" * 5000], "not '99"),
    (["--preset", "b-bn", "--threads", "2000", "--dask", "tcp://127.0.0.1:9"], "from 1 to 1,024, not '2000'."),
])  # fmt: skip
def test_bad_input_is_one_clear_line(arguments, said, store, capsys, monkeypatch):
    monkeypatch.setattr("mnist_lab.sweep_command.cores", lambda: 2)
    assert main(["sweep", "--out", str(store.root), *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and said in printed.err and printed.err.count("\n") == 1
    assert not store.root.exists()


def test_a_study_refuses_numbers_that_a_sweep_refuses(store, capsys):
    assert main(["study", "best", "--threads", "100000", "--out", str(store.root)]) == 2
    printed = capsys.readouterr()
    assert "--threads must be a whole number" in printed.err and printed.err.count("\n") == 1
    assert not store.root.exists()


def test_presets_given_one_by_one_are_all_trained():
    tasks = planned(parser().parse_args(["sweep", "--preset", "b-bn", "a-bn", "--preset", "b-gbn", "--seeds", "1"]))
    assert [task.id for task in tasks] == ["b-bn-seed-0", "a-bn-seed-0", "b-gbn-seed-0"]
    assert parser().parse_args(["sweep"]).preset == [], "and are not kept for the next command"


@pytest.mark.parametrize(("text", "meant"), [("1", [0]), ("3", [0, 1, 2]), ("10-12", [10, 11, 12]), ("7-7", [7])])
def test_seeds(text, meant):
    assert list(seeds(text)) == meant


@pytest.mark.parametrize("text", [
    "0", "-1", "five", "3-2", "1.5", "", "10001", "999999999", "5-10005", "9" * 5000,
])  # fmt: skip
def test_what_are_no_seeds(text, capsys):
    assert main(["sweep", "--preset", "b-bn", f"--seeds={text}"]) == 2
    said = capsys.readouterr().err
    assert "a number from 1 to 10,000, such as 5, or a range" in said and said.count("\n") == 1


def test_as_many_seeds_as_may_be():
    assert len(seeds("10000")) == len(seeds("5-10004")) == 10_000


def test_an_alias_is_trained_once():
    (task,) = planned(parser().parse_args(["sweep", "--preset", "a-source-l2-bn", "a-bn", "--seeds", "1", *QUICK]))
    assert (task.id, task.config.epochs) == ("a-bn-seed-0", 4)
    assert task.preset is None, "with other settings it is not the preset any more"
    (task,) = planned(parser().parse_args(["sweep", "--preset", "a-source-l2-bn", "--seeds", "1"]))
    assert task.preset == "a-bn"


def test_more_images_than_there_are_are_refused_before_anything_is_trained(store, capsys):
    arguments = ["--preset", "b-bn", "--seeds", "2", "--workers", "1", "--set", "train_images=5000"]
    assert main(["sweep", *arguments, "--out", str(store.root)]) == 2
    printed = capsys.readouterr()
    assert "has 4,000 training images; 5,000 were asked for." in printed.err.splitlines()[-1] and printed.out == ""
    assert not store.root.exists()
