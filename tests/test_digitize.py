"""From any picture to MNIST's 28 x 28: how MNIST was made, bad light, odd files, and what is wrong with a page."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

from mnist_lab.data.files import read_sample
from mnist_lab.data.strokes import GLYPHS, Glyph, Hand, write
from mnist_lab.digitize import STEPS, BlankPage, Digitized, DigitizeError, NotAnImage, digitize

BY_NAME = {glyph.name: glyph for glyph in GLYPHS}
PAGE = write(BY_NAME["5 with a bar"], Hand(x=0.35, y=0.6, height=0.5))
USUAL = digitize(PAGE).image


def file(picture: np.ndarray | Image.Image, kind: str = "PNG", **options) -> bytes:
    """The picture as a file's content."""
    content = io.BytesIO()
    (picture if isinstance(picture, Image.Image) else Image.fromarray(picture)).save(content, kind, **options)
    return content.getvalue()


def without(*left_out: str) -> list[str]:
    return [step for step in STEPS if step not in left_out]


def box(image: np.ndarray) -> tuple[int, int]:
    rows, columns = np.flatnonzero(image.any(1)), np.flatnonzero(image.any(0))
    return int(rows[-1] - rows[0] + 1), int(columns[-1] - columns[0] + 1)


def off_centre(image: np.ndarray) -> float:
    return float(np.abs(np.array(ndimage.center_of_mass(image)) - 13.5).max())


def remark(done: Digitized, step: str) -> str:
    """What is said beside the picture of a step."""
    return next(shown.remark for shown in done.shown if shown.step == step)


def alike(one: np.ndarray, other: np.ndarray) -> float:
    """Share of the ink that two images have in common."""
    one, other = one.astype(int), other.astype(int)
    return np.minimum(one, other).sum() / np.maximum(one, other).sum()


@pytest.mark.parametrize("kind", ["as it is", "inverted", "in color"])
def test_mnist_images_come_through_as_they_are(kind):
    images, _ = read_sample()
    for image in images[:100]:
        picture = {"as it is": image, "inverted": 255 - image, "in color": np.stack([image] * 3, -1)}[kind]
        assert np.array_equal(digitize(file(picture)).image, image)


@pytest.mark.parametrize("glyph", GLYPHS, ids=lambda glyph: glyph.name)
def test_what_comes_out_is_as_mnist_was_made(glyph):
    for hand in (Hand(), Hand(x=0.3, y=0.7, height=0.3, slant=20), Hand(aspect=1.3, pen=0.05)):
        done = digitize(write(glyph, hand))
        assert done.image.shape == (28, 28) and done.image.dtype == np.uint8
        assert max(box(done.image)) == 20 and off_centre(done.image) <= 0.6
        assert done.image.max() == 255 and not done.problem
        assert np.array_equal(digitize(done.image).image, done.image)  # doing it again changes nothing


