"""How long the app takes, in real browsers: `MNIST_LAB_DATA=... python tests/e2e/measure.py start|pages|class [N]`.

`start`: seconds from the command to the first widget, of a fresh server and of a reload. `pages`: of Mistakes, Draw and
Compare once everything was loaded. `class`: what thirty browsers on one run cost the run and whoever uses the app,
beside one; all but one of them have no screen (`watchers.py`). Prints one JSON object. For Linux: the server gets one
half of the processors and the browsers the other.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lab_server import (
    PATIENCE,
    PROJECT,
    LabServer,
    go_to,
    launch,
    open_train,
    ready,
    start,
    start_button,
    wait_for_state,
)
from playwright.sync_api import Browser, Page, expect, sync_playwright
from watchers import Watchers

from mnist_lab.config_forms import to_query
from mnist_lab.presets import PRESETS
from mnist_lab.runs.store import RunStore

STARTS = 5
BROWSERS = 30
CLASS = PRESETS["fast"].config.replace(train_images=10_000, epochs=8)
# What each of these pages is opened for: the errors counted, something to draw on, the curves.
CONTENT = {
    "Mistakes": "[data-testid=stMetricValue]",
    "Draw": ".st-key-draw_pen",
    "Compare": ".st-key-compare_curves svg.marks",
}
DATA = Path(os.environ.get("MNIST_LAB_DATA", PROJECT / "data"))


def measure_start(chromium: Browser) -> dict[str, Any]:
    """Medians over fresh servers, the first of which may find the disk cold."""
    seconds: dict[str, list[float]] = {"first_widget": [], "start_enabled": [], "reload_first_widget": []}
    for _ in range(STARTS):
        began = time.perf_counter()
        with server() as lab, browser(chromium) as page:
            page.goto(lab.url, wait_until="commit")
            start_button(page).wait_for()
            seconds["first_widget"].append(time.perf_counter() - began)
            expect(start_button(page)).to_be_enabled()
            seconds["start_enabled"].append(time.perf_counter() - began)
            page.wait_for_timeout(15_000)  # PyTorch is loaded meanwhile
            seconds["reload_first_widget"].append(took(lambda: (page.reload(wait_until="commit"), first_widget(page))))
    return {"starts": STARTS, "seconds": {name: round(statistics.median(all), 2) for name, all in seconds.items()}}


def measure_pages(chromium: Browser) -> dict[str, Any]:
    """Medians of what the three pages over the runs take on warm caches, by address and by the side bar."""
    seconds: dict[str, dict[str, list[float]]] = {}
    with server() as lab, browser(chromium) as page:
        for number in range(STARTS + 1):
            for title, content in CONTENT.items():
                if number == 0:
                    say(f"warming up {title}")
                began, times = time.perf_counter(), {}
                page.goto(f"{lab.url}/{title.lower()}", wait_until="commit")
                page.get_by_role("heading", level=1, name=title).wait_for()
                times["heading_by_address"] = time.perf_counter() - began
                page.locator(content).first.wait_for()
                times["content_by_address"] = time.perf_counter() - began
                ready(page)  # a click in the moment in which a component first answers is lost; no person is so quick
                go_to(page, "Runs")
                began = time.perf_counter()
                page.get_by_test_id("stSidebarNavLink").filter(has_text=title).click()
                page.get_by_role("heading", level=1, name=title).wait_for()
                page.locator(content).first.wait_for()
                times["content_by_side_bar"] = time.perf_counter() - began
                if number:
                    for name, value in times.items():
                        seconds.setdefault(title, {}).setdefault(name, []).append(value)
    return {"rounds": STARTS, "seconds": {
        title: {name: round(statistics.median(all), 2) for name, all in times.items()}
        for title, times in seconds.items()
    }}


def measure_class(chromium: Browser, count: int) -> dict[str, Any]:
    """What `count` browsers on one run cost: its speed and a page's time beside those for one, and the polls' times.

    Speeds are medians over the epochs after the first, in images a second; memory is the server's, in MB.
    """
    with server(MNIST_LAB_CLASS="1") as lab, browser(chromium) as page:
        open_train(page, lab.url, **to_query(CLASS))
        say("a run with one browser")
        result: dict[str, Any] = {"one": watched_run(lab, page)}
        result["one"]["server_memory_mb"] = memory(lab)
        open_train(page, lab.url, **to_query(CLASS.replace(seed=CLASS.seed + 1)))
        say(f"a run with {count} browsers")
        result["all"] = watched_run(lab, page, count - 1)
        result["all"]["server_memory_mb"] = memory(lab)
        return {"browsers": count, "settings": f"{CLASS.train_images:,} images, network B"} | result


def watched_run(lab: LabServer, page: Page, watchers: int = 0) -> dict[str, Any]:
    """A run from Start to its end while others watch it, and somebody in a real browser goes from page to page."""
    id, store = start(page), RunStore(lab.runs)
    wait_for_state(page, "Running")
    with Watchers(lab.url, watchers, run=id) as others:
        watched, began, changes = len(others.polls), time.perf_counter(), []
        while store.load(id).status == "running":
            changes.append(took(lambda: go_to(page, "Runs")))
            changes.append(took(lambda: go_to(page, "Train")))
        polls = others.polls[watched:]
        seconds = time.perf_counter() - began
    speeds = [epoch["images_per_second"] for epoch in store.load(id).history[1:]]
    result = {"images_per_second": round(statistics.median(speeds)), "page_change_seconds": summary(changes)}
    if watchers:
        result |= {
            "open_seconds": summary(others.opened), "poll_seconds": summary(polls),
            "polls_per_browser_and_second": round(len(polls) / watchers / seconds, 2),
        }
    return result


def say(text: str) -> None:
    """A line for whoever waits, with the time."""
    print(f"{time.strftime('%T')} {text}", file=sys.stderr, flush=True)


def first_widget(page: Page) -> None:
    """Wait for it."""
    start_button(page).wait_for()


@contextmanager
def server(**variables: str) -> Iterator[LabServer]:
    """A fresh one on its half of the processors, with runs of its own."""
    mine, others = halves()
    os.sched_setaffinity(0, mine)
    try:
        with tempfile.TemporaryDirectory() as folder:
            lab = LabServer(Path(folder), DATA, threads=len(mine), variables=variables)
            os.sched_setaffinity(0, others)
            try:
                yield lab
            finally:
                lab.stop()
    finally:
        os.sched_setaffinity(0, others)


def halves() -> tuple[list[int], list[int]]:
    """The server's processors and the browsers'."""
    every = range(os.cpu_count() or 1)
    middle = max(1, len(every) // 2)
    return list(every[:middle]), list(every[middle:] or every)


@contextmanager
def browser(chromium: Browser) -> Iterator[Page]:
    """A page of a browser that has never been here."""
    context = chromium.new_context()
    context.set_default_timeout(PATIENCE * 1000)
    try:
        yield context.new_page()
    finally:
        context.close()


def took(action: Callable[[], object]) -> float:
    """Seconds."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def summary(seconds: list[float]) -> dict[str, float]:
    """Median and largest."""
    return {"median": round(statistics.median(seconds), 2), "largest": round(max(seconds), 2)}


def memory(lab: LabServer) -> int:
    """Megabytes of the server's that are in memory."""
    status = Path(f"/proc/{lab.process.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) // 1024


if __name__ == "__main__":
    what, *more = sys.argv[1:]
    os.sched_setaffinity(0, halves()[1])
    expect.set_options(timeout=PATIENCE * 1000)
    with sync_playwright() as playwright:
        chromium = launch(playwright)
        if what == "start":
            result = measure_start(chromium)
        elif what == "pages":
            result = measure_pages(chromium)
        else:
            result = measure_class(chromium, int(more[0]) if more else BROWSERS)
        print(json.dumps(result, indent=2))
        chromium.close()
