"""The class's runs of one setting as one picture: who is in it, what the seeds do, and how often the disk is read."""

from __future__ import annotations

import math
from itertools import combinations
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as some
from records import CONFIG, finished

from mnist_lab.classroom import pool as pool_module
from mnist_lab.classroom.pool import Group, PooledRun, PoolReader, setting_of, spread
from mnist_lab.classroom.text import curves_text, headline, mean_text, repeats_text, takeaway
from mnist_lab.config import RunConfig
from mnist_lab.config_forms import same_setting


@pytest.fixture(autouse=True)
def always_fresh(monkeypatch):
    monkeypatch.setattr(pool_module, "FRESH_SECONDS", 0)


def group(values, repeats: int = 0) -> Group:
    runs = tuple(
        PooledRun(id=f"r{seed}", seed=seed, accuracy=value, seconds=1.0, owner_hash="")
        for seed, value in enumerate(values)
    )
    return Group(key="k", setting=RunConfig(), source="sample", images=1000, runs=runs, repeats=repeats)


def test_runs_of_one_setting_are_pooled_whatever_seed_and_device(store):
    for seed, accuracy in enumerate((90.0, 91.0, 92.5)):
        finished(store, accuracy, owner=f"{seed:064x}", config=CONFIG.replace(seed=seed, device="cpu"))
    finished(store, 70.0, config=CONFIG.replace(l1=1e-3))
    pool = PoolReader(store)()
    first, second = pool.groups
    assert first.accuracies == {0: 90.0, 1: 91.0, 2: 92.5} and second.accuracies == {0: 70.0}
    assert pool.group_of(CONFIG.replace(seed=99)) is first and pool.group(second.key) is second
    assert pool.group("../x") is None and pool.group_of(CONFIG.replace(dropout=0.1)) is None


def test_only_finished_runs_of_browsers_count_and_other_images_are_apart(store):
    finished(store, 90.0)
    finished(store, 91.0, owner=None, config=CONFIG.replace(seed=1))
    finished(store, 92.0, status="stopped", config=CONFIG.replace(seed=2))
    finished(store, 93.0, checksum="cd" * 32, config=CONFIG.replace(seed=3))
    assert [list(one.accuracies.values()) for one in PoolReader(store)().groups] in ([[90.0], [93.0]], [[93.0], [90.0]])


def test_a_seed_counts_once_the_first_time(store, monkeypatch):
    ids = iter(f"20260101-00000{number}-run-2222" for number in range(3))
    monkeypatch.setattr(store, "new_id", lambda config: next(ids))
    for accuracy in (90.0, 91.0, 92.0):
        finished(store, accuracy, config=CONFIG.replace(seed=4))
    (found,) = PoolReader(store)().groups
    assert len(found.runs) == 1 and found.repeats == 2
    assert repeats_text(found).startswith("2 more runs used a seed")
    assert repeats_text(group([1.0])) == ""


def test_the_pool_is_the_same_object_until_something_changes(store):
    reader = PoolReader(store)
    id = finished(store, 90.0)
    first = reader()
    assert reader() is first
    finished(store, 91.0, config=CONFIG.replace(seed=1))
    second = reader()
    assert second is not first and len(second.groups[0].runs) == 2
    store.delete(id)
    assert len(reader().groups[0].runs) == 1


def test_many_who_look_read_the_disk_once(store, monkeypatch):
    monkeypatch.setattr(pool_module, "FRESH_SECONDS", 3600)
    reader, calls = PoolReader(store), []
    listed = store.list
    monkeypatch.setattr(store, "list", lambda: calls.append(1) or listed())
    for _ in range(30):
        reader()
    assert len(calls) == 1
    reader.refresh()
    reader()
    assert len(calls) == 2


def test_a_curve_is_read_once_and_none_of_a_deleted_run(store, monkeypatch):
    reader = PoolReader(store)
    id, gone = finished(store), finished(store, config=CONFIG.replace(seed=1))
    assert reader.curve(id) == ((1, 92.5), (2, 92.5), (3, 92.5))
    store.delete(gone)
    assert reader.curve(gone) == ()
    monkeypatch.setattr(store, "load", None)
    assert reader.curve(id)


def test_how_long_a_setting_takes_is_the_median(store):
    for seed, seconds in enumerate((2.0, 4.0, 90.0)):
        finished(store, config=CONFIG.replace(seed=seed), seconds=seconds)
    pool = PoolReader(store)()
    assert pool.seconds(CONFIG.replace(seed=8)) == 4.0 and pool.seconds(CONFIG.replace(l1=1e-3)) is None


def test_a_setting_is_what_same_setting_compares():
    same = [RunConfig(), RunConfig(seed=3, device="cpu"), RunConfig(num_splits=8), RunConfig(l1_kind="proximal")]
    others = [RunConfig(norm="ghost"), RunConfig(norm="ghost", num_splits=8), RunConfig(l1=1e-3)]
    for a, b in combinations([*same, *others], 2):
        assert (setting_of(a) == setting_of(b)) == same_setting(a, b)


@given(some.lists(some.floats(50, 99, allow_nan=False).map(lambda value: round(value, 2)), min_size=2, max_size=12))
def test_the_spread_by_its_definition(values):
    found = spread(group(values))
    pairs = [abs(a - b) for a, b in combinations(values, 2)]
    assert found.gap == pytest.approx(fmean(pairs), abs=1e-9)
    assert (found.low, found.high, found.runs) == (min(values), max(values), len(values))
    assert found.mean == pytest.approx(fmean(values))
    if len(set(values)) == 1:
        assert found.interval is None or math.isclose(*found.interval)
    else:
        assert found.interval[0] < found.mean < found.interval[1]


def test_what_is_said_of_the_spread():
    assert spread(group([90.0])) is None and "One run does not show" in takeaway(None)
    found = spread(group([85.0, 86.0, 88.0]))
    text = takeaway(found)
    assert "The 3 runs differ in nothing but the seed" in text and "between 85.00 % and 88.00 %: 3.00 points" in text
    assert "2.00 points apart on average" in text
    # Student's t for 2 degrees of freedom is 4.303; the standard error is 1.5275 / sqrt(3).
    assert "Mean 86.33 %" in mean_text(found) and "82.54 to 90.13 %" in mean_text(found)
    assert "made no difference" in takeaway(spread(group([90.0, 90.0])))
    assert curves_text([((1, 50.0), (2, 90.0)), ((1, 60.0), (2, 91.5))]).endswith(
        "The runs are 10.00 points apart after epoch 1 and 1.50 points apart after epoch 2."
    )
    assert curves_text([]) == curves_text([((1, 50.0),)]) == "A pale line is one run, the thick one their mean."
    assert headline(24) == "The class's 24 runs of the same setting"
