"""Digits as pen strokes, in the styles in which people write them: a test set that ships. Imports no torch.

Made by hand for this project. Each can be drawn at any place, size, slant, proportion and pen width, so that what a
network makes of handwriting unlike MNIST's can be measured.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageDraw

PAGE = 280  # pixels: the canvas of the Draw page
SMOOTH = 12  # points between two of a curve
OVERSAMPLING = 2

Point = tuple[float, float]


@dataclass(frozen=True)
class Glyph:
    """A digit in one style: strokes in a box 100 high, x to the right and y down, as curves or as straight lines."""

    digit: int
    style: str
    curves: tuple[tuple[Point, ...], ...] = ()
    lines: tuple[tuple[Point, ...], ...] = ()

    @property
    def name(self) -> str:
        """The digit and the style: "7 European"."""
        return f"{self.digit} {self.style}"


GLYPHS: tuple[Glyph, ...] = (
    Glyph(0, "round", (((50, 0), (27, 12), (18, 50), (27, 88), (50, 100), (73, 88), (82, 50), (73, 12), (50, 0)),)),
    Glyph(0, "open at the top", (((58, 4), (34, 8), (20, 46), (28, 88), (52, 100), (76, 82), (80, 40), (66, 2)),)),
    Glyph(1, "American", lines=(((50, 0), (50, 100)),)),
    Glyph(1, "European", lines=(((22, 34), (52, 0), (52, 100)),)),
    Glyph(1, "with a foot", lines=(((34, 16), (52, 0), (52, 100)), ((28, 100), (76, 100)))),
    Glyph(2, "plain", (((16, 24), (30, 4), (54, 0), (76, 12), (76, 34), (54, 62), (14, 98)),), (
        ((14, 98), (86, 98)),
    )),
    Glyph(2, "with a loop", ((
        (16, 20), (32, 3), (58, 1), (76, 18), (68, 44), (40, 80), (20, 94), (14, 84), (28, 78), (52, 90), (86, 96),
    ),)),
    Glyph(3, "round", (
        ((16, 12), (42, 0), (70, 8), (72, 30), (40, 46)), ((40, 46), (74, 56), (80, 80), (52, 100), (14, 90)),
    )),
    Glyph(3, "with a flat top", (((44, 40), (74, 50), (80, 78), (50, 100), (14, 90)),), (
        ((16, 2), (78, 2), (44, 40)),
    )),
    Glyph(4, "open", lines=(((26, 0), (14, 56), (86, 56)), ((66, 14), (64, 100)))),
    Glyph(4, "closed", lines=(((62, 100), (62, 0), (10, 66), (90, 66)),)),
    Glyph(5, "with a bar", (((24, 44), (54, 36), (80, 54), (78, 84), (48, 100), (14, 90)),), (
        ((28, 2), (24, 44)), ((28, 2), (78, 2)),
    )),
    Glyph(5, "in one stroke", (
        ((74, 3), (48, 2), (32, 6), (28, 40), (58, 42), (78, 62), (68, 92), (40, 100), (16, 90)),
    )),
    Glyph(6, "curled", (((68, 2), (40, 18), (20, 56), (26, 90), (52, 100), (76, 84), (72, 62), (48, 54), (24, 72)),)),
    Glyph(6, "straight", (((60, 0), (34, 36), (20, 70), (32, 96), (60, 98), (74, 78), (58, 60), (34, 66), (22, 80)),)),
    Glyph(7, "American", lines=(((14, 2), (82, 2), (40, 100)),)),
    Glyph(7, "European", lines=(((14, 2), (82, 2), (40, 100)), ((30, 50), (80, 50)))),
    Glyph(7, "with a hook", lines=(((14, 18), (14, 2), (82, 2), (46, 100)),)),
    Glyph(8, "in one stroke", ((
        (74, 14), (52, 0), (28, 14), (36, 38), (66, 58), (78, 82), (50, 100), (22, 82), (36, 58), (66, 38), (74, 14),
    ),)),
    Glyph(8, "of two circles", (
        ((50, 0), (30, 10), (30, 36), (50, 46), (70, 36), (70, 10), (50, 0)),
        ((50, 46), (24, 58), (24, 88), (50, 100), (76, 88), (76, 58), (50, 46)),
    )),
    Glyph(9, "straight", (((76, 26), (58, 2), (30, 8), (24, 34), (44, 48), (70, 36), (76, 10)),), (
        ((76, 10), (70, 100)),
    )),
    Glyph(9, "curved", ((
        (74, 28), (56, 2), (30, 8), (24, 34), (44, 48), (68, 36), (75, 14), (76, 56), (66, 90), (42, 100), (24, 92),
    ),)),
)


@dataclass(frozen=True)
class Hand:
    """How a glyph is written: `x`, `y` of its middle and `height` in pages; `slant` in degrees to the right; `aspect`,
    its width in widths; `pen`, the stroke's width in heights of the digit."""

    x: float = 0.5
    y: float = 0.5
    height: float = 0.6
    slant: float = 0.0
    aspect: float = 1.0
    pen: float = 0.1


