"""The sweep's plan and its loop, on runs from arithmetic; whole sweeps in processes are in test_sweep_command.py."""

from __future__ import annotations

import contextlib
import json
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool

import fake_training as fake
import pytest
import torch

from mnist_lab.presets import preset
from mnist_lab.runs import sweep as sweep_module
from mnist_lab.runs import sweep_worker
from mnist_lab.runs.sweep import MAX_BREAKS, SweepError, left_to_do, sweep, tasks_for, work
from mnist_lab.runs.sweep_worker import Outcome, run_elsewhere, run_here
from mnist_lab.runs.writer import RunWriter

SETTINGS = {"one": fake.CONFIG, "two": fake.CONFIG.replace(l1=1e-4)}
CHECKSUM = fake.DATA.checksum


@pytest.fixture(autouse=True)
def arithmetic(monkeypatch):
    """Training that takes no time; `fails` names seeds whose training raises."""
    fails: set[int] = set()
    good = fake.make_train()

    def train(config, *rest, **options):
        if config.seed in fails:
            raise ValueError(f"seed {config.seed} does not work")
        return good(config, *rest, **options)

    monkeypatch.setattr(sweep_worker, "_functions", lambda: (lambda: fake.DATA, train))
    return fails


def inline(store, function=None):
    """Workers that train at once, when a task is submitted."""

    @contextlib.contextmanager
    def workers():
        def submit(task):
            future = Future()
            try:
                future.set_result((function or (lambda task: run_here(task, store.root, CHECKSUM, 1)))(task))
            except Exception as error:
                future.set_exception(error)
            return future

        yield submit

    return workers


def run_all(store, tasks, workers=None) -> dict[str, Outcome]:
    ended = []
    sweep(tasks, workers or inline(store), store, ended.append)
    assert len({outcome.id for outcome in ended}) == len(ended), "a run was reported twice"
    return {outcome.id: outcome for outcome in ended}


def test_the_plan_has_every_setting_with_every_seed_seed_by_seed():
    tasks = tasks_for({"b-gbn": preset("b-gbn").config, "mine": fake.CONFIG}, range(2))
    assert [task.id for task in tasks] == ["b-gbn-seed-0", "mine-seed-0", "b-gbn-seed-1", "mine-seed-1"]
    assert [task.config.seed for task in tasks] == [0, 0, 1, 1] and len({task.name for task in tasks}) == 4
    assert [task.preset for task in tasks] == ["b-gbn", None] * 2


def test_every_task_ends_once_and_the_next_sweep_has_nothing_to_do(store):
    tasks = tasks_for(SETTINGS, range(2))
    ended = run_all(store, tasks)
    assert {id: outcome.status for id, outcome in ended.items()} == {task.id: "finished" for task in tasks}
    assert {run.id: run.config for run in store.list()} == {task.id: task.config for task in tasks}
    assert left_to_do(tasks, store, CHECKSUM) == []


def test_a_failed_run_is_told_and_the_others_go_on_and_it_is_tried_again(store, arithmetic):
    tasks = tasks_for(SETTINGS, range(2))
    arithmetic.add(0)
    ended = run_all(store, tasks)
    assert {outcome.status for id, outcome in ended.items() if id.endswith("1")} == {"finished"}
    assert "seed 0 does not work" in ended["one-seed-0"].message and store.load("one-seed-0").status == "failed"
    arithmetic.clear()
    again = left_to_do(tasks, store, CHECKSUM)
    assert [task.id for task in again] == ["one-seed-0", "two-seed-0"]
    assert {outcome.status for outcome in run_all(store, again).values()} == {"finished"}


def test_an_error_outside_training_is_a_failed_run_too(store):
    tasks = tasks_for(SETTINGS, range(1))

    def broken(task):
        if task.id == "one-seed-0":
            raise OSError("no such worker")
        return run_here(task, store.root, CHECKSUM, 1)

    ended = run_all(store, tasks, inline(store, broken))
    assert ended["one-seed-0"] == Outcome("one-seed-0", "failed", "OSError: no such worker")
    assert ended["two-seed-0"].status == "finished"


