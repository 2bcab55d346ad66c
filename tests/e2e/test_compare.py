"""The Compare page in the real app: from two settings to a verdict, a link, a report, a small screen."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from lab_server import open_page, ready
from playwright.sync_api import expect

sys.path.insert(0, str(Path(__file__).parents[1] / "ui"))

from compare_records import trained

from mnist_lab.runs.library import Library
from mnist_lab.runs.store import RunStore
from mnist_lab.ui import compare_find
from mnist_lab.ui.page_state import LATE_SECONDS

pytestmark = pytest.mark.timeout(400)  # a wait fails first, and says what it waited for
TOO_WIDE = """[document.documentElement, document.querySelector('[data-testid=stMain]')]
    .some(e => e.scrollWidth > e.clientWidth)"""


@pytest.fixture
def link(server) -> str:
    """The page with two settings of four seeds each, of which ghost batch norm is better, and one of a single seed."""
    if not server.runs.exists():
        for seed in range(4):
            trained(server.runs, f"ghost-{seed}", 4 + seed % 2, seed=seed)
            trained(server.runs, f"plain-{seed}", 8 + seed % 3, seed=seed, config={"norm": "batch"})
        trained(server.runs, "layer", 9, config={"norm": "layer"})
    library = Library(RunStore(server.runs), server.runs.parent / "none")
    own = {one.config.norm: one.key for one in compare_find.variants(library)[0] if one.key.startswith("own.")}
    return f"{server.url}/compare?of={own['ghost']}~{own['batch']}"


def marks(page, key: str):
    return page.locator(f".st-key-{key} svg.marks")


def test_from_curves_to_a_verdict_a_link_and_a_report(link, browsers, tmp_path):
    page = browsers.new()
    open_page(page, link)
    expect(marks(page, "compare_curves")).to_be_visible()
    expect(page.get_by_text("seeds of one variant alone lie up to")).to_be_visible()
    page.get_by_text("Is it real?", exact=True).click()
    page.wait_for_url(re.compile("show=real"))
    verdict = page.get_by_text("with the same four seeds").first
    expect(verdict).to_contain_text("more than chance explains")
    expect(marks(page, "compare_noise")).to_be_visible()
    expect(page.locator(".st-key-compare_pair path[aria-label*=' minus ']")).to_have_count(5)  # the mean, four seeds
    with page.expect_download() as got:
        page.get_by_role("button", name="Report of this page (HTML)").click()
    report = tmp_path / "report.html"
    report.write_bytes(got.value.path().read_bytes())
    friend = browsers.new()
    open_page(friend, page.url)
    expect(friend.get_by_text("with the same four seeds").first).to_be_visible()
    page.wait_for_timeout(1_000 * LATE_SECONDS)  # until then it would be taken for a late request, not for Back
    page.go_back()
    expect(marks(page, "compare_curves")).to_be_visible()
    alone, asked = browsers.new(), []
    alone.on("request", lambda request: asked.append(request.url))
    alone.goto(report.as_uri())
    expect(alone.locator("svg")).to_have_count(2)
    expect(alone.get_by_text("with the same four seeds")).to_be_visible()
    assert asked == [report.as_uri()]
    browsers.requests.remove(report.as_uri())  # no address of the app, but none of another machine either


def test_what_is_compared_is_chosen_by_keyboard(link, browsers):
    page = browsers.new()
    open_page(page, link)
    page.get_by_role("combobox", name="Settings and runs").fill("layer norm")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"of=own\.\w+~own\.\w+~own"))
    expect(marks(page, "compare_curves").get_by_text("layer norm")).to_be_visible()
    page.keyboard.press("Escape")  # the open list hides the rest of the page from whoever cannot see
    ready(page)


def test_it_fits_a_phone_and_the_dark(link, browsers):
    page = browsers.new(viewport={"width": 390, "height": 844}, has_touch=True, color_scheme="dark")
    for part in ("curves", "real", "claims", "small"):
        open_page(page, f"{link}&show={part}")
        page.locator(".st-key-compare_report").wait_for()
        assert not page.evaluate(TOO_WIDE), part
