"""The app with runs of its own: a store, a queue whose training takes no time, and pages opened by several browsers."""

from __future__ import annotations

import sys
from pathlib import Path
from urllib.parse import parse_qs

from streamlit.testing.v1 import AppTest

sys.path.insert(0, str(Path(__file__).parents[1] / "runs"))

import fake_training

from mnist_lab.runs.library import Library
from mnist_lab.runs.queue import RunQueue
from mnist_lab.runs.store import RunStore
from mnist_lab.runs.writer import RunWriter
from mnist_lab.ui import cache, source, token

OWNER, OTHER = "0123456789abcdef" * 4, "f" * 64
CONFIG = fake_training.CONFIG.replace(seed=7)
FULL_DATA = {
    "source": "folder", "location": "here", "train": 60_000, "test": 10_000, "files": [], "complete": True,
    "can_download": True, "note": "",
}
TRAIN_PAGE, RUNS_PAGE = "mnist_lab/ui/views/train.py", "mnist_lab/ui/views/runs.py"


class Lab:
    """Make it with a test's `tmp_path` and `monkeypatch`; `close` it in the end."""

    def __init__(self, tmp_path, monkeypatch):
        self.store = RunStore(tmp_path / "runs")
        self.library = Library(self.store, tmp_path / "pretrained")
        self.queues = []
        self.gate = fake_training.Gate()
        monkeypatch.setattr(cache, "store", lambda: self.store)
        monkeypatch.setattr(cache, "library", lambda: self.library)
        monkeypatch.setattr(cache, "queue", lambda: self.queue)
        monkeypatch.setattr(cache, "warm_up", lambda: None)
        monkeypatch.setattr(cache, "engine_ready", lambda: True)
        monkeypatch.setattr(source, "data_status", lambda: FULL_DATA)
        self.use(fake_training.make_train())

    def use(self, train, load_data=fake_training.load_data) -> RunQueue:
        """From now on the app has a new queue, as after a restart, that trains by `train`."""
        self.queue = RunQueue(self.store, 1, train=train, load_data=load_data)
        self.queues.append(self.queue)
        return self.queue

    def gated(self) -> RunQueue:
        """A queue whose training waits at `self.gate` before every epoch."""
        return self.use(fake_training.make_train(on_step=self.gate))

    def submit(self, owner: str | None = OWNER, config=CONFIG, **options):
        """A run, started by the browser with that token."""
        return self.queue.submit(config, owner=token.owner_hash(owner) if owner else None, **options)

    def ended(self, **options) -> str:
        """The id of a run that has ended."""
        job = self.submit(**options)
        assert job.join(20)
        return job.id

    def interrupted(self, epochs: int = 2, owner: str | None = OWNER, config=CONFIG) -> str:
        """The id of a run that was killed after so many epochs."""
        id = self.store.new_id(config)
        writer = RunWriter.create(
            self.store.root, id, config, owner_hash=token.owner_hash(owner) if owner else None
        )
        writer.started(fake_training.started_event(config))
        for epoch in range(1, epochs + 1):
            writer.epoch(fake_training.epoch_event(epoch, 1.0))
        writer.close()
        return id

    def page(self, run: str | None = None, browser: str | None = OWNER, path: str | None = None) -> AppTest:
        """A page as a browser shows it."""
        at = AppTest.from_file(str(Path(__file__).parents[2] / "app.py"), default_timeout=30)
        if browser:
            at.session_state[token.TOKEN_KEY] = {"token": browser}
        if run:
            at.query_params["run"] = run
        at.run()
        if path:
            at.switch_page(path).run()
        assert not at.exception, at.exception
        return at

    def close(self) -> None:
        """Let every run end."""
        self.gate.open()
        for queue in self.queues:
            queue.shutdown(timeout=10)


def words(at: AppTest) -> str:
    """All text on the page, without the backslashes that keep it from being Markdown."""
    kinds = ("title", "subheader", "markdown", "caption", "info", "warning", "error", "text", "metric")
    texts = [
        f"{element.label} {element.value}" if kind == "metric" else str(element.value)
        for kind in kinds
        for element in getattr(at, kind)
    ]
    return "\n".join(texts).replace("\\", "")


def button(at: AppTest, label: str):
    """The one button with that label."""
    (found,) = [button for button in at.button if button.label == label]
    return found


def box(at: AppTest, label: str, kind: str = "selectbox"):
    """The one box with that label, or the one widget of another kind."""
    (found,) = [box for box in getattr(at, kind) if box.label == label]
    return found


def open_page(path: str, **parameters: str) -> AppTest:
    """A page of the app, through the whole of it, as a link with these parameters opens it."""
    at = AppTest.from_file(str(Path(__file__).parents[2] / "app.py"), default_timeout=120)
    at.session_state[token.TOKEN_KEY] = {"token": OWNER}
    at.run()
    at.switch_page(path)
    return look(at, **parameters)


def link(at: AppTest, label: str) -> tuple[str, dict[str, str]] | None:
    """Where the link to another page leads: its path and the values that it gets. None if it cannot be clicked."""
    (found,) = [one.proto for one in at.get("page_link") if one.proto.label == label]
    values = {name: texts[0] for name, texts in parse_qs(found.query_string).items()}
    return None if found.disabled else (found.page, values)


def page_alone(name: str, view: str, browser: str | None = OWNER, **parameters: str) -> AppTest:
    """A page as app.py runs it, without the first page, which takes longer to draw than most tests.

    `name` is the page's, as in "Race"; `view` is the function that draws it, as in "race_view.render_race".
    """
    module, function = view.split(".")
    at = AppTest.from_string(
        f"from mnist_lab.ui import state\nfrom mnist_lab.ui.{module} import {function}\n\n"
        f"state.enter({name!r})\n{function}()\n", default_timeout=60,
    )
    if browser:
        at.session_state[token.TOKEN_KEY] = {"token": browser}
    return look(at, **parameters)


def look(at, **parameters: str) -> AppTest:
    """Run the page, or a widget of it that was just used, with these parameters in the URL."""
    for name, text in parameters.items():
        at.query_params[name] = text
    at = at.run()
    assert not at.exception, at.exception
    return at


def query(at: AppTest) -> dict[str, str]:
    """The URL's parameters: `AppTest` gives a list of those that it was given and a text of those the app has set."""
    return {name: value if isinstance(value, str) else value[0] for name, value in at.query_params.items()}
