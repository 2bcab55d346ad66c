"""`predict` and `robustness` as commands, in this process: lines of JSON, complaints and exit statuses."""

from __future__ import annotations

import json
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from mnist_lab import robustness
from mnist_lab.cli import main
from mnist_lab.data.mnist import load_mnist, load_sample
from mnist_lab.data.strokes import GLYPHS, Hand, write
from mnist_lab.digitize import STEPS, digitize
from mnist_lab.evaluation import predict_logits
from mnist_lab.runs.library import Library
from mnist_lab.runs.networks import default_variant, network_of
from mnist_lab.runs.queue import RunQueue
from mnist_lab.runs.store import RunStore

SETTINGS = ["train_images=2000", "epochs=2", "batch_size=64"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with one small run on the bundled digits, which reads most of them."""
    from mnist_lab.config_forms import from_settings
    from mnist_lab.presets import preset

    root = tmp_path_factory.mktemp("predict")
    queue = RunQueue(RunStore(root), workers=1, load_data=lambda progress: load_sample())
    job = queue.submit(from_settings(SETTINGS, preset("fast").config))
    assert job.join(120) and queue.store.load(job.id).status == "finished"
    queue.shutdown()
    return root


@pytest.fixture
def runs(trained, tmp_path, monkeypatch):
    """That run, and no pretrained variant."""
    monkeypatch.setenv("MNIST_LAB_RUNS", str(trained))
    monkeypatch.setenv("MNIST_LAB_PRETRAINED", str(tmp_path / "none"))
    return RunStore(trained)


def save(path, picture: np.ndarray) -> str:
    Image.fromarray(picture).save(path)
    return str(path)


def lines(capsys) -> list[dict]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_line_for_each_picture_with_what_the_network_says(runs, tmp_path, capsys):
    names = [save(tmp_path / f"{number}.png", write(glyph)) for number, glyph in enumerate(GLYPHS[:5])]
    assert main(["predict", *names]) == 0
    found = lines(capsys)
    (run,) = Library().list()
    images = np.stack([digitize(name).image for name in names])
    said = predict_logits(network_of(run), _tensor(images)).softmax(1)
    assert [line["image"] for line in found] == names
    for line, chances in zip(found, said, strict=True):
        assert set(line) == {"image", "digit", "probabilities", "run"} and line["run"] == run.id
        assert line["probabilities"] == pytest.approx(chances.tolist(), abs=1e-6)
        assert line["digit"] == int(chances.argmax())


def test_mnist_images_as_files_are_read_as_in_memory(runs, tmp_path, capsys):
    images = load_sample().test_images[:100]
    names = [save(tmp_path / f"{number}.png", image.numpy()) for number, image in enumerate(images)]
    assert main(["predict", *names]) == 0
    (run,) = Library().list()
    assert [line["digit"] for line in lines(capsys)] == predict_logits(network_of(run), images).argmax(1).tolist()


def test_what_is_no_digit_is_said_and_the_others_are_read(runs, tmp_path, capsys):
    blank = save(tmp_path / "blank.png", np.full((90, 90), 255, np.uint8))
    two = np.minimum(write(GLYPHS[0], Hand(x=0.25, height=0.4)), write(GLYPHS[5], Hand(x=0.7, height=0.4)))
    two = save(tmp_path / "two.png", two)
    text = tmp_path / "text.png"
    text.write_text("hello")
    good = save(tmp_path / "good.png", write(GLYPHS[0]))
    assert main(["predict", blank, two, str(text), str(tmp_path / "gone.png"), str(tmp_path), good]) == 2
    said = capsys.readouterr()
    assert [json.loads(line)["image"] for line in said.out.splitlines()] == [good]
    complaints = said.err.splitlines()
    assert len(complaints) == 5 and all(line.startswith("mnist_lab: ") for line in complaints)
    for complaint, word in zip(complaints, ("nothing", "two digits", "not a picture", "No such file", "directory"),
                               strict=True):
        assert word in complaint


def test_a_step_can_be_left_out(runs, tmp_path, capsys):
    name = save(tmp_path / "small.png", write(GLYPHS[5], Hand(x=0.2, y=0.2, height=0.2)))
    assert main(["predict", name]) == 0 and main(["predict", name, "--without", "crop", "scale"]) == 0
    whole, left = lines(capsys)
    assert whole["probabilities"] != left["probabilities"]


def test_which_run(runs, tmp_path, capsys):
    (run,) = Library().list()
    name = save(tmp_path / "1.png", write(GLYPHS[2]))
    assert main(["predict", name, "--run", run.id]) == 0
    assert main(["predict", name, "--run", "none-such"]) == 2
    assert "There is no run none-such" in capsys.readouterr().err


def test_nothing_trained_yet(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MNIST_LAB_RUNS", str(tmp_path / "a"))
    monkeypatch.setenv("MNIST_LAB_PRETRAINED", str(tmp_path / "b"))
    assert main(["predict", "x.png"]) == 2
    assert "python -m mnist_lab train" in capsys.readouterr().err


def test_the_default_is_a_variant_trained_on_changed_images(trained, tmp_path):
    (run,) = Library(RunStore(trained), tmp_path).list()
    for name in ("b-bn", "b-gbn", "a-bn"):
        shutil.copytree(run.folder, tmp_path / "shipped" / name)
        default = default_variant(Library(RunStore(trained), tmp_path / "shipped"))
    assert default.id == "a-bn"
    shutil.copytree(run.folder, tmp_path / "shipped" / "best")
    assert default_variant(Library(RunStore(trained), tmp_path / "shipped")).id == "best"
    assert default_variant(Library(RunStore(tmp_path / "no"), tmp_path / "nothing")) is None


def test_networks_are_read_once_until_their_file_changes(runs, tmp_path):
    (run,) = Library().list()
    first = network_of(run)
    assert network_of(Library().list()[0]) is first and not first.training
    os.utime(run.folder / "weights.safetensors", (1, 1))
    assert network_of(run) is not first


def test_robustness_is_with_and_without_each_step(runs, monkeypatch, capsys):
    monkeypatch.setattr(robustness, "GLYPHS", (GLYPHS[2], GLYPHS[15]))
    monkeypatch.setattr(robustness, "hands", lambda mixed: [("usual", Hand())] * mixed)
    monkeypatch.setattr(robustness, "ON_ALL_PAPERS", (Hand(height=0.4),))
    assert main(["robustness", "--mixed", "2"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["pages"] == 2 * (2 + 4)
    assert set(found["without"]) == set(STEPS) and set(found["style"]) == {"1 American", "7 American"}
    assert set(found["paper"]) == {"white", "black", "shaded photo", "transparent", "turned photo"}
    by_style = np.mean(list(found["style"].values()))
    assert found["accuracy"] == pytest.approx(by_style, abs=0.01) and found["accuracy"] > found["without"]["polarity"]


def test_mnists_test_images_come_through_as_they_are(full_data, monkeypatch):
    monkeypatch.setenv("MNIST_LAB_DATA", str(full_data))
    data = load_mnist(download=False)
    for image in data.test_images.numpy()[::4]:  # all 10,000 take half a minute, and come through as well
        assert np.array_equal(digitize(image).image, image)  # so the accuracy is that of the direct evaluation


def _tensor(images: np.ndarray):
    import torch

    return torch.from_numpy(images)
