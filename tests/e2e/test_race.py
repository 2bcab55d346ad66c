"""A race of six in a real browser, on the bundled sample: live in one chart, left and found again, stopped, judged."""

from __future__ import annotations

import re

import pytest
from lab_server import choose, go_to, open_page, open_train
from playwright.sync_api import expect

pytestmark = pytest.mark.timeout(400)  # a wait fails first, and says what it waited for
# Some seconds for all six, twice.
QUICK = dict(network="c", train_images=500, batch_size=64, epochs=2)
CHART = ".st-key-race_chart svg.marks"
TOO_WIDE = """[document.documentElement, document.querySelector('[data-testid=stMain]')]
    .some(e => e.scrollWidth > e.clientWidth)"""


def set_up(page, server, settings: dict) -> None:
    """The Race page with six contestants: the settings of the Train page, and five numbers of ghost batches."""
    open_train(page, server.url, **settings)
    go_to(page, "Race")
    page.get_by_role("radio", name="Change one setting").click()
    choose(page, "These settings", "The settings on my Train page")
    choose(page, "but with another", "Ghost batches (num_splits)")
    expect(page.get_by_text("Who races (5)")).to_be_visible()
    choose(page, "Ghost batches (num_splits)", "2", several=True)
    expect(page.get_by_text("Who races (6)")).to_be_visible()


def start(page) -> str:
    """Press Start; the race's address."""
    button = page.locator(".st-key-race_start button:visible")
    expect(button).to_be_enabled()
    button.click()
    page.wait_for_url(re.compile(r"[?&]race="))
    return page.url


def test_six_race_are_left_and_found_again_and_judged(server, browsers):
    page = browsers.new()
    set_up(page, server, QUICK)
    page.get_by_role("slider", name="Seeds").press("ArrowLeft")
    expect(page.get_by_text("12 runs, in which")).to_be_visible()
    link = start(page)
    friend = browsers.new()
    open_page(friend, link)
    expect(friend.get_by_text("Only the browser that started this race")).to_be_visible()
    friend.locator(CHART).wait_for()
    friend.evaluate(f"document.querySelector('{CHART}').dataset.first = 'yes'")
    go_to(page, "Runs")
    expect(page.get_by_role("combobox", name="Picked run")).to_have_value(re.compile("seed"))
    go_to(page, "Race")
    page.wait_for_url(link)
    for one in (page, friend):
        expect(one.get_by_text("All 12 runs are finished.")).to_be_visible()
        expect(one.locator(".st-key-race_forest svg.marks")).to_be_visible()
    expect(friend.locator(f"{CHART}[data-first=yes]")).to_have_count(1)  # drawn on, never anew
    page.reload()
    expect(page.get_by_text("All 12 runs are finished.")).to_be_visible()
    assert friend.locator("table").first.inner_text() == page.locator("table").first.inner_text()


def test_the_owner_stops_a_race_on_a_phone_in_the_dark(server, browsers):
    page = browsers.new(viewport={"width": 390, "height": 844}, has_touch=True, color_scheme="dark")
    open_page(page, f"{server.url}/race?from=knob&base=a-bn&knob=dropout&values=0.1,0.2&seeds=1")
    assert not page.evaluate(TOO_WIDE)
    start(page)
    expect(page.get_by_text("3 under way")).to_be_visible()
    assert not page.evaluate(TOO_WIDE)
    page.locator(".st-key-race_stop button:visible").click()
    expect(page.get_by_text("0 of 3 runs are finished, 3 stopped.")).to_be_visible()
    expect(page.get_by_text("One seed does not show how much seeds differ")).to_be_visible()
    assert re.fullmatch(r".*/race\?race=[\w-]+", page.url), "the choices are no part of the race's address"
    assert not page.evaluate(TOO_WIDE)
