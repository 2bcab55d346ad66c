"""The Mistakes page in the real app: a cell, an image, files, a link, digits read by keyboard, a small dark screen."""

from __future__ import annotations

import csv
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from lab_server import choose, open_page, ready
from playwright.sync_api import expect

sys.path.insert(0, str(Path(__file__).parents[1] / "ui"))

from mistakes_records import make_run, sample_labels

from mnist_lab.ui.page_state import LATE_SECONDS

pytestmark = pytest.mark.timeout(400)  # a wait fails first, and says what it waited for
LABELS = sample_labels()
FOURS, SEVENS = np.flatnonzero(LABELS == 4), np.flatnonzero(LABELS == 7)
ERRORS = dict.fromkeys(FOURS[:7].tolist(), 9) | dict.fromkeys(SEVENS[:30].tolist(), 1)
TOO_WIDE = """[document.documentElement, document.querySelector('[data-testid=stMain]')]
    .some(e => e.scrollWidth > e.clientWidth)"""


@pytest.fixture
def link(server) -> str:
    """The page with a run that was made for it, and one to compare it with."""
    for id, errors in (("mine", ERRORS), ("other", {int(FOURS[0]): 9})):
        if not (server.runs / id).exists():
            make_run(server.runs, id, LABELS, errors)
    return f"{server.url}/mistakes?run=mine"


def images(page):
    """The buttons that open the images of the gallery."""
    return page.locator("[class*=st-key-mistakes_open_] button")


def cell(page, label: int, answer: int):
    return page.locator(f".st-key-mistakes_confusion path[aria-label^='true {label}, read as {answer}:']")


def test_a_cell_chooses_an_image_opens_and_the_table_is_downloaded(link, browsers):
    page = browsers.new()
    open_page(page, link)
    expect(images(page)).to_have_count(25)
    cell(page, 4, 9).click()
    page.wait_for_url(re.compile("true=4&predicted=9"))
    expect(images(page)).to_have_count(7)
    expect(page.get_by_role("combobox", name="Label")).to_have_value("4")
    with page.expect_download() as got:
        page.get_by_role("button", name="Table (CSV)").click()
    rows = list(csv.DictReader(got.value.path().read_text().splitlines()))
    assert {int(row["index"]) for row in rows} == set(FOURS[:7].tolist())
    assert {row["predicted"] for row in rows} == {"9"}
    with page.expect_download() as got:
        page.get_by_role("button", name="Contact sheet (PNG)").click()
    assert got.value.path().read_bytes().startswith(b"\x89PNG")
    images(page).first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("but its label is")).to_be_visible()
    expect(dialog.get_by_text("1 of 1 other network")).to_be_visible()
    expect(dialog.get_by_alt_text("Where the network looks for a 9")).to_be_visible()
    page.wait_for_url(re.compile("image="))
    friend = browsers.new()
    open_page(friend, page.url)
    expect(friend.get_by_role("dialog").get_by_text("but its label is")).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    page.wait_for_url(re.compile("^((?!image=).)*$"))
    page.wait_for_timeout(1_000 * LATE_SECONDS)  # until then it would be taken for a late request, not for Back
    page.go_back()
    expect(dialog).to_be_visible()


def test_drop_downs_do_what_cells_do_and_the_cell_can_be_clicked_again(link, browsers):
    page = browsers.new()
    open_page(page, link)
    cell(page, 4, 9).click()
    expect(images(page)).to_have_count(7)
    page.get_by_role("button", name="Show all errors").click()
    expect(images(page)).to_have_count(25)
    ready(page)
    cell(page, 4, 9).click()
    expect(images(page)).to_have_count(7)
    choose(page, "Read as", "4")
    expect(page.get_by_text("read as labelled.")).to_be_visible()
    assert "true=4&predicted=4" in page.url


def test_digits_are_read_by_keyboard(link, browsers):
    page = browsers.new()
    open_page(page, f"{link}&show=game")
    # Text comes before the buttons, whose code the browser has yet to load, and which listen to the keys.
    expect(page.get_by_role("button", name="7", exact=True)).to_be_visible()
    for place in range(1, 13):
        expect(page.get_by_text(f"Digit {place} of 12")).to_be_visible()
        page.keyboard.press("7")
    expect(page.get_by_text("This round")).to_be_visible()
    with page.expect_download() as got:
        page.get_by_role("button", name="Tally (CSV)").click()
    rows = list(csv.DictReader(got.value.path().read_text().splitlines()))
    assert [row["human"] for row in rows] == ["7"] * 12
    assert sum(int(row["index"]) in ERRORS for row in rows) == 6


def test_it_fits_a_phone_and_the_dark(link, browsers):
    page = browsers.new(viewport={"width": 390, "height": 844}, has_touch=True, color_scheme="dark")
    for part in ("", "&show=two", "&show=game", f"&image={FOURS[0]}"):
        open_page(page, link + part)
        page.locator("[class*=st-key-mistakes_] img").first.wait_for()
        assert not page.evaluate(TOO_WIDE), part
