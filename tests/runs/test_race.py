"""A race on disk and in line: seed by seed, side by side, stopped, completed; and what one seed gives all of them."""

from __future__ import annotations

import json
from dataclasses import replace

import fake_training as fake
import pytest

from mnist_lab.config import RunConfig
from mnist_lab.contestants import MOST_CONTESTANTS, MOST_SEEDS, Contestant
from mnist_lab.presets import PRESETS
from mnist_lab.runs import queue as queue_module
from mnist_lab.runs.race import Race, RaceStore, complete_race, start_race, stop_race
from mnist_lab.runs.record import RunError

OWNER, OTHER = "ab" * 32, "cd" * 32
BASE = RunConfig(epochs=2, batch_size=64, seed=99)
RACERS = (
    Contestant("Plain", BASE), Contestant("L1", BASE.replace(l1=1e-3)),
    Contestant("Decay", BASE.replace(weight_decay=1e-3)),
)


def race_of(queue, racers=RACERS, seeds=(0, 1), **options) -> Race:
    return start_race(queue, racers, seeds, name="Three", **options)


def wait(queue, race) -> None:
    assert all(queue.job(id).join(20) for id in race.run_ids)


def test_a_race_is_a_group_of_ordinary_runs(make_queue, store):
    queue = make_queue()
    race = race_of(queue, owner=OWNER)
    wait(queue, race)
    runs = [[store.load(id) for id in ids] for ids in race.runs]
    assert [[run.config for run in of_one] for of_one in runs] == [
        [one.config.replace(seed=seed) for seed in (0, 1)] for one in RACERS]
    assert {run.status for of_one in runs for run in of_one} == {"finished"}
    assert runs[1][0].name == "L1 · seed 0" and all(run.owner_hash == OWNER for of_one in runs for run in of_one)
    assert {run.id for run in store.list()} == set(race.run_ids), "nothing else among the runs"
    assert race.run_ids[:3] == [ids[0] for ids in race.runs], "all contestants before the next seed"


def test_it_is_read_back_as_it_was(make_queue, store):
    queue = make_queue()
    first, second = race_of(queue, owner=OWNER), race_of(queue, seeds=(5,))
    races = RaceStore(store)
    assert races.load(first.id) == first and races.load(second.id).owner_hash is None
    assert first.contestants[0].config == BASE.replace(seed=0), "the seed is the race's"
    newest_first = sorted([first, second], key=lambda race: race.id, reverse=True)
    assert races.list() == newest_first
    races.delete(first.id)
    races.delete(first.id)
    assert races.list() == [second] and all(queue.job(id) for id in first.run_ids)
    with pytest.raises(RunError, match="may have been deleted"):
        races.load(first.id)


@pytest.mark.parametrize("id", ["../../etc/passwd", "", "x" * 1_000, "20261122-103000-ABCD"])
def test_a_link_may_say_anything(store, id):
    with pytest.raises(RunError, match="cannot be the id"):
        RaceStore(store).load(id)
    RaceStore(store).delete(id)


@pytest.mark.parametrize("damage", [
    lambda values: [], lambda values: values | {"schema": 2}, lambda values: values | {"seeds": [0, 0]},
    lambda values: values | {"seeds": ["0", "1"]}, lambda values: values | {"started": "yesterday"},
    lambda values: values | {"contestants": values["contestants"][:1]}, lambda values: values | {"contestants": [1, 2]},
    lambda values: values | {"contestants": [entry | {"runs": ["a"]} for entry in values["contestants"]]},
    lambda values: values | {"contestants": [entry | {"config": {"l2": 1}} for entry in values["contestants"]]},
])
def test_a_damaged_file_is_reported_and_harms_no_other(make_queue, store, damage):
    queue = make_queue()
    good, bad = race_of(queue), race_of(queue)
    path = RaceStore(store).folder / f"{bad.id}.json"
    path.write_text(json.dumps(damage(json.loads(path.read_text()))))
    with pytest.raises(RunError, match=bad.id):
        RaceStore(store).load(bad.id)
    path.write_text("{")
    with pytest.raises(RunError, match="cannot be read"):
        RaceStore(store).load(bad.id)
    assert RaceStore(store).list() == [good]


def test_contestants_of_one_seed_run_side_by_side_and_others_wait(make_queue, gate):
    queue = make_queue(fake.make_train(on_step=gate))
    race = race_of(queue)
    single = queue.submit(BASE)
    for _ in RACERS:
        gate.wait()
    assert [job.state for job in map(queue.job, race.run_ids)] == ["running"] * 3 + ["queued"] * 3
    assert single.state == "queued", "the race takes the one place there is"
    gate.open()
    wait(queue, race)
    assert single.join(20) and single.state == "finished"


