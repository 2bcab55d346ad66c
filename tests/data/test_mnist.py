"""`load_mnist`: tensors from the folder or the bundled sample, one copy per process."""

from __future__ import annotations

import gzip
import socket
import threading
import time

import numpy as np
import pytest
import torch

from mnist_lab.data import download, files
from mnist_lab.data import mnist as mnist_module
from mnist_lab.data.make_sample import interleave
from mnist_lab.data.mnist import DataError, load_mnist, load_sample

IMAGES = "train-images-idx3-ubyte"


def test_a_complete_folder_needs_no_network(small, content, write_files, monkeypatch):
    raw = write_files(small, content)
    monkeypatch.setattr(download, "_probe", lambda mirror: pytest.fail("asked the network"))
    monkeypatch.setenv("MNIST_LAB_DATA", str(small))
    data = load_mnist()
    assert (data.source, data.location, data.note, data.is_sample) == ("folder", str(raw), "", False)
    pixels = np.frombuffer(content[IMAGES], np.uint8, offset=16).reshape(400, 28, 28)
    assert torch.equal(data.train_images, torch.tensor(pixels))
    assert data.train_images.dtype == torch.uint8
    assert data.test_labels.dtype == torch.int64
    assert data.test_labels.tolist() == [i % 10 for i in range(100)]


def test_the_archives_that_torchvision_leaves_serve_as_well(small, content, write_files):
    write_files(small, {f"{name}.gz": gzip.compress(data, 1) for name, data in content.items()})
    from_archives = load_mnist(root=small, download=False)
    assert from_archives.source == "folder"
    write_files(small, content)
    assert load_mnist(root=small, download=False, refresh=True).checksum == from_archives.checksum


def test_the_real_files_are_recognised(real_folder):
    data = load_mnist(root=real_folder, download=False)
    assert data.source == "folder"
    assert (data.train_images.shape, data.test_images.shape) == ((60_000, 28, 28), (10_000, 28, 28))
    assert data.test_labels[:5].tolist() == [7, 2, 1, 0, 4]
    assert data.train_labels.bincount()[:3].tolist() == [5923, 6742, 5958]


def test_threads_share_one_copy(small, content, write_files):
    write_files(small, content)
    loaded = []
    threads = [threading.Thread(target=lambda: loaded.append(load_mnist(root=small))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loaded) == 8
    assert len({id(data) for data in loaded}) == 1


def test_files_that_appear_replace_the_sample(small, content, write_files):
    assert load_mnist(root=small, download=False).is_sample
    write_files(small, content)
    assert load_mnist(root=small, download=False).source == "folder"


def test_refresh_reads_the_folder_anew(small, content, write_files):
    raw = write_files(small, content)
    assert load_mnist(root=small, download=False).source == "folder"
    (raw / IMAGES).unlink()
    assert load_mnist(root=small, download=False).source == "folder"
    again = load_mnist(root=small, download=False, refresh=True)
    assert again.is_sample
    assert f"{IMAGES} is missing" in again.note


def test_without_a_network_the_sample_comes_within_ten_seconds(small, monkeypatch):
    """torch is imported already, as it is when the app or the command line asks for the images."""
    with socket.create_server(("127.0.0.1", 0)) as hole:  # connects, and never answers
        urls = tuple(f"http://127.0.0.1:{hole.getsockname()[1]}/{name}/" for name in "ab")
        monkeypatch.setattr(download, "MIRRORS", urls)
        start = time.monotonic()
        data = load_mnist(root=small)
        assert time.monotonic() - start < 10  # the promise itself
    assert data.is_sample
    assert data.note.count("127.0.0.1") == 2
    assert f"Connect to the network and try again, or put the four files {IMAGES}" in data.note
    assert str(small / "MNIST" / "raw") in data.note
    assert not small.exists()


def test_the_sample_is_balanced_and_its_halves_are_apart():
    data = load_sample()
    assert data.is_sample
    assert (len(data.train_images), len(data.test_images)) == (files.SAMPLE_TRAIN, files.SAMPLE_TEST)
    assert data.train_labels.bincount().tolist() == [400] * 10
    assert data.test_labels.bincount().tolist() == [100] * 10
    assert data.train_images.dtype == data.test_images.dtype == torch.uint8
    halves = [{image.numpy().tobytes() for image in part} for part in (data.train_images, data.test_images)]
    assert not halves[0] & halves[1]
    assert data.train_images is load_sample().train_images
    # Pins the asset, so that results on the sample stay comparable with one another.
    assert data.checksum == "f386f0e516db30df2eb9236a9582736c528aaa7cead280644fe3357100553511"


def test_a_damaged_sample_says_what_to_do(small, monkeypatch, tmp_path):
    damaged = tmp_path / "sample.npz"
    damaged.write_bytes(files.SAMPLE_FILE.read_bytes()[:5000])
    monkeypatch.setattr(files, "SAMPLE_FILE", damaged)
    monkeypatch.setattr(mnist_module, "_sample", [])
    with pytest.raises(DataError, match="Get the file again"):
        load_mnist(root=small, download=False)


def test_interleaving_lets_the_classes_take_turns():
    labels = np.repeat(np.arange(10), 3)
    order = interleave(labels)
    assert labels[order].tolist() == list(range(10)) * 3
    assert order[::10].tolist() == [0, 1, 2]


def test_every_sample_digit_is_in_the_training_set(real_folder):
    full, sample = load_mnist(root=real_folder, download=False), load_sample()
    known = {
        image.tobytes(): int(label) for image, label in zip(full.train_images.numpy(), full.train_labels, strict=True)
    }
    for images, labels in (
        (sample.train_images, sample.train_labels),
        (sample.test_images, sample.test_labels),
    ):
        assert [known.get(image.tobytes()) for image in images.numpy()] == labels.tolist()
