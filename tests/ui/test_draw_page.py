"""The Draw page through the whole app: canvas, ready-made digits, steps, every network, a look inside, kept digits."""

from __future__ import annotations

import base64
import io
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

sys.path.insert(0, str(Path(__file__).parent))

from lab import Lab, box, button, look, query, words

from mnist_lab.collection import load
from mnist_lab.config import RunConfig
from mnist_lab.data.mnist import load_sample
from mnist_lab.data.strokes import GLYPHS, Hand, write
from mnist_lab.runs.queue import RunQueue
from mnist_lab.runs.store import RunStore
from mnist_lab.ui import cache, draw_answers, draw_charts, draw_view

DRAW_PAGE = "mnist_lab/ui/views/draw.py"


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    """A folder like `pretrained/` with three variants that have learned a little, of the bundled digits."""
    root = tmp_path_factory.mktemp("shipped")
    queue = RunQueue(RunStore(root / "made"), workers=1, load_data=lambda progress: load_sample())
    for network in "ab":
        config = RunConfig(network=network, train_images=500, epochs=1, batch_size=50, learning_rate=0.05)
        assert queue.submit(config).join(120)
    queue.shutdown()
    by_network = {run.config.network: run.folder for run in queue.store.list()}
    for name in ("a-bn", "a-gbn", "b-bn"):
        shutil.copytree(by_network[name[0]], root / "pretrained" / name)
    return root / "pretrained"


@pytest.fixture
def lab(tmp_path, monkeypatch, shipped):
    lab = Lab(tmp_path, monkeypatch)
    shutil.copytree(shipped, tmp_path / "pretrained")
    yield lab
    lab.close()


def page(lab, **values):
    return look(lab.page(path=DRAW_PAGE), **values)


def ready_made(lab, **values):
    return page(lab, input="written", **values)


def draw(at, picture: np.ndarray | None, version: int = 0, strokes: int = 1):
    """What the canvas sends after a stroke."""
    objects = [{"type": "path", "path": [["M", number, 0]]} for number in range(strokes)]
    url = None
    if picture is not None:
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "PNG")
        url = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
    drawing = {"raw": {"objects": objects, "background": "#ffffff"}, "data": url}
    at.session_state[f"draw_canvas_{version}"] = {"drawing": drawing, "backgroundFit": None}
    at.run()
    assert not at.exception, at.exception
    return at


def canvas_version(at) -> int:
    return at.session_state["mnist_lab_pages"]["Draw"].memory["canvas"].version


def test_nothing_drawn_yet(lab):
    at = page(lab)
    assert "Nothing here yet" in words(at)
    assert button(at, "Keep this digit").disabled and button(at, "Undo").disabled and not at.metric


def test_a_drawing_is_read_by_every_network(lab):
    at = draw(page(lab), write(GLYPHS[0]))
    (table,) = (frame.value for frame in at.dataframe)
    assert list(table["Network"]) == ["Source A: BN", "Source A: GBN", "Source B: BN"]
    assert at.metric[0].label == "Read as" and at.metric[0].value == table["Reads"].iloc[1]  # a-gbn, the default
    assert "By Source A: GBN." in words(at) and "networks read a" in words(at) and "Read by 3 networks in" in words(at)
    assert "Nothing here yet" not in words(at)


def test_undo_and_clear(lab):
    at = draw(page(lab), write(GLYPHS[0]))
    draw(at, write(GLYPHS[5]), strokes=2)
    button(at, "Undo").click().run()
    assert at.metric and canvas_version(at) == 1
    button(at, "Clear").click().run()
    assert not at.metric and "Nothing here yet" in words(at)
    button(at, "Undo").click().run()
    assert at.metric  # what was cleared comes back


def test_the_drawing_is_there_when_the_page_is_shown_again(lab):
    at = draw(page(lab), write(GLYPHS[0]))
    before = words(at)
    at.switch_page("mnist_lab/ui/views/runs.py").run()
    at.switch_page(DRAW_PAGE).run()
    assert at.metric and at.metric[0].value in before


def test_a_blank_page_and_two_digits_are_said(lab):
    at = draw(page(lab), np.full((280, 280), 255, np.uint8))
    assert "There is nothing on this page" in words(at) and not at.metric
    two = np.minimum(write(GLYPHS[0], Hand(x=0.25, height=0.4)), write(GLYPHS[5], Hand(x=0.75, height=0.4)))
    draw(at, two, strokes=2)
    assert "looks like two digits" in words(at)


