"""`study`: from the runs of a sweep to the folder that ships."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent / "runs"))

import fake_training as fake

from mnist_lab import study_command
from mnist_lab.cli import main
from mnist_lab.presets import PRESETS
from mnist_lab.runs import shipping, sweep_worker
from mnist_lab.runs.library import Library
from mnist_lab.runs.store import RunStore
from mnist_lab.runs.study import load_study
from mnist_lab.runs.sweep_worker import Task, run_here
from mnist_lab.studies import STUDIES


@pytest.fixture
def pretrained(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("MNIST_LAB_PRETRAINED", str(tmp_path / "pretrained"))
    monkeypatch.setattr(sweep_worker, "_functions", lambda: (lambda: fake.DATA, fake.make_train()))
    return tmp_path / "pretrained"


@pytest.fixture
def runs(tmp_path, pretrained) -> RunStore:
    """Three variants of source B with seeds 0 and 1, trained by arithmetic."""
    store = RunStore(tmp_path / "runs")
    for name in ("b-bn", "b-gbn", "b-l1-bn"):
        for seed in range(2):
            task = Task(f"{name}-seed-{seed}", PRESETS[name].config.replace(seed=seed), name, name)
            assert run_here(task, store.root, fake.DATA.checksum, 1).status == "finished"
    return store


def collect(store: RunStore, *names: str) -> int:
    return main(["study", *names, "--collect", "--out", str(store.root)])


def test_variants_and_study_are_what_was_trained(runs, pretrained, capsys):
    assert collect(runs, "sources") == 0
    assert json.loads(capsys.readouterr().out) == {"study": "sources", "runs": 6, "of": 80, "variants": 3}
    library = Library(RunStore(pretrained / "none"))
    assert [run.id for run in library.list()] == ["b-bn", "b-l1-bn", "b-gbn"]
    shipped, trained = library.load("b-gbn"), runs.load("b-gbn-seed-0")
    assert shipped.name == PRESETS["b-gbn"].title and shipped.config == trained.config
    assert shipped.history == trained.history and shipped.summary == trained.summary
    assert shipped.data == trained.data | {"location": shipping.ANYWHERE}
    assert all((shipped.weights()[name] == value).all() for name, value in trained.weights().items())
    np.testing.assert_array_equal(shipped.test_logits().logits, trained.test_logits().logits)
    study = load_study("sources")
    assert [run.id for run in study.runs] == [f"{name}-seed-{seed}" for name in ("b-bn", "b-l1-bn", "b-gbn")
                                              for seed in range(2)]
    assert study.command == "python -m mnist_lab study sources" and study.planned == 5
    assert "b-gbn" in (pretrained / "README.md").read_text("utf-8")


def test_collecting_again_changes_nothing_and_more_runs_are_added(runs, pretrained):
    collect(runs, "sources")
    files = {path: path.read_bytes() for path in pretrained.rglob("*") if path.is_file()}
    collect(runs, "sources")
    assert {path: path.read_bytes() for path in pretrained.rglob("*") if path.is_file()} == files
    config = PRESETS["b-bn"].config.replace(seed=2)
    run_here(Task("b-bn-seed-2", config, "b-bn"), runs.root, fake.DATA.checksum, 1)
    collect(runs)
    assert len(load_study("sources").of("b-bn")) == 3


def test_runs_of_other_settings_are_refused(runs, pretrained, capsys):
    config = PRESETS["b-l2-bn"].config.replace(epochs=2)
    run_here(Task("b-l2-bn-seed-0", config, "b-l2-bn"), runs.root, fake.DATA.checksum, 1)
    assert collect(runs, "sources") == 2
    assert "b-l2-bn-seed-0 has other settings than b-l2-bn has now" in capsys.readouterr().err


def test_nothing_trained_yet_is_said(tmp_path, pretrained, capsys):
    assert collect(RunStore(tmp_path / "empty"), "scan") == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["runs"] == 0 and "no README yet" in printed.err
    assert not pretrained.exists()


def test_an_unknown_study_is_bad_input(tmp_path, capsys):
    assert main(["study", "nonsense", "--out", str(tmp_path)]) == 2
    assert f"Choose from {', '.join(STUDIES)}" in capsys.readouterr().err


def test_what_is_missing_is_trained_first(runs, pretrained, monkeypatch):
    asked = []
    monkeypatch.setattr(study_command, "run_tasks", lambda tasks, options: asked.append(tasks) or 1)
    assert main(["study", "sources", "--out", str(runs.root)]) == 1, "a failed run must not go unnoticed"
    (tasks,) = asked
    assert len(tasks) == 80 and load_study("sources").runs
