"""The README's picture, from the running app: `MNIST_LAB_DATA=... python tests/e2e/make_screenshot.py`.

Trains on the preset's thousand noisy images and takes the picture in the middle of the run.
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
from pathlib import Path

from lab_server import PATIENCE, POINTS, PROJECT, LabServer, launch, open_train, start
from PIL import Image
from playwright.sync_api import expect, sync_playwright

sys.path.insert(0, str(PROJECT))

from mnist_lab.config_forms import to_query
from mnist_lab.presets import PRESETS

TARGET = PROJECT / "mnist_lab" / "ui" / "assets" / "train.png"
SIZE = {"width": 1280, "height": 1120}
POINTS_DRAWN = 16  # of all lines of the accuracy: about ten of the thirty epochs
COLORS = 128  # of the palette: the page has few, and the file gets a third of its size


def take(folder: Path) -> bytes:
    """A PNG of the Train page while a run goes."""
    server = LabServer(folder, Path(os.environ["MNIST_LAB_DATA"]), threads=2)
    try:
        with sync_playwright() as playwright:
            page = launch(playwright).new_page(viewport=SIZE, color_scheme="light")
            page.set_default_timeout(10 * PATIENCE * 1000)
            expect.set_options(timeout=PATIENCE * 1000)
            open_train(page, server.url, **to_query(PRESETS["noisy-1000"].config))
            start(page)
            page.mouse.move(0, 0)
            page.locator(POINTS).nth(POINTS_DRAWN).wait_for(state="attached")
            return page.screenshot()
    finally:
        server.stop()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        picture = Image.open(io.BytesIO(take(Path(folder)))).convert("RGB")
    TARGET.parent.mkdir(exist_ok=True)
    picture.quantize(COLORS, dither=Image.Dither.NONE).save(TARGET, optimize=True)
    print(f"{TARGET}: {TARGET.stat().st_size / 1000:.0f} kB")
