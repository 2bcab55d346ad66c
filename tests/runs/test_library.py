"""One view of the runs made here and the pretrained variants."""

from __future__ import annotations

from dataclasses import asdict

import fake_training as fake
import pytest
import torch

from mnist_lab.runs.library import Library, pretrained_root
from mnist_lab.runs.record import RunError
from mnist_lab.runs.store import RunStore
from mnist_lab.runs.writer import RunWriter


def keep(store: RunStore, id: str) -> None:
    writer = RunWriter.create(store.root, id, fake.CONFIG)
    writer.finish(fake.result(fake.CONFIG, "finished", [asdict(fake.epoch_event(1))], torch.zeros(1)))


@pytest.fixture
def library(tmp_path):
    return Library(RunStore(tmp_path / "runs"), tmp_path / "pretrained")


def test_variants_come_first_and_in_the_presets_order(library):
    for id in ("b-gbn", "a-bn", "my-own"):
        keep(library.pretrained, id)
    keep(library.own, "here")
    assert [run.id for run in library.list()] == ["a-bn", "b-gbn", "my-own", "here"]
    assert [library.is_pretrained(run) for run in library.list()] == [True, True, True, False]


def test_the_study_beside_the_variants_is_no_run(library):
    keep(library.pretrained, "a-bn")
    (library.pretrained.root / "study").mkdir()
    assert [run.id for run in library.pretrained.list()] == ["a-bn"]


def test_runs_without_weights_are_left_out_and_nothing_there_is_no_error(library):
    assert library.list() == []
    with RunWriter.create(library.own.root, "failed", fake.CONFIG)._lock:
        assert library.list() == []


def test_why_a_run_is_not_listed(library):
    with RunWriter.create(library.own.root, "going", fake.CONFIG)._lock:
        assert "still going" in library.why_not("going")
    assert "has no weights" in library.why_not("going"), "nobody works on it any more"
    assert "no run nowhere" in library.why_not("nowhere")


def test_an_own_run_hides_a_variant_of_its_name(library):
    keep(library.pretrained, "a-bn")
    assert library.is_pretrained(library.load("a-bn"))
    keep(library.own, "a-bn")
    assert not library.is_pretrained(library.load("a-bn"))
    with pytest.raises(RunError, match="no run nowhere"):
        library.load("nowhere")


def test_the_root_is_the_setting_or_beside_the_app(monkeypatch, tmp_path):
    monkeypatch.delenv("MNIST_LAB_PRETRAINED", raising=False)
    assert pretrained_root().name == "pretrained" and (pretrained_root().parent / "app.py").exists()
    monkeypatch.setenv("MNIST_LAB_PRETRAINED", str(tmp_path))
    assert pretrained_root() == tmp_path
