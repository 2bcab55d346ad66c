"""The app's shell: what it imports and when, its pages, its settings, and the warm-up."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from mnist_lab.ui import cache, token

ROOT = Path(__file__).parents[2]


def python(code: str, **variables: str) -> str:
    """What a fresh interpreter prints."""
    import os

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=os.environ | variables, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_first_page_is_drawn_without_torch(tmp_path):
    code = """
import sys
from streamlit.testing.v1 import AppTest
at = AppTest.from_file("app.py", default_timeout=60).run()
assert not at.exception, at.exception
assert [b.label for b in at.selectbox][0] == "Preset"
print(sorted(name for name in ("torch", "torchvision", "altair", "scipy") if name in sys.modules))
"""
    assert python(code, MNIST_LAB_RUNS=str(tmp_path), MNIST_LAB_DATA=str(tmp_path)).strip() == "[]"


def test_the_warm_up_waits_for_the_browser_and_happens_once(monkeypatch, tmp_path):
    monkeypatch.setenv("MNIST_LAB_RUNS", str(tmp_path))
    calls = []
    monkeypatch.setattr(cache, "warm_up", lambda: calls.append(1))
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=30).run()
    assert calls == []
    at.session_state[token.TOKEN_KEY] = {"token": "0123456789abcdef" * 4}
    at.run()
    assert calls == [1] and not at.exception


def test_the_warm_up_loads_torch_in_one_thread_and_freezes_what_is_loaded():
    code = """
import gc, sys, threading
from mnist_lab.ui import cache
assert not cache.engine_ready() and "torch" not in sys.modules
for _ in range(5):
    cache.warm_up()
print(sum(thread.name == "warm-up" for thread in threading.enumerate()))
next(thread for thread in threading.enumerate() if thread.name == "warm-up").join()
print(cache.engine_ready(), cache.engine_problem(), "torch" in sys.modules, gc.get_freeze_count() > 100_000)
"""
    assert python(code).split("\n")[:2] == ["1", "True None True True"]


def test_a_warm_up_that_fails_is_told(monkeypatch):
    monkeypatch.setattr(cache, "_problem", [])
    monkeypatch.setattr(cache, "_one_step", lambda: (_ for _ in ()).throw(ImportError("No module named 'torch'")))
    with pytest.raises(ImportError):
        cache._warm_up()
    assert "pip install -r requirements.txt" in cache.engine_problem() and not cache.engine_ready()


def test_clearing_the_caches_shuts_the_queue_down(monkeypatch, tmp_path):
    monkeypatch.setenv("MNIST_LAB_RUNS", str(tmp_path))
    cache.queue.clear()
    first = cache.queue()
    assert cache.queue() is first and cache.queue().store is cache.store()
    cache.queue.clear()
    assert first._closed and cache.queue() is not first
    cache.queue.clear()
    cache.store.clear()


@pytest.mark.parametrize("page", [None, "mnist_lab/ui/views/runs.py"])
def test_a_variable_that_cannot_be_used_is_said_on_every_page(monkeypatch, tmp_path, page):
    monkeypatch.setenv("MNIST_LAB_RUNS", str(tmp_path))
    monkeypatch.setenv("MNIST_LAB_WORKERS", "abc")
    cache.queue.clear()
    try:
        at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=30).run()
        if page:
            at.switch_page(page).run()
    finally:
        cache.queue.clear()
        cache.store.clear()
    (error,) = at.error
    assert not at.exception and not at.title
    assert error.value.replace("\\", "") == (
        "The lab was started with a setting that it cannot use. "
        "MNIST_LAB_WORKERS must be a whole number above 0, not 'abc'."
    )


def test_a_page_that_is_drawn_does_not_hold_up_training(monkeypatch, tmp_path):
    """A thread that trains asks for Python's lock after every operation, most of which take less than 5 ms."""
    monkeypatch.setenv("MNIST_LAB_RUNS", str(tmp_path))
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.005)  # Python's own
    cache.queue.clear()
    try:
        cache.queue()
        assert sys.getswitchinterval() <= 0.001
    finally:
        sys.setswitchinterval(before)
        cache.queue.clear()
        cache.store.clear()


def test_pages():
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=30).run()
    assert at.title[0].value == "Train a small network, live"
    at.switch_page("mnist_lab/ui/views/runs.py").run()
    assert not at.exception and at.title[0].value != "Train a small network, live"


def luminance(color: str) -> float:
    """Relative luminance of #rrggbb, https://www.w3.org/TR/WCAG21/#dfn-relative-luminance."""
    parts = [int(color[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    bright, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def test_settings_of_the_server_and_contrast_of_the_themes():
    settings = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())
    assert settings["browser"]["gatherUsageStats"] is False and settings["server"]["showEmailPrompt"] is False
    assert settings["server"]["maxUploadSize"] <= 20 and settings["server"]["fileWatcherType"] == "none"
    backgrounds = {"light": "#ffffff", "dark": "#171614"}
    sidebars = {"light": "#f8f8f7", "dark": "#21201d"}
    for name, theme in settings["theme"].items():
        assert contrast(theme["primaryColor"], "#ffffff") >= 4.5  # the text of the Start button
        assert contrast(theme["primaryColor"], backgrounds[name]) >= 3
        assert contrast(theme["linkColor"], backgrounds[name]) >= 4.5
        assert contrast(theme["textColor"], backgrounds[name]) >= 7
        values = theme.get("sidebar", theme)["primaryColor"]
        assert contrast(values, sidebars[name]) >= 4.5 and contrast(values, "#ffffff") >= 3  # text; check marks


def test_streamlit_lays_nothing_of_its_own_over_the_page():
    # Where it finds a coding agent in the home folder it offers, over the Start button, to install files for it.
    settings = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())
    assert settings["logger"]["hideWelcomeMessage"] is True


def test_nothing_is_loaded_from_another_host():
    texts = [path.read_text() for path in [ROOT / "app.py", *(ROOT / "mnist_lab" / "ui").rglob("*.py")]]
    loads = re.compile(r"(?:\b(?:src|href)=|@import|\burl\((?!#)|https?://(?!www\.w3\.org))")
    assert not [match for text in texts for match in loads.findall(text)]