def test_place_size_polarity_and_color_do_not_matter():
    glyph = BY_NAME["7 European"]
    usual = digitize(write(glyph)).image
    others = [
        write(glyph, Hand(x=0.2, y=0.8, height=0.25)), 255 - write(glyph), write(glyph, page=1500),
        np.pad(write(glyph), ((0, 400), (0, 0)), constant_values=255), (write(glyph) // 3 + 80).astype(np.uint8),
        np.stack([np.full((280, 280), 200, np.uint8), write(glyph), write(glyph)], -1),
    ]
    for other in others:
        assert alike(digitize(other).image, usual) > 0.75


@pytest.mark.parametrize("dark", [True, False])
def test_shadows_and_grain_are_taken_out(dark):
    random = np.random.default_rng(1)
    light = np.linspace(70, 230, 280)[None, :] - 40 * np.linspace(-1, 1, 280)[:, None] ** 2
    ink = PAGE / 255 if dark else 1 - PAGE / 255
    photo = np.clip(light * (0.35 + 0.6 * ink) + random.normal(0, 4, PAGE.shape), 0, 255).astype(np.uint8)
    assert alike(digitize(photo).image, USUAL) > 0.75
    left = digitize(photo, without("light")).image
    assert alike(left, USUAL) < 0.5


def test_transparent_paper():
    for color, kind in ((0, "dark ink"), (255, "light ink")):
        drawing = np.full((*PAGE.shape, 4), color, np.uint8)
        drawing[..., 3] = 255 - PAGE
        assert alike(digitize(file(drawing)).image, USUAL) > 0.9, kind
    with pytest.raises(BlankPage):
        digitize(file(drawing), without("transparency"))


def test_turned_as_the_phone_says():
    exif = Image.Exif()
    exif[0x0112] = 6  # turn it clockwise to see it upright
    photo = file(Image.fromarray(PAGE).rotate(90, expand=True), "JPEG", exif=exif, quality=95)
    assert alike(digitize(photo).image, USUAL) > 0.9
    assert alike(digitize(photo, without("rotation")).image, USUAL) < 0.5


def test_a_turned_and_transparent_file_is_shown_as_it_came_in_first():
    page = PAGE[:, 20:220]
    drawing = np.zeros((*page.shape, 4), np.uint8)  # black ink on nothing, which is black too
    drawing[..., 3] = 255 - page
    exif = Image.Exif()
    exif[0x0112] = 6
    content = file(Image.fromarray(drawing).rotate(90, expand=True), exif=exif)
    shown = {one.step: one.picture for one in digitize(content).shown}
    assert list(shown)[:4] == ["input", "rotation", "transparency", "polarity"]
    assert shown["input"].shape == (200, 280) and shown["rotation"].shape == shown["transparency"].shape == (280, 200)
    assert not shown["input"].any() and np.array_equal(shown["transparency"], page)
    left = [one.step for one in digitize(content, without("rotation")).shown]
    assert "rotation" not in left and "transparency" in left


@pytest.mark.parametrize("orientation", [0, 1, 9])
def test_an_upright_photo_shows_no_turn(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    opaque = Image.fromarray(PAGE).convert("RGBA")
    assert [one.step for one in digitize(file(opaque, exif=exif)).shown][:2] == ["input", "polarity"]


@pytest.mark.parametrize("step", ["crop", "aspect", "scale", "centre", "thickness", "polarity"])
def test_each_step_can_be_left_out(step):
    page = write(BY_NAME["7 American"], Hand(x=0.35, y=0.6, height=0.5, pen=0.03))
    usual, left = digitize(page), digitize(page, without(step))
    assert not np.array_equal(left.image, usual.image)
    if step == "aspect":
        assert box(left.image) == (20, 20) != box(usual.image)
    if step == "scale":
        assert max(box(left.image)) > 22
    if step == "centre":
        rows = np.flatnonzero(left.image.any(1))
        assert rows[0] + rows[-1] in (26, 27, 28)
    if step == "thickness":
        assert left.image.astype(int).sum() < usual.image.astype(int).sum()


def test_every_step_is_shown_and_the_last_is_the_result():
    done = digitize(PAGE)
    assert [shown.step for shown in done.shown] == [
        "input", "polarity", "light", "crop", "thickness", "scale", "centre"
    ]
    assert np.array_equal(done.shown[-1].picture, done.image)
    assert all(shown.picture.dtype == np.uint8 and shown.picture.ndim == 2 for shown in done.shown)
    assert "already" in digitize(done.image).shown[-1].remark


@pytest.mark.parametrize("brightness", [0, 128, 255])
def test_a_blank_page_is_said_to_be_blank(brightness):
    page = np.full((200, 300), brightness, np.uint8)
    random = np.random.default_rng(0)
    light = np.linspace(60, 180, 300)[None, :] + random.normal(0, 4, page.shape)
    for blank in (page, light.astype(np.uint8), page[:1, :1]):
        with pytest.raises(BlankPage, match="nothing on this page"):
            digitize(blank)


@pytest.mark.parametrize("name", BY_NAME)
def test_two_digits_are_said_to_be_two(name):
    left = write(BY_NAME[name], Hand(x=0.28, height=0.5))
    for other in ("1 American", "8 of two circles"):
        both = np.minimum(left, write(BY_NAME[other], Hand(x=0.75, height=0.42)))
        assert "two digits" in digitize(both).problem
    above = np.minimum(write(BY_NAME[name], Hand(y=0.26, height=0.4)), write(BY_NAME[name], Hand(y=0.76, height=0.4)))
    assert "two digits" in digitize(above).problem


def test_dust_and_the_edge_of_the_sheet_are_no_second_digit():
    page = PAGE.copy()
    page[250:254, 10:14] = 0
    page[:, 277:] = 0
    done = digitize(page)
    assert not done.problem and alike(done.image, USUAL) > 0.9
    assert "edge was left out" in remark(done, "light")


def test_a_second_digit_that_touches_the_edge_is_said():
    three = write(BY_NAME["3 round"], Hand(x=0.3, height=0.5))
    seven = write(BY_NAME["7 American"], Hand(x=0.84, height=0.5))
    assert seven[:, -1].min() == 0
    for page in (np.minimum(three, seven), 255 - np.minimum(three, seven)):
        assert "two digits" in digitize(page).problem


def five_with_a_loose_bar(bar: slice) -> np.ndarray:
    """A page 200 wide: the bar at the very top, and the rest of the digit apart from it."""
    five = Glyph(5, "without a bar", BY_NAME["5 with a bar"].curves, (((28, 8), (24, 44)),))
    page = write(five, Hand(height=0.8, y=0.46))[:, 40:240].copy()
    page[:10, bar] = 0
    return page


def test_a_stroke_that_runs_off_the_page_stays():
    page = five_with_a_loose_bar(slice(60, 160))
    assert (page[10:16].min(), page[16:].min()) == (255, 0)
    done = digitize(page)
    (light,) = (one for one in done.shown if one.step == "light")
    assert light.picture[0, 60:160].all() and not light.remark and not done.problem
    rows, columns = np.flatnonzero(page.min(1) == 0), np.flatnonzero(page.min(0) == 0)
    cut = page[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1].copy()
    cut[:10] = 0  # cut out so closely that the bar lies along a whole side
    assert digitize(cut).image[:7].any() and not remark(digitize(cut), "light")


def test_what_lies_around_a_sheet_in_a_photo_is_left_out_and_said():
    random = np.random.default_rng(2)
    paper = 190 - 60 * np.linspace(0, 1, 280)[None, :] + random.normal(0, 4, PAGE.shape)
    photo = paper * (0.35 + 0.65 * PAGE / 255)
    photo[:150, 265:] = 15  # the table, along half of a side
    done = digitize(np.clip(photo, 0, 255).astype(np.uint8))
    assert alike(done.image, USUAL) > 0.75 and not done.problem
    assert "edge was left out" in remark(done, "light")


def test_files_that_are_no_pictures(tmp_path):
    broken = file(PAGE)[:300]
    for content in (b"", b"hello", broken, file(PAGE, "JPEG")[:100]):
        with pytest.raises(NotAnImage):
            digitize(content)
    with pytest.raises(FileNotFoundError):
        digitize(tmp_path / "none.png")
    with pytest.raises(NotAnImage, match="float64"):
        digitize(np.zeros((28, 28)))


def test_a_file_that_claims_a_billion_pixels_is_refused():
    content = file(PAGE)
    for size in (11_000, 100_000):  # beyond our bound, and beyond Pillow's own
        header = b"IHDR" + struct.pack(">II", size, size) + content[24:29]
        bomb = content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:]
        with pytest.raises(NotAnImage, match="smaller"):
            digitize(bomb)


MODES = ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "LAB", "I", "F", "I;16"]


