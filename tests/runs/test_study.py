"""A study: collected from records, kept compactly, read back as it was."""

from __future__ import annotations

import dataclasses
import json

import fake_training as fake
import numpy as np
import pytest

from mnist_lab.runs import study as study_module
from mnist_lab.runs.record import RunError
from mnist_lab.runs.store import RunStore
from mnist_lab.runs.study import MEASURES, StudyError, collect, load_study, save_study, study_names
from mnist_lab.runs.sweep_worker import Task, run_here

SETTINGS = {"plain": fake.CONFIG, "short": fake.CONFIG.replace(epochs=2)}


@pytest.fixture
def records(tmp_path, monkeypatch):
    """Two settings with two seeds each, trained by arithmetic."""
    import mnist_lab.runs.sweep_worker as worker

    monkeypatch.setattr(worker, "_functions", lambda: (lambda: fake.DATA, fake.make_train()))
    for name, config in SETTINGS.items():
        for seed in range(2):
            run_here(Task(f"{name}-seed-{seed}", config.replace(seed=seed), name), tmp_path, fake.DATA.checksum, 1)
    store = RunStore(tmp_path)
    return {run.id: store.load(run.id) for run in store.list()}


def make(records, **changes):
    options = dict(name="tiny", title="A tiny one", command="make it", settings=list(SETTINGS), seeds=range(2))
    return collect(**(options | changes), records=records)


def test_what_is_collected_is_what_was_recorded(records):
    study = make(records)
    assert study.settings() == ["plain", "short"] and [run.seed for run in study.of("plain")] == [0, 1]
    for run in study.runs:
        record = records[run.id]
        assert run.config == record.config and run.summary["parameters"] == 9920
        assert set(run.history) == set(MEASURES)
        np.testing.assert_allclose(run.history["train_loss"], [line["train_loss"] for line in record.history])
        np.testing.assert_array_equal(run.digits, record.test_logits().digits)
    np.testing.assert_array_equal(study.labels, records["plain-seed-0"].test_logits().labels)
    assert study.data["checksum"] == fake.DATA.checksum and study.runs[0].made_on["threads"] == 1


def test_it_says_in_which_precision_each_run_was_made(records, tmp_path):
    assert SETTINGS["plain"].precision == "auto"
    records["plain-seed-1"] = dataclasses.replace(records["plain-seed-1"], precision="bfloat16")
    save_study(make(records), tmp_path)
    runs = load_study("tiny", tmp_path).runs
    assert [run.made_on["precision"] for run in runs] == ["float32", "bfloat16", "float32", "float32"]
    assert len(json.loads((tmp_path / "tiny.json").read_text())["machines"]) == 2


def test_a_study_from_before_the_precision_was_kept_reads_and_writes_as_it_was(records, tmp_path):
    save_study(make(records), tmp_path)
    path = tmp_path / "tiny.json"
    old = json.loads(path.read_text())
    del old["machines"][0]["precision"]
    path.write_text(json.dumps(old))
    save_study(load_study("tiny", tmp_path), tmp_path)
    assert json.loads(path.read_text()) == old


def test_it_reads_back_as_it_was(records, tmp_path):
    study = make(records)
    save_study(study, tmp_path / "out")
    again = load_study("tiny", tmp_path / "out")
    assert study_names(tmp_path / "out") == ["tiny"]
    for before, after in zip(study.runs, again.runs, strict=True):
        for field in dataclasses.fields(before):
            np.testing.assert_equal(getattr(after, field.name), getattr(before, field.name))
    assert (again.title, again.command, again.planned, again.data) == ("A tiny one", "make it", 2, study.data)
    np.testing.assert_array_equal(again.labels, study.labels)


def test_a_setting_not_in_it_is_empty_or_an_error(records):
    study = make(records)
    assert study.of("nothing") == []
    with pytest.raises(StudyError, match="no run of 'nothing'"):
        study.config("nothing")


def test_runs_that_are_not_there_yet_or_not_finished_are_left_out(records):
    del records["short-seed-0"]
    records["short-seed-1"] = dataclasses.replace(records["short-seed-1"], status="stopped")
    study = make(records)
    assert [run.id for run in study.runs] == ["plain-seed-0", "plain-seed-1"] and study.planned == 2


def test_runs_on_other_images_are_refused(records):
    run = records["short-seed-1"]
    records["short-seed-1"] = dataclasses.replace(run, data=run.data | {"checksum": "other"})
    with pytest.raises(StudyError, match="short-seed-1 saw other images"):
        make(records)


def test_an_empty_study_is_kept_too(tmp_path):
    save_study(make({}), tmp_path)
    assert load_study("tiny", tmp_path).runs == []


def test_what_cannot_be_read_is_said(records, tmp_path):
    with pytest.raises(StudyError, match=r"no study tiny in .* python -m mnist_lab study tiny"):
        load_study("tiny", tmp_path)
    save_study(make(records), tmp_path)
    path = tmp_path / "tiny.json"
    good = path.read_text()
    path.write_text(good[: len(good) // 2])
    with pytest.raises(StudyError, match="damaged"):
        load_study("tiny", tmp_path)
    path.write_text(json.dumps(json.loads(good) | {"schema": study_module.SCHEMA + 1}))
    with pytest.raises(StudyError, match="newer version"):
        load_study("tiny", tmp_path)
    path.write_text(good)
    (tmp_path / "tiny.npz").write_bytes(b"PK")
    with pytest.raises(StudyError, match="damaged"):
        load_study("tiny", tmp_path)


def test_a_record_without_answers_is_not_passed_over(records):
    record = records["plain-seed-0"]
    (record.folder / "test_logits.npz").unlink()
    with pytest.raises(RunError, match="no test results"):
        make(records)
