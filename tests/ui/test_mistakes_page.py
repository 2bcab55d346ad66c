"""The Mistakes page: every part of it, what the URL says, and what may be missing or damaged."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from lab import RUNS_PAGE, Lab, box, button, link, page_alone, query, words
from mistakes_records import CONFIG, make_run, sample_labels
from streamlit.testing.v1 import AppTest

from mnist_lab.data import files
from mnist_lab.data.files import DataError
from mnist_lab.data.mnist import TestSet
from mnist_lab.runs.record import LOGITS, WEIGHTS
from mnist_lab.ui import mistakes_data, mistakes_view

PAGE = "mnist_lab/ui/views/mistakes.py"
LABELS = sample_labels()
OF_FOUR = np.flatnonzero(LABELS == 4)[:30].tolist()
# Thirty 4s are read as 9, and five 7s as 1: two pages of errors.
ERRORS = dict.fromkeys(OF_FOUR, 9) | dict.fromkeys(np.flatnonzero(LABELS == 7)[:5].tolist(), 1)
FEWER = dict.fromkeys(OF_FOUR[:10], 9) | {int(np.flatnonzero(LABELS == 3)[0]): 5}


@pytest.fixture
def lab(tmp_path, monkeypatch):
    lab = Lab(tmp_path, monkeypatch)
    yield lab
    lab.close()


@pytest.fixture
def pair(lab):
    """Two pretrained variants on the sample."""
    make_run(lab.library.pretrained.root, "b-gbn", LABELS, ERRORS)
    make_run(lab.library.pretrained.root, "b-bn", LABELS, FEWER)
    return lab


def page(**parameters: str) -> AppTest:
    return page_alone("Mistakes", "mistakes_view.render_mistakes", None, **parameters)


def tiles(at) -> list[str]:
    """What the buttons of the gallery say."""
    return [button.label for button in at.button if (button.key or "").startswith("mistakes_open_")]


def test_nothing_trained_yet(lab):
    at = lab.page(path=PAGE)
    assert "no trained network yet" in words(at) and not at.selectbox
    assert [link.proto.label for link in at.get("page_link")] == ["Start a run on the Train page"]


def test_the_errors_of_the_ghost_variant_come_first(pair):
    at = page()
    assert box(at, "Network").value == "b-gbn"
    text = words(at)
    assert "Errors 35" in text and "Accuracy 96.50 %" in text and "95 % interval 95.17 to 97.47 %" in text
    assert "All 35 images that are misread." in text and "Page 1 of 2" in text
    assert "Most frequent error: a 4 read as a 9, 30 times. Hardest digit: 4, of which 30.0 % are misread." in text
    assert len(tiles(at)) == 25 and "not comparable" in text and "disputed" not in text
    button(at, "Next").click().run()
    assert len(tiles(at)) == 10 and query(at) == {"run": "b-gbn", "page": "2"}


def test_drop_downs_filter_and_the_url_says_so(pair):
    at = page()
    box(at, "Label").set_value("7").run()
    assert tiles(at) == ["7 as 1"] * 5 and query(at) == {"run": "b-gbn", "true": "7"}
    box(at, "Read as").set_value("9").run()
    assert tiles(at) == [] and "No error fits this choice; widen it." in words(at) and "Page" not in words(at)
    box(at, "Label").set_value("9").run()
    assert "100 images of a 9, read as labelled." in words(at)
    box(at, "Order").set_value("index").run()
    assert query(at) == {"run": "b-gbn", "true": "9", "predicted": "9", "sort": "index"}
    button(at, "Show all errors").click().run()
    assert len(tiles(at)) == 25 and query(at) == {"run": "b-gbn", "sort": "index"}


def test_confidence_filters(pair):
    at = page(confidence="0-50")
    assert "No error fits this choice" in words(at) and "Page 1" not in words(at)
    at.slider[0].set_range(50, 100).run()
    assert query(at)["confidence"] == "50-100" and len(tiles(at)) == 25


def test_a_link_opens_the_same(pair):
    at = page(run="b-bn", true="4", predicted="9", page="1")
    assert box(at, "Network").value == "b-bn" and box(at, "Label").value == "4" and len(tiles(at)) == 10


def test_nonsense_in_a_link_is_the_default(pair):
    at = page(true="x", predicted="77", confidence="90-10", page="-1", sort="?", show="?", image="zzz", other="b-bn")
    assert "All 35 images" in words(at) and "not among those" in words(at)


@pytest.mark.parametrize("image", [f"sample-{OF_FOUR[0]}", str(OF_FOUR[0])])
def test_a_link_opens_an_image_with_or_without_its_kind(pair, image):
    assert "but its label is **4**" in words(page(image=image))


@pytest.mark.parametrize("image", ["test-947", "bundled-947"])
def test_a_link_to_an_image_of_another_set_opens_none(pair, image):
    text = words(page(image=image))
    assert "The link names image 947 of" in text and "that number is another image" in text
    assert "The network reads" not in text


@pytest.mark.parametrize("image", ["<b>-947", "other-947", "sample-", "sample-1000", "sample-1234567"])
def test_a_link_to_no_image_is_told(pair, image):
    assert "names an image that is not among those" in words(page(image=image))


def test_what_the_names_of_the_networks_mean_is_said(pair):
    for name in ("Source A", "Source B", "GBN", "BN is batch norm", "L1 and L2"):
        assert name in box(page(), "Network").help


def test_a_link_to_a_run_that_is_gone(pair):
    at = page(run="nobody")
    assert "There is no run nobody." in words(at) and box(at, "Network").value == "b-gbn"


def test_a_run_without_weights_is_explained(pair):
    id = pair.interrupted()
    assert "has no weights" in words(page(run=id))


def test_a_run_that_is_deleted_while_it_is_looked_at(lab):
    for id in ("mine", "other"):
        make_run(lab.store.root, id, LABELS, ERRORS)
    at = page(run="mine")
    lab.store.delete("mine")
    at.run()
    assert not at.exception and "There is no run mine." in words(at) and box(at, "Network").value == "other"


def test_an_image_of_a_deleted_run_is_not_opened_as_another_networks(lab):
    for id in ("mine", "other"):
        make_run(lab.store.root, id, LABELS, ERRORS)
    at = page(run="mine")
    lab.store.delete("mine")
    at.button(key=f"mistakes_open_{OF_FOUR[-1]}").click().run()
    assert "There is no run mine." in words(at) and "The network reads a" not in words(at)
    at.button(key=f"mistakes_open_{OF_FOUR[-1]}").click().run()
    assert query(at)["run"] == "other" and "The network reads a" in words(at) and "no run mine" not in words(at)


def test_another_network_keeps_the_filter_and_starts_at_page_one(pair):
    at = page(true="4", page="2")
    box(at, "Network").set_value("b-bn").run()
    assert query(at) == {"run": "b-bn", "true": "4"} and tiles(at) == ["4 as 9"] * 10


@pytest.mark.parametrize("damage", ["cut", "foreign", "labels"])
def test_damaged_answers_are_reported(pair, damage):
    path = pair.library.pretrained.root / "b-gbn" / LOGITS
    with np.load(path) as found:
        arrays = dict(found)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-200])
    else:
        arrays["labels"] = arrays["labels"][:-1] if damage == "foreign" else (arrays["labels"] + 1) % 10
        np.savez(path, **arrays)
    at = page()
    assert "is damaged" in words(at) and box(at, "Network").value == "b-gbn"
    assert "Choose another network above" in words(at)
    box(at, "Network").set_value("b-bn").run()
    assert "Errors 11" in words(at)


def test_an_image_opens_with_what_others_say_and_where_it_looks(pair):
    at = page()
    first = at.button(key=f"mistakes_open_{OF_FOUR[-1]}")
    first.click().run()
    text = words(at)
    assert query(at)["image"] == f"sample-{OF_FOUR[-1]}"
    assert "The network reads a **9**, but its label is **4**." in text
    assert "1 of 1 other network reads it as labelled, 0 make the same mistake." in text
    assert "For a 9, its answer" in text and "For a 4, the label" in text
    at.radio(key="mistakes_saliency").set_value("Gradient").run()
    assert "depends on the pixels most" in words(at)
    at.toggle(key="mistakes_nearest").set_value(True).run()
    assert "the 200 images that it was trained on" in words(at)


def test_next_image_goes_on_among_the_chosen(pair):
    at = page(true="7", sort="index")
    sevens = np.flatnonzero(LABELS == 7)
    at.button(key=f"mistakes_open_{sevens[0]}").click().run()
    assert button(at, "Previous image").disabled
    button(at, "Next image").click().run()
    assert query(at)["image"] == f"sample-{sevens[1]}" and "2 of 5 chosen" in words(at)


def test_two_networks(pair):
    at = page(show="two")
    assert box(at, "Second network").value == "b-bn"
    text = words(at)
    assert "1 is right only with the first network and 25 only with the second" in text
    assert "p is how often chance alone would give" in text
    assert "exact McNemar" in text and "Largest difference: a 4 read as a 9, 30 times by the first and 10" in text
    assert len(tiles(at)) == 25 and "Source B: GBN reads" in text
    (which,) = [group for group in at.get("button_group") if group.key.startswith("mistakes_which")]
    which.set_value("second").run()
    assert tiles(at) == ["3 as 5"] and "Source B: BN reads" in words(at)
    assert query(at) == {"run": "b-gbn", "show": "two", "which": "second"}


def test_two_networks_of_other_images_are_never_paired(pair):
    make_run(pair.store.root, "elsewhere", LABELS, {}, checksum="ab" * 32)
    at = page(show="two", other="elsewhere")
    assert "not tested on the same images" in words(at) and box(at, "Second network").value == "b-bn"
    assert "no other network" in words(page(show="two", run="elsewhere"))


def test_images_of_an_unknown_data_set_are_told_in_figures(lab):
    make_run(lab.store.root, "elsewhere", LABELS, ERRORS, checksum="ab" * 32)
    at = page()
    assert "no pictures" in words(at) and "Errors 35" in words(at) and len(at.dataframe[0].value) == 25
    assert not at.get("imgs")
    assert "nothing to read" in words(page(show="game"))


def test_the_other_pages_lead_here(lab):
    make_run(lab.store.root, "mine", LABELS, ERRORS)
    for at in (lab.page(run="mine"), lab.page(path=RUNS_PAGE)):
        assert link(at, "See its mistakes") == ("mistakes", {"run": "mine"})


# --- MNIST itself ---


@pytest.fixture
def mnist(lab, monkeypatch):
    """A variant on "MNIST": ten thousand images, of which two disputed ones and one other are misread."""
    labels = np.arange(10_000) % 10
    images = np.zeros((10_000, 28, 28), np.uint8)
    images[:, 10:18, 12:16] = 255
    monkeypatch.setattr(mistakes_data, "load_test_set", lambda: TestSet(images, labels))
    make_run(
        lab.library.pretrained.root, "b-gbn", labels, {947: 9, 2654: 1, 10: 3}, checksum=files.CHECKSUM, source="folder"
    )
    return lab


def test_disputed_labels_are_counted_and_marked(mnist):
    at = page()
    text = words(at)
    assert "Disputed labels among the errors 2 of 15" in text
    assert "2 of the 3 errors (67 %) fall on the 15 images" in text and "reads 9,984 of 9,985 as labelled" in text
    assert sorted(tiles(at)) == ["0 as 3", "4 as 1 ⚑", "7 as 9 ⚑"]
    at.button(key="mistakes_open_947").click().run()
    assert "most of them saw a 9" in words(at)
    at = page(image="2654")
    assert "they agreed on no digit" in words(at)


def test_without_the_test_set_the_bundled_digits_are_read_now(mnist, monkeypatch):
    digits = tuple(array[:40] for array in mistakes_data.bundled_digits())
    monkeypatch.setattr(mistakes_data, "load_test_set", lambda: None)
    monkeypatch.setattr(mistakes_data, "bundled_digits", lambda: digits)
    make_run(mnist.store.root, "mine", np.arange(10_000) % 10, {}, checksum=files.CHECKSUM, source="folder",
             config=CONFIG.replace(seed=1))
    at = page()
    text = words(at)
    assert "trained on 200 of MNIST's 60,000 training images, about 17 of these among them, so nearly all" in text
    assert "On the 40 digits that come with the lab" in text
    assert "disputed" not in text.lower() and len(tiles(at)) == 25
    at.button(key=next(b.key for b in at.button if (b.key or "").startswith("mistakes_open_"))).click().run()
    assert "of 1 other network" in words(at) and not at.error
    monkeypatch.setattr(mistakes_view, "fetch_test_set", _no_network)
    button(at, "Fetch the test set (1.7 MB)").click().run()
    assert "No network here." in words(at)
    monkeypatch.setattr(mistakes_view, "fetch_test_set", lambda progress: progress("Downloading", 0.5))
    monkeypatch.setattr(mistakes_data, "load_test_set", lambda: TestSet(
        np.zeros((10_000, 28, 28), np.uint8), np.arange(10_000) % 10
    ))
    button(at, "Fetch the test set (1.7 MB)").click().run()
    assert "Disputed labels among the errors 2 of 15" in words(at)
    assert "of the digits that come with the lab. Here are MNIST's test images" in words(at)


def _no_network(progress):
    raise DataError("No network here.")


def test_damaged_weights_are_reported_where_they_are_needed(mnist):
    (mnist.library.pretrained.root / "b-gbn" / WEIGHTS).write_bytes(b"no tensors")
    at = page(image="947")
    assert "Errors 3" in words(at) and "weights.safetensors is damaged" in words(at)


# --- beat the network ---


def test_beat_the_network(pair):
    at = page(show="game")
    game = at.session_state["mnist_lab_pages"]["Mistakes"].memory["round"]
    assert len(game.rows) == 12 and sum(row in ERRORS for row in game.rows) == 6
    assert "label" not in " ".join(words(at).split("Digit 1 of 12")[1:])
    for place, row in enumerate(game.rows):
        assert f"{place + 1} of 12" in at.get("progress")[0].proto.text
        at.button(key=f"mistakes_guess_{LABELS[row]}").click().run()
    assert "Of the 6 that the network misread, you read **6** as labelled, of the 6 ordinary ones **6**." in words(at)
    assert "You read 6 of 6 misread digits as labelled, 100 % (95 % interval 61 to 100 %)" in words(at)
    button(at, "Another round").click().run()
    again = at.session_state["mnist_lab_pages"]["Mistakes"].memory["round"]
    assert again is not game and "All rounds of this session" in words(at)
    at.button(key="mistakes_guess_0").click().run()
    button(at, "Undo").click().run()
    assert again.guesses == []
    button(at, "Clear the tally").click().run()
    assert "All rounds" not in words(at)
