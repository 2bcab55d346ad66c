"""Small MNIST files, a mirror on loopback, and processes that ask for them."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mnist_lab.data import download, files
from mnist_lab.data import mnist as mnist_module

_spec = importlib.util.spec_from_file_location("mirror", Path(__file__).with_name("mirror.py"))
_mirror = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_mirror)

PROJECT = Path(__file__).resolve().parents[2]
REAL = os.environ.get("MNIST_LAB_DATA")


@pytest.fixture
def real_folder() -> Path:
    """The folder with the real files; without one, the test is skipped."""
    if not REAL:
        pytest.skip("MNIST_LAB_DATA is not set")
    return Path(REAL)


@pytest.fixture(scope="session")
def content() -> dict[str, bytes]:
    """Four small IDX files by name."""
    return _mirror.small_content()


@pytest.fixture
def write_files():
    """`write_files(folder, {name: bytes})` -> the raw folder, laid out as torchvision does."""
    return _mirror.write_files


@pytest.fixture
def small(monkeypatch, tmp_path, content) -> Path:
    """A data folder that is not there yet; the checksums are those of `content`, nothing is remembered."""
    monkeypatch.setattr(files, "FILES", _mirror.specs_of(content))
    monkeypatch.setattr(mnist_module, "_full", {})
    monkeypatch.setattr(mnist_module, "_test_sets", {})
    monkeypatch.setattr(download, "_failures", {})
    monkeypatch.delenv("MNIST_LAB_MIRROR", raising=False)
    return tmp_path / "data"


@pytest.fixture(scope="session")
def start_mirror():
    """`start_mirror(content)` -> a Mirror, shut down at the end."""
    mirrors = []

    def start(content: dict[str, bytes]):
        mirrors.append(_mirror.Mirror(content))
        return mirrors[-1]

    yield start
    for mirror in mirrors:
        mirror.shutdown()
        mirror.server_close()


@pytest.fixture(scope="session")
def start_asker():
    """`start_asker(folder, url, outcome)` -> a process that downloads to `folder`, see asker.py."""
    askers = []

    def start(folder: Path, url: str, outcome: Path) -> subprocess.Popen:
        environment = {**os.environ, "MNIST_LAB_MIRROR": url, "PYTHONPATH": str(PROJECT)}
        script = str(Path(__file__).with_name("asker.py"))
        command = [sys.executable, script, str(folder), str(outcome)]
        askers.append(subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL))
        return askers[-1]

    yield start
    for asker in askers:
        asker.kill()
        asker.wait()
