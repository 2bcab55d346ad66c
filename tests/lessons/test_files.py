"""The folders of lessons: a teacher's file is found, may replace one of the lab's, and a broken one breaks nothing."""

from __future__ import annotations

import os

import pytest
from lesson_text import LESSON, changed

from mnist_lab.lessons import files
from mnist_lab.lessons.files import folders, load_lessons


@pytest.fixture
def own(tmp_path, monkeypatch):
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "first.toml").write_text(LESSON)
    monkeypatch.setattr(files, "own_folder", lambda: folder)
    monkeypatch.delenv("MNIST_LAB_LESSONS", raising=False)
    return folder


def test_a_teachers_folder(own, tmp_path, monkeypatch):
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "second.toml").write_text(changed(("order = 1", "order = 0")))
    (theirs / "first.toml").write_text(changed(("A *lesson*", "Another")))
    assert [one.title for one in load_lessons()[0]] == ["A *lesson*"]
    monkeypatch.setenv("MNIST_LAB_LESSONS", str(theirs))
    assert folders() == [own, theirs]
    lessons, broken = load_lessons()
    assert [(one.id, one.title) for one in lessons] == [("second", "A *lesson*"), ("first", "Another")] and not broken


def test_a_broken_file_is_named_and_the_others_are_shown(own):
    (own / "broken.toml").write_text("title =")
    (own / "latin.toml").write_bytes("title = 'ü'".encode("latin-1"))
    (own / "huge.toml").write_text("#" * (files.MAX_BYTES + 1))
    (own / "notes.txt").write_text("no lesson")
    lessons, broken = load_lessons()
    assert [one.id for one in lessons] == ["first"]
    assert {one.path.name: one.problem.split(".")[0].split(":")[0] for one in broken} == {
        "broken.toml": "It is no TOML", "latin.toml": "It is not saved as UTF-8 text",
        "huge.toml": "It is larger than 200,000 bytes, which no lesson needs",
    }


def test_a_folder_that_is_not_there(own, monkeypatch, tmp_path):
    monkeypatch.setenv("MNIST_LAB_LESSONS", str(tmp_path / "nowhere"))
    lessons, broken = load_lessons()
    assert len(lessons) == 1 and "no such folder" in broken[0].problem


def test_a_file_that_was_mended_is_read_again(own):
    path = own / "first.toml"
    assert load_lessons()[0][0].title == "A *lesson*"
    path.write_text(changed(("A *lesson*", "Mended")))
    os.utime(path, ns=(1, 1))
    assert load_lessons()[0][0].title == "Mended"
