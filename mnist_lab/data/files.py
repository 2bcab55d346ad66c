"""The four MNIST files: where they lie, whether they are whole, what is in them. Imports no torch.

The layout and the file names are torchvision's (`MNIST/raw/train-images-idx3-ubyte`, ...); the format is
IDX, http://yann.lecun.com/exdb/mnist/.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import os
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

PROJECT = Path(__file__).resolve().parents[2]
SAMPLE_FILE = Path(__file__).with_name("assets") / "mnist-sample.npz"
SAMPLE_TRAIN, SAMPLE_TEST = 4_000, 1_000


class DataError(Exception):
    """The images cannot be had. The message says why and what to do."""


@dataclass(frozen=True)
class IdxFile:
    """One file of the data set: its name, the SHA-256 of its bytes (uncompressed) and its array's shape."""

    name: str
    sha256: str
    shape: tuple[int, ...]

    @property
    def header_size(self) -> int:
        """Bytes before the data: a magic number and one number per dimension, four bytes each."""
        return 4 + 4 * len(self.shape)

    @property
    def size(self) -> int:
        """Bytes of the whole file."""
        return self.header_size + int(np.prod(self.shape))


FILES = (
    IdxFile(
        "train-images-idx3-ubyte",
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        (60_000, 28, 28),
    ),
    IdxFile(
        "train-labels-idx1-ubyte",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        (60_000,),
    ),
    IdxFile(
        "t10k-images-idx3-ubyte",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        (10_000, 28, 28),
    ),
    IdxFile(
        "t10k-labels-idx1-ubyte",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        (10_000,),
    ),
)

CHECKSUM = "06b0d1f124c4e5fa796686ade41a9b778edacc8622f2195a352ef479ad44fc16"
"""`Mnist.checksum` of these four files: what a run says that was trained on them, wherever they came from."""

SAMPLE_CHECKSUM = "f386f0e516db30df2eb9236a9582736c528aaa7cead280644fe3357100553511"
"""The same of the bundled sample."""

State = Literal["ok", "missing", "truncated", "wrong"]


@dataclass(frozen=True)
class FileCheck:
    """What was found of one file. `problem` is a sentence that names the file, empty when `state` is "ok"."""

    name: str
    state: State
    problem: str
    path: Path


def data_folder(root: Path | str | None = None) -> Path:
    """The folder that holds `MNIST/raw`: `root`, else MNIST_LAB_DATA, else `data` beside app.py."""
    chosen = root or os.environ.get("MNIST_LAB_DATA") or PROJECT / "data"
    return Path(chosen).expanduser().resolve()


def raw_folder(folder: Path) -> Path:
    """Where torchvision keeps the four files below `folder`."""
    return folder / "MNIST" / "raw"


def is_writable(folder: Path) -> bool:
    """Whether `folder` can be written to, or made if it is not there yet."""
    while not os.access(folder, os.F_OK) and folder != folder.parent:
        folder = folder.parent
    return os.access(folder, os.W_OK) and folder.is_dir()


def test_set_files() -> tuple[IdxFile, ...]:
    """The two of `FILES` that hold the test images and their labels."""
    return FILES[2:]


def check_folder(folder: Path, specs: tuple[IdxFile, ...] | None = None) -> list[FileCheck]:
    """Check all four files in `folder`, or those of `specs`; a file that did not change since is not read again."""
    return [check_file(raw_folder(folder), spec) for spec in specs or FILES]


def check_file(raw: Path, spec: IdxFile) -> FileCheck:
    """Check one file in `raw`. torchvision leaves the `.gz` beside it: that serves when the file does not."""
    plain, packed = (_check_path(raw / name, spec) for name in (spec.name, f"{spec.name}.gz"))
    if packed.state == "ok" and plain.state != "ok":
        return packed
    return packed if plain.state == "missing" and packed.state != "missing" else plain


def _check_path(path: Path, spec: IdxFile) -> FileCheck:
    try:
        stat = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return FileCheck(spec.name, "missing", f"{spec.name} is missing", path)
    except OSError as error:
        return FileCheck(spec.name, "wrong", f"{path.name} cannot be read ({error})", path)
    return _check_unchanged(path, spec, (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino))


@functools.lru_cache(maxsize=64)
def _check_unchanged(path: Path, spec: IdxFile, _stat: tuple[int, ...]) -> FileCheck:
    return _judge(path, spec)[0]


