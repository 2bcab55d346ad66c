"""The house: who may import whom, who may import Streamlit, and what must come without torch."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "mnist_lab"
# A module imports only what is above it, and its own folder. The design's list, with what has come since.
ORDER = [
    "knobs", "config", "config_forms", "presets", "contestants", "events", "seeds", "device", "data", "nn", "digitize",
    "evaluation", "collection", "robustness", "counts", "statistics", "planning", "verdict_text",
    "microscope", "microscope_history", "microscope_weights", "joined", "answers", "measures", "trainer",
    "microscope_pull", "microscope_ghosts", "training", "studies",
    "runs", "classroom", "published", "claims", "study_values", "verdict_sentences", "verdicts", "small_data",
    "search_report", "variant_tables", "report", "lessons",
    "peers", "seeds_at_once", "bench", "sweep_command", "study_command", "answer_time", "predict", "cli", "__main__",
    "ui",
]
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def room(path: Path) -> str:
    """The module's place in ORDER: its file, or the folder it is in."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    """Full names of what a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: say mnist_lab, not dots"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_only_what_is_above(path):
    own = room(path)
    assert own in ORDER, f"Say in ORDER, and in the design, where {own} stands."
    used = {name.split(".")[1] for name in imports(path) if name.startswith("mnist_lab.")} - {"__version__"}
    below = {other for other in used if ORDER.index(other) > ORDER.index(own)}
    assert not below, f"{own} imports {below}, which are below it"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_the_ui_imports_streamlit_or_altair(path):
    tops = {name.split(".")[0] for name in imports(path)}
    assert room(path) == "ui" or not tops & {"streamlit", "altair"}
    assert not tops & {"pickle", "joblib", "dill"} and "torch.load" not in path.read_text()


@pytest.mark.parametrize("path", [*FILES, ROOT / "app.py"], ids=lambda path: path.name)
def test_files_fit_in_a_head(path):
    text = path.read_text()
    assert text.count("\n") <= 330 and len(text.encode()) <= 15_000


def test_app_is_a_shell():
    assert len((ROOT / "app.py").read_text().splitlines()) <= 30


def test_what_the_first_page_needs_comes_without_torch():
    code = """
import sys
import mnist_lab.config, mnist_lab.config_forms, mnist_lab.presets, mnist_lab.events
import mnist_lab.runs.queue, mnist_lab.runs.store, mnist_lab.data.files, mnist_lab.data.download
import mnist_lab.ui.train_view, mnist_lab.ui.runs_view, mnist_lab.ui.draw_view
assert not {"torch", "torchvision"} & set(sys.modules), sorted(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
