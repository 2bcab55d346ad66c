"""A grey picture -> how much ink is where: paper, shadows, grain and specks taken away; and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from mnist_lab.digitize.reading import DigitizeError, resize

THUMBNAIL = 64  # pixels: the light changes slowly, so a small picture shows it
WIDEST_STROKE = 0.3  # of the picture's longer side; anything wider counts as paper
FAINTEST = 0.1  # of the way from black to white: ink paler than that against its paper is none
SOLID, PALE = 0.75, 0.2  # of the ink's usual darkness: what counts as full ink, and what as none
FLAT = 0.02  # of the way from black to white: how alike the paper of a scan or a drawing is
WHOLE_SIDE = 0.95  # of a side of the picture: what lies along so much of it is the edge of a sheet
SPECK = 0.02  # of the largest piece of ink: smaller pieces are dust
TALL, HEAVY, GAP = 0.5, 0.12, 0.03  # of both together: how tall, how heavy and how far apart two digits are


class BlankPage(DigitizeError):
    """There is nothing on it."""

    def __init__(self) -> None:
        super().__init__("There is nothing on this page. Write one digit, larger or darker.")


@dataclass(frozen=True)
class Piece:
    """A connected piece of ink: its box (slices of rows and of columns) and how much ink it has."""

    rows: slice
    columns: slice
    mass: float
    number: int


def is_dark_on_light(grey: np.ndarray) -> bool:
    """Whether the ink is darker than the paper: paper is most of the picture, and ink is far from it.

    `grey` is in 0..1. Slow changes of the light are taken out first; a shadow is not ink.
    """
    small = _thumbnail(grey)
    away = small - _slope(small)
    away -= np.median(away)
    return bool((away**3).sum() < 0)


def even(picture: np.ndarray) -> np.ndarray:
    """How much lighter each pixel of light ink is than the paper around it, 0..1: shadows and slopes are gone.

    The paper is what is left when everything narrower than `WIDEST_STROKE` is taken away (a grey opening). A drawing
    or a scan, whose paper is all alike, is only measured from there: it may have no margin at all.
    """
    if is_flat(picture):
        return picture - picture.min()
    small = _thumbnail(picture)
    window = max(round(WIDEST_STROKE * max(small.shape)), 3)
    slope = _slope(small, bent=True)  # out first: an opening would take the light in a corner for ink
    paper = ndimage.grey_opening(small - slope, size=(window, window), mode="nearest")
    paper = ndimage.gaussian_filter(paper, window / 4, mode="nearest") + slope
    height, width = picture.shape
    return np.clip(picture - resize(paper.astype(np.float32), width, height), 0, 1)


def stretch(picture: np.ndarray) -> np.ndarray:
    """The plain alternative to `even`: the darkest pixel becomes 0 and the lightest 1. Raises `BlankPage`."""
    low, high = float(picture.min()), float(picture.max())
    if high - low < FAINTEST:
        raise BlankPage
    return (picture - low) / (high - low)


def clean(lifted: np.ndarray) -> np.ndarray:
    """Ink in 0..1 from what `even` returns: grain and specks become 0, the usual darkness of a stroke 1.

    Raises:
        BlankPage: nothing stands out from the paper.
    """
    # One pixel that stands out is noise; three by three are not.
    peak = float(ndimage.uniform_filter(lifted, 3, mode="constant").max() if min(lifted.shape) > 28 else lifted.max())
    paper = lifted[lifted < 0.5 * peak]
    # 1.48 times the median distance from the median is the standard deviation, were it Gaussian.
    grain = 1.48 * float(np.median(np.abs(paper - np.median(paper)))) if paper.size else 0.0
    if peak < max(FAINTEST, 4 * grain):
        raise BlankPage
    level = float(np.median(lifted[lifted >= 0.5 * peak]))
    low = max(PALE * level, min(3 * grain, 0.5 * level))
    ink = np.clip((lifted - low) / (SOLID * level - low), 0, 1).astype(np.float32)
    return _without_specks(ink)


def without_surroundings(ink: np.ndarray, flat: bool) -> np.ndarray:
    """Ink in 0..1 without what is around the sheet: its edge, the table, a finger. The same array if there is none.

    In a photo that is whatever touches the picture's edge. On a `flat` page, a drawing or a scan, a stroke may well run
    off the page: only a strip along a whole side is no ink there, and only beside ink that keeps away from the edge.
    Whatever is left needs a good part of the ink, or else somebody used the whole page.
    """
    labels, count = ndimage.label(ink > 0.3, structure=np.ones((3, 3)))
    numbers = np.arange(1, count + 1)
    masses = ndimage.sum_labels(ink, labels, numbers)
    touching = np.isin(numbers, np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    if flat and not all(_spans_side(labels, number) for number in numbers[touching]):
        return ink
    alone = touching.any() and masses[~touching].sum() >= 0.3 * masses.sum()
    return _only(ink, labels, ~touching) if alone else ink


def pieces(ink: np.ndarray) -> list[Piece]:
    """The connected pieces of ink in 0..1, from left to right."""
    labels, count = ndimage.label(ink > 0.3, structure=np.ones((3, 3)))
    masses = ndimage.sum_labels(ink, labels, np.arange(1, count + 1))
    found = [
        Piece(rows, columns, float(mass), number)
        for number, ((rows, columns), mass) in enumerate(zip(ndimage.find_objects(labels), masses, strict=True), 1)
    ]
    return sorted(found, key=lambda piece: piece.columns.start)


def looks_like_two(found: list[Piece]) -> bool:
    """Whether pieces of ink fall into two digits beside or above each other: apart, both tall, both heavy."""
    beside = [(piece.columns, piece.rows, piece.mass) for piece in found]
    above = [(piece.rows, piece.columns, piece.mass) for piece in sorted(found, key=lambda piece: piece.rows.start)]
    return _splits(beside, along_text=True) or _splits(above, along_text=False)


def _splits(parts: list[tuple[slice, slice, float]], along_text: bool) -> bool:
    """Whether there is a cut between the parts, sorted along one axis, with a digit's worth on both sides."""
    size = max(_length([across if along_text else along for along, across, _ in parts]), 1)  # the height of it all
    total = sum(mass for _, _, mass in parts)
    for cut in range(1, len(parts)):
        sides = parts[:cut], parts[cut:]
        gap = min(along.start for along, _, _ in sides[1]) - max(along.stop for along, _, _ in sides[0])
        heights = [_length([across if along_text else along for along, across, _ in side]) for side in sides]
        masses = [sum(mass for _, _, mass in side) for side in sides]
        # One above the other, each can be half as tall as both.
        tall = min(heights) >= (TALL if along_text else 0.35) * size
        if gap >= GAP * size and tall and min(masses) >= HEAVY * total:
            return True
    return False