def test_every_step_is_shown_and_can_be_switched_off(lab):
    at = ready_made(lab)
    labels = [caption.value.split("  \n")[0] for caption in at.caption]
    for label in ("As it came in", "White on black", "Crop", "Fit into 20 x 20", "Centre by mass"):
        assert label in labels
    assert any(label.startswith("An average ") for label in labels)
    pills = at.button_group[[group.label for group in at.button_group].index(
        "Steps that are on: switch one off to see why it is there"
    )]
    pills.set_value([step for step in pills.value if step != "crop"]).run()
    assert query(at)["off"] == "crop" and "**Crop** is off." in words(at)
    assert "Crop" not in [caption.value.split("  \n")[0] for caption in at.caption]
    assert "Without it the strokes are not evened out either" in words(at)


def test_a_link_with_nonsense(lab):
    at = ready_made(lab, run="../etc", off="x,,crop", glyph="8 of nothing", part="lies", slant="-90", x="many")
    assert box(at, "Slant (degrees)", "slider").value == 0 and box(at, "From the left (%)", "slider").value == 50
    assert at.metric and "Another network is shown." in words(at)


def test_the_run_of_a_link_answers_however_many_are_newer(lab, shipped, monkeypatch):
    monkeypatch.setattr(draw_answers, "MAX_OWN", 1)
    for id in ("own-1", "own-2", "own-3"):
        shutil.copytree(shipped / "a-bn", lab.store.root / id)
    for id in ("own-1", "own-2", "own-3"):
        at = ready_made(lab, run=id)
        assert box(at, "Look inside").value == id and "Another network" not in words(at)


def test_a_link_to_a_run_that_is_still_going_says_so(lab):
    lab.gated()
    job = lab.submit()
    lab.gate.wait()
    assert f"The run {job.id} is still going" in words(ready_made(lab, run=job.id)).replace("\\", "")


def test_how_a_ready_made_digit_is_written_is_in_the_link_and_stays(lab):
    at = ready_made(lab, size="40", width="130")
    before = at.metric[0].value, words(at)
    look(box(at, "Slant (degrees)", "slider").set_value(-20))
    assert query(at)["slant"] == "-20" and query(at)["size"] == "40"
    at.switch_page("mnist_lab/ui/views/runs.py").run()
    look(at.switch_page(DRAW_PAGE))
    values = {slider.label.split(" (")[0]: slider.value for slider in at.slider}
    assert values == {"Size": 40, "Slant": -20, "Pen": 10, "From the left": 50, "From the top": 50, "Width": 130}
    assert (at.metric[0].value, words(at)) != before


def test_waiting_for_pytorch_is_said_only_while_it_lasts(lab, monkeypatch):
    monkeypatch.setattr(cache, "engine_ready", lambda: False)
    at = ready_made(lab)
    assert at.metric and "PyTorch is being loaded" not in words(at)


def test_the_names_of_the_networks_are_explained(lab):
    text = words(ready_made(lab))
    for name in ("source A or B", "(BN)", "GBN", "L1", "L2"):
        assert name in text


@pytest.mark.parametrize(("part", "says"), [
    ("layers", "Convolution 1**: 10 maps of 28 x 28"), ("looks", "Hide a patch, for a"), ("stays", "It stays with"),
])  # fmt: skip
def test_a_look_inside(lab, part, says):
    at = ready_made(lab, part=part, run="a-bn")
    assert says in words(at) or ("It is not sure of" in words(at) and part == "stays")
    assert at.selectbox[[box.label for box in at.selectbox].index("Look inside")].value == "a-bn"


def test_another_network_is_chosen_in_the_box(lab):
    at = ready_made(lab)
    box = at.selectbox[[box.label for box in at.selectbox].index("Look inside")]
    box.set_value("b-bn").run()
    assert query(at)["run"] == "b-bn" and "By Source B: BN." in words(at) and "16 maps of 26 x 26" in words(at)


def test_digits_are_kept_with_a_label_and_every_network_is_scored(lab):
    at = ready_made(lab)
    answer = int(at.metric[0].value)
    label = next(box for box in at.selectbox if box.label == "It is meant to be a")
    assert label.value == answer
    button(at, "Keep this digit").click().run()
    assert f"1 kept: 1 x {answer}." in words(at)
    button(at, "Keep this digit").click().run()
    assert "in the collection already" in words(at) and f"1 kept: 1 x {answer}." in words(at)
    scores = at.dataframe[-1].value
    assert len(scores) == 3 and scores["Right"].max() == 1
    button(at, "Remove the last").click().run()
    assert "kept:" not in words(at)


