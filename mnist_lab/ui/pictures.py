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


def _uri(picture: Image.Image) -> str:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