def test_an_interrupted_run_is_gone_on_with(store):
    task = tasks_for(SETTINGS, range(1))[0]
    writer = RunWriter.create(store.root, task.id, task.config)
    events = []
    fake.make_train()(
        task.config.replace(epochs=2), fake.DATA, lambda event: events.append(event), lambda: False,
        on_checkpoint=writer.checkpoint,
    )
    writer.close()
    assert left_to_do([task], store, CHECKSUM) == [task]
    assert run_here(task, store.root, CHECKSUM, 1).status == "finished"
    record = store.load(task.id)
    assert record.timings["resumed"][0]["after_epoch"] == 2 and len(record.history) == 3


def test_what_belongs_to_something_else_is_refused_and_left_alone(store):
    tasks = tasks_for(SETTINGS, range(1))
    run_all(store, tasks)
    changed = tasks_for({"one": fake.CONFIG.replace(epochs=9)}, range(1))
    with pytest.raises(SweepError, match="other settings than one-seed-0"):
        left_to_do(changed, store, CHECKSUM)
    with pytest.raises(SweepError, match="saw other images"):
        left_to_do(tasks, store, "another checksum")
    (store.root / "two-seed-0" / "run.json").write_text("{")
    with pytest.raises(SweepError, match="damaged"):
        left_to_do(tasks, store, CHECKSUM)
    assert store.load("one-seed-0").status == "finished"


def test_other_images_on_the_worker_are_a_failure(store):
    task = tasks_for(SETTINGS, range(1))[0]
    outcome = run_here(task, store.root, "not these", 1)
    assert outcome.status == "failed" and "other images" in outcome.message


def test_a_run_that_another_sweep_is_at_is_not_touched(store):
    task = tasks_for(SETTINGS, range(1))[0]
    writer = RunWriter.create(store.root, task.id, task.config)
    outcome = run_here(task, store.root, CHECKSUM, 1)
    assert outcome.status == "failed" and "still running" in outcome.message
    writer.finish(fake.result(task.config, "finished", [], torch.zeros(1)))
    assert store.load(task.id).status == "finished"


def broken_pools(store, times: int):
    """Workers of which the first `times` pools die after one task."""
    left = [times]

    @contextlib.contextmanager
    def workers():
        count, breaks = 0, left[0] > 0
        left[0] -= 1

        def submit(task):
            nonlocal count
            count += 1
            future = Future()
            if breaks and count > 1:
                future.set_exception(BrokenProcessPool("a worker died"))
            else:
                future.set_result(run_here(task, store.root, CHECKSUM, 1))
            return future

        yield submit

    return workers


def test_what_a_broken_pool_left_goes_to_a_new_one(store):
    tasks = tasks_for(SETTINGS, range(4))
    ended = run_all(store, tasks, broken_pools(store, times=MAX_BREAKS + 2))
    assert {outcome.status for outcome in ended.values()} == {"finished"} and len(ended) == len(tasks)


def test_pools_that_only_break_are_given_up(store):
    tasks = tasks_for(SETTINGS, range(1))
    pools = []

    def dead(task):
        pools.append(task.id)
        raise BrokenProcessPool("a worker died")

    ended = run_all(store, tasks, inline(store, dead))
    assert len(pools) == MAX_BREAKS * len(tasks)
    assert {outcome.status for outcome in ended.values()} == {"failed"}
    assert all("memory" in outcome.message for outcome in ended.values())


def test_a_pool_that_refuses_tasks_is_a_broken_one(store):
    tasks = tasks_for(SETTINGS, range(2))
    refused = [2]

    @contextlib.contextmanager
    def workers():
        with inline(store)() as submit:
            def picky(task):
                if refused[0] and task.id.startswith("two"):
                    refused[0] -= 1
                    raise BrokenProcessPool("it broke before")
                return submit(task)

            yield picky

    assert len(run_all(store, tasks, workers)) == len(tasks)


