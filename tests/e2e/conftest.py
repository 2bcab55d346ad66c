"""A server for each module and Debian's Chromium; what a failed test leaves behind; what no test may do."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect, sync_playwright

sys.path.insert(0, str(Path(__file__).parent))  # tests are no package

from lab_server import PATIENCE, LabServer, launch

FAILED = pytest.StashKey[bool]()
# Streamlit asks a sub-page for two addresses that only the first page has, and then finds them there.
SUB_PAGES = ("race", "lessons", "runs", "mistakes", "draw", "compare", "microscope", "class")
HARMLESS = tuple(f"/{page}/_stcore/{name}" for page in SUB_PAGES for name in ("health", "host-config"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    used = getattr(item, "funcargs", {})
    if report.failed and "browsers" in used:
        report.sections.append(("browsers", used["browsers"].evidence()))
    if report.failed and "server" in used:
        report.sections.append(("server", used["server"].log.read_text()))
    return report


@pytest.fixture(scope="module")
def chromium():
    """A browser, whose contexts know nothing of each other. Closed with the module: it keeps an event loop running."""
    if shutil.which("chromium") is None:
        pytest.skip("needs Debian's Chromium: apt-get install chromium")
    expect.set_options(timeout=PATIENCE * 1000)
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def start_server(tmp_path_factory, chromium):
    """`start_server(data=None)` -> a LabServer on the bundled sample, or on the data in that folder.

    What else is given by name is handed to `LabServer`.
    """
    servers = []

    def start(data: Path | None = None, **more: Any) -> LabServer:
        folder = tmp_path_factory.mktemp("lab")
        servers.append(LabServer(folder, data or folder / "no-data", **more))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture(scope="module")
def _kept():
    """The module's server, as long as no test has failed on it."""
    return []


@pytest.fixture
def server(start_server, _kept, request) -> LabServer:
    """The module's server. After a failure, which may leave a run behind, the next test gets a new one."""
    if not _kept:
        _kept.append(start_server())
    yield _kept[0]
    if request.node.stash.get(FAILED, True):
        _kept.pop().stop()


class Browsers:
    """Browsers for one test, all watched: what they asked for and what they complained about."""

    def __init__(self, chromium, folder: Path):
        self.chromium, self.folder = chromium, folder
        self.contexts, self.pages, self.complaints, self.requests = [], [], [], []

    def new(self, **options):
        """A page in a browser of its own."""
        options = {"viewport": {"width": 1280, "height": 900}} | options
        self.contexts.append(self.chromium.new_context(**options))
        self.contexts[-1].set_default_timeout(PATIENCE * 1000)
        self.contexts[-1].on("page", self._watch)
        return self.contexts[-1].new_page()

    def _watch(self, page) -> None:
        self.pages.append(page)
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("websocket", lambda socket: self.requests.append(socket.url))
        page.on("pageerror", lambda error: self.complaints.append(f"page error: {error}"))
        page.on("console", self._hear)

    def _hear(self, message) -> None:
        url = message.location.get("url", "")
        if message.type in ("error", "warning") and not ("404" in message.text and url.endswith(HARMLESS)):
            self.complaints.append(f"{message.type}: {message.text} ({url})")

    def evidence(self) -> str:
        """Screenshots of all pages, and the complaints."""
        lines = []
        for number, page in enumerate(page for page in self.pages if not page.is_closed()):
            picture = self.folder / f"page-{number}.png"
            page.screenshot(path=picture)
            lines.append(f"{picture}: {page.url}")
        return "\n".join([*lines, *self.complaints])

    def close(self) -> None:
        for context in self.contexts:
            context.close()


@pytest.fixture
def browsers(chromium, tmp_path, request):
    """`browsers.new()` -> a page. At the end: no complaint in any console, and nothing asked of another machine."""
    made = Browsers(chromium, tmp_path)
    yield made
    made.close()
    if not request.node.stash.get(FAILED, True):
        assert made.complaints == []
        own = ("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:http://127.0.0.1:")
        assert [url for url in made.requests if not url.startswith(own)] == []
