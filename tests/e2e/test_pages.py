"""The pages in the real app: addresses, links, the list of runs, small and dark screens, the keyboard, no network."""

from __future__ import annotations

import re
import time

import pytest
from lab_server import (
    PATIENCE,
    SHORT,
    choose,
    go_to,
    open_page,
    open_train,
    ready,
    start,
    start_button,
    stop_button,
    wait_for_state,
)
from playwright.sync_api import expect

from mnist_lab.runs.store import RunStore

pytestmark = pytest.mark.timeout(400)  # a wait fails first, and says what it waited for
# Text, and whether it is chosen, of every control of the page.
CONTROLS = """[...document.querySelectorAll('input, [data-testid=stSlider], [data-baseweb=select]')]
    .map(e => [e.getAttribute('aria-label'), e.value, e.checked, e.tagName === 'INPUT' ? '' : e.innerText])"""
TOO_WIDE = """[document.documentElement, document.querySelector('[data-testid=stMain]')]
    .some(e => e.scrollWidth > e.clientWidth)"""
COLORS = """[[getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor],
    [...document.querySelectorAll('svg.marks text')].map(e => getComputedStyle(e).fill)]"""


def test_nonsense_in_the_address_is_ignored_and_said(server, browsers):
    page = browsers.new()
    open_train(page, server.url, epochs="banana", norm="<b>x</b>", no_such="1", label_noise=0.3, run="../../etc")
    notice = page.get_by_text(re.compile("3 parts of the address were ignored"))
    expect(notice).to_contain_text("Epochs must be a whole number, not 'banana'")
    expect(notice).to_contain_text("no_such")
    expect(page.get_by_text("See the runs that are kept")).to_be_visible()
    expect(start_button(page)).to_be_enabled()
    assert "label_noise=0.3" in page.url


