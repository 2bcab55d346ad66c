"""The class's own digits: bounded, and the same again after a download and an upload."""

from __future__ import annotations

import io
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mnist_lab.collection import IMAGES, LABELS, LIMIT, Collection, CollectionError, load
from mnist_lab.data.files import read_sample


def collection(count: int = 12) -> Collection:
    images, labels = read_sample()
    made = Collection()
    for image, label in zip(images[:count], labels[:count], strict=True):
        made.add(image, int(label))
    return made


def zipped(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return content.getvalue()


@pytest.mark.parametrize("kind", ["png_zip", "idx_zip"])
def test_the_same_digits_come_back(kind):
    before = collection()
    after = load(getattr(before, kind)())
    assert after.labels == before.labels
    assert all(np.array_equal(one, other) for one, other in zip(after.images, before.images, strict=True))


def test_idx_is_what_mnist_has():
    with zipfile.ZipFile(io.BytesIO(collection(3).idx_zip())) as archive:
        assert archive.read(IMAGES)[:16] == struct.pack(">IIII", 2051, 3, 28, 28)
        assert archive.read(LABELS) == struct.pack(">II", 2049, 3) + bytes(collection(3).labels)


def test_it_is_bounded_and_nothing_is_kept_twice():
    made = collection(LIMIT)
    with pytest.raises(CollectionError, match="room"):
        made.add(np.zeros((28, 28), np.uint8), 1)
    few = collection(2)
    with pytest.raises(CollectionError, match="already"):
        few.add(few.images[0], few.labels[0])
    assert few.add_all(collection(5)) == 3 and len(few) == 5
    few.remove_last()
    assert few.labels == collection(4).labels
    few.clear()
    assert len(few) == 0 and few.images == []


@pytest.mark.parametrize("kind", ["png_zip", "idx_zip"])
def test_what_macos_adds_to_a_zip_is_passed_over(kind):
    before = collection(LIMIT if kind == "png_zip" else 3)
    files = {"digits/.DS_Store": b"\0\0\0\1Bud1", "__MACOSX/._digits": b"\0\5\x16\7"}
    with zipfile.ZipFile(io.BytesIO(getattr(before, kind)())) as archive:
        for name in archive.namelist():
            files[f"digits/{name}"] = archive.read(name)
            files[f"__MACOSX/digits/._{name}"] = files[f"digits/._{name}"] = b"\0\5\x16\7" + bytes(200)
    assert load(zipped(files)).labels == before.labels


ONE_IMAGE = struct.pack(">IIII", 0x803, 1, 28, 28) + bytes(784)


@pytest.mark.parametrize(("files", "says"), [
    ({"readme.txt": b"hello"}, "no digits"),
    ({"1.png": b"no picture"}, "no picture"),
    ({IMAGES: ONE_IMAGE}, "missing"),
    ({IMAGES: ONE_IMAGE, LABELS: struct.pack(">II", 0x801, 1)}, "not as long"),
    ({IMAGES: ONE_IMAGE, LABELS: struct.pack(">II", 0x801, 1) + b"\x0b"}, "label"),
    ({IMAGES: struct.pack(">I", 0x803), LABELS: struct.pack(">I", 0x801)}, "cut off"),
    ({f"{number}-1.png": b"" for number in range(LIMIT + 11)}, "more"),
    ({"1.png": bytes(2_000_000)}, "larger"),
])  # fmt: skip
def test_other_files_are_refused(files, says):
    with pytest.raises(CollectionError, match=says):
        load(zipped(files))


@settings(max_examples=40)
@given(place=st.integers(0, 2_000), byte=st.integers(0, 255), cut=st.integers(0, 2_500))
@example(place=1171, byte=0, cut=0)  # an entry of the zip without a name
def test_a_damaged_file_never_crashes(place, byte, cut):
    content = bytearray(collection(3).png_zip())
    content[place % len(content)] = byte
    for damaged in (bytes(content), bytes(content[: cut % len(content)])):
        try:
            assert len(load(damaged)) <= LIMIT
        except CollectionError as error:
            assert str(error).endswith(".")
