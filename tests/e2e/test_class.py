"""A class in real browsers, on the bundled sample: one link, locked controls, everybody's runs in one live picture."""

from __future__ import annotations

import json
import re
from urllib.parse import urlencode

import pytest
from lab_server import choose, go_to, open_page, open_train, start, start_button, wait_for_state
from playwright.sync_api import expect

pytestmark = pytest.mark.timeout(500)  # a wait fails first, and says what it waited for
QUICK = dict(network="c", train_images=300, batch_size=64, norm="ghost", num_splits=8, epochs=2)
LOCK = dict(lock="norm,epochs")
PASSWORD = "a long one"
DOTS = ".st-key-class_dots svg.marks path[aria-roledescription=point]"
TOO_WIDE = """[document.documentElement, document.querySelector('[data-testid=stMain]')]
    .some(e => e.scrollWidth > e.clientWidth)"""


@pytest.fixture(scope="module")
def server(start_server, tmp_path_factory):
    secrets = tmp_path_factory.mktemp("secrets") / "secrets.toml"
    secrets.write_text(f'[class]\npassword = "{PASSWORD}"\n')
    variables = {"MNIST_LAB_CLASS": "1", "MNIST_LAB_CLASS_EPOCHS": "5"}
    return start_server(variables=variables, options=[f"--secrets.files={secrets}"])


def test_two_browsers_pool_their_runs_with_the_locked_control_locked(server, browsers):
    one, two = browsers.new(), browsers.new()
    for page in (one, two):
        open_train(page, server.url, **QUICK, **LOCK)
        for label in ("Norm", "Epochs", "Seed"):
            expect(page.get_by_label(label, exact=True)).to_be_disabled()
        expect(page.get_by_text("Locked by your teacher's link")).to_have_count(2)
        expect(page.get_by_label("Dropout", exact=True).first).to_be_enabled()
    start(one)
    wait_for_state(one, "Finished")
    go_to(one, "Class")
    expect(one.get_by_text("The class's one run of this setting")).to_be_visible()
    one.locator(".st-key-class_dots svg.marks").evaluate("svg => { svg.dataset.first = 'yes' }")
    start(two)
    wait_for_state(two, "Finished")
    expect(one.get_by_text("The class's 2 runs of the same setting")).to_be_visible()  # by itself
    expect(one.locator(f"{DOTS}")).to_have_count(2)
    expect(one.locator(".st-key-class_dots svg.marks[data-first=yes]")).to_have_count(1)  # drawn on, never anew
    labels = one.locator(DOTS).evaluate_all("dots => dots.map(dot => dot.getAttribute('aria-label'))")
    assert sorted("Your runs" in label for label in labels) == [False, True]
    configs = [json.loads(path.read_text())["config"] for path in server.runs.glob("*/run.json")]
    assert len({config["seed"] for config in configs}) == 2 and {config["norm"] for config in configs} == {"ghost"}
    expect(one.get_by_text(re.compile("differ in nothing but the seed|made no difference"))).to_be_visible()


def test_an_edited_address_is_an_ordinary_page_within_the_limits(server, browsers):
    page = browsers.new()
    open_train(page, server.url, **QUICK | dict(epochs=50))
    expect(page.get_by_label("Norm", exact=True)).to_be_enabled()
    expect(page.get_by_text("at most 5 epochs").first).to_be_visible()
    expect(start_button(page)).to_be_disabled()


def test_the_teacher_locks_for_all_and_clears_on_a_phone_in_the_dark(server, browsers):
    student = browsers.new()
    open_train(student, server.url, **QUICK)
    start(student)
    wait_for_state(student, "Finished")
    teacher = browsers.new(viewport={"width": 390, "height": 844}, has_touch=True, color_scheme="dark")
    open_page(teacher, f"{server.url}/?{urlencode(QUICK)}")
    teacher.get_by_text("See the class's runs in one picture").click()
    teacher.get_by_role("heading", level=1, name="The class's runs").wait_for()
    teacher.get_by_text("A link for the class", exact=True).click()
    choose(teacher, "Locked", "Norm", several=True)
    expect(teacher.get_by_text("lock=norm")).to_be_visible()
    teacher.get_by_text("Log in", exact=True).first.click()
    teacher.get_by_label("Password", exact=True).fill(PASSWORD)
    teacher.get_by_label("Password", exact=True).press("Enter")
    expect(teacher.get_by_text("Logged in", exact=True)).to_be_visible()
    teacher.get_by_role("button", name="Lock for the whole class").click()
    expect(teacher.get_by_text("Locked for everybody, whatever their link says")).to_be_visible()
    assert not teacher.evaluate(TOO_WIDE)
    student.reload()
    expect(student.get_by_label("Norm", exact=True)).to_be_disabled()
    expect(student.get_by_text("🔒 Locked by your teacher", exact=True)).to_be_visible()
    teacher.get_by_role("button", name=re.compile("Clear: stop and delete")).click()
    teacher.get_by_role("button", name="Yes, do it").click()
    expect(teacher.get_by_text("No finished run of this setting yet")).to_be_visible()
    assert list(server.runs.glob("*/run.json")) == []
