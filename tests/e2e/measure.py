"""How long the app takes, in real browsers: `MNIST_LAB_DATA=... python tests/e2e/measure.py start|class [BROWSERS]`.

`start`: seconds from the command to the first widget, of a fresh server and of a reload. `class`: thirty browsers in
class mode, each of which starts a run; all runs on the preset's thousand noisy images. Prints one JSON object. For
Linux: the server gets one half of the processors and the browsers, which need more than it does, the other.
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

from lab_server import PATIENCE, PROJECT, LabServer, go_to, launch, open_train, start, start_button
from playwright.sync_api import Browser, Page, expect, sync_playwright

from mnist_lab.config_forms import to_query
from mnist_lab.presets import PRESETS

STARTS = 5
BROWSERS = 30
CLASS = PRESETS["noisy-1000"].config.replace(network="c", epochs=10, eval_every=5)
DOTS = ".st-key-class_dots svg.marks path[aria-roledescription=point]"
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


def measure_class(chromium: Browser, count: int) -> dict[str, Any]:
    """Seconds of a class of `count` browsers, and the server's memory in MB before and after they came."""
    with server(MNIST_LAB_CLASS="1") as lab:
        began_memory = memory(lab)
        pages = [chromium.new_context().new_page() for _ in range(count)]
        for page in pages:
            page.set_default_timeout(10 * PATIENCE * 1000)
        settings = to_query(CLASS)
        say("opening the Train page")
        opened = [took(lambda page=page: open_train(page, lab.url, **settings)) for page in pages]
        say("pressing Start")
        first_start = time.perf_counter()
        started = [took(lambda page=page: start(page)) for page in pages]
        say("going to the Class page")
        to_class = [took(lambda page=page: go_to(page, "Class")) for page in pages]
        # What one click costs while all of them watch and the runs go.
        clicks = [took(lambda page=page: there_and_back(page)) for page in pages[:10]]
        say("waiting for all runs on all pages")
        for page in pages:
            page.wait_for_function(f"count => document.querySelectorAll('{DOTS}').length === count", arg=count)
        return {
            "browsers": count, "settings": "noisy-1000, network C, 10 epochs",
            "seconds": {
                "open_train": summary(opened), "press_start": summary(started), "go_to_class": summary(to_class),
                "runs_page_and_back": summary(clicks), "all_see_all_runs": round(time.perf_counter() - first_start, 1),
            },
            "server_memory_mb": {"before": began_memory, "after": memory(lab)},
        }


def say(text: str) -> None:
    """A line for whoever waits, with the time."""
    print(f"{time.strftime('%T')} {text}", file=sys.stderr, flush=True)


def there_and_back(page: Page) -> None:
    """To the Runs page and back, as somebody does who is curious."""
    go_to(page, "Runs")
    go_to(page, "Class")


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
        else:
            result = measure_class(chromium, int(more[0]) if more else BROWSERS)
        print(json.dumps(result, indent=2))
        chromium.close()