def _length(spans: list[slice]) -> int:
    return max(span.stop for span in spans) - min(span.start for span in spans)


def _without_specks(ink: np.ndarray) -> np.ndarray:
    labels, count = ndimage.label(ink > 0.3, structure=np.ones((3, 3)))
    if not count:
        raise BlankPage
    masses = ndimage.sum_labels(ink, labels, np.arange(1, count + 1))
    return _only(ink, labels, masses >= SPECK * masses.max())


def _only(ink: np.ndarray, labels: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Ink of the labelled pieces that are `kept`, bool [pieces]. The soft edge of a piece lies outside its label."""
    near = ndimage.maximum_filter(np.concatenate([[False], kept])[labels], 5)
    return np.where(near, ink, 0).astype(np.float32)


def _spans_side(labels: np.ndarray, number: int) -> bool:
    """Whether a piece lies along a whole side of the picture, or nearly."""
    sides = labels[0], labels[-1], labels[:, 0], labels[:, -1]
    return any((side == number).mean() >= WHOLE_SIDE for side in sides)


def is_flat(picture: np.ndarray) -> bool:
    """Whether nearly everything away from light ink is of one brightness, and a fair part of the picture is."""
    low, high = float(picture.min()), float(picture.max())
    flat = picture <= low + FLAT
    inked = picture > (low + high) / 2
    near = ndimage.maximum_filter(inked, 5)
    return bool(flat.mean() >= 0.15 and (flat | near).mean() >= 0.98)


def _thumbnail(picture: np.ndarray) -> np.ndarray:
    height, width = picture.shape
    factor = min(THUMBNAIL / max(height, width), 1)
    return resize(picture, max(round(width * factor), 1), max(round(height * factor), 1))


def _slope(picture: np.ndarray, bent: bool = False) -> np.ndarray:
    """The plane (or the surface of second degree) through the brightness of the half of the pixels that fit best."""
    rows, columns = np.mgrid[-1:1:complex(picture.shape[0]), -1:1:complex(picture.shape[1])]
    terms = [np.ones_like(rows), rows, columns] + [rows**2, columns**2, rows * columns] * bent
    terms = np.stack(terms, axis=-1).reshape(-1, len(terms))
    values = picture.reshape(-1)
    fitted = np.full_like(values, np.median(values))
    for _ in range(3):
        distance = np.abs(values - fitted)
        near = distance <= np.median(distance) + 1e-6
        fitted = terms @ np.linalg.lstsq(terms[near], values[near], rcond=None)[0]
    return fitted.reshape(picture.shape)