@settings(max_examples=60)
@given(
    mode=st.sampled_from(MODES), width=st.integers(1, 70), height=st.integers(1, 70), seed=st.integers(0, 99),
    kind=st.sampled_from(["noise", "bars", "dots"]), steps=st.sets(st.sampled_from(sorted(STEPS))),
)
def test_nothing_crashes(mode, width, height, seed, kind, steps):
    random = np.random.default_rng(seed)
    page = random.integers(0, 256, (height, width))
    if kind != "noise":
        page = np.where(page < (128 if kind == "bars" else 10), random.integers(0, 256), random.integers(0, 256))
        page = np.repeat(page[:1], height, 0) if kind == "bars" else page
    image = Image.fromarray(page.astype(np.uint8)).convert("L")
    image = Image.fromarray(page.astype(np.uint16) * 200) if mode == "I;16" else _convert(image, mode)
    for chosen in (steps, STEPS):
        try:
            done = digitize(image, chosen)
        except DigitizeError as error:
            assert str(error).endswith(".")
        else:
            assert done.image.shape == (28, 28) and done.image.dtype == np.uint8 and done.image.any()


def _convert(image: Image.Image, mode: str) -> Image.Image:
    through = "RGB" if mode in ("YCbCr", "HSV", "LAB", "CMYK") else "L"
    if mode == "LAB":
        return Image.merge("LAB", [image.convert("L")] * 3)
    return image.convert(through).convert(mode)
