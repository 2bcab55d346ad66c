"""Pictures of any size and feature maps, as the page gets them."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

from mnist_lab.ui.pictures import AGAINST, FOR, maps_uri, page_uri


def pixels(uri: str) -> np.ndarray:
    kind, _, content = uri.partition(",")
    assert kind == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content))))


def test_a_page_is_made_smaller_and_a_digit_larger():
    assert pixels(page_uri(np.zeros((400, 200), np.uint8), 100)).shape == (100, 50)
    assert pixels(page_uri(np.zeros((28, 28), np.uint8), 100)).shape == (84, 84)
    assert pixels(page_uri(np.zeros((1, 400), np.uint8), 100)).shape == (1, 100)


def test_maps_stand_beside_each_other_and_their_signs_have_colors():
    maps = np.zeros((3, 2, 2))
    maps[0, 0, 0], maps[2, 1, 1] = 4.0, -4.0
    sheet = pixels(maps_uri(maps, scale=3, across=2, gap=2))
    assert sheet.shape == (14, 14, 4)
    assert tuple(sheet[0, 0, :3]) == FOR and tuple(sheet[13, 5, :3]) == AGAINST
    assert tuple(sheet[0, 8]) == (0, 0, 0, 255) and sheet[6, 0, 3] == 0 and sheet[13, 13, 3] == 0  # a gap, no fourth
    assert not pixels(maps_uri(np.zeros((1, 1, 1)), scale=1))[..., :3].any()
