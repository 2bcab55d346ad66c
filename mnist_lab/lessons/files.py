"""The files of all lessons: where they are, and which of them are none.

A lesson is a TOML file in `texts/`, or in the folder that MNIST_LAB_LESSONS names; `texts/README.md` says what is
in it. What is wrong with a file is said with its name, and the other lessons are none the worse for it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from mnist_lab.lessons.model import Lesson, LessonError
from mnist_lab.lessons.parsing import parse

ENDING, MAX_BYTES = ".toml", 200_000


@dataclass(frozen=True)
class BrokenLesson:
    """A file that could not be read as a lesson."""

    path: Path
    problem: str


def own_folder() -> Path:
    """Where the lessons that come with the lab are."""
    return Path(__file__).parent / "texts"


def folders() -> list[Path]:
    """Where lessons are looked for: the lab's own folder, and the one in MNIST_LAB_LESSONS."""
    chosen = os.environ.get("MNIST_LAB_LESSONS", "").strip()
    return [own_folder(), *([Path(chosen).expanduser()] if chosen else [])]


def load_lessons(where: Sequence[Path] | None = None) -> tuple[list[Lesson], list[BrokenLesson]]:
    """Every lesson in its order, and the files that are none. Of two with the same name the later folder's counts."""
    found: dict[str, Lesson] = {}
    broken: list[BrokenLesson] = []
    for folder in folders() if where is None else where:
        if not folder.is_dir():
            broken.append(BrokenLesson(folder, "There is no such folder."))
            continue
        for path in sorted(folder.glob(f"*{ENDING}")):
            try:
                stat = path.stat()
                lesson = _load(path, stat.st_mtime_ns, stat.st_size)
            except (LessonError, OSError) as error:
                broken.append(BrokenLesson(path, str(error)))
            else:
                found[lesson.id] = lesson
    return sorted(found.values(), key=lambda one: (one.order, one.id)), broken


@lru_cache(maxsize=256)
def _load(path: Path, changed: int, size: int) -> Lesson:
    """The lesson of a file, read again when it has changed."""
    if size > MAX_BYTES:
        raise LessonError(f"It is larger than {MAX_BYTES:,} bytes, which no lesson needs.")
    try:
        return parse(path.stem, path.read_text("utf-8"))
    except UnicodeDecodeError as error:
        raise LessonError("It is not saved as UTF-8 text.") from error
