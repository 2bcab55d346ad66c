"""A class's own test set: labelled digits, bounded, as a zip of PNGs or of MNIST's own IDX files, and back.

Nothing is written to disk. What is loaded may come from anybody: every size is checked before it is believed.
"""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, UnidentifiedImageError

LIMIT = 300  # digits: ten of each from a class of thirty
MAX_FILE = 1_000_000  # bytes of one file in a zip, unpacked
SIDE = 28
IMAGES, LABELS = "digits-images-idx3-ubyte", "digits-labels-idx1-ubyte"
_MAGIC = {IMAGES: 0x803, LABELS: 0x801}  # unsigned bytes in three dimensions, and in one
_PNG = re.compile(r"(?:.*/)?[^/]*?([0-9])\.png", re.IGNORECASE)
# macOS packs notes of its own: .DS_Store, and for every file one whose name begins with "._" and else is the same.
_HIDDEN = re.compile(r"(?:^|/)(?:\.[^/]*$|__MACOSX/)")


class CollectionError(Exception):
    """A digit cannot be kept, or a file not be loaded. The message is a sentence that says why."""


@dataclass
class Collection:
    """At most `LIMIT` images uint8 [28, 28] with the digits that they show."""

    images: list[np.ndarray] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.labels)

    def add(self, image: np.ndarray, label: int) -> None:
        """Keep a digit. Raises `CollectionError` when there is no more room, and for one that is there already."""
        if len(self) >= LIMIT:
            raise CollectionError(f"There is room for {LIMIT} digits. Download these, then remove them all.")
        known = zip(self.images, self.labels, strict=True)
        if any(other == label and np.array_equal(image, old) for old, other in known):
            raise CollectionError("This digit is in the collection already.")
        self.images.append(image)
        self.labels.append(label)

    def add_all(self, other: Collection) -> int:
        """Keep the digits of another collection that are not there yet; how many. Raises as `add` does when full."""
        before = len(self)
        known = {(image.tobytes(), label) for image, label in zip(self.images, self.labels, strict=True)}
        for image, label in zip(other.images, other.labels, strict=True):
            if (image.tobytes(), label) not in known:
                self.add(image, label)
        return len(self) - before

    def remove_last(self) -> None:
        """Take out the digit that was kept last."""
        self.images.pop()
        self.labels.pop()

    def clear(self) -> None:
        """Take out all of them."""
        self.images.clear()
        self.labels.clear()

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Images uint8 [N, 28, 28] and labels uint8 [N]."""
        return np.array(self.images, np.uint8).reshape(-1, SIDE, SIDE), np.array(self.labels, np.uint8)

    def png_zip(self) -> bytes:
        """A zip with a PNG a digit, named by its number and its label: "003-label-7.png"."""
        files = {}
        for number, (image, label) in enumerate(zip(self.images, self.labels, strict=True)):
            content = io.BytesIO()
            Image.fromarray(image).save(content, "PNG")
            files[f"{number:03}-label-{label}.png"] = content.getvalue()
        return _zip(files)

    def idx_zip(self) -> bytes:
        """A zip with two files as MNIST's: http://yann.lecun.com/exdb/mnist/."""
        images, labels = self.arrays()
        return _zip({
            IMAGES: struct.pack(">IIII", _MAGIC[IMAGES], len(self), SIDE, SIDE) + images.tobytes(),
            LABELS: struct.pack(">II", _MAGIC[LABELS], len(self)) + labels.tobytes(),
        })


def load(content: bytes) -> Collection:
    """The digits in a zip that `png_zip` or `idx_zip` made, or that looks like one. Raises `CollectionError`."""
    files = _unzip(content)
    kinds = {struct.pack(">I", magic): kind for kind, magic in _MAGIC.items()}
    idx = {kinds[data[:4]]: data for data in files.values() if data[:4] in kinds}
    if idx:
        return _from_idx(idx)
    found = Collection()
    for name, data in sorted(files.items()):
        if match := _PNG.fullmatch(name):
            found.images.append(_picture(name, data))
            found.labels.append(int(match[1]))
    if not found.labels:
        raise CollectionError("There are no digits in it: neither IDX files nor PNGs whose names end with their label.")
    return _bounded(found)


def _from_idx(files: dict[str, bytes]) -> Collection:
    if len(files) < 2:
        raise CollectionError("Of the two IDX files one is missing: images and labels belong together.")
    images, labels = files[IMAGES], files[LABELS]
    if len(images) < 16 or len(labels) < 8:
        raise CollectionError("An IDX file is cut off.")
    (count, height, width), (label_count,) = struct.unpack(">III", images[4:16]), struct.unpack(">I", labels[4:8])
    if (height, width) != (SIDE, SIDE) or count != label_count:
        raise CollectionError(f"The IDX files hold {count} images of {height} x {width} and {label_count} labels.")
    if len(images) != 16 + count * SIDE * SIDE or len(labels) != 8 + count:
        raise CollectionError("An IDX file is not as long as it says.")
    pixels = np.frombuffer(images[16:], np.uint8).reshape(-1, SIDE, SIDE)
    digits = np.frombuffer(labels[8:], np.uint8)
    if (digits > 9).any():
        raise CollectionError("A label is not a digit.")
    return _bounded(Collection([image.copy() for image in pixels], [int(digit) for digit in digits]))


def _picture(name: str, data: bytes) -> np.ndarray:
    try:
        image = Image.open(io.BytesIO(data), formats=["PNG"])
        if image.size != (SIDE, SIDE):
            raise CollectionError(f"{name} is not {SIDE} x {SIDE} pixels.")
        return np.asarray(image.convert("L")).copy()
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, zlib.error) as error:
        raise CollectionError(f"{name} is no picture that can be read.") from error


def _bounded(found: Collection) -> Collection:
    if len(found) > LIMIT:
        raise CollectionError(f"It holds {len(found):,} digits; there is room for {LIMIT}.")
    return found


def _zip(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return content.getvalue()


def _unzip(content: bytes) -> dict[str, bytes]:
    """The files in a zip by name, without hidden ones; never more than `LIMIT` and some, of `MAX_FILE` bytes each."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            # Not `is_dir`, which fails for an entry without a name.
            entries = [
                entry for entry in archive.infolist()
                if not entry.filename.endswith("/") and not _HIDDEN.search(entry.filename)
            ]
            if len(entries) > LIMIT + 10 or any(entry.file_size > MAX_FILE for entry in entries):
                raise CollectionError(f"It holds more, or larger, files than {LIMIT} digits need.")
            return {entry.filename: _read(archive, entry) for entry in entries}
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, ValueError) as error:
        raise CollectionError("This is no zip file that can be read.") from error


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    with archive.open(entry) as file:
        data = file.read(MAX_FILE + 1)  # the size in the zip's directory may lie
    if len(data) > MAX_FILE:
        raise CollectionError(f"It holds larger files than {LIMIT} digits need.")
    return data
