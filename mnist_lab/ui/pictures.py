"""Digits as pictures for the page: PNG files of a few hundred bytes, sent inside the page itself.

Streamlit forgets the picture files of a page as soon as it is drawn again, before a slow browser has fetched them; a
`data:` address cannot be missed. Digits are white on black, as the network sees them.
"""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

FOR, AGAINST = (0xD5, 0x5E, 0x00), (0x56, 0xB4, 0xE9)  # vermillion and sky blue, of the colour-blind-safe palette
INK = 0.6  # brightness of the digit under the colors, which would not be seen on full white


def digit_uri(image: np.ndarray, scale: int = 3) -> str:
    """An image uint8 [28, 28] as a `data:` address, every pixel `scale` pixels wide."""
    return _uri(Image.fromarray(image).resize([side * scale for side in image.shape[::-1]], Image.Resampling.NEAREST))


def saliency_uri(image: np.ndarray, saliency: np.ndarray, scale: int = 8) -> str:
    """A digit uint8 [28, 28] under its saliency, float [28, 28]: orange above 0, blue below, strong at the largest."""
    reach = float(np.abs(saliency).max())
    strength = (np.abs(saliency) / reach if reach > 0 else np.zeros(image.shape))[..., None]
    colors = np.where(saliency[..., None] >= 0, np.array(FOR), np.array(AGAINST))
    mixed = image[..., None] * INK * (1 - strength) + colors * strength
    picture = Image.fromarray(mixed.round().astype(np.uint8))
    return _uri(picture.resize([side * scale for side in image.shape[::-1]], Image.Resampling.NEAREST))


def page_uri(picture: np.ndarray, longest: int = 112) -> str:
    """A picture uint8 [H, W] of any size as a `data:` address, its longer side about `longest` pixels."""
    factor = longest / max(picture.shape)
    if factor >= 2:
        return digit_uri(picture, int(factor))
    size = [max(round(side * factor), 1) for side in picture.shape[::-1]]
    return _uri(Image.fromarray(picture).resize(size, Image.Resampling.BOX if factor < 1 else Image.Resampling.NEAREST))


def maps_uri(maps: np.ndarray, scale: int, across: int = 8, gap: int = 2) -> str:
    """Maps float [C, H, W] beside each other, `across` in a row: orange above 0, blue below, strong at the largest."""
    reach = float(np.abs(maps).max()) or 1.0
    colors = np.where(maps[..., None] >= 0, np.array(FOR), np.array(AGAINST)) * np.abs(maps[..., None]) / reach
    colors = np.repeat(np.repeat(colors.round().astype(np.uint8), scale, 1), scale, 2)
    rows, (height, width) = -(-len(colors) // across), colors.shape[1:3]
    sheet = np.full((rows * (height + gap) - gap, across * (width + gap) - gap, 4), 0, np.uint8)
    for number, tile in enumerate(colors):
        top, left = (number // across) * (height + gap), (number % across) * (width + gap)
        sheet[top : top + height, left : left + width] = np.dstack([tile, np.full(tile.shape[:2], 255, np.uint8)])
    return _uri(Image.fromarray(sheet))


def _uri(picture: Image.Image) -> str:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
