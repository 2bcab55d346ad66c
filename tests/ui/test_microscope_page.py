"""The Microscope page through the whole app: every part, what the URL says, and what may be missing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from lab import RUNS_PAGE, Lab, box, button, link, open_page, query, words
from microscope_records import CONFIG, L1, begin, epoch_of, finished, network
from streamlit.testing.v1 import AppTest

from mnist_lab.runs.networks import latest_network_of
from mnist_lab.ui import microscope_data
from mnist_lab.ui import microscope_text as text

PAGE = "mnist_lab/ui/views/microscope.py"


@pytest.fixture
def lab(tmp_path, monkeypatch):
    lab = Lab(tmp_path, monkeypatch)
    monkeypatch.setattr(microscope_data, "FRACTIONS", (0.0, 0.5, 1.0))  # each costs an evaluation
    yield lab
    lab.close()


@pytest.fixture
def pair(lab):
    """A pretrained variant with L1, a quarter of whose weights is 0, and its plain twin."""
    finished(lab.library.pretrained.root, "b-l1-bn", L1, zeros=0.25)
    finished(lab.library.pretrained.root, "b-bn", CONFIG)
    return lab


def page(**parameters: str) -> AppTest:
    return open_page(PAGE, **parameters)


def slider(at, label: str):
    (found,) = [slider for slider in (*at.slider, *at.select_slider) if slider.label == label]
    return found


def slider_end(at) -> int | None:
    """The last epoch that the slider has; None without one."""
    return next((slider.max for slider in at.slider if slider.label == "Epoch"), None)


def charts(at) -> int:
    return len(at.get("vega_lite_chart"))


def test_nothing_trained_yet(lab):
    at = page()
    assert "There is no run to look at yet." in words(at) and not at.selectbox
    assert [link.proto.label for link in at.get("page_link")] == ["Start a run on the Train page"]


def test_the_l1_run_and_its_plain_twin_come_first(pair):
    at = page()
    assert (box(at, "Run").value, box(at, "Beside it").value) == ("b-l1-bn", "b-bn")
    assert charts(at) == 5
    said = words(at)
    assert "28.6 % of the convolution weights are below 0.001 in size and 25.0 % exactly 0;" in said
    assert "0 % exactly 0." in said and "There is none in any epoch." not in said and "After epoch 3," in said


def test_epoch_layer_and_threshold_are_in_the_url(pair):
    at = page()
    slider(at, "Epoch").set_value(2).run()
    box(at, "Layer").set_value("conv2").run()
    slider(at, "Threshold").set_value("1e-1").run()
    assert query(at) == {"run": "b-l1-bn", "epoch": "2", "layer": "conv2", "below": "1e-1"}
    said = words(at)
    assert "After epoch 2," in said and "of the 2,304 weights of conv2" in said and "(100.0 %) are below 1e-1" in said
    box(at, "Run").set_value("b-bn").run()
    assert query(at) == {"run": "b-bn", "layer": "conv2", "below": "1e-1"} and "After epoch 3," in words(at)
    assert box(at, "Beside it").value == "b-l1-bn"  # the twin of a plain run is one with L1


def test_the_penalty_of_the_l1_run(pair):
    at = page(show="penalty", run="b-l1-bn")
    source = microscope_data.whose(microscope_data.files.SAMPLE_CHECKSUM)
    module = latest_network_of(pair.library.load("b-l1-bn"))
    found = microscope_data.pulls(module, L1, source, 0)
    said = words(at)
    assert f"L1 {found.whole.l1:.3g}" in said and f"Data {found.whole.data:.3g}" in said
    assert "Weight decay none" in said and f"share of the two is {text.percent(found.whole.l1_share)}" in said
    assert "of the two together" in said and "stops at zero" in said
    slider(at, "Batch").set_value(2).run()
    assert query(at)["batch"] == "2"
    assert f"Data {microscope_data.pulls(module, L1, source, 1).whole.data:.3g}" in words(at)


def test_a_run_without_a_penalty_says_so(pair):
    assert "There is none in any epoch." in words(page(run="b-bn", beside="none"))  # no exact zero
    at = page(show="penalty", run="b-bn", beside="none")
    assert "This run has no L1 penalty and no weight decay" in words(at) and charts(at) == 0


def test_a_run_beside_it_that_is_gone_is_not_replaced_silently(pair):
    gone = words(page(show="weights", run="b-l1-bn", beside="no-such-run"))
    assert "There is nothing to look at in the run no-such-run" in gone and "Its twin is shown beside" in gone
    for beside in ("none", "b-l1-bn"):  # a choice of its own; the same run: nothing is missing
        assert "There is nothing to look at" not in words(page(show="weights", run="b-l1-bn", beside=beside))


def test_pruning_beside_the_twin(pair):
    at = page(show="pruning")
    said = words(at)
    assert charts(at) == 1 and "On the sample's 1,000 test images." in said and "The run beside it:" in said
    curve = microscope_data.pruning(latest_network_of(pair.library.load("b-l1-bn")), microscope_data.SAMPLE)
    assert len(curve) == 3 and f"Whole, it reads {curve[0]:.1f} % right." in said


def test_size_and_scale(pair):
    at = page(show="size", layer="conv1")
    said = words(at)
    assert charts(at) == 3 and "The norm of conv1 goes from" in said and "times that of the run beside it" in said
    assert "of 84 channels are switched off" in said


def test_ghosts(pair):
    at = page(show="ghosts", run="b-bn")
    said = words(at)
    assert charts(at) == 4 and "One split is plain batch norm: all 32 images" in said
    assert "In evaluation mode it moves by 0.00" in said
    slider(at, "Ghost batches").set_value(8).run()
    box(at, "Norm layer").set_value("norm4").run()
    slider(at, "Image of the batch").set_value(5).run()
    assert "8 ghost batches of 4 images each" in words(at) and "Image 5 of the batch" in words(at)
    assert query(at) == {"run": "b-bn", "show": "ghosts", "splits": "8", "norm": "norm4", "digit": "5"}


def test_without_norms_there_are_no_ghosts_and_no_gammas(lab):
    finished(lab.store.root, "none", CONFIG.replace(norm="none"))
    assert "This run has no batch norm" in words(page(show="ghosts"))
    said = words(page(show="size"))
    assert "there is no gamma" in said and "lr / |w|² has no special meaning" in said


def test_group_norm_has_gammas_and_no_ghosts(lab):
    finished(lab.store.root, "group", CONFIG.replace(norm="group"))
    assert "This run has no batch norm" in words(page(show="ghosts"))
    assert "of 84 channels" in words(page(show="size"))


def test_a_frozen_gamma_and_one_epoch(lab):
    finished(lab.store.root, "frozen", CONFIG.replace(norm="ghost", freeze_gamma=True, epochs=1, weight_decay=0.01))
    assert "Gamma is frozen at 1" in words(page(show="size"))
    assert not [slider for slider in page().slider if slider.label == "Epoch"]
    said = words(page(show="penalty"))
    assert "This run has no L1 penalty. Its weight decay is not part of the loss" in said and "L1 none" in said


@pytest.mark.parametrize("show", ["weights", "penalty", "pruning", "size", "ghosts"])
def test_a_failed_run_shows_its_history_and_says_what_is_missing(lab, show):
    writer = begin(lab.store.root, "failed", L1, [network(L1)])
    writer.fail("It broke.", "")
    at = page(show=show)
    said = words(at)
    assert "Failed" in said and "This run has no weights" in said
    assert bool(charts(at)) == (show in ("weights", "penalty", "size"))


@pytest.mark.parametrize("show", ["weights", "pruning"])
def test_a_live_run_is_looked_at_with_its_latest_weights(lab, show):
    writer = begin(lab.store.root, "live", L1, [network(L1), network(L1, 0.5)])
    at = page(show=show)
    said = words(at)
    assert "Running" in said and "has no weights" not in said
    assert ("After epoch 2," in said) == (show == "weights")
    assert "drawn with the weights after epoch 2." in said
    writer.epoch(epoch_of(L1, network(L1), 3))
    button(at, "Take its latest weights").click().run()
    assert "drawn with the weights after epoch 3." in words(at) and slider_end(at) == (3 if show == "weights" else None)
    writer.close()


def test_the_other_pages_lead_here(lab):
    finished(lab.store.root, "mine")
    for at in (lab.page(run="mine"), lab.page(path=RUNS_PAGE)):
        assert link(at, "Look inside") == ("microscope", {"run": "mine"})


def test_a_run_in_line_and_one_before_its_first_epoch(lab):
    lab.gated()
    lab.submit()
    lab.gate.wait()
    lab.submit()
    for run in lab.queue.jobs():
        said = words(page(run=run.id))
        assert "no epoch of this run has ended yet" in said
        assert "This run has no weights" in words(page(run=run.id, show="ghosts"))


def test_a_run_that_is_deleted_while_it_is_looked_at(lab):
    for id in ("mine", "other"):
        finished(lab.store.root, id)
    at = page(run="mine")
    assert box(at, "Beside it").value == "none"
    lab.store.delete("mine")
    at.run()
    assert not at.exception and "There is nothing to look at in the run mine" in words(at)
    assert box(at, "Run").value == "other"


def test_damaged_weights_are_explained(pair):
    (pair.library.pretrained.root / "b-l1-bn" / "weights.safetensors").write_bytes(b"nothing")
    said = words(page())
    assert "weights.safetensors is damaged" in said and "After epoch 3," in said


def test_nonsense_in_a_link_is_the_default(pair):
    at = page(
        run="?", beside="?", show="ghosts", layer="?", epoch="-1", below="x", norm="?", splits="99999", batch="x",
        digit="0",
    )
    assert "nothing to look at in the run ?" in words(at) and box(at, "Run").value == "b-l1-bn"
    assert slider(at, "Ghost batches").value == 32 and slider(at, "Image of the batch").value == 1
    at = page(show="?", epoch="7")
    assert slider(at, "Epoch").value == 3
