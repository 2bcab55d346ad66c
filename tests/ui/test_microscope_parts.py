"""What the Microscope page is made of, without a page: runs that belong together, words, charts, and what is kept."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import altair as alt
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))

from microscope_records import CONFIG, L1, network

from mnist_lab.data import files
from mnist_lab.measures import histogram
from mnist_lab.microscope_ghosts import GhostStatistics, norm_names
from mnist_lab.microscope_pull import Pull, Pulls
from mnist_lab.microscope_weights import LayerShare, NormScale
from mnist_lab.ui import microscope_charts as charts
from mnist_lab.ui import microscope_data as data
from mnist_lab.ui import microscope_text as text
from mnist_lab.ui.chart_specs import AXIS_NUMBER
from mnist_lab.ui.microscope_data import BatchMates
from mnist_lab.ui.microscope_find import Option, default_run, twin
from mnist_lab.ui.microscope_ghost_viewer import SCATTER
from mnist_lab.ui.microscope_pruning import LOOK
from mnist_lab.ui.microscope_size import GAMMA
from mnist_lab.ui.microscope_weights import CURVE, ZEROS

DECAY = CONFIG.replace(weight_decay=1e-3)
BOTH = L1.replace(weight_decay=1e-3)


def runs(**configs) -> dict[str, Option]:
    return {id: Option(id, id, config) for id, config in configs.items()}


@pytest.mark.parametrize(("id", "expected"), [
    ("l1", "plain"), ("decay", "plain"), ("both", "plain"), ("plain", "l1"), ("alone", None), ("alone_l1", None),
])
def test_twins(id, expected):
    found = runs(
        plain=CONFIG, l1=L1, decay=DECAY, both=BOTH, alone=CONFIG.replace(norm="none"),
        alone_l1=L1.replace(network="a"),
    )
    assert twin(id, found) == expected


def test_without_a_plain_run_the_twin_lacks_one_of_the_two():
    assert twin("both", runs(both=BOTH, decay=DECAY)) == "decay"
    assert twin("both", runs(both=BOTH, l1=L1)) == "l1"
    assert twin("l1", runs(l1=L1, again=L1.replace(seed=1))) is None


def test_a_twin_of_the_same_seed_comes_first():
    found = runs(l1=L1.replace(seed=2), plain=CONFIG, same=CONFIG.replace(seed=2))
    assert twin("l1", found) == "same" and twin("l1", runs(l1=L1, other=CONFIG.replace(seed=5))) == "other"


def test_the_run_to_begin_with():
    assert default_run(runs(**{"x": CONFIG, "b-l1-bn": CONFIG})) == "b-l1-bn"
    assert default_run(runs(x=CONFIG, y=L1)) == "y" and default_run(runs(x=CONFIG, y=DECAY)) == "x"


@pytest.mark.parametrize(("share", "said"), [
    (None, "–"), (0, "0 %"), (1, "100.0 %"), (0.01234, "1.2 %"), (0.0012345, "0.12 %"), (1.2e-6, "0.00012 %"),
    (9527 / 9528, "99.9 %"),
])
def test_per_cent(share, said):
    assert text.percent(share) == said


def test_words_on_a_histogram():
    assert text.histogram_text(HISTOGRAM, "conv1", 3) == (
        "After epoch 3, 33.3 % of the 6 weights of conv1 are in the middle bar (within 0.1 of zero); "
        "the largest is 0.2 in size."
    )
    gone = histogram(torch.tensor([0.0, 0.0, 1e-7]))  # reaches further than the weights
    assert text.histogram_text(gone, "conv1", 3).endswith("of zero); none is above 0.001 in size.")


def test_words_on_shares():
    layers = [LayerShare("conv1", 100, 5, 20), LayerShare("conv2", 300, 0, 30)]
    said = text.shares_text(layers, "1e-3")
    assert said.startswith("50 of 400 convolution weights (12.5 %) are below 1e-3 in size, 5 of them exactly 0.")
    assert said.endswith("Most of all in conv1: 20.0 %.")
    assert "Most" not in text.shares_text([LayerShare("conv1", 100, 0, 0)], "1e-5")


def test_words_on_pulls():
    def said(config, **values) -> str:
        whole = replace(Pull("all", 2.0, 0.0, 0.0), **values)
        return text.pulls_text(config, Pulls(0.5, 0.1, whole, (whole,)))

    assert "5.00 times as hard as L1 (2 against 0.4)" in said(L1.replace(l1_kind="subgradient"), l1=0.4)
    assert "50.0 % as hard as L1" in said(L1, l1=4.0) and "by the same amount and stops at zero" in said(L1, l1=4.0)
    assert "added to the gradient" in said(DECAY, decay=0.1)
    assert "apart from the gradient" in said(DECAY.replace(optimizer="adamw"), decay=0.1)
    assert text.NO_PENALTY in said(CONFIG)


def test_the_table_of_pulls_has_a_column_for_each_force():
    pulls = Pulls(0.5, 0.1, Pull("all", 3.0, 1.0, 2.0), (Pull("conv1", 3.0, 1.0, 2.0),))
    assert text.pulls_table(CONFIG, pulls) == [{"Layer": "conv1", "Data": "3"}, {"Layer": "all", "Data": "3"}]
    assert text.pulls_table(BOTH, pulls)[0] == {
        "Layer": "conv1", "Data": "3", "L1": "1", "L1's share": "25.0 %", "Weight decay": "2",
    }


def test_words_on_pruning():
    steps = len(data.FRACTIONS)
    assert "Up to 60 % of its weights" in text.pruning_text([90.0] * 5 + [80.0] * (steps - 5), None)
    assert "Cutting 20 % of the weights already" in text.pruning_text([90.0] + [50.0] * (steps - 1), None)
    assert "Up to 100 %" in text.pruning_text([9.8] * steps, None)
    both = text.pruning_text([90.0] * steps, [80.0] + [10.0] * (steps - 1))
    assert "The run beside it: 80.0 %. Cutting 20 %" in both


def test_words_on_sizes():
    own = {1: 2.0, 2: 4.0, 3: None}
    assert text.size_text(own, None, "It") == "It goes from 2 (epoch 1) to 4 (epoch 2)."
    assert text.size_text({1: 2.0}, {1: None}, "It") == (
        "It is 2 after epoch 1; in the run beside it, it has no value.")
    said = text.turned_text(own, {1: 1.0, 2: 8.0, 3: 1.0})
    assert said.endswith("After epoch 2 it is 0.50 times that of the run beside it.")
    assert "times" not in text.turned_text(own, None)


def test_numbers_can_be_read():
    assert text.size_text({1: 1.394e-4, 25: 6.55e-5}, None, "It") == (
        "It goes from 1.39 × 10⁻⁴ (epoch 1) to 6.55 × 10⁻⁵ (epoch 25).")
    assert "goes from 0 (epoch 1) to 2.00 × 10⁻⁵" in text.size_text({1: 0.0, 2: 2e-5}, None, "It")
    assert "goes from 0 (epoch 1) to 0.000139" in text.size_text({1: 0.0, 2: 1.39e-4}, None, "It")
    for own, said in ((1.04, "1.04 times"), (1.001, "the same as"), (123.4, "123 times"), (0.0031, "0.0031 times")):
        assert f"After epoch 1 it is {said} that of" in text.turned_text({1: own}, {1: 1.0})


@pytest.mark.parametrize("chart", [
    charts.points_chart(GAMMA, [("norm1", charts.OWN, 1.0, "frozen")]), charts.curves_chart(LOOK, [(0, 80.32)]),
])
def test_equal_values_have_a_short_label(chart):
    axes = [layer["encoding"]["y"]["axis"] for layer in json.loads(chart.spec)["layer"] if "y" in layer["encoding"]]
    assert {axis["format"] for axis in axes} == {AXIS_NUMBER}, "else it reads 1.000000"


def test_words_on_gammas():
    scales = [NormScale("norm1", torch.tensor([1.0, 0.0, -3.0]), True)]
    assert text.scales_text(scales) == (
        "From 0 (norm1, channel 1) to -3 (norm1, channel 2) in size; 1 of 3 channels are switched off (below 0.001)."
    )
    assert "frozen" in text.scales_text([replace(scales[0], trained=False)])


def test_words_on_ghosts():
    found = GhostStatistics(torch.tensor([[1.0], [3.0]]), torch.ones(2, 1), torch.zeros(1), torch.tensor([4.0]))
    said = text.ghosts_text(found, 2, 64)
    assert said.startswith("2 ghost batches of 32 images each: their means typically lie 0.50 standard deviations")
    assert "about 16 images each (the batch has only 33 images)" in text.ghosts_text(found, 32, 33)


def test_words_on_ghosts_beside_what_was_kept():
    means, variances = torch.tensor([[1.0, 9.0], [3.0, 9.0]]), torch.tensor([[2.0, 0.0], [6.0, 0.0]])
    found = GhostStatistics(means, variances, torch.tensor([2.0, 9.0]), torch.tensor([4.0, 0.0]))
    assert text.means_text(found) == (
        "The ghost batches' means typically lie 0.35 standard deviations from the kept mean, the farthest 0.50 "
        "(channel 0)."
    )
    assert text.variances_text(found) == "The ghost batches' variances lie between 0.50 and 1.50 times the kept ones."
    one = replace(found, means=means[:1], variances=variances[:1])
    assert text.means_text(one).startswith("The batch's means")
    never = replace(found, running_var=torch.zeros(2))
    assert "are 0" in text.variances_text(never) and "nan" not in text.means_text(never)


def test_words_on_batch_mates():
    training = torch.tensor([[0.0, 1.0, 2.0], [0.0, 1.0, 2.0], [0.0, 3.0, 2.0]])
    found = BatchMates(training, training[:1].expand(3, 3))
    said = text.mates_text(found, 1)
    assert "Among 3 sets" in said and "the logit of 1 moves by 1.15" in said and "as 2 different digits" in said
    assert "In evaluation mode it moves by 0.00" in said
    assert "always read as a 2" in text.mates_text(BatchMates(training[:2], training[:2]), 1)


HISTOGRAM = {"edges": [-0.2, -0.1, 0.1, 0.2], "counts": [1, 2, 3]}
CHARTS = {
    "one run by epoch": lambda: charts.epochs_chart(ZEROS, 4, {1: 0.0, 2: 5.0}, None),
    "two runs by epoch": lambda: charts.epochs_chart(("x", "y", True), 4, {1: 0.1, 2: None}, {1: 0.2, 3: 0.0}),
    "histogram": lambda: charts.histogram_chart(HISTOGRAM, 0.4, "conv1"),
    "curve": lambda: charts.curves_chart(CURVE, [(0.1, 5.0), (1.0, 9.0)], [(0.1, 1.0)], mark=0.3),
    "pruning": lambda: charts.curves_chart(LOOK, [(0.0, 95.0), (100.0, 10.0)]),
    "scatter": lambda: charts.curves_chart(SCATTER, [(1, 0.0), (32, 0.1)], mark=4),
    "gammas": lambda: charts.points_chart(GAMMA, [("norm1", charts.OWN, 1.0, "a"), ("norm2", charts.BESIDE, 1.0, "b")]),
}


@pytest.mark.parametrize("name", CHARTS)
def test_charts_are_valid_and_every_layer_has_rows(name):
    chart = CHARTS[name]()
    alt.Chart.from_dict(chart.to_dict())
    whole = chart.to_dict()
    named = {part["data"]["name"] for part in (whole, *whole["layer"]) if "data" in part}
    assert named == chart.data.keys() and all(chart.data.values())


def test_the_specification_is_the_same_whatever_the_epoch():
    first, second = (charts.epochs_chart(ZEROS, 4, dict.fromkeys(range(1, end), 1.0), None) for end in (2, 4))
    assert first.spec == second.spec and first.data != second.data
    other = HISTOGRAM | {"counts": [0, 1, 9]}
    assert '"stroke"' in charts.histogram_chart(HISTOGRAM, 1, "a").spec, "else a thin bar is hardly seen"
    assert charts.histogram_chart(HISTOGRAM, 1, "a").spec == charts.histogram_chart(other, 2, "a").spec


def test_no_value_no_chart_and_a_run_without_values_no_line():
    assert charts.epochs_chart(ZEROS, 4, {1: None}, {1: None}) is None
    chart = charts.epochs_chart(("x", "y", True), 4, {1: 0.0}, {1: 1.0})
    assert {row["series"] for row in chart.data["lines"]} == {charts.BESIDE}
    assert charts.OWN not in chart.spec


def test_where_the_images_are(monkeypatch):
    monkeypatch.setattr(data.files, "data_status", lambda: {"complete": False})
    monkeypatch.setattr(data, "load_test_set", lambda: SimpleNamespace())
    assert data.whose(files.SAMPLE_CHECKSUM) == data.tested_on(files.SAMPLE_CHECKSUM) == data.SAMPLE
    assert data.whose(files.CHECKSUM) == data.BUNDLED and data.tested_on(files.CHECKSUM) == data.MNIST
    assert data.whose(None) == data.tested_on("other") == data.BUNDLED
    monkeypatch.setattr(data.files, "data_status", lambda: {"complete": True})
    assert data.whose(files.CHECKSUM) == data.MNIST


def test_batches_in_place_of_images_that_are_not_here():
    config = CONFIG.replace(train_images=50_000, batch_size=512, validation=True)
    found = data.batches(config, data.BUNDLED)
    assert len(found) == data.FEWEST and all(len(batch.labels) == 512 for batch in found)
    assert data.batches(config, data.BUNDLED) is found
    assert len(data.batches(CONFIG, data.SAMPLE)) == data.MOST


def test_what_is_measured_is_kept():
    module = network(CONFIG)
    name = norm_names(module)[0]
    first = data.ghosts(module, CONFIG, data.SAMPLE, 0, 2, name)
    assert data.ghosts(module, CONFIG, data.SAMPLE, 0, 2, name) is first
    found = data.mates(module, CONFIG, data.SAMPLE, 1, 2, 0)
    assert found.training.shape == (data.MOST - 1, 10) and found.evaluation.std(0).max() < 1e-5
