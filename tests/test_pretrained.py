"""What ships in pretrained/: real runs that answer as they are recorded, and a README that says what they say."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mnist_lab.data.mnist import load_mnist
from mnist_lab.evaluation import predict_logits
from mnist_lab.nn.networks import build_network, count_parameters
from mnist_lab.presets import PRESETS
from mnist_lab.runs.library import Library, pretrained_root
from mnist_lab.runs.study import load_study, study_names
from mnist_lab.studies import SHIPPED_SEED, STUDIES
from mnist_lab.study_command import readme

LIBRARY = Library()
VARIANTS = [run.id for run in LIBRARY.variants()]
SHIPPED = {name for plan in STUDIES.values() if plan.ships for name in plan.settings}
ELSEWHERE = 2  # images of 10,000 that another machine, which rounds differently, may read otherwise


def test_variants_of_the_plans_and_nothing_else():
    assert set(VARIANTS) == SHIPPED
    assert len(LIBRARY.pretrained.list()) == len(VARIANTS), "a damaged folder"
    assert sum(path.stat().st_size for path in pretrained_root().rglob("*") if path.is_file()) < 20e6


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_is_its_preset_trained_to_the_end(name):
    record = LIBRARY.load(name)
    assert record.config == PRESETS[name].config.replace(seed=SHIPPED_SEED) and record.status == "finished"
    assert record.preset == name and len(record.history) == record.config.epochs
    assert record.data["source"] != "sample" and record.data["test_images"] == 10_000
    assert record.owner_hash is None and "/" not in record.data["location"].removeprefix("MNIST/raw")
    network = build_network(record.config)
    assert count_parameters(network)[0] == record.parameters < 10_000


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_answers_as_it_is_recorded(name, full_data):
    record, data = LIBRARY.load(name), load_mnist(root=full_data)
    assert record.data["checksum"] == data.checksum
    network = build_network(record.config)
    network.load_state_dict(record.weights())
    logits = predict_logits(network, data.test_images)
    kept = record.test_logits()
    torch.testing.assert_close(logits, torch.from_numpy(kept.logits), rtol=1e-3, atol=1e-3)
    right = int((logits.argmax(1) == data.test_labels).sum())
    assert abs(right - record.summary["test_accuracy"] * 100) <= ELSEWHERE
    np.testing.assert_array_equal(kept.labels, data.test_labels)
    assert int((kept.digits == kept.labels).sum()) == round(record.summary["test_accuracy"] * 100)


@pytest.mark.parametrize("name", study_names())
def test_a_study_is_runs_of_its_plan(name):
    study, plan = load_study(name), STUDIES[name]
    assert study.command == plan.command and study.planned == len(plan.seeds)
    for run in study.runs:
        assert run.config == plan.settings[run.setting].replace(seed=run.seed) and run.seed in plan.seeds
        right = 100 * (run.digits == study.labels).mean()
        assert right == pytest.approx(run.summary["test_accuracy"])
        assert run.history["eval_accuracy"][-1] == pytest.approx(right, abs=1e-4)
        assert np.isfinite(run.history["train_loss"]).all() and len(run.history["train_loss"]) == run.config.epochs


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_is_a_run_of_its_study(name):
    (plan,) = [plan for plan in STUDIES.values() if plan.ships and name in plan.settings]
    if SHIPPED_SEED not in plan.seeds:
        pytest.skip("this study has seeds of its own")
    (run,) = [run for run in load_study(plan.name).of(name) if run.seed == SHIPPED_SEED]
    np.testing.assert_array_equal(run.digits, LIBRARY.load(name).test_logits().digits)


def test_the_readme_is_what_the_records_say():
    assert (pretrained_root() / "README.md").read_text("utf-8") == readme()
