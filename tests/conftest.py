"""What all tests share: nothing is written to ./runs, no time goes to the network, and no clock decides."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))  # tests are no package, and share strategies.py

# Now, before any test file imports torch; the processes that tests start inherit all of it.
# Several processes test at once (pytest-xdist): a thread each, or they wait for one another, a hundred times as long at
# times. Set, not only when missing: they inherit what the process that starts them has set here for itself.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"
os.environ.setdefault("OMP_NUM_THREADS", "2")
# A port where nobody listens refuses at once: without the full data, tests get the bundled sample in no time.
os.environ["MNIST_LAB_MIRROR"] = "http://127.0.0.1:9/"
os.environ.pop("MNIST_LAB_WORKERS", None)
# A shell that starts us in the background has Ctrl-C ignored, and processes that tests interrupt would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes is no property of the code: on a busy machine any test would fail now and then.
settings.register_profile("lab", deadline=None)
settings.load_profile("lab")


# Files by how long they take, where that is most of a minute or more: begun first, so that nothing long is left at the
# end for one process while the others have nothing to do. xdist's own order, by number of tests, puts these last.
LONG = ("test_sweep_command.py", "e2e/", "runs/test_kills.py", "test_training.py", "test_cli.py")


def pytest_collection_modifyitems(items):
    def place(item) -> int:
        name = item.path.relative_to(Path(__file__).parent).as_posix()
        return next((place for place, start in enumerate(LONG) if name.startswith(start)), len(LONG))

    items.sort(key=place)  # within a file, and among the rest, as they were


@pytest.fixture(scope="session", autouse=True)
def _no_runs_of_the_user(tmp_path_factory):
    """Runs of tests that name no folder go to a temporary one."""
    os.environ["MNIST_LAB_RUNS"] = str(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="session")
def full_data() -> Path:
    """The folder with the 70,000 images of MNIST; without one, the test is skipped."""
    folder = os.environ.get("MNIST_LAB_DATA")
    if not folder:
        pytest.skip("needs the full data: set MNIST_LAB_DATA to the folder that holds MNIST/raw")
    return Path(folder)
