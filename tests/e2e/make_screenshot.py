"""The README's picture, from the running app: `MNIST_LAB_DATA=... python tests/e2e/make_screenshot.py`.

Trains the default preset on the full data and takes the picture while the last but one epoch is under way.
"""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path

from lab_server import PATIENCE, POINTS, PROJECT, LabServer, launch, open_train, start
from PIL import Image
from playwright.sync_api import expect, sync_playwright

TARGET = PROJECT / "mnist_lab" / "ui" / "assets" / "train.png"
SIZE = {"width": 1280, "height": 1120}
EPOCHS_DONE = 6
COLORS = 128  # of the palette: the page has few, and the file gets a third of its size


def take(folder: Path) -> bytes:
    """A PNG of the Train page while a run goes."""
    server = LabServer(folder, Path(os.environ["MNIST_LAB_DATA"]), threads=2)
    try:
        with sync_playwright() as playwright:
            page = launch(playwright).new_page(viewport=SIZE, color_scheme="light")
            page.set_default_timeout(10 * PATIENCE * 1000)
            expect.set_options(timeout=PATIENCE * 1000)
            open_train(page, server.url)
            start(page)
            # One point of each of the two lines for every epoch.
            page.wait_for_function(
                "([points, n]) => document.querySelectorAll(points).length >= n", arg=[POINTS, 2 * EPOCHS_DONE]
            )
            page.mouse.move(0, 0)
            page.wait_for_timeout(2_000)  # some steps into the next epoch
            return page.screenshot()
    finally:
        server.stop()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        picture = Image.open(io.BytesIO(take(Path(folder)))).convert("RGB")
    TARGET.parent.mkdir(exist_ok=True)
    picture.quantize(COLORS, dither=Image.Dither.NONE).save(TARGET, optimize=True)
    print(f"{TARGET}: {TARGET.stat().st_size / 1000:.0f} kB")
