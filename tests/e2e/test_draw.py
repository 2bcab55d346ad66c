"""The Draw page in the real app: all ten digits with real mouse strokes, undo, another page and back, a phone."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from lab_server import PATIENCE, LabServer, choose, go_to, open_page, ready
from playwright.sync_api import Page, expect

from mnist_lab.config import RunConfig
from mnist_lab.data.mnist import load_sample
from mnist_lab.data.strokes import GLYPHS, Glyph, Hand, placed
from mnist_lab.runs.library import Library, pretrained_root
from mnist_lab.runs.queue import RunQueue
from mnist_lab.runs.store import RunStore

pytestmark = pytest.mark.timeout(900)  # a wait fails first; ten digits take long on a busy machine
# One style each, where people differ the European one, and each in another hand.
DIGITS = [next(glyph for glyph in reversed(GLYPHS) if glyph.digit == digit) for digit in range(10)]
HANDS = [Hand(x=0.45, y=0.55, height=0.6), Hand(x=0.55, height=0.45, slant=10), Hand(height=0.7, aspect=0.9)]
CANVAS = "[class*='st-key-draw_canvas'] canvas.upper-canvas"
TOO_WIDE = """[document.documentElement, document.querySelector('[data-testid=stMain]')]
    .some(e => e.scrollWidth > e.clientWidth)"""


@pytest.fixture(scope="module")
def server(tmp_path_factory, chromium):
    """The app with the pretrained variants; as long as there are none, with one trained on the sample."""
    folder = tmp_path_factory.mktemp("draw")
    if not Library(RunStore(folder / "none"), pretrained_root()).variants():
        queue = RunQueue(RunStore(folder / "runs"), workers=1, load_data=lambda progress: load_sample())
        config = RunConfig(epochs=4, batch_size=50, learning_rate=0.15, schedule="one-cycle", rotation=8.0, scale=0.1)
        assert queue.submit(config).join(3 * PATIENCE)
        queue.shutdown()
    server = LabServer(folder, folder / "no-data")
    yield server
    server.stop()


def write(page: Page, glyph: Glyph, hand: Hand, after: Callable[[], None] = lambda: None) -> None:
    """Move the mouse as a pen over the canvas; `after` is called after each stroke."""
    canvas = page.locator(CANVAS)
    canvas.wait_for()
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    for stroke in placed(glyph, hand):
        points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]
        page.mouse.move(*points[0])
        page.mouse.down()
        for point in points[1:]:
            page.mouse.move(*point, steps=4)
        page.mouse.up()
        after()


def read(page: Page) -> str:
    """What the default network reads, once the page has settled."""
    metric = page.locator(".st-key-draw_headline [data-testid=stMetricValue]").first
    metric.wait_for()
    ready(page)
    page.wait_for_timeout(300)
    ready(page)
    return metric.inner_text()


def test_all_ten_digits_are_read(server, browsers):
    page = browsers.new()
    open_page(page, f"{server.url}/draw")
    right = {}
    for digit, glyph in enumerate(DIGITS):
        write(page, glyph, HANDS[digit % len(HANDS)])
        right[glyph.name] = read(page) == str(digit)
        page.locator(".st-key-draw_clear button").click()
        expect(page.get_by_text("Nothing here yet")).to_be_visible()
    assert sum(right.values()) >= 9, right


def test_undo_another_page_and_back(server, browsers):
    page = browsers.new()
    open_page(page, f"{server.url}/draw")
    seven = next(glyph for glyph in GLYPHS if glyph.name == "7 European")
    undo = page.locator(".st-key-draw_undo button")
    # Strokes that follow each other faster than the server answers would arrive, and go, as one.
    write(page, seven, Hand(), after=lambda: expect(undo).to_be_enabled())
    read(page)
    page.wait_for_timeout(2000)
    read(page)
    expect(page.get_by_text(re.compile("An average"))).to_be_visible()
    go_to(page, "Runs")
    go_to(page, "Draw")
    read(page)
    undo.click()  # the bar
    ready(page)
    read(page)
    undo.click()  # the rest
    expect(page.get_by_text("Nothing here yet")).to_be_visible()
    expect(undo).to_be_disabled()


def test_a_click_on_a_row_chooses_its_network(server, browsers):
    page = browsers.new()
    open_page(page, f"{server.url}/draw?input=written")
    read(page)
    rows = page.locator(".st-key-draw_answers_box [data-testid=stDataFrame] tbody tr")
    ticked = page.locator(".st-key-draw_answers_box [data-testid=stDataFrame] tbody tr[aria-selected=true]")
    expect(ticked).to_have_count(1)  # the table is there
    if rows.count() < 4:
        pytest.skip("needs the pretrained variants")
    choose(page, "Look inside", "Source B: BN")
    expect(ticked.locator("td").nth(1)).to_have_text("Source B: BN")
    for row, x in ((2, 60), (1, 300), (3, 15), (3, 15)):  # its digit, its name, its tick, and that once more
        _click_row(page, row, x)
        name = rows.nth(row).locator("td").nth(1).inner_text()
        expect(page.get_by_text(f"By {name}.")).to_be_visible()
        expect(ticked.locator("td").nth(1)).to_have_text(name)


def _click_row(page: Page, row: int, x: int) -> None:
    """On the table, which is a canvas with rows of 35 pixels; the mouse goes away again."""
    table = page.locator(".st-key-draw_answers_box [data-testid=stDataFrame] canvas").first
    table.scroll_into_view_if_needed()
    corner = table.bounding_box()
    page.mouse.click(corner["x"] + x, corner["y"] + 35 * (row + 1.5))
    page.mouse.move(5, 5)
    page.wait_for_timeout(300)
    read(page)


def test_on_a_phone_nothing_is_wider_than_the_screen(server, browsers):
    page = browsers.new(viewport={"width": 390, "height": 844}, has_touch=True)
    for part in ("layers", "looks", "stays"):
        open_page(page, f"{server.url}/draw?input=written&part={part}")
        read(page)
        assert not page.evaluate(TOO_WIDE), part
