"""The app in class mode, for the tests of its pages: `Lab` with a room and a password."""

from __future__ import annotations

import sys
from pathlib import Path

from streamlit.testing.v1 import AppTest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "runs"))
sys.path.insert(0, str(Path(__file__).parents[1] / "classroom"))

import fake_training
from lab import OWNER, Lab
from records import finished

from mnist_lab.classroom import pool
from mnist_lab.classroom.limits import Limits
from mnist_lab.classroom.room import Classroom
from mnist_lab.runs.queue import RunQueue
from mnist_lab.ui import cache, class_state, token

CLASS_PAGE = "mnist_lab/ui/views/class.py"
PASSWORD = "sesame ä"


class ClassLab(Lab):
    """Make it with a test's `tmp_path` and `monkeypatch`, and limits by name; `close` it in the end."""

    def __init__(self, tmp_path, monkeypatch, **limits):
        self.room, self._limits, self.now = None, limits, 0.0  # `now`: what the clock of the room says
        super().__init__(tmp_path, monkeypatch)
        monkeypatch.setattr(cache, "classroom", lambda: self.room)
        monkeypatch.setattr(pool, "FRESH_SECONDS", 0)
        monkeypatch.setattr(class_state, "WRONG_SECONDS", 0)

    def use(self, train, load_data=fake_training.load_data) -> RunQueue:
        self.room = self.room or Classroom(self.store, Limits(**self._limits), clock=lambda: self.now)
        self.queue = RunQueue(self.store, 1, train=train, load_data=load_data, admit=self.room.admit)
        self.queues.append(self.queue)
        return self.queue

    def finished(self, accuracy: float, browser: str | None = OWNER, **options) -> str:
        """The id of a run of that browser, or of the command line, that ended with that test accuracy (%)."""
        return finished(self.store, accuracy, owner=token.owner_hash(browser) if browser else None, **options)

    def open(self, path: str | None = None, browser: str | None = OWNER, secret: bool = True, **query: str) -> AppTest:
        """A page by its address, on a server that has the teacher's password or not."""
        at = AppTest.from_file(str(Path(__file__).parents[2] / "app.py"), default_timeout=60)
        if secret:
            at.secrets["class"] = {"password": PASSWORD}
        if browser:
            at.session_state[token.TOKEN_KEY] = {"token": browser}
        if path:
            at.run().switch_page(path)
        for name, text in query.items():
            at.query_params[name] = text
        at.run()
        assert not at.exception, at.exception
        return at
