"""How well a network reads digits that are written in many ways, with and without each step of `digitize`.

The digits are the scripted ones of `data.strokes`; the papers are those that people hold before a camera. Figures are
per cent of the pages; a page on which nothing is found counts as read wrong.
"""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor, from_numpy, nn

from mnist_lab.data.strokes import GLYPHS, Glyph, Hand, hands, write
from mnist_lab.digitize import STEPS, DigitizeError, digitize
from mnist_lab.evaluation import predict_logits

ON_ALL_PAPERS = (Hand(), Hand(x=0.35, y=0.6, height=0.4, slant=15), Hand(height=0.75, pen=0.06))


@dataclass(frozen=True, eq=False)
class Page:
    """A page with a digit: what was varied of the hand, the kind of paper, and the picture as `digitize` takes it."""

    glyph: Glyph
    varied: str
    paper: str
    picture: np.ndarray | bytes


def pages(mixed: int) -> Iterator[Page]:
    """Every glyph in every hand on white paper, `mixed` of them random, and in three hands on every other paper."""
    for number, glyph in enumerate(GLYPHS):
        for varied, hand in hands(mixed):
            yield Page(glyph, varied, "white", write(glyph, hand))
        for hand in ON_ALL_PAPERS:
            for paper, make in PAPERS.items():
                yield Page(glyph, "paper", paper, make(write(glyph, hand), np.random.default_rng(number)))


def robustness(network: nn.Module, mixed: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Accuracy on all `pages`: with every step, by what was varied, by paper and style; and without each step."""
    all_pages = list(pages(mixed))
    right = _right(network, all_pages, STEPS)
    result: dict[str, Any] = {"pages": len(all_pages), "accuracy": _percent(right), "without": {}}
    for name, key in (("varied", "varied"), ("paper", "paper")):
        result[name] = _by(right, [getattr(page, key) for page in all_pages])
    result["style"] = _by(right, [page.glyph.name for page in all_pages])
    say(f"{len(all_pages):,} pages, with every step: {result['accuracy']:.2f} %")
    for step in STEPS:
        left = _right(network, all_pages, [other for other in STEPS if other != step])
        result["without"][step] = _percent(left)
        say(f"without {step}: {result['without'][step]:.2f} %")
    return result


def _right(network: nn.Module, all_pages: list[Page], steps: Collection[str]) -> np.ndarray:
    """Whether each page is read right, bool [pages]."""
    images = [_image(page, steps) for page in all_pages]
    found = [image for image in images if image is not None]
    answers = iter(predict_logits(network, _stack(found)).argmax(1).tolist() if found else [])
    digits = [None if image is None else next(answers) for image in images]
    return np.array([page.glyph.digit == digit for page, digit in zip(all_pages, digits, strict=True)])


def _image(page: Page, steps: Collection[str]) -> np.ndarray | None:
    try:
        return digitize(page.picture, steps).image
    except DigitizeError:
        return None


def _stack(images: list[np.ndarray]) -> Tensor:
    return from_numpy(np.stack(images))


def _by(right: np.ndarray, names: list[str]) -> dict[str, float]:
    groups: dict[str, list[bool]] = defaultdict(list)
    for one, name in zip(right, names, strict=True):
        groups[name].append(bool(one))
    return {name: _percent(np.array(group)) for name, group in groups.items()}


def _percent(right: np.ndarray) -> float:
    return round(100 * float(right.mean()), 2)


def _black(page: np.ndarray, _: np.random.Generator) -> np.ndarray:
    return 255 - page


def _shaded(page: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Pencil on paper, lit from one side, with a camera's grain."""
    rows, columns = np.mgrid[-1:1:complex(page.shape[0]), -1:1:complex(page.shape[1])]
    angle = random.uniform(0, 2 * np.pi)
    light = 150 + 60 * (rows * np.sin(angle) + columns * np.cos(angle)) - 15 * (rows**2 + columns**2)
    photo = light * (0.4 + 0.6 * page / 255) + random.normal(0, 4, page.shape)
    return np.clip(photo, 0, 255).astype(np.uint8)


def _transparent(page: np.ndarray, _: np.random.Generator) -> np.ndarray:
    """Black ink on nothing, as drawing programs save it."""
    drawing = np.zeros((*page.shape, 4), np.uint8)
    drawing[..., 3] = 255 - page
    return drawing


def _turned(page: np.ndarray, random: np.random.Generator) -> bytes:
    """A photo with the camera held sideways, which the file notes."""
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x0112] = 6  # orientation: to be turned clockwise
    Image.fromarray(_shaded(page, random)).rotate(90, expand=True).save(file, "JPEG", quality=90, exif=exif)
    return file.getvalue()


PAPERS: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray | bytes]] = {
    "black": _black, "shaded photo": _shaded, "transparent": _transparent, "turned photo": _turned,
}
