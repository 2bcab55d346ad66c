"""The Microscope page in the real app, on pretrained runs and on two that are trained for it: what L1 leaves of the
weights, epoch by epoch, and what ghost batches do to one batch."""

from __future__ import annotations

import re

import pytest
from lab_server import open_page, open_train, ready, start, wait_for_state
from playwright.sync_api import expect

pytestmark = pytest.mark.timeout(400)  # a wait fails first, and says what it waited for
SHARES = re.compile(r"([\d.]+) % of the convolution weights are below 0\.001 in size and ([\d.]+) % exactly 0")
# A few steps under a strong penalty. Weights are averaged, as they are with the preset that the Train page begins with.
PROXIMAL = dict(network="c", train_images=300, batch_size=50, epochs=3, l1=0.01, l1_kind="proximal", ema_decay=0.9)
TOO_WIDE = """[document.documentElement, document.querySelector('[data-testid=stMain]')]
    .some(e => e.scrollWidth > e.clientWidth)"""


def shares(page) -> list[tuple[float, float]]:
    """What the page says of each run: weights below 0.001 in per cent, and of those at exactly 0."""
    text = page.get_by_text("of the convolution weights are below 0.001 in size").inner_text()
    return [(float(small), float(zero)) for small, zero in SHARES.findall(text)]


def bars(page, side: str = "own") -> str:
    """The outlines of a histogram's bars."""
    marks = page.locator(f".st-key-microscope_histogram_{side} svg.marks")
    expect(marks).to_be_visible()
    return marks.evaluate("svg => [...svg.querySelectorAll('path')].map(path => path.getAttribute('d')).join()")


def labels(page, key: str) -> list[str]:
    """What the points of a chart are called, with their values."""
    points = page.locator(f".st-key-microscope_{key} path[aria-roledescription=point]")
    points.first.wait_for()
    return points.evaluate_all("points => points.map(point => point.getAttribute('aria-label'))")


def noise(page) -> float:
    """By how much the page says that a digit's logit moves with its batch mates in training mode."""
    return float(re.search(r"moves by ([\d.]+)", page.get_by_text("sets of batch mates").inner_text()).group(1))


def test_a_pretrained_l1_run_has_more_small_weights_than_its_twin_and_the_slider_goes_through_the_epochs(
    server, browsers
):
    page = browsers.new()
    open_page(page, f"{server.url}/microscope?run=b-l1-bn")
    expect(page.get_by_role("combobox", name="Beside it")).to_have_value(re.compile("b-bn.*its twin"))
    (own, _), (twin, _) = shares(page)
    assert own > 5 * twin > 0
    expect(page.get_by_text("After epoch 25,")).to_have_count(2)
    last, beside = bars(page), bars(page, "beside")
    page.get_by_role("slider", name="Epoch").press("Home")
    page.wait_for_url(re.compile("epoch=1"))
    expect(page.get_by_text("After epoch 1,")).to_have_count(2)
    first = bars(page)
    assert len({first, last, beside, bars(page, "beside")}) == 4
    friend = browsers.new()
    open_page(friend, page.url)
    expect(friend.get_by_text("After epoch 1,")).to_have_count(2)
    assert bars(friend) == first


def test_a_run_by_the_proximal_step_has_exact_zeros(server, browsers):
    page = browsers.new()
    open_train(page, server.url, **PROXIMAL)
    id = start(page)
    wait_for_state(page, "Finished")
    open_page(page, f"{server.url}/microscope?run={id}")
    ((small, zero),) = shares(page)
    assert small >= zero > 10
    at_zero = labels(page, "zero_weights")
    assert float(re.search(r"epoch: 3; value: ([\d.]+)", ";".join(at_zero)).group(1)) == pytest.approx(zero, abs=0.06)
    page.set_viewport_size({"width": 390, "height": 844})
    page.emulate_media(color_scheme="dark")
    for part in ("weights", "penalty", "pruning", "size", "ghosts"):
        open_page(page, f"{server.url}/microscope?run={id}&show={part}")
        page.locator("[class*=st-key-microscope_] svg.marks").first.wait_for()
        assert not page.evaluate(TOO_WIDE), part


def test_the_split_slider_cuts_a_batch_and_evaluation_does_not_move(server, browsers):
    page = browsers.new()
    open_page(page, f"{server.url}/microscope?run=b-bn&show=ghosts")
    expect(page.get_by_text("One split is plain batch norm")).to_be_visible()
    expect(page.get_by_text("In evaluation mode it moves by 0.00")).to_be_visible()
    whole, logits, before = labels(page, "ghosts_mean"), labels(page, "mates"), noise(page)
    page.get_by_role("slider", name="Ghost batches").press("End")
    page.wait_for_url(re.compile("splits=32"))
    expect(page.get_by_text("32 ghost batches of 4 images each")).to_be_visible()
    expect(page.get_by_text("In evaluation mode it moves by 0.00")).to_be_visible()
    ready(page)
    cut, moved = labels(page, "ghosts_mean"), labels(page, "mates")
    kept = {label for label in whole if label.startswith("Kept")}
    assert len(whole) == 2 * len(kept) and len(cut) == 33 * len(kept) and kept < set(cut)
    evaluated = [label for label in logits if label.startswith("Evaluation")]
    answers = {tuple(re.findall(r"digit (.*)", label)) for label in evaluated}
    assert len(answers) == 10 < len(evaluated), "the same ten logits among all batch mates"
    assert evaluated == [label for label in moved if label.startswith("Evaluation")]
    assert noise(page) > before > 0.1, "fewer batch mates to a mean: more noise"
