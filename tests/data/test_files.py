"""The four files on disk: found, judged, read."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnist_lab.data import files
from mnist_lab.data.files import DataError, data_folder, data_status

PROJECT = Path(__file__).resolve().parents[2]
IMAGES, LABELS = "train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"


@settings(max_examples=60, deadline=None)
@given(data=st.data(), packed=st.booleans())
def test_no_damaged_file_passes(data, packed, content, tmp_path_factory):
    spec = files.IdxFile(LABELS, hashlib.sha256(content[LABELS]).hexdigest(), (100,))
    whole = gzip.compress(content[LABELS], mtime=0) if packed else content[LABELS]
    if data.draw(st.booleans(), "cut"):
        damaged = whole[: data.draw(st.integers(0, len(whole) - 1))]
    else:
        # The first ten bytes of an archive say nothing about what is in it.
        position = data.draw(st.integers(10 if packed else 0, len(whole) - 1))
        damaged = bytearray(whole)
        damaged[position] ^= data.draw(st.integers(1, 255))
    path = tmp_path_factory.mktemp("damaged") / (f"{LABELS}.gz" if packed else LABELS)
    path.write_bytes(damaged)
    check = files.check_file(path.parent, spec)
    assert check.state in ("truncated", "wrong")
    assert path.name in check.problem


def test_a_file_that_is_too_long_is_wrong(small, content, write_files):
    raw = write_files(small, content)
    (raw / IMAGES).write_bytes(content[IMAGES] + b"more")
    assert [file["state"] for file in data_status(small)["files"]] == ["wrong", "ok", "ok", "ok"]


def test_a_folder_in_the_place_of_a_file_is_wrong(small, content, write_files):
    raw = write_files(small, content)
    (raw / IMAGES).unlink()
    (raw / IMAGES).mkdir()
    assert IMAGES in data_status(small)["note"]
    assert data_status(small)["files"][0]["state"] == "wrong"


def test_a_file_that_changes_is_checked_again(small, content, write_files):
    raw = write_files(small, content)
    assert data_status(small)["complete"]
    (raw / IMAGES).write_bytes(content[IMAGES][:-1] + bytes([content[IMAGES][-1] ^ 1]))
    os.utime(raw / IMAGES, (0, 0))  # a clock's tick may be longer than this test
    assert not data_status(small)["complete"]


def test_what_is_read_is_what_was_verified(small, content, write_files, monkeypatch):
    raw = write_files(small, content)
    verdict = files.check_file(raw, files.FILES[0])
    (raw / IMAGES).write_bytes(content[IMAGES][:-1])
    monkeypatch.setattr(files, "check_file", lambda raw, spec: verdict)  # as if it changed after the check
    with pytest.raises(DataError, match=f"{IMAGES} is truncated"):
        files.read_folder(small)


def test_a_good_archive_stands_in_for_a_bad_file(small, content, write_files):
    raw = write_files(small, content)
    (raw / IMAGES).write_bytes(b"")
    assert not data_status(small)["complete"]
    (raw / f"{IMAGES}.gz").write_bytes(gzip.compress(content[IMAGES]))
    assert data_status(small)["complete"]


def test_status_says_what_would_be_used(small, content, write_files):
    empty = data_status(small)
    assert (empty["source"], empty["train"], empty["test"]) == ("sample", 4000, 1000)
    assert empty["can_download"]
    assert "put the four files" in empty["note"]
    assert {file["state"] for file in empty["files"]} == {"missing"}
    write_files(small, content)
    full = data_status(small)
    assert (full["source"], full["train"], full["test"], full["note"]) == ("folder", 400, 100, "")
    json.dumps(full)


def test_status_imports_no_torch():
    code = "import sys; from mnist_lab.data.mnist import data_status; data_status(); print('torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


def test_the_folder_is_the_argument_or_the_variable_or_beside_the_app(monkeypatch, tmp_path):
    monkeypatch.setenv("MNIST_LAB_DATA", str(tmp_path / "variable"))
    assert data_folder(tmp_path / "argument") == tmp_path / "argument"
    assert data_folder() == tmp_path / "variable"
    monkeypatch.delenv("MNIST_LAB_DATA")
    assert data_folder() == PROJECT / "data"