# One after another, everything else as usual. Places are those of a small digit.
HANDS: dict[str, tuple[Hand, ...]] = {
    "usual": (Hand(),),
    "position": tuple(Hand(x=x, y=y, height=0.35) for x, y in itertools.product((0.25, 0.75), repeat=2)),
    "size": tuple(Hand(height=height) for height in (0.15, 0.3, 0.45, 0.85)),
    "slant": tuple(Hand(slant=slant) for slant in (-20, -10, 15, 30)),
    "aspect": tuple(Hand(aspect=aspect) for aspect in (0.6, 0.8, 1.25, 1.5)),
    "thickness": tuple(Hand(pen=pen) for pen in (0.03, 0.06, 0.14, 0.18)),
}


def write(glyph: Glyph, hand: Hand = Hand(), page: int = PAGE) -> np.ndarray:
    """The page after writing: uint8 [page, page], black ink on white."""
    size = page * OVERSAMPLING
    image = Image.new("L", (size, size), 255)
    pen = ImageDraw.Draw(image)
    width = max(hand.pen * hand.height * size, OVERSAMPLING)
    for stroke in placed(glyph, hand):
        points = [(x * size, y * size) for x, y in stroke]
        pen.line(points, fill=0, width=round(width), joint="curve")
        for x, y in points:
            pen.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=0)
    return np.asarray(image.resize((page, page), Image.Resampling.BOX))


def placed(glyph: Glyph, hand: Hand = Hand()) -> list[list[Point]]:
    """The strokes as lines through many points, in page widths: for whoever moves a pen or a mouse along them."""
    strokes = [_smooth(curve) for curve in glyph.curves] + [list(line) for line in glyph.lines]
    slant = math.tan(math.radians(hand.slant))
    return [
        [
            (
                hand.x + hand.height * ((x - 50) * hand.aspect - (y - 50) * slant) / 100,
                hand.y + hand.height * (y - 50) / 100,
            )
            for x, y in stroke
        ]
        for stroke in strokes
    ]


def hands(mixed: int = 6, seed: int = 0) -> Iterator[tuple[str, Hand]]:
    """What is varied, and the hand: `HANDS`, then so many of everything at once, drawn at random by `seed`."""
    for name, several in HANDS.items():
        for hand in several:
            yield name, hand
    random = np.random.default_rng(seed)
    for _ in range(mixed):
        height = float(random.uniform(0.2, 0.65))
        room = 0.5 - 0.75 * height  # for the widest and the most slanting
        yield "mixed", replace(
            Hand(), height=height, x=0.5 + float(random.uniform(-room, room)),
            y=0.5 + float(random.uniform(-room, room)), slant=float(random.uniform(-15, 25)),
            aspect=float(random.uniform(0.75, 1.25)), pen=float(random.uniform(0.05, 0.16)),
        )


def _smooth(points: tuple[Point, ...]) -> list[Point]:
    """A Catmull-Rom spline through the points, closed where it ends as it begins."""
    closed = points[0] == points[-1]
    before, after = (points[-2], points[1]) if closed else (points[0], points[-1])
    known = np.array([before, *points, after], float)
    share = np.linspace(0, 1, SMOOTH, endpoint=False)[:, None]
    parts = []
    for a, b, c, d in zip(known, known[1:], known[2:], known[3:], strict=False):
        parts.append(0.5 * (2 * b + (c - a) * share + (2 * a - 5 * b + 4 * c - d) * share**2
                            + (3 * b - a - 3 * c + d) * share**3))
    return [(float(x), float(y)) for x, y in np.concatenate([*parts, known[-2:-1]])]