def test_a_race_waits_for_the_run_before_it(make_queue, gate):
    queue = make_queue(fake.make_train(on_step=gate))
    single = queue.submit(BASE)
    race = race_of(queue)
    gate.wait()
    assert single.state == "running" and {queue.job(id).state for id in race.run_ids} == {"queued"}


def test_threads_are_shared(make_queue, monkeypatch):
    from mnist_lab import device

    shares = []
    monkeypatch.setattr(device, "share_threads", shares.append)
    queue = make_queue()
    assert queue.submit(BASE).join(20)
    wait(queue, race_of(queue, seeds=(0,)))
    assert shares == [1, 3, 3, 3]


def test_stop_ends_all_of_it_and_only_the_owner_may(make_queue, gate, store):
    queue = make_queue(fake.make_train(on_step=gate))
    race = race_of(queue, owner=OWNER)
    for _ in RACERS:
        gate.wait()
    assert not stop_race(queue, race, OTHER) and not stop_race(queue, race, None)
    assert queue.job(race.run_ids[0]).state == "running"
    assert stop_race(queue, race, OWNER)
    wait(queue, race)
    assert {queue.job(id).state for id in race.run_ids} == {"stopped"}
    assert {run.id for run in store.list()} == set(race.run_ids[:3]), "those in line left no record"


def test_what_is_missing_is_run_again_in_its_place(make_queue, store):
    queue = make_queue()
    race = race_of(queue, owner=OWNER)
    wait(queue, race)
    lost = race.runs[1][1]
    store.delete(lost)
    again = complete_race(queue, race, {lost})
    wait(queue, again)
    new = again.runs[1][1]
    assert new != lost and again == replace(race, runs=(race.runs[0], (race.runs[1][0], new), race.runs[2]))
    assert store.load(new).config == RACERS[1].config.replace(seed=1) and store.load(new).owner_hash == OWNER
    assert RaceStore(store).load(race.id) == again


def test_a_race_that_cannot_be_kept_leaves_no_run_in_line(make_queue, gate, store, monkeypatch):
    queue = make_queue(fake.make_train(on_step=gate))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(RaceStore, "save", full)
    with pytest.raises(OSError, match="No space"):
        race_of(queue)
    assert all(job.stopping for job in queue.jobs()) and not any(job.state == "queued" for job in queue.jobs())


def test_ids_are_never_given_twice(make_queue, gate, store, monkeypatch):
    ids = iter(["20260101-000000-x-aaaa", "20260101-000000-x-aaaa", "20260101-000000-x-bbbb"])
    monkeypatch.setattr(queue_module.RunStore, "new_id", lambda *_: next(ids))
    queue = make_queue(fake.make_train(on_step=gate))
    assert [queue.submit(BASE).id for _ in range(2)] == ["20260101-000000-x-aaaa", "20260101-000000-x-bbbb"]


@pytest.mark.parametrize(("racers", "seeds"), [
    (RACERS[:1], (0,)), ((RACERS[0], RACERS[0]), (0,)), (RACERS, ()), (RACERS, (1, 1)),
    (RACERS, range(MOST_SEEDS + 1)),
    ([Contestant(str(place), BASE.replace(dropout=place / 100)) for place in range(MOST_CONTESTANTS + 1)], (0,)),
])
def test_what_is_no_race(make_queue, store, racers, seeds):
    with pytest.raises(ValueError, match="A race has"):
        race_of(make_queue(), racers, seeds)
    assert store.list() == []


def trainer_of(config: RunConfig):
    import torch

    from mnist_lab.data.mnist import load_sample
    from mnist_lab.data.regime import make_regime
    from mnist_lab.trainer import Trainer

    return Trainer(config, make_regime(config, load_sample()), torch.device("cpu"), "float32")


def test_one_seed_gives_all_contestants_the_same_images_noise_and_weights():
    import torch

    base = PRESETS["noisy-1000"].config.replace(train_images=200)
    plain, *others = (trainer_of(base.replace(**changes)) for changes in (
        {}, dict(l1=1e-3), dict(dropout=0.1), dict(norm="ghost", num_splits=8), dict(network="a")))
    stranger = trainer_of(base.replace(seed=1))
    mine = next(plain.batches(2))
    for one in others:
        theirs = next(one.batches(2))
        assert all(torch.equal(a, b) for a, b in zip(mine, theirs, strict=True))
        shared = dict(plain.model.named_parameters())
        alike = [(shared[name], value) for name, value in one.model.named_parameters()
                 if name in shared and shared[name].shape == value.shape]
        assert one.config.network == "a" or (alike and all(torch.equal(a, b) for a, b in alike))
    assert (mine.labels != mine.true_labels).any()
    assert not torch.equal(mine.images, next(stranger.batches(2)).images)
