"""A drawing, a photo or a file -> MNIST's own 28 x 28, with every step on the way for display.

`digitize(source)` does what MNIST's makers did (crop, fit into 20 x 20, centre by mass in 28 x 28) after making clean
white ink on black of whatever came in. Images that are of MNIST's kind already come through as they are.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from mnist_lab.digitize import fitting, ink
from mnist_lab.digitize.ink import BlankPage
from mnist_lab.digitize.reading import DigitizeError, NotAnImage, Source, grey, open_image, upright

__all__ = ["STEPS", "BlankPage", "DigitizeError", "Digitized", "NotAnImage", "Shown", "StepInfo", "digitize"]

TWO_DIGITS = "This looks like two digits. The networks read one at a time: write one, or cut the other off."


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
    "crop": StepInfo("Crop", "Only the box around the ink is kept."),
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
    """The picture after a step, uint8 [H, W] in 0..255, and a remark. `step` is "input" for the picture as it came."""

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
    image = open_image(source)
    if "rotation" in steps:
        image = upright(image)
    picture = grey(image, flatten="transparency" in steps)
    shown = [Shown("input", _bytes(picture))]
    if "polarity" in steps:
        dark = ink.is_dark_on_light(picture)
        picture = 1 - picture if dark else picture
        shown.append(Shown("polarity", _bytes(picture), "" if dark else "It was so already."))
    if fitting.is_fitted(picture):
        return Digitized(_bytes(picture), (*shown, Shown("centre", _bytes(picture), "It is as MNIST's are already.")))
    return _fit(picture, steps, shown)


def _fit(picture: np.ndarray, steps: Collection[str], shown: list[Shown]) -> Digitized:
    marks = ink.clean(ink.even(picture)) if "light" in steps else ink.stretch(picture)
    if "light" in steps:
        shown.append(Shown("light", _bytes(marks)))
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
