"""Ink -> 28 x 28 as MNIST was made: cropped, into a box of 20 x 20, and centred by mass in 28 x 28.

LeCun, Bottou, Bengio, Haffner 1998, Gradient-based learning applied to document recognition, section III A.
Ink is float32 in 0..1 throughout.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from mnist_lab.digitize.reading import resize

SIDE, BOX = 28, 20  # pixels of the image and of the digit's longer side in it
FINE = 8  # times the box: the size at which strokes are measured and made thicker
THIN, THICK = 1.6, 4.5  # pixels of the box: strokes within are left alone
MIDDLE = (SIDE - 1) / 2


def crop(ink: np.ndarray) -> np.ndarray:
    """The smallest box with all the ink."""
    rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
    return ink[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1]


def square(ink: np.ndarray) -> np.ndarray:
    """The whole page, filled up with paper to a square."""
    height, width = ink.shape
    down, across = max(width - height, 0), max(height - width, 0)
    return np.pad(ink, ((down // 2, down - down // 2), (across // 2, across - across // 2)))


def fit(ink: np.ndarray, side: int, keep_aspect: bool = True) -> np.ndarray:
    """Ink whose longer side (or both sides) is `side` pixels. The darkest pixel becomes 1 again."""
    height, width = ink.shape
    longer = max(height, width)
    wanted = [max(round(length * side / longer), 1) if keep_aspect else side for length in (width, height)]
    small = resize(ink, *wanted)
    return small / max(float(small.max()), 1e-6)


def place(ink: np.ndarray, by_mass: bool = True) -> np.ndarray:
    """Ink in the middle of 28 x 28, moved by whole pixels: its centre of mass, or else the middle of its box.

    What would stand out over the edge is cut off.
    """
    lengths = np.array(ink.shape)
    middle = np.array(ndimage.center_of_mass(ink)) if by_mass and ink.any() else (lengths - 1) / 2
    start = np.floor(MIDDLE - middle + 0.5).astype(int)
    page = np.zeros((SIDE, SIDE), np.float32)
    low, high = np.maximum(start, 0), np.minimum(start + lengths, SIDE)
    if (high > low).all():
        (top, left), (bottom, right) = low, high
        row, column = low - start
        page[top:bottom, left:right] = ink[row:row + bottom - top, column:column + right - left]
    return page


def is_fitted(picture: np.ndarray) -> bool:
    """Whether light ink in 0..1 is a digit of MNIST's kind already: 28 x 28, in a box of about 20, centred by mass."""
    if picture.shape != (SIDE, SIDE):
        return False
    inked = picture > 0.15  # a JPEG leaves some grain on the paper
    if not inked.any() or np.median(picture) > 0.05:
        return False
    longest = max(crop(inked).shape)
    off = np.abs(np.array(ndimage.center_of_mass(picture)) - MIDDLE).max()
    return BOX - 3 <= longest <= BOX + 1 and off <= 1.5


def stroke_width(ink: np.ndarray) -> float:
    """Mean width of the strokes, in pixels: within a long strip the mean distance to its edge is a quarter of it."""
    inside = ink > 0.5
    if not inside.any():
        return 0.0
    distance = ndimage.distance_transform_edt(np.pad(inside, 1))
    return 4 * float(distance[distance > 0].mean() - 0.25)


def thicken(ink: np.ndarray, pixels: float) -> np.ndarray:
    """Strokes wider by so many pixels (narrower if negative), their edges one pixel soft; the picture grows as they do.

    What a negative number would wipe out is left as it is.
    """
    margin = max(int(np.ceil(pixels / 2)), 0) + 1
    inside = np.pad(ink > 0.5, margin)
    if not inside.any():
        return ink
    beyond = ndimage.distance_transform_edt(~inside) - ndimage.distance_transform_edt(inside)
    edge = np.clip(0.5 + pixels / 2 - (beyond - np.sign(beyond) / 2), 0, 1).astype(np.float32)
    return edge if edge.max() > 0.5 else ink


def even_strokes(ink: np.ndarray) -> np.ndarray:
    """Ink whose strokes are as wide as MNIST's once it is fitted into the box: thin ones wider, thick ones thinner."""
    longer = FINE * BOX
    fine = fit(ink, longer)
    width = stroke_width(fine) / FINE
    wanted = min(max(width, THIN), THICK)
    return crop(thicken(fine, (wanted - width) * FINE)) if abs(wanted - width) > 0.05 else ink
