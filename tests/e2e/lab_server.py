"""The real app in a process of its own, and the words for driving it in a browser."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlencode

from playwright.sync_api import Browser, Locator, Page, Playwright, TimeoutError, expect

sys.path.insert(0, str(Path(__file__).parents[2]))  # scripts beside this module need the package too

from mnist_lab.ui.token import STORAGE_KEY

PROJECT = Path(__file__).parents[2]
WATCHED = Path(__file__).parent / "watched"
CHROMIUM_OPTIONS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]
PATIENCE = 120.0  # seconds until a wait has failed: nothing takes long, but the machine may be busy
AGAIN = 5.0  # seconds until what did not open is opened once more
LONG = dict(train_images=3_000, batch_size=64, epochs=200)  # settings of a run that nobody waits for
SHORT = dict(train_images=100, batch_size=50, epochs=2)
POINTS = ".st-key-accuracy svg.marks path[aria-roledescription=point]"  # none before an epoch has ended
# Until an element has stood where it is, and nothing has been scrolled, for three tenths of a second.
STANDS_STILL = """element => new Promise(resolve => {
    let place, since
    const moved = () => { since = performance.now() }
    const look = () => {
        const {x, y, width, height} = element.getBoundingClientRect(), now = [x, y, width, height].join()
        if (now !== place) { place = now; moved() }
        if (performance.now() - since < 300) return requestAnimationFrame(look)
        removeEventListener('scroll', moved, true)
        resolve()
    }
    addEventListener('scroll', moved, true)
    look()
})"""
LINES = "[...document.querySelectorAll('.st-key-loss svg.marks path')].map(path => path.getAttribute('d')).join()"


class LabServer:
    """`streamlit run app.py` on a free port of 127.0.0.1. `data` is its data folder, `folder` is for all else.

    `variables` are put into its environment and `options` behind the command.
    """

    def __init__(
        self, folder: Path, data: Path, threads: int = 1, *, variables: Mapping[str, str] | None = None,
        options: Sequence[str] = (),
    ):
        self.runs, self.log, self.outside = folder / "runs", folder / "server.log", folder / "outside.log"
        folder.mkdir(parents=True, exist_ok=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.url = f"http://127.0.0.1:{free.getsockname()[1]}"
        command = [
            sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true",
            "--server.address=127.0.0.1", f"--server.port={self.url.rpartition(':')[2]}", *options,
        ]
        path = os.pathsep.join([str(WATCHED), os.environ.get("PYTHONPATH", "")])
        environment = os.environ | {
            "MNIST_LAB_DATA": str(data), "MNIST_LAB_RUNS": str(self.runs), "OUTSIDE_LOG": str(self.outside),
            "PYTHONPATH": path, "PYTHONUNBUFFERED": "1",
            # Threads that wait for each other take all their time on a machine with more work than processors.
            "OMP_NUM_THREADS": str(threads), **(variables or {}),
        }
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, cwd=PROJECT, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )
        self._wait_until_it_answers()

    def _wait_until_it_answers(self) -> None:
        for _ in range(int(PATIENCE / 0.2)):
            with suppress(OSError), urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=PATIENCE):
                return
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(0.2)
                break
        self.stop()
        raise RuntimeError(f"The app did not start:\n{self.log.read_text()}")

    def interrupt(self) -> int:
        """Ctrl-C, and the exit status."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(PATIENCE)

    def stop(self) -> None:
        """End it, come what may."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()


def launch(playwright: Playwright) -> Browser:
    """Debian's Chromium, without a window."""
    return playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM_OPTIONS)


def ready(page: Page) -> None:
    """Wait until the page is connected and drawn."""
    idle = "[data-testid=stApp][data-test-script-state=notRunning][data-test-connection-state=CONNECTED]"
    page.locator(idle).wait_for()
    expect(page.get_by_role("heading", level=1)).to_be_visible()


def open_page(page: Page, url: str) -> None:
    """Any page of the app."""
    page.goto(url, wait_until="commit")
    # The browser's token comes by itself, which nobody is quick enough to press a button in the same moment as.
    page.wait_for_function(f"localStorage.getItem('{STORAGE_KEY}') !== null")
    ready(page)


def open_train(page: Page, url: str, **query: object) -> None:
    """The Train page with settings or a run, once Start and Stop know whose browser this is."""
    open_page(page, f"{url}/?{urlencode(query)}")
    expect(page.get_by_text("waiting for the browser")).to_have_count(0)


def go_to(page: Page, title: str) -> None:
    """Another page by the side bar."""
    page.get_by_test_id("stSidebarNavLink").filter(has_text=title).click()
    page.get_by_role("heading", level=1, name=title).wait_for()
    ready(page)


def choose(page: Page, label: str, option: str, several: bool = False) -> None:
    """An option of a box for one or for `several`, by the keyboard.

    A list of options closes when anything around its box is scrolled: by Playwright on its way to the box or to the
    option, by an expander that is still opening, by a page that is still growing. People wait, and open it again.
    """
    box = page.get_by_role("combobox", name=label)
    box.scroll_into_view_if_needed()
    box.evaluate(STANDS_STILL)
    wanted = page.get_by_role("option", name=option, exact=True).and_(page.locator("[data-focused=true]"))
    for _ in range(int(PATIENCE / AGAIN)):
        box.fill("")
        box.fill(option)  # a long list is not drawn as a whole, and what fits best is what Enter takes
        with suppress(TimeoutError):
            wanted.wait_for(timeout=AGAIN * 1_000)
            break
    else:
        raise AssertionError(f"{label} offers no {option}")
    page.keyboard.press("Enter")
    if several:
        expect(wanted).to_have_count(0)
        page.keyboard.press("Escape")  # such a box stays open, and hides the rest of the page
    ready(page)


def start_button(page: Page) -> Locator:
    return page.locator(".st-key-start button:visible")


def stop_button(page: Page) -> Locator:
    # Streamlit draws a button that has a help text twice and shows one of the two.
    return page.locator(".st-key-run_stop button:visible")


def start(page: Page) -> str:
    """Press Start and return the id of the run, from the URL."""
    start_button(page).click()
    page.wait_for_url(re.compile(r"[?&]run="))
    return page.evaluate("new URLSearchParams(location.search).get('run')")


def wait_for_state(page: Page, state: str) -> None:
    """Until the run on the Train page is "Running", "Finished", ..."""
    page.get_by_test_id("stMain").get_by_text(state, exact=True).first.wait_for()


def wait_for_update(page: Page) -> None:
    """Until the chart of the loss, of which the page shows a few more steps at every poll, is another than now."""
    page.locator(".st-key-loss svg.marks path").first.wait_for()
    before = page.evaluate(LINES)
    page.wait_for_function(f"before => {LINES} !== before", arg=before, polling=100)
