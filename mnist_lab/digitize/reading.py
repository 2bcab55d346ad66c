"""A file or an array -> a grey picture: upright, without transparency, of a size that is quick to work on."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

LONGEST = 360  # pixels: a digit that fills a sixth of it is still three times as large as MNIST's
MAX_PIXELS = 100_000_000  # a file can claim any size; the largest phone cameras have this many

Source = Path | str | bytes | Image.Image | np.ndarray


class DigitizeError(Exception):
    """No digit can be made of it. The message is a sentence that says why and what to do."""


class NotAnImage(DigitizeError):
    """The file cannot be read as a picture."""


def open_image(source: Source) -> Image.Image:
    """The picture in a file (path or content) or an array [H, W], [H, W, 3] or [H, W, 4], not yet decoded if possible.

    Raises:
        NotAnImage: it is not one, is damaged, or has more than `MAX_PIXELS`.
        FileNotFoundError and other OSErrors: the file cannot be opened at all.
    """
    if isinstance(source, Image.Image):
        return source
    if isinstance(source, np.ndarray):
        return _from_array(source)
    content = source if isinstance(source, bytes) else Path(source).read_bytes()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # MAX_PIXELS below is our own bound
            image = Image.open(io.BytesIO(content))
        if image.width * image.height > MAX_PIXELS:
            raise NotAnImage(f"It has {image.width:,} x {image.height:,} pixels. Make it smaller first.")
        image.draft("RGB", (2 * LONGEST, 2 * LONGEST))  # a JPEG is decoded at the size that is needed
        image.load()
    except Image.DecompressionBombError as error:
        raise NotAnImage("It has far too many pixels. Make it smaller first.") from error
    except UnidentifiedImageError as error:
        raise NotAnImage("This is not a picture that can be read. Use a PNG or JPEG file.") from error
    except (OSError, ValueError, SyntaxError, IndexError, EOFError, MemoryError, OverflowError) as error:
        raise NotAnImage(f"The picture is damaged: {error}.") from error
    return image


def is_transparent(image: Image.Image) -> bool:
    """Whether it can have transparent parts."""
    return image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info


def is_turned(image: Image.Image) -> bool:
    """Whether its EXIF note says that it is to be turned or mirrored. Raises `NotAnImage` if that is damaged."""
    with _reading_exif():
        return image.getexif().get(ExifTags.Base.Orientation) in range(2, 9)


def upright(image: Image.Image) -> Image.Image:
    """Turned as its EXIF note says: phones store a picture as the sensor saw it. Raises as `is_turned` does."""
    with _reading_exif():
        return ImageOps.exif_transpose(image)


@contextlib.contextmanager
def _reading_exif() -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, SyntaxError, TypeError, KeyError) as error:
        raise NotAnImage(f"Its EXIF data is damaged: {error}.") from error


def grey(image: Image.Image, flatten: bool = True) -> np.ndarray:
    """Brightness in 0..1, float32 [H, W], at most `LONGEST` pixels wide and high.

    With `flatten`, what is transparent becomes paper: white under dark ink and black under light ink. Without, the
    transparency is ignored, and invisible pixels count with whatever color is stored in them.
    """
    transparent = is_transparent(image)
    if image.mode.startswith(("I", "F")):
        return _shrink(_from_deep(np.asarray(image, dtype=np.float64)))
    color = image.convert("RGBA" if transparent else "RGB")
    color = color.reduce(max(max(color.size) // (2 * LONGEST), 1))  # quick, and most of the way for a large photo
    if not transparent:
        return _shrink(_unit(color.convert("L")))
    visible = _unit(color.getchannel("A"))
    brightness = _unit(color.convert("RGB").convert("L"))
    if flatten:
        # What is half transparent counts half. Where everything is visible it does not matter.
        ink = float((brightness * visible).sum() / max(visible.sum(), 1e-6))
        brightness = brightness * visible + (1 - visible) * (ink < 0.5)
    return _shrink(brightness)


def to_image(picture: np.ndarray) -> Image.Image:
    """A picture in 0..1 as Pillow's, mode "L"."""
    return Image.fromarray((np.clip(picture, 0, 1) * 255).round().astype(np.uint8))


def resize(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    """A float32 picture at another size, without aliasing (bicubic, as wide as the reduction asks for), in 0..1."""
    if picture.shape == (height, width):
        return picture
    image = Image.fromarray(picture.astype(np.float32), mode=None)
    return np.clip(np.asarray(image.resize((width, height), Image.Resampling.BICUBIC)), 0, 1)


def _shrink(picture: np.ndarray) -> np.ndarray:
    height, width = picture.shape
    factor = LONGEST / max(height, width)
    if factor >= 1:
        return picture
    return resize(picture, max(round(width * factor), 1), max(round(height * factor), 1))


def _unit(image: Image.Image) -> np.ndarray:
    return np.asarray(image, dtype=np.float32) / 255


def _from_deep(values: np.ndarray) -> np.ndarray:
    """A picture of more than 8 bits a pixel: which values are black and white is not written in it."""
    values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    low, high = values.min(), values.max()
    return ((values - low) / (high - low) if high > low else np.zeros_like(values)).astype(np.float32)


def _from_array(array: np.ndarray) -> Image.Image:
    if array.dtype == bool:
        array = array * np.uint8(255)
    shaped = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))
    if not shaped or array.dtype != np.uint8 or not array.size:
        shape = list(array.shape)
        raise NotAnImage(f"An array {array.dtype} {shape} is no picture; uint8 [H, W] is, and with 3 or 4 channels.")
    return Image.fromarray(np.ascontiguousarray(array))
