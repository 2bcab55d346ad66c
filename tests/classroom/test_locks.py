"""Locks in a link and as the class's task."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

sys.path.insert(0, str(Path(__file__).parents[1]))

from strategies import configs

from mnist_lab.classroom.locks import TaskFile, broken, link_query, lock_text, parse_lock
from mnist_lab.config import KNOBS, RunConfig
from mnist_lab.config_forms import from_query
from mnist_lab.runs.record import RunError

GHOST = RunConfig(norm="ghost", num_splits=8, l1=1e-3, seed=5)
names = some.sets(some.sampled_from(list(KNOBS)))


def test_a_lock_names_knobs_and_says_what_is_none():
    assert parse_lock("l1, norm,,l1") == (("norm", "l1"), [])
    assert parse_lock("") == ((), [])
    known, wrong = parse_lock("norm,nrom," + "x" * 500)
    assert known == ("norm",) and wrong[0] == "There is no setting 'nrom' to lock."
    assert all(len(text) < 80 for text in wrong)


def test_all_is_everything_but_the_seed():
    assert set(parse_lock("all")[0]) == KNOBS.keys() - {"seed"}
    assert set(parse_lock("seed,all")[0]) == set(KNOBS)


@given(names)
def test_a_lock_reads_back(chosen):
    assert set(parse_lock(lock_text(chosen))[0]) == chosen


@given(some.text(max_size=200))
def test_any_text_is_read(text):
    known, _ = parse_lock(text)
    assert set(known) <= KNOBS.keys()


@given(configs(), names)
def test_a_link_brings_the_settings_and_the_locks(config, chosen):
    query = link_query(config, chosen)
    assert set(parse_lock(query.get("lock", ""))[0]) == chosen
    there = from_query(query)[0]
    assert there == (config if "seed" in chosen else config.replace(seed=0))
    assert chosen <= query.keys() and query


def test_a_run_that_breaks_a_lock_is_told_what_stays():
    locks = {"norm": "ghost", "num_splits": 8}
    assert broken(locks, GHOST) is None and broken({}, GHOST) is None
    text = broken(locks, GHOST.replace(num_splits=4))
    assert "Ghost batches (num_splits): 8" in text and "Norm" not in text
    assert "Norm: Ghost batch norm (GBN)" in broken(locks, RunConfig())


def test_a_lock_that_changes_nothing_in_the_run_is_kept():
    assert broken({"num_splits": 8}, RunConfig(norm="batch")) is None


def test_a_task_is_kept_on_disk_until_it_ends(tmp_path):
    file = TaskFile(tmp_path / "runs")
    assert file.read() == {}
    locks = {name: getattr(GHOST, name) for name in KNOBS}
    file.write(locks)
    assert TaskFile(tmp_path / "runs").read() == locks
    file.write({})
    assert file.read() == {} and not file.path.exists()


@pytest.mark.parametrize("content", ["", "[1]", '{"norm": "bach"}', '{"nrom": "batch"}', '{"epochs": "soon"}', "\xff"])
def test_a_damaged_task_is_said_and_where_it_is(tmp_path, content):
    file = TaskFile(tmp_path)
    file.path.parent.mkdir()
    file.path.write_text(content, "latin-1")
    with pytest.raises(RunError, match=r"task\.json"):
        file.read()
