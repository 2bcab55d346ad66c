"""A lesson in a real browser, on the bundled sample: from the prediction to the explanation, and on to another page."""

from __future__ import annotations

import re

import pytest
from lab_server import go_to, open_page, ready
from playwright.sync_api import expect

pytestmark = pytest.mark.timeout(400)  # a wait fails first, and says what it waited for
# The lab's lesson on zeros, with a race of seconds.
QUICK = (
    'base = "noisy-1000"\nchange = { network = "b", train_images = 100, batch_size = 50, epochs = 1, eval_every = 1 }'
)
TOO_WIDE = """[document.documentElement, document.querySelector('[data-testid=stMain]')]
    .some(e => e.scrollWidth > e.clientWidth)"""


@pytest.fixture(scope="module", autouse=True)
def teachers_folder(tmp_path_factory, request):
    """A folder with a quick form of one of the lab's lessons, and a file that is none."""
    shipped = request.config.rootpath / "mnist_lab" / "lessons" / "texts" / "l1-zeros.toml"
    text, changes = re.subn(r'base = "noisy-1000"\nchange = .*', QUICK, shipped.read_text("utf-8"))
    assert changes == 1
    text = text.replace("seeds = 1\n", "seeds = 2\n")  # a verdict takes two
    folder = tmp_path_factory.mktemp("lessons")
    (folder / "l1-zeros.toml").write_text(text, "utf-8")
    (folder / "broken.toml").write_text("title =", "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MNIST_LAB_LESSONS", str(folder))
        yield


def test_a_lesson_from_prediction_to_explanation(server, browsers):
    page = browsers.new()
    open_page(page, f"{server.url}/lessons")
    expect(page.get_by_text("broken.toml is no lesson that can be shown.")).to_be_visible()
    page.get_by_role("button", name="Open lesson 4").click()
    page.wait_for_url(re.compile(r"/lessons\?lesson=l1-zeros$"))
    run = page.get_by_role("button", name="Run it")
    expect(run).to_be_disabled()
    page.get_by_text("More than half").click()
    expect(run).to_be_enabled()
    run.click()
    page.wait_for_url(re.compile(r"lesson=l1-zeros&race="))
    expect(page.get_by_role("heading", name="4. Why")).to_be_visible()
    ready(page)
    table = page.locator("table").filter(has_text="Your prediction")
    expect(table.get_by_role("row").filter(has_text="Your race")).to_contain_text("None, or as good as none")
    expect(page.get_by_text("hops around zero")).to_be_visible()
    expect(page.locator(".st-key-race_forest svg.marks")).to_be_visible()

    link = page.url
    go_to(page, "Runs")
    go_to(page, "Lessons")
    page.wait_for_url(link)
    expect(page.get_by_text("Your prediction: More than half")).to_be_visible()
    page.get_by_role("link", name="Open the microscope").click()
    page.get_by_role("heading", level=1, name="Microscope").wait_for()
    page.wait_for_url(re.compile(r"/microscope\?run=.*show=pruning"))
    ready(page)
    page.go_back()
    page.wait_for_url(link)
    expect(page.get_by_text("Your prediction: More than half")).to_be_visible()
    # A link that brings a page its values does not leave them in the history of this one.
    page.get_by_role("link", name="Set up that race").click()
    page.wait_for_url(re.compile(r"/race\?from=ready&ready=l1$"))
    expect(page.get_by_role("button", name="Start the race")).to_be_visible()
    ready(page)
    page.go_back()
    page.wait_for_url(link)


def test_a_friend_with_the_link_predicts_on_a_phone_in_the_dark(server, browsers):
    owner = browsers.new()
    open_page(owner, f"{server.url}/lessons?lesson=l1-zeros")
    owner.get_by_text("None, or as good as none").click()
    owner.get_by_role("button", name="Run it").click()
    owner.wait_for_url(re.compile(r"race="))
    page = browsers.new(viewport={"width": 390, "height": 844}, has_touch=True, color_scheme="dark")
    open_page(page, owner.url)
    expect(page.get_by_text("It was started already.")).to_be_visible()
    assert not page.evaluate(TOO_WIDE)
    page.get_by_text("Some, but less than half").click()
    expect(page.get_by_role("heading", name="4. Why")).to_be_visible()
    expect(page.get_by_text("Your prediction: Some, but less than half")).to_be_visible()
    assert not page.evaluate(TOO_WIDE)