def test_a_copied_link_opens_the_same_settings(server, browsers):
    page = browsers.new()
    open_train(page, server.url)
    choose(page, "Preset", "1,000 noisy images")
    page.wait_for_url(re.compile("train_images=1000"))
    ready(page)
    friend = browsers.new()
    open_page(friend, page.url)
    expect(friend.get_by_text("here regularization moves the test accuracy")).to_be_visible()
    # Text comes before the controls, whose code the browser has yet to load; and the first page may yet draw its own.
    patience = time.monotonic() + PATIENCE
    while (wanted := page.evaluate(CONTROLS)) != friend.evaluate(CONTROLS) and time.monotonic() < patience:
        friend.wait_for_timeout(200)
    assert wanted == friend.evaluate(CONTROLS)
    default = browsers.new()
    open_train(default, server.url)
    default.wait_for_function(f"count => {CONTROLS}.length >= count", arg=len(wanted) // 2)
    assert default.evaluate(CONTROLS) != wanted


def test_a_run_in_the_list_is_opened_renamed_and_deleted(server, browsers):
    page = browsers.new()
    open_train(page, server.url, **SHORT)
    run = start(page)
    wait_for_state(page, "Finished")
    go_to(page, "Runs")
    page.get_by_role("button", name="Rename").click()
    page.get_by_label("New name").fill("My *best* run")
    page.get_by_role("button", name="Save name").click()
    picked = page.get_by_role("combobox", name="Picked run")
    expect(picked).to_have_value(re.compile(r"My \*best\* run"))
    assert RunStore(server.runs).load(run).name == "My *best* run"
    page.get_by_role("button", name="Open run").click()
    expect(page.get_by_role("heading", name="My *best* run")).to_be_visible()
    assert f"run={run}" in page.url
    go_to(page, "Runs")
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Yes, delete it").click()
    expect(page.get_by_text("Yes, delete it")).to_have_count(0)
    page.wait_for_timeout(500)
    assert picked.count() == 0 or "best" not in picked.input_value()
    assert not (server.runs / run).exists()


def test_a_number_out_of_range_is_explained_and_not_trained(server, browsers):
    page = browsers.new()
    open_train(page, server.url, **SHORT | {"dropout": 0.005})
    expect(page.get_by_test_id("stSlider").filter(has_text="Dropout")).to_contain_text("0.005")
    epochs, alerts = page.get_by_label("Epochs", exact=True), page.get_by_test_id("stSidebar").get_by_role("alert")
    box = page.get_by_test_id("stNumberInput").filter(has=epochs)
    for typed in ("1000", "0", "-5", "2.5"):
        epochs.fill(typed)
        epochs.press("Enter")
        expect(alerts).to_contain_text(f"not {typed}.")
        expect(start_button(page)).to_be_disabled()
        expect(epochs).to_have_value(typed)
    epochs.fill("199")
    epochs.press("Enter")
    expect(alerts).to_have_count(0)
    box.get_by_test_id("stNumberInputStepUp").click()
    page.wait_for_url(re.compile("epochs=200"))
    ready(page)
    box.get_by_test_id("stNumberInputStepUp").click()
    expect(alerts).to_contain_text("Epochs must be between 1 and 200, not 201.")
    box.get_by_test_id("stNumberInputStepDown").click()
    expect(alerts).to_have_count(0)
    expect(epochs).to_have_value("200")
    expect(start_button(page)).to_be_enabled()


def test_a_download_of_a_run_that_was_deleted_is_explained(server, browsers):
    page = browsers.new()
    open_train(page, server.url, **SHORT)
    run = start(page)
    wait_for_state(page, "Finished")
    weights = page.get_by_role("button", name="Weights (safetensors)")
    with page.expect_download() as download:
        weights.click()
    assert download.value.suggested_filename == f"{run}.safetensors"
    open_train(page, server.url, run=run)
    expect(weights).to_be_enabled()
    page.wait_for_timeout(1_000)  # until nothing is drawn that would find the run deleted by itself
    RunStore(server.runs).delete(run)  # as in another tab
    weights.click()
    expect(page.get_by_text("was deleted, perhaps in another tab.")).to_be_visible()


def test_back_at_once_leaves_the_address_and_the_page_agreed(server, browsers):
    page = browsers.new()
    open_train(page, server.url, **SHORT)
    epochs = page.get_by_label("Epochs", exact=True)
    epochs.fill("7")
    epochs.press("Enter")
    page.wait_for_url(re.compile("epochs=7"))
    page.go_back()
    page.wait_for_timeout(1_500)
    ready(page)
    assert f"epochs={epochs.input_value()}" in page.url


def test_one_step_back_undoes_one_action(server, browsers):
    """Pages remember their values, so that opening one changes path and values: still one entry in the history."""
    page = browsers.new()
    addresses = [f"{server.url}/lessons?lesson=l2-never", f"{server.url}/race", f"{server.url}/race?from=presets"]
    open_page(page, addresses[0])
    go_to(page, "Race")
    page.wait_for_url(addresses[1])
    ready(page)
    page.get_by_role("radio", name="Presets").click()
    page.wait_for_url(addresses[2])
    ready(page)
    go_to(page, "Lessons")
    page.wait_for_url(addresses[0])
    ready(page)
    go_to(page, "Race")
    page.wait_for_url(addresses[2])
    ready(page)
    for address in (addresses[0], *reversed(addresses)):
        page.go_back()
        expect(page).to_have_url(address)
        expect(page.get_by_role("heading", level=1)).to_have_text("Race" if "race" in address else "Lessons")
        ready(page)
    expect(page.get_by_role("heading", name="Lesson 2: The L2 that never was")).to_be_visible()


@pytest.fixture
def finished(server, browsers) -> str:
    """The id of a run that has ended, made if there is none yet."""
    for run in RunStore(server.runs).list():
        if run.status == "finished":
            return run.id
    page = browsers.new()
    open_train(page, server.url, **SHORT)
    run = start(page)
    wait_for_state(page, "Finished")
    page.close()
    return run


def test_on_a_phone_nothing_is_wider_than_the_screen(server, browsers, finished):
    page = browsers.new(viewport={"width": 390, "height": 844}, has_touch=True)
    for path in ("/", f"/?run={finished}", "/runs"):
        open_page(page, server.url + path)
        if "run=" in path:
            page.locator(".st-key-accuracy svg.marks").wait_for()
        assert not page.evaluate(TOO_WIDE), path
    page.get_by_test_id("stExpandSidebarButton").click()
    go_to(page, "Train")


def test_the_dark_theme_is_dark_to_the_letters_of_the_charts(server, browsers, finished):
    page = browsers.new(color_scheme="dark")
    open_train(page, server.url, run=finished)
    page.locator(".st-key-accuracy svg.marks").wait_for()
    (background,), letters = page.evaluate(COLORS)
    assert brightness(background) < 60 and letters
    assert all(brightness(color) > 120 for color in letters), letters


def brightness(color: str) -> float:
    """Mean of red, green and blue in "rgb(r, g, b)"."""
    return sum(float(part) for part in re.findall(r"[\d.]+", color)[:3]) / 3


def test_start_and_stop_are_reached_by_keyboard_alone(server, browsers):
    page = browsers.new()
    open_train(page, server.url, **SHORT | {"epochs": 200, "train_images": 3_000})
    press_tab_until(page, start_button(page))
    page.keyboard.press("Enter")
    wait_for_state(page, "Running")
    press_tab_until(page, stop_button(page))
    page.keyboard.press("Enter")
    wait_for_state(page, "Stopped")


def press_tab_until(page, target) -> None:
    for _ in range(100):
        page.keyboard.press("Tab")
        if target.evaluate("element => element === document.activeElement"):
            return
    pytest.fail("100 times Tab, and the button is not reached")


def test_the_server_asks_nobody_outside(server, browsers, finished):
    page = browsers.new()
    for path in ("/", f"/?run={finished}", "/runs"):
        open_page(page, server.url + path)
    assert not server.outside.exists(), server.outside.read_text()
