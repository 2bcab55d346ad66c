"""The store: lists, loads, renames and deletes; reports what is no run; knows who may change what."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import fake_training as fake
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mnist_lab.config import RunConfig
from mnist_lab.runs.record import INTERRUPTED, BadRun, RunError, RunSummary
from mnist_lab.runs.store import MAX_NAME, RunStore, default_root
from mnist_lab.runs.writer import RunWriter, is_live

PROJECT = Path(__file__).parents[2]
OWNER, OTHER = "0f" * 32, "a1" * 32


def make_run(store, id, started=None, **options) -> Path:
    writer = RunWriter.create(store.root, id, fake.CONFIG, **options)
    if started:
        writer.record.timings["started"] = started
    writer.finish(fake.result(fake.CONFIG, "finished", [], torch.zeros(1)))
    return writer.record.folder


def by_id(store) -> dict:
    return {run.id: run for run in store.list()}


def test_the_root_is_the_setting_or_beside_the_app(monkeypatch, tmp_path):
    monkeypatch.setenv("MNIST_LAB_RUNS", str(tmp_path))
    assert RunStore().root == tmp_path
    monkeypatch.delenv("MNIST_LAB_RUNS")
    assert default_root() == Path(__file__).parents[2] / "runs"


def test_a_store_that_is_not_there_is_empty(store):
    assert store.list() == []
    assert not store.root.exists()


def test_runs_come_newest_first_whatever_their_ids_and_bad_ones_last(store):
    make_run(store, "b", "2026-01-02T00:00:00.000+00:00")
    make_run(store, "c", "2026-01-01T00:00:00.000+00:00")
    make_run(store, "a", "2026-01-03T00:00:00.000+00:00")
    (store.root / "0-holiday-photos").mkdir()
    (store.root / "README.txt").write_text("files are left alone")
    assert [run.id for run in store.list()] == ["a", "b", "c", "0-holiday-photos"]


def test_a_live_run_is_running_for_every_store_and_interrupted_once_let_go(store):
    writer = RunWriter.create(store.root, "run-1", fake.CONFIG)
    writer.epoch(fake.epoch_event(1))
    other = RunStore(store.root)
    for each in (store, other):
        assert [(run.status, run.epochs_done) for run in each.list()] == [("running", 1)]
        assert each.interrupted() == []
        assert each.load("run-1").status == "running"
    writer.epoch(fake.epoch_event(2))
    assert other.list()[0].epochs_done == 2
    writer.close()
    assert [run.id for run in store.interrupted()] == ["run-1"]
    assert other.load("run-1").status == INTERRUPTED


def test_threads_that_look_at_once_do_not_take_each_other_for_the_run(store):
    writer = RunWriter.create(store.root, "run-1", fake.CONFIG)
    writer.close()
    seen = []
    threads = [
        threading.Thread(target=lambda: seen.extend(is_live(store.root, "run-1") for _ in range(200))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 1600
    assert not any(seen)


def test_a_run_that_another_process_trains_is_running_and_cannot_be_deleted(store):
    code = (
        "import sys; from pathlib import Path\n"
        "from mnist_lab.runs.writer import RunWriter; from mnist_lab.config import RunConfig\n"
        "writer = RunWriter.create(Path(sys.argv[1]), 'run-1', RunConfig())\n"
        "print('ready', flush=True); sys.stdin.read()"
    )
    pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=PROJECT)
    with subprocess.Popen([sys.executable, "-c", code, str(store.root)], **pipes) as child:
        assert child.stdout.readline() == "ready\n"
        assert store.list()[0].status == "running"
        with pytest.raises(RunError, match="still running"):
            store.delete("run-1")
        child.kill()
        child.wait()
    assert store.list()[0].status == INTERRUPTED
    store.delete("run-1")
    assert store.list() == []


def test_renaming_changes_what_is_shown_and_nothing_else(store):
    make_run(store, "run-1", owner_hash=OWNER)
    before = store.load("run-1").to_dict()
    assert store.list()[0].name == before["name"]
    store.rename("run-1", "  Öl &\n<b>bold</b>\x00  ")
    assert store.list()[0].name == "Öl & <b>bold</b>"
    assert store.load("run-1").to_dict() == before | {"name": "Öl & <b>bold</b>"}
    store.rename("run-1", "x" * 500)
    assert store.load("run-1").name == "x" * MAX_NAME


@pytest.mark.parametrize("name", ["", "   ", "\n\t\x00"])
def test_a_run_is_never_without_a_name(store, name):
    make_run(store, "run-1", name="Kept")
    with pytest.raises(RunError, match="needs a name"):
        store.rename("run-1", name)
    assert store.load("run-1").name == "Kept"


def test_a_running_run_is_neither_renamed_nor_deleted(store):
    writer = RunWriter.create(store.root, "run-1", fake.CONFIG)
    for change in (lambda: store.rename("run-1", "x"), lambda: store.delete("run-1")):
        with pytest.raises(RunError, match="still running"):
            change()
    writer.finish(fake.result(fake.CONFIG, "finished", [], torch.zeros(1)))
    store.rename("run-1", "x")
    store.delete("run-1")
    assert store.list() == []
    with pytest.raises(RunError, match="no run run-1"):
        store.load("run-1")


def test_an_interrupted_run_can_be_renamed_and_is_resumable_after(store):
    RunWriter.create(store.root, "run-1", fake.CONFIG).close()
    store.rename("run-1", "Later")
    assert store.load("run-1").status == INTERRUPTED
    writer, _ = RunWriter.resume(store.root, "run-1")
    assert writer.record.name == "Later"
    assert store.list()[0].status == "running"
    writer.close()


def test_deleting_leaves_nothing_behind_not_even_of_a_deletion_that_was_killed(store):
    make_run(store, "run-1")
    (store.root / ".trash-run-0-1").mkdir()
    store.delete("run-1")
    assert [path.name for path in store.root.rglob("*")] == [".locks"]


@pytest.mark.parametrize("id", ["../x", "..", ".", "", "/etc", "a/b", "a\\b", "x.part", "C:", "a\n", "run-1/", "~"])
def test_no_id_leads_out_of_the_folder(store, tmp_path, id):
    make_run(RunStore(tmp_path), "x")
    make_run(store, "run-1")
    for change in (store.load, store.delete, store.owner_hash, lambda id: store.rename(id, "x")):
        with pytest.raises(RunError):
            change(id)
    assert not store.may_change(id, None)
    assert not store.exists(id)
    assert (tmp_path / "x").exists()


def test_only_its_own_browser_may_change_a_run_and_anyone_one_without_owner(store):
    make_run(store, "mine", owner_hash=OWNER)
    make_run(store, "made-on-the-command-line")
    (store.root / "foreign").mkdir()
    assert store.may_change("mine", OWNER)
    assert not store.may_change("mine", OTHER)
    assert not store.may_change("mine", None)
    assert not store.may_change("mine", "")
    assert store.may_change("made-on-the-command-line", OTHER)
    assert store.may_change("made-on-the-command-line", None)
    assert not store.may_change("foreign", OWNER)
    assert not store.may_change("absent", OWNER)
    assert store.owner_hash("mine") == OWNER
    assert store.owner_hash("made-on-the-command-line") is None


def test_ids_are_readable_sortable_and_never_taken(store, monkeypatch):
    config = RunConfig(norm="ghost", num_splits=4, l1=1e-4)
    id = store.new_id(config)
    assert id[15:-4] == "-b-gbn-4-l1-1e-4-"
    assert store.new_id(config, "fast")[15:-4] == "-fast-"
    assert len({store.new_id(config) for _ in range(50)}) > 45
    make_run(store, id)
    letters = iter(id[-4:] + "zzzz")
    monkeypatch.setattr("mnist_lab.runs.store.secrets.choice", lambda alphabet: next(letters))
    monkeypatch.setattr("mnist_lab.runs.store.datetime", Frozen(id))
    assert store.new_id(config) == f"{id[:-4]}zzzz"


class Frozen:
    def __init__(self, id):
        self.text = id[:15]

    def now(self, zone):
        return self

    def __format__(self, spec):
        return self.text


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "no run.json"),
        (b"", "cannot be read"),
        (b"\xff\xfe", "cannot be read"),
        (b"[" * 100_000, "cannot be read"),
        (b"[]", "not one that MNIST Lab wrote"),
        (b'{"schema": "1"}', "not one that MNIST Lab wrote"),
        (b'{"schema": 2}', "newer version"),
        (b'{"schema": 1}', "lacks a proper"),
    ],
)
def test_a_damaged_folder_is_reported_and_the_others_still_listed(store, content, reason):
    make_run(store, "good")
    folder = store.root / "bad"
    folder.mkdir()
    if content is not None:
        (folder / "run.json").write_bytes(content)
    good, bad = store.list()
    assert good.id == "good"
    assert isinstance(bad, BadRun)
    assert bad.id == "bad"
    assert reason in bad.reason
    with pytest.raises(RunError, match=reason):
        store.load("bad")
    with pytest.raises(RunError, match=reason):
        store.delete("bad")
    assert folder.exists()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"status": "resting"}, "status that does not exist"),
        ({"config": {"dropout": 7.0}}, "Dropout must be between"),
        ({"config": {"colour": "red"}}, "no setting 'colour'"),
        ({"config": None}, "config"),
        ({"timings": {}}, "when it was started"),
        ({"name": 3}, "name"),
    ],
)
def test_a_run_that_says_nonsense_is_reported(store, change, reason):
    path = make_run(store, "run-1") / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    (entry,) = store.list()
    assert isinstance(entry, BadRun)
    assert reason in entry.reason


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_whatever_is_in_a_run_json_listing_and_loading_never_crash(data):
    with tempfile.TemporaryDirectory() as root:
        store = RunStore(root)
        path = make_run(store, "run-1") / "run.json"
        values = json.loads(path.read_text())
        for name in data.draw(st.lists(st.sampled_from(sorted(values)), min_size=1, max_size=3)):
            values[name] = data.draw(json_values)
        path.write_text(json.dumps(values))
        (entry,) = store.list()
        if isinstance(entry, BadRun):
            assert entry.reason.endswith(".")
        else:
            assert isinstance(store.load("run-1"), RunSummary)


def test_listing_reads_only_what_changed(store, monkeypatch):
    from mnist_lab.runs import store as module

    for number in range(3):
        make_run(store, f"run-{number}")
    reads = []
    read_summary = module.read_summary
    monkeypatch.setattr(module, "read_summary", lambda folder: reads.append(folder.name) or read_summary(folder))
    store.list()
    assert sorted(reads) == ["run-0", "run-1", "run-2"]
    store.list()
    assert len(reads) == 3
    RunStore(store.root).rename("run-1", "New")
    reads.clear()
    assert by_id(store)["run-1"].name == "New"
    assert reads == ["run-1"]
    store.delete("run-1")
    assert set(by_id(store)) == {"run-0", "run-2"}


def test_listing_while_runs_come_end_and_go_never_shows_a_bad_one(store):
    stop, wrong = threading.Event(), []

    def look():
        while not stop.is_set():
            wrong.extend(entry for entry in store.list() if isinstance(entry, BadRun))

    lookers = [threading.Thread(target=look) for _ in range(3)]
    for thread in lookers:
        thread.start()
    for number in range(40):
        make_run(store, f"run-{number}")
        if number % 2:
            store.delete(f"run-{number}")
    stop.set()
    for thread in lookers:
        thread.join()
    assert wrong == []
    assert len(store.list()) == 20


def test_nothing_here_imports_torch_or_streamlit():
    code = (
        "import sys, mnist_lab.runs.store, mnist_lab.runs.queue, mnist_lab.runs.job, mnist_lab.runs.writer\n"
        "store = mnist_lab.runs.store.RunStore(sys.argv[1]); store.list()\n"
        "print([name for name in ('torch', 'streamlit', 'altair') if name in sys.modules])"
    )
    with tempfile.TemporaryDirectory() as root:
        make_run(RunStore(root), "run-1")
        command = [sys.executable, "-c", code, root]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=PROJECT)
    assert done.stdout == "[]\n"
