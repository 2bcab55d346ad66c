"""A drawing, a photo or a file -> MNIST's own 28 x 28, with every step on the way for display.

`digitize(source)` does what MNIST's makers did (crop, fit into 20 x 20, centre by mass in 28 x 28) after making clean
white ink on black of whatever came in. Images that are of MNIST's kind already come through as they are.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from PIL import Image

from mnist_lab.digitize import fitting, ink, reading
from mnist_lab.digitize.ink import BlankPage
from mnist_lab.digitize.reading import DigitizeError, NotAnImage, Source

__all__ = ["STEPS", "BlankPage", "DigitizeError", "Digitized", "NotAnImage", "Shown", "StepInfo", "digitize"]

TWO_DIGITS = "This looks like two digits. The networks read one at a time: write one, or cut the other off."
EDGE = "What touches the edge was left out."


@dataclass(frozen=True)
class StepInfo:
    """A step as the page names it: what it is called, and what it is for."""

    label: str
    help: str


STEPS: dict[str, StepInfo] = {
    "rotation": StepInfo("Turn upright", "A phone notes in the file (EXIF) how it was held."),
    "transparency": StepInfo("Fill what is transparent", "Transparent parts become paper."),
    "polarity": StepInfo("White on black", "MNIST is white ink on black paper: dark ink on light is inverted."),
    "light": StepInfo("Even out the light", "Shadows, the paper's grain and specks of dust are taken away."),
    "crop": StepInfo(
        "Crop", "Only the box around the ink is kept. Without it the strokes are not evened out either: their width is "
        "measured in that box."
    ),
    "thickness": StepInfo(
        "Even out the strokes", "Strokes much thinner or thicker than in MNIST are brought to the nearest usual width. "
        "MNIST was made without this step; all its pens were alike."
    ),
    "aspect": StepInfo("Keep the proportions", "Width and height shrink alike, or else a 1 would become a block."),
    "scale": StepInfo("Fit into 20 x 20", "The longer side becomes 20 pixels; without this step, all of the 28."),
    "centre": StepInfo(
        "Centre by mass", "The ink's centre of mass goes to the middle of 28 x 28; without this step, its box's middle."
    ),
}


@dataclass(frozen=True, eq=False)
class Shown:
    """The picture after a step, uint8 [H, W] in 0..255, and a remark. `step` is "input" for the picture as it came.

    A picture that was upright already, or has nothing transparent, does not show these steps.
    """

    step: str
    picture: np.ndarray
    remark: str = ""


@dataclass(frozen=True, eq=False)
class Digitized:
    """`image` uint8 [28, 28] as the networks want it; `shown` the way there; `problem` a sentence, or empty."""

    image: np.ndarray
    shown: tuple[Shown, ...]
    problem: str = ""


def digitize(source: Source, steps: Collection[str] = tuple(STEPS)) -> Digitized:
    """MNIST's kind of image made of a picture with one digit, by those of `STEPS` that are named.

    Args:
        source: a path, a file's content, Pillow's image, or an array uint8 [H, W], [H, W, 3] or [H, W, 4].
        steps: names in `STEPS`; the others are left out, to see what they are for. The order is always the same.

    Raises:
        BlankPage: there is nothing on it.
        NotAnImage: it is not a picture, or a damaged one.
        OSError: the file cannot be opened.
    """
    picture, shown = _opened(reading.open_image(source), steps)
    if "polarity" in steps:
        dark = ink.is_dark_on_light(picture)
        picture = 1 - picture if dark else picture
        shown.append(Shown("polarity", _bytes(picture), "" if dark else "It was so already."))
    if fitting.is_fitted(picture):
        return Digitized(_bytes(picture), (*shown, Shown("centre", _bytes(picture), "It is as MNIST's are already.")))
    return _fit(picture, steps, shown)


def _opened(image: Image.Image, steps: Collection[str]) -> tuple[np.ndarray, list[Shown]]:
    """The grey picture, upright and without transparency if `steps` say so, and what there is to show of it."""
    picture = reading.grey(image, flatten=False)
    shown = [Shown("input", _bytes(picture))]
    if "rotation" in steps and reading.is_turned(image):
        image = reading.upright(image)
        picture = reading.grey(image, flatten=False)
        shown.append(Shown("rotation", _bytes(picture)))
    if "transparency" in steps and reading.is_transparent(image):
        filled = reading.grey(image)
        if not np.array_equal(filled, picture):  # a canvas could be transparent, and is not
            shown.append(Shown("transparency", _bytes(filled)))
        picture = filled
    return picture, shown


def _fit(picture: np.ndarray, steps: Collection[str], shown: list[Shown]) -> Digitized:
    if "light" in steps:
        found = ink.clean(ink.even(picture))
        marks = ink.without_surroundings(found, ink.is_flat(picture))
        shown.append(Shown("light", _bytes(marks), "" if marks is found else EDGE))
    else:
        marks = ink.stretch(picture)
    problem = TWO_DIGITS if ink.looks_like_two(ink.pieces(marks)) else ""
    marks = fitting.crop(marks) if "crop" in steps else fitting.square(marks)
    if "crop" in steps:
        shown.append(Shown("crop", _bytes(marks)))
    if "thickness" in steps and "crop" in steps:
        marks = fitting.even_strokes(marks)
        shown.append(Shown("thickness", _bytes(marks)))
    side = fitting.BOX if "scale" in steps else fitting.SIDE
    marks = fitting.fit(marks, side, "aspect" in steps)
    shown.append(Shown("scale", _bytes(marks)))
    marks = fitting.place(marks, "centre" in steps)
    shown.append(Shown("centre", _bytes(marks)))
    return Digitized(_bytes(marks), tuple(shown), problem)


def _bytes(picture: np.ndarray) -> np.ndarray:
    return (np.clip(picture, 0, 1) * 255).round().astype(np.uint8)