def test_all_kept_digits_can_be_removed(lab):
    at = ready_made(lab)
    button(at, "Keep this digit").click().run()
    look(box(at, "Size (% of the page)", "slider").set_value(30))
    button(at, "Keep this digit").click().run()
    assert "2 kept:" in words(at) and "cannot be brought back" in words(at)
    button(at, "Yes, remove them").click().run()
    assert "kept:" not in words(at) and button(at, "Remove the last").disabled


def _keep_box():
    import numpy as np
    import streamlit as st

    from mnist_lab.ui.draw_keep import show_keep

    show_keep(np.full((28, 28), st.session_state.get("ink", 1), np.uint8), 3, [])


def test_the_label_of_the_last_digit_is_not_that_of_the_next():
    at = AppTest.from_function(_keep_box).run()
    box(at, "It is meant to be a").set_value(8).run()
    assert box(at, "It is meant to be a").value == 8
    at.session_state["ink"] = 2
    assert box(at.run(), "It is meant to be a").value == 3


def test_kept_digits_can_be_downloaded(lab):
    at = ready_made(lab)
    button(at, "Keep this digit").click().run()
    kept = at.session_state["mnist_lab_pages"]["Draw"].memory["kept"]
    assert len(kept) == 1 and len(load(kept.png_zip())) == len(load(kept.idx_zip())) == 1


def test_digits_that_are_loaded_are_told_where_it_is_seen(lab):
    at = ready_made(lab)
    button(at, "Keep this digit").click().run()
    saved = at.session_state["mnist_lab_pages"]["Draw"].memory["kept"].png_zip()
    at = AppTest.from_function(_keep_box).run()
    at.file_uploader(key="draw_load").set_value(("digits.zip", saved, "application/zip")).run()
    place = _path_to(at, "draw_load")
    button(at, "Add them to the collection").click().run()
    assert [one.value for one in at.success] == ["One digit was added."] and "1 kept" in words(at)
    assert not [one for expander in at.expander for one in expander.success], "the box may be closed"
    assert _path_to(at, "draw_load") == place, "an open box that moves is closed"


def _path_to(at, key: str) -> list[int]:
    """Where the widget is on the page."""
    def search(block, path):
        for place, child in block.children.items():
            if getattr(child, "key", None) == key:
                return [*path, place]
            if hasattr(child, "children") and (found := search(child, [*path, place])):
                return found
        return []

    return search(at.main, [])


def test_without_any_network_the_steps_are_still_shown(lab, tmp_path):
    shutil.rmtree(tmp_path / "pretrained")
    empty = words(page(lab))
    assert "There is no trained network yet" in empty and "every network reads it" not in empty
    at = ready_made(lab)
    assert "There is no trained network yet" in words(at) and not at.metric
    assert "Centre by mass" in words(at)


def test_a_damaged_variant_is_left_out_and_said(lab, tmp_path):
    (tmp_path / "pretrained" / "a-bn" / "weights.safetensors").write_bytes(b"no weights")
    at = ready_made(lab)
    assert len(at.dataframe[0].value) == 2 and "1 more cannot be asked" in words(at)


def test_the_average_digit_is_of_its_class():
    images, labels = load_sample().train_images, load_sample().train_labels
    assert np.abs(draw_view.average_digit(3) - images[labels == 3].float().mean(0).numpy()).mean() < 2


@pytest.mark.parametrize(("probabilities", "says"), [
    ([0.9, 0.9, 0.9, 0.9, 0.9], "over the whole range, from -2 to 2 degrees."),
    ([0.1, 0.9, 0.9, 0.2, 0.9], "It stays with 3 (50 % likely or more) only from -1 to 0 degrees."),
    ([0.9, 0.9, 0.1, 0.9, 0.9], "not sure of 3 to begin with: less than 50 % likely."),
])  # fmt: skip
def test_the_sentence_under_a_curve(probabilities, says):
    from mnist_lab.answers import Curve

    curve = Curve("rotation", "Turn", (-2, -1, 0, 1, 2), np.array(probabilities), None)
    assert says in draw_charts.curve_takeaway(curve, 3)
