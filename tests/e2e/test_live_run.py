"""A run in the real app, from Start to the record on disk, while pages and browsers come and go."""

from __future__ import annotations

import hashlib
import json
import os

import pytest
from lab_server import (
    LONG,
    POINTS,
    SHORT,
    go_to,
    open_train,
    ready,
    start,
    start_button,
    stop_button,
    wait_for_state,
    wait_for_update,
)
from playwright.sync_api import expect
from watchers import Watchers

from mnist_lab.runs.store import RunStore
from mnist_lab.ui.token import STORAGE_KEY

pytestmark = pytest.mark.timeout(400)  # a wait fails first, and says what it waited for
MARK = "[document.querySelector('.st-key-loss svg.marks')].forEach(svg => { svg.marked = true })"
SQUARES = ".st-key-accuracy svg.marks path[aria-roledescription=point][aria-label*='Test']"
IS_MARKED = "document.querySelector('.st-key-loss svg.marks').marked === true"


def test_a_run_is_watched_left_found_again_and_stopped_by_its_own_browser_only(server, browsers):
    page = browsers.new()
    open_train(page, server.url, **LONG)
    run = start(page)
    wait_for_update(page)
    page.evaluate(MARK)
    for _ in range(5):
        wait_for_update(page)
    page.locator(POINTS).first.wait_for()
    assert page.evaluate(IS_MARKED), "the chart was made anew instead of updated"

    go_to(page, "Runs")
    expect(page.get_by_role("button", name="Delete")).to_be_disabled()  # while it runs
    go_to(page, "Train")
    wait_for_update(page)
    page.reload()
    ready(page)
    wait_for_update(page)
    assert f"run={run}" in page.url

    stranger = browsers.new()
    open_train(stranger, server.url, run=run)
    wait_for_state(stranger, "Running")
    expect(stranger.get_by_text("Only the browser that started this run can stop it.").first).to_be_visible()
    expect(stop_button(stranger)).to_be_disabled()
    stop_button(stranger).click(force=True)
    stop_button(stranger).evaluate("button => { button.disabled = false; button.click() }")
    wait_for_update(stranger)

    stop_button(page).click()
    wait_for_state(page, "Stopped")
    wait_for_state(stranger, "Stopped")
    check_record(server, run, page.evaluate(f"localStorage.getItem('{STORAGE_KEY}')"))


def test_a_run_that_is_tested_seldom_and_stopped_between_two_tests(server, browsers):
    page = browsers.new()
    open_train(page, server.url, **LONG, eval_every=3, label_noise=0.5)  # accuracies far apart: ticks of 10
    start(page)
    page.locator(POINTS).first.wait_for()
    expect(page.get_by_text("The network has not been tested yet.").first).to_be_visible()
    # At every poll until then the browser would complain of a layer without anything in it.
    page.locator(SQUARES).nth(1).wait_for()  # the second test
    stop_button(page).click()
    wait_for_state(page, "Stopped")
    table = page.get_by_test_id("stTable")
    last = table.get_by_role("row").last.get_by_role("cell")
    expect(page.get_by_text(f"After epoch {last.first.inner_text()} the train loss is").first).to_be_visible()
    assert last.last.inner_text().endswith(" %")
    labels = page.locator(".st-key-accuracy svg.marks .role-axis-label text").all_text_contents()
    assert {"40", "60"} <= set(labels) and not [label for label in labels if "e" in label]


def test_a_dozen_follow_the_same_run(server, browsers):
    page = browsers.new()
    open_train(page, server.url, **LONG)
    run = start(page)
    wait_for_state(page, "Running")
    with Watchers(server.url, 12, run=run) as others:
        while len(others.polls) < 60:
            page.wait_for_timeout(100)
        wait_for_update(page)
    stop_button(page).click()
    wait_for_state(page, "Stopped")


def check_record(server, run: str, token: str) -> None:
    folder = server.runs / run
    record = RunStore(server.runs).load(run)
    assert record.status == "stopped" and record.history
    assert record.config.epochs == LONG["epochs"] and record.weights()
    assert record.summary["test_accuracy"] == record.history[-1]["eval_accuracy"]
    told = json.loads((folder / "run.json").read_text())
    assert told["owner_hash"] == hashlib.sha256(token.encode()).hexdigest()
    assert not any(token.encode() in file.read_bytes() for file in folder.iterdir())


def test_the_result_stays_and_the_run_can_be_done_again_with_another_seed(server, browsers):
    page = browsers.new()
    open_train(page, server.url, **SHORT)
    first = start(page)
    wait_for_state(page, "Finished")
    expect(page.get_by_text("Last 2 epochs")).to_be_visible()
    expect(page.get_by_text("bundled sample of MNIST").first).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="History (CSV)").click()
    assert download.value.path().read_text().count("\n") == 3
    page.get_by_role("button", name="Run again with another seed").click()
    page.wait_for_function("first => !location.search.includes(first)", arg=first)
    wait_for_state(page, "Finished")
    one, two = (RunStore(server.runs).load(id).config for id in (first, page.url.rpartition("run=")[2].split("&")[0]))
    assert two == one.replace(seed=one.seed + 1)


@pytest.mark.skipif(os.name == "nt", reason="sends a POSIX signal")
def test_ctrl_c_while_a_run_trains_ends_the_server_and_keeps_the_run(start_server, browsers):
    server = start_server()
    page = browsers.new()
    open_train(page, server.url, **LONG)
    run = start(page)
    page.locator(POINTS).first.wait_for()
    page.goto("about:blank")
    assert server.interrupt() == 0, server.log.read_text()
    log = server.log.read_text()
    assert "Traceback" not in log and "Fatal" not in log, log
    record = RunStore(server.runs).load(run)
    assert record.status in ("stopped", "interrupted") and record.history
    assert not server.outside.exists(), server.outside.read_text()


def test_the_full_data_is_used_and_verified_where_it_is(full_data, start_server, browsers):
    page = browsers.new()
    server = start_server(full_data)
    open_train(page, server.url, train_images=1_000, epochs=1)
    expect(page.get_by_text("checksums verified")).to_be_visible()
    run = start(page)
    wait_for_state(page, "Finished")
    expect(page.get_by_text("10,000 test images").first).to_be_visible()
    assert page.get_by_text("not comparable").count() == 0
    data = RunStore(server.runs).load(run).data
    assert data["source"] == "folder" and data["test_images"] == 10_000
    expect(start_button(page)).to_be_enabled()
