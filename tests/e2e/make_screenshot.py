"""The README's pictures, from the running app: `MNIST_LAB_DATA=... python tests/e2e/make_screenshot.py [NAME]...`

The first is taken in the middle of a run on the preset's thousand noisy images, the second after a class has run these
on the smallest network, the third and the fourth of what ships in pretrained/.
"""

from __future__ import annotations

import hashlib
import io
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from lab_server import PATIENCE, POINTS, PROJECT, LabServer, launch, open_page, open_train, start
from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

from mnist_lab.classroom.room import own_seed
from mnist_lab.config_forms import to_query
from mnist_lab.presets import PRESETS
from mnist_lab.runs.queue import RunQueue
from mnist_lab.runs.store import RunStore

TARGET = PROJECT / "mnist_lab" / "ui" / "assets"
NOISY = PRESETS["noisy-1000"].config
CLASS, BROWSERS = NOISY.replace(network="c", epochs=10, eval_every=2), 24
POINTS_DRAWN = 16  # of all lines of the accuracy: about ten of the thirty epochs
COLORS = 256  # of the palette: the page has few, and the file gets a third of its size


def train(folder: Path) -> bytes:
    """A PNG of the Train page while a run goes."""

    def go(page: Page, server: LabServer) -> None:
        open_train(page, server.url, **to_query(NOISY))
        start(page)
        page.mouse.move(0, 0)
        page.locator(POINTS).nth(POINTS_DRAWN).wait_for(state="attached")

    return take(folder, 1120, go)


def class_page(folder: Path) -> bytes:
    """A PNG of the Class page after a run of every browser."""
    store = RunStore(folder / "runs")
    queue = RunQueue(store, 1)
    owners = [hashlib.sha256(f"browser {number}".encode()).hexdigest() for number in range(BROWSERS)]
    for job in [queue.submit(CLASS.replace(seed=own_seed(owner)), owner=owner) for owner in owners]:
        job.join()

    def go(page: Page, server: LabServer) -> None:
        open_page(page, f"{server.url}/class")
        page.locator(".st-key-class_curves svg.marks").wait_for()
        page.mouse.move(0, 0)

    return take(folder, 880, go, MNIST_LAB_CLASS="1")


def lesson(folder: Path) -> bytes:
    """A PNG of a lesson after a prediction that the recorded runs do not bear out."""

    def go(page: Page, server: LabServer) -> None:
        open_page(page, f"{server.url}/lessons?lesson=ghost-batches")
        page.get_by_text("Little, a point or less").click()
        page.get_by_role("button", name="Show the recorded runs").click()
        page.get_by_role("heading", name="Try this next").wait_for()
        page.get_by_role("heading", name="1. Predict").evaluate("heading => heading.scrollIntoView()")
        page.mouse.move(0, 0)

    return take(folder, 1000, go)


def microscope(folder: Path) -> bytes:
    """A PNG of the ghost-batch viewer on a shipped network."""

    def go(page: Page, server: LabServer) -> None:
        open_page(page, f"{server.url}/microscope?run=b-gbn&show=ghosts")
        page.locator("svg.marks").nth(1).wait_for()
        page.mouse.move(0, 0)

    return take(folder, 1300, go)


def take(folder: Path, height: int, go: Callable[[Page, LabServer], None], **variables: str) -> bytes:
    """A PNG of what `go` opens."""
    server = LabServer(folder, Path(os.environ["MNIST_LAB_DATA"]), threads=2, variables=variables)
    try:
        with sync_playwright() as playwright:
            page = launch(playwright).new_page(viewport={"width": 1280, "height": height}, color_scheme="light")
            page.set_default_timeout(10 * PATIENCE * 1000)
            expect.set_options(timeout=PATIENCE * 1000)
            go(page, server)
            return page.screenshot()
    finally:
        server.stop()


PICTURES = {"train": train, "class": class_page, "lesson": lesson, "microscope": microscope}

if __name__ == "__main__":
    for name in sys.argv[1:] or PICTURES:
        with tempfile.TemporaryDirectory() as temporary:
            picture = Image.open(io.BytesIO(PICTURES[name](Path(temporary)))).convert("RGB")
        target = TARGET / f"{name}.png"
        # Maximum coverage, because the median cut leaves out what few pixels have, such as the color of one line; the
        # means then bring the large areas to their own color.
        few = picture.quantize(COLORS, Image.Quantize.MAXCOVERAGE, kmeans=3, dither=Image.Dither.NONE)
        few.save(target, optimize=True)
        print(f"{target}: {target.stat().st_size / 1000:.0f} kB")