def _judge(path: Path, spec: IdxFile) -> tuple[FileCheck, bytes]:
    unpack = gzip.open if path.suffix == ".gz" else open
    try:
        with unpack(path, "rb") as file:
            content = file.read(spec.size + 1)  # one more than is right: enough to see that it is too long
    except EOFError:
        return FileCheck(spec.name, "truncated", f"{path.name} is truncated (its end is missing)", path), b""
    except (OSError, zlib.error) as error:
        return FileCheck(spec.name, "wrong", f"{path.name} cannot be read ({error})", path), b""
    if len(content) < spec.size:
        problem = f"{path.name} is truncated ({len(content):,} of {spec.size:,} bytes)"
        return FileCheck(spec.name, "truncated", problem, path), content
    if hashlib.sha256(content).hexdigest() != spec.sha256:
        problem = f"{path.name} is not the original MNIST file (its checksum differs)"
        return FileCheck(spec.name, "wrong", problem, path), content
    return FileCheck(spec.name, "ok", "", path), content


def read_folder(folder: Path, specs: tuple[IdxFile, ...] | None = None) -> list[np.ndarray]:
    """Read the four files, in the order of `FILES`, or those of `specs`, as uint8 arrays, verified.

    Raises:
        DataError: naming the first file that is missing, truncated or wrong.
    """
    return [_read_file(raw_folder(folder), spec) for spec in specs or FILES]


def _read_file(raw: Path, spec: IdxFile) -> np.ndarray:
    check = check_file(raw, spec)
    content = b""
    if check.state == "ok":
        # Judged once more on the very bytes that are used: the file may have changed since its check.
        check, content = _judge(check.path, spec)
    if check.state != "ok":
        raise DataError(f"{check.problem} in {raw}.")
    return np.frombuffer(content, np.uint8, offset=spec.header_size).reshape(spec.shape).copy()


def what_to_do(folder: Path, specs: tuple[IdxFile, ...] | None = None) -> str:
    """One sentence for a person whose data set, or the part `specs` of it, is not complete."""
    names = ", ".join(spec.name for spec in specs or FILES)
    number = {2: "two", 4: "four"}[len(specs or FILES)]
    connect = "Connect to the network and try again, or put" if is_writable(folder) else "Put"
    return f"{connect} the {number} files {names} in {raw_folder(folder)}."


def read_sample() -> tuple[np.ndarray, np.ndarray]:
    """The bundled sample: images uint8 [5000, 28, 28] and labels uint8 [5000], classes taking turns.

    Raises:
        DataError: the file is not there or damaged.
    """
    try:
        with np.load(SAMPLE_FILE, allow_pickle=False) as arrays:
            return arrays["images"], arrays["labels"]
    except (OSError, ValueError, KeyError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise DataError(
            f"The bundled sample {SAMPLE_FILE} cannot be read ({error}). Get the file again from the repository."
        ) from error


def data_status(root: Path | str | None = None) -> dict:
    """What `load_mnist` would find now, without downloading.

    Returns a dict that is ready for JSON:
        source: "folder" or "sample"; location: str, a path; train, test: numbers of images;
        files: a list of {"name", "state", "problem"}, state "ok", "missing", "truncated" or "wrong";
        complete: bool, all four files are there and verified;
        can_download: bool, the folder can be written to, so that a download will be tried;
        note: str, what is amiss and what to do; empty when complete.
    """
    folder = data_folder(root)
    checks = check_folder(folder)
    complete = all(check.state == "ok" for check in checks)
    note = "" if complete else f"{describe(checks, folder)} {what_to_do(folder)}"
    return {
        "source": "folder" if complete else "sample",
        "location": str(raw_folder(folder) if complete else SAMPLE_FILE),
        "train": FILES[0].shape[0] if complete else SAMPLE_TRAIN,
        "test": FILES[2].shape[0] if complete else SAMPLE_TEST,
        "files": [{"name": c.name, "state": c.state, "problem": c.problem} for c in checks],
        "complete": complete,
        "can_download": is_writable(folder),
        "note": note,
    }


def describe(checks: list[FileCheck], folder: Path) -> str:
    """One sentence on what is amiss in `folder`, naming every file that is truncated or wrong."""
    if all(check.state == "missing" for check in checks):
        what = "The full MNIST data set" if len(checks) == len(FILES) else "MNIST's test set"
        return f"{what} is not in {raw_folder(folder)}."
    problems = "; ".join(check.problem for check in checks if check.state != "ok")
    return f"The MNIST data set in {raw_folder(folder)} is not complete: {problems}."