def test_a_run_trained_elsewhere_comes_back_whole_and_only_once(store):
    task = tasks_for(SETTINGS, range(1))[0]
    outcome = run_elsewhere(task, CHECKSUM, 1)
    assert not store.list() and set(outcome.files) >= {"run.json", "history.jsonl", "weights.safetensors"}
    run_all(store, [task], inline(store, lambda task: outcome))
    record = store.load(task.id)
    assert record.status == "finished" and record.config == task.config and record.weights()
    first = (record.folder / "run.json").stat().st_mtime_ns
    run_all(store, [task], inline(store, lambda task: outcome))
    assert (record.folder / "run.json").stat().st_mtime_ns == first, "a second answer replaced the first"


def test_a_half_done_run_makes_way_for_one_that_ended_elsewhere(store):
    task = tasks_for(SETTINGS, range(1))[0]
    RunWriter.create(store.root, task.id, task.config).close()
    run_all(store, [task], inline(store, lambda task: run_elsewhere(task, CHECKSUM, 1)))
    assert sorted(path.name for path in store.root.iterdir() if not path.name.startswith(".")) == [task.id]


def test_what_a_kill_left_of_making_a_folder_is_in_nobodys_way(store):
    here, elsewhere = tasks_for(SETTINGS, range(1))
    for task in (here, elsewhere):
        (store.root / f".new-{task.id}").mkdir(parents=True)
        (store.root / f".new-{task.id}" / "stale.txt").write_text("of before")
    run_all(store, [here])
    run_all(store, [elsewhere], inline(store, lambda task: run_elsewhere(task, CHECKSUM, 1)))
    for task in (here, elsewhere):
        assert store.load(task.id).status == "finished" and not (store.root / task.id / "stale.txt").exists()
    assert not list(store.root.glob(".new-*"))


def test_what_cannot_be_kept_is_a_failed_run_and_the_others_go_on(store, monkeypatch):
    first, second = tasks_for(SETTINGS, range(1))
    write = sweep_module.write_folder

    def full(root, id, files):
        if id == first.id:
            raise OSError("No space left on device")
        write(root, id, files)

    monkeypatch.setattr(sweep_module, "write_folder", full)
    ended = run_all(store, [first, second], inline(store, lambda task: run_elsewhere(task, CHECKSUM, 1)))
    assert [ended[task.id].status for task in (first, second)] == ["failed", "finished"]
    assert "No space left" in ended[first.id].message


def test_a_cluster_that_goes_away_fails_what_it_had(store):
    tasks = tasks_for(SETTINGS, range(1))

    @contextlib.contextmanager
    def workers():
        def submit(task):
            future = Future()
            future.cancel()
            future.set_running_or_notify_cancel()
            return future

        yield submit

    ended = run_all(store, tasks, workers)
    assert {outcome.status for outcome in ended.values()} == {"failed"} and len(ended) == 2
    assert all("Run the command again" in outcome.message for outcome in ended.values())


def test_a_failure_elsewhere_is_told_with_its_record(store, arithmetic):
    arithmetic.add(0)
    task = tasks_for(SETTINGS, range(1))[0]
    ended = run_all(store, [task], inline(store, lambda task: run_elsewhere(task, CHECKSUM, 1)))
    assert "does not work" in ended[task.id].message and store.load(task.id).status == "failed"


@pytest.mark.parametrize(("changes", "trained", "tested"), [
    ({}, 3 * 60_000, 3 * 10_000),
    ({"train_images": 300}, 3 * 300, 3 * 10_000),
    ({"train_images": 300, "eval_every": 2}, 3 * 300, 2 * 10_000),  # after the second epoch and after the last
    ({"train_images": 300, "eval_every": 200}, 3 * 300, 10_000),
    ({"validation": True}, 3 * 55_000, 3 * 5_000 + 10_000),
])  # fmt: skip
def test_work_counts_what_is_trained_on_and_what_is_tested(changes, trained, tested):
    (task,) = tasks_for({"one": fake.CONFIG.replace(**changes)}, [0])
    assert work(task, 60_000, 10_000) == pytest.approx(trained + tested / 3)


def test_an_outcome_says_nothing_of_its_files_when_printed():
    assert "files" not in repr(Outcome("a", "finished", files={"weights": b"x" * 1000}))
    json.dumps(vars(Outcome("a", "finished")))
