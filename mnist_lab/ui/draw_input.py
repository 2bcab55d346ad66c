"""Where the digit comes from: the canvas, a file, the camera, or a digit that is written on request."""

from __future__ import annotations

import io

import streamlit as st

from mnist_lab.data.strokes import GLYPHS, PAGE, Hand, write
from mnist_lab.digitize import Source
from mnist_lab.ui import draw_state
from mnist_lab.ui.draw_state import INPUT, Drawing, url

CANVAS, FILE, CAMERA, WRITTEN = "canvas", "file", "camera", "written"
INPUTS = {CANVAS: "Draw", FILE: "Upload", CAMERA: "Camera", WRITTEN: "Ready-made"}
FILES = ["png", "jpg", "jpeg", "webp", "bmp", "gif", "tif", "tiff"]
PEN = 20  # pixels of the canvas: about what MNIST's strokes are to their digits
DEFAULT_GLYPH = "7 European"


def show_input() -> Source | None:
    """Draw the chosen way to give a digit, and return the picture; None while there is none."""
    chosen = url.one_of(INPUT, INPUTS, CANVAS)
    url.switch("How the digit comes in", INPUT, INPUTS, chosen)
    return {CANVAS: _canvas, FILE: _file, CAMERA: _camera, WRITTEN: _written}[chosen]()


def _canvas() -> Source | None:
    from streamlit_drawable_canvas import st_canvas  # its component is registered by the import

    canvas = draw_state.canvas()
    width = st.slider("Width of the pen", 4, 48, PEN, key="draw_pen", help="In pixels; the page is 280 wide.")
    result = st_canvas(
        stroke_width=width, stroke_color="#000000", background_color="#ffffff", height=PAGE, width=PAGE,
        initial_drawing=canvas.start.strokes if canvas.start else None, return_image_data=True, key=canvas.key,
    )
    _take(canvas, result.json_data, result.image_bytes)
    with st.container(horizontal=True):
        st.button("Undo", key="draw_undo", on_click=canvas.undo, disabled=not canvas.earlier)
        st.button("Clear", key="draw_clear", on_click=canvas.clear, disabled=canvas.latest is None)
    st.caption(
        "Write one digit, with mouse, pen or finger. Without any of them: choose **Ready-made** above."
    )
    return canvas.latest.png if canvas.latest else None


def _take(canvas: draw_state.Canvas, strokes: dict | None, png: bytes | None) -> None:
    """Note what is on the canvas if that is news. The picture comes with a stroke, not when the page is shown again."""
    if strokes is None or png is None:
        return
    known = canvas.latest.strokes if canvas.latest else {"objects": []}
    if strokes.get("objects") != known.get("objects"):
        canvas.take(Drawing(strokes, png) if strokes.get("objects") else None)


def _file() -> Source | None:
    found = st.file_uploader(
        "A picture with one digit", FILES, key="draw_file",
        help="Dark on light or light on dark, any size. It is looked at and not stored.",
    )
    return _shown(found)


def _camera() -> Source | None:
    found = st.camera_input(
        "A digit on paper", key="draw_camera",
        help="Browsers allow the camera only on this computer itself (localhost) or over https.",
    )
    return found.getvalue() if found else None


def _shown(found: io.BytesIO | None) -> bytes | None:
    return found.getvalue() if found else None


def _written() -> Source:
    names = {glyph.name: glyph for glyph in GLYPHS}
    chosen = url.one_of("glyph", names, DEFAULT_GLYPH)
    url.choose("Digit and style", "glyph", list(names), chosen)
    glyph = names[chosen]
    left, right = st.columns(2)
    with left:
        height = _slide("Size (% of the page)", "size", 10, 90, 60)
        slant = _slide("Slant (degrees)", "slant", -45, 45, 0)
        pen = _slide("Pen (% of the digit's height)", "pen", 2, 25, 10)
    with right:
        x = _slide("From the left (%)", "x", 10, 90, 50)
        y = _slide("From the top (%)", "y", 10, 90, 50)
        aspect = _slide("Width (% of usual)", "width", 40, 200, 100)
    hand = Hand(x=x / 100, y=y / 100, height=height / 100, slant=slant, aspect=aspect / 100, pen=pen / 100)
    return write(glyph, hand)


def _slide(label: str, name: str, low: int, high: int, usual: int) -> int:
    """A slider bound to the value `name`, and its number; `usual` for a text of a link that is none of its numbers."""
    number = int(url.one_of(name, [str(number) for number in range(low, high + 1)], str(usual)))
    url.slide(label, name, low, high, number)
    return number
