"""What a run on disk is: written, read back, exported; damaged ones are refused with a reason."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict, replace

import fake_training as fake
import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from mnist_lab.config import RunConfig
from mnist_lab.events import Epoch, Failed, Finished, Started, Stopped
from mnist_lab.runs.record import INTERRUPTED, RunError, replay
from mnist_lab.runs.writer import RunWriter, write_atomically
from mnist_lab.training import Checkpoint

OWNER = "0f" * 32


def begun(store, id="run-1", epochs=0, **options) -> RunWriter:
    writer = RunWriter.create(store.root, id, fake.CONFIG, **options)
    writer.started(fake.started_event())
    for number in range(1, epochs + 1):
        writer.epoch(fake.epoch_event(number))
        writer.checkpoint(checkpoint(number))
    return writer


def checkpoint(epoch: int) -> Checkpoint:
    tensors = {"model.weight": torch.full((2,), float(epoch)), "optimizer.step": torch.tensor(epoch)}
    return Checkpoint(
        epoch=epoch, tensors=tensors, history=[], seconds=epoch / 3, training_seconds=epoch / 7,
        evaluating_seconds=epoch / 9,
    )


def finished(store, id="run-1", **options):
    writer = begun(store, id, epochs=2, **options)
    history = [dict(line) for line in writer.record.history]
    writer.finish(fake.result(fake.CONFIG, "finished", history, torch.tensor([1.5, -2.0])))
    return store.load(id)


def test_a_finished_run_reads_back_as_it_was_written(store):
    record = finished(store, name="Mine", preset="fast", owner_hash=OWNER)
    assert (record.status, record.name, record.preset, record.config) == ("finished", "Mine", "fast", fake.CONFIG)
    assert (record.device, record.precision, record.threads) == ("cpu", "float32", 1)
    assert (record.parameters, record.trainable_parameters, record.epochs_done) == (9920, 9836, 2)
    assert record.data["checksum"] == fake.DATA.checksum
    assert record.data["test_images"] == fake.IMAGES
    assert record.summary == {"parameters": 9920, "epochs": 2}
    assert record.timings["started"] <= record.timings["ended"]
    assert record.timings["seconds"] == 2.0
    assert set(record.versions) == {"python", "torch", "mnist_lab", "platform"}
    assert record.versions["torch"] == torch.__version__
    assert [Epoch(**line) for line in record.history] == [fake.epoch_event(1), fake.epoch_event(2)]
    assert torch.equal(record.weights()["weight"], torch.tensor([1.5, -2.0]))
    names = sorted(path.name for path in record.folder.iterdir())
    assert names == ["history.jsonl", "run.json", "test_logits.npz", "weights.safetensors"]
    assert [path.name for path in store.root.iterdir() if not path.name.startswith(".")] == ["run-1"]


def test_the_test_results_hold_answers_and_no_images(store):
    record = finished(store)
    answers = record.test_logits()
    assert answers.logits.dtype == np.float32
    assert answers.logits.shape == (fake.IMAGES, 10)
    assert answers.indices.tolist() == list(range(fake.IMAGES))
    assert answers.labels.tolist() == [i % 10 for i in range(fake.IMAGES)]
    assert answers.digits.tolist() == answers.logits.argmax(1).tolist()
    with np.load(record.folder / "test_logits.npz", allow_pickle=False) as arrays:
        assert set(arrays) == {"indices", "labels", "digits", "logits"}


def test_weights_travel_with_their_settings_and_in_any_memory_layout(store):
    writer = begun(store, epochs=1)
    weights = torch.randn(4, 3, 5, 5).to(memory_format=torch.channels_last)
    writer.finish(fake.result(fake.CONFIG, "stopped", writer.record.history, weights))
    record = store.load("run-1")
    assert torch.equal(record.weights()["weight"], weights)
    with safe_open(record.folder / "weights.safetensors", framework="pt") as file:
        metadata = file.metadata()
    assert json.loads(metadata["config"]) == fake.CONFIG.to_dict()
    assert metadata["history"] == record.history_csv()
    assert json.loads(metadata["versions"]) == record.versions


def test_exports_leave_out_the_owner_and_the_histograms(store):
    record = finished(store, owner_hash=OWNER)
    assert OWNER in (record.folder / "run.json").read_text()
    assert OWNER not in json.dumps(record.public_dict())
    assert record.public_dict()["id"] == "run-1"
    rows = list(csv.DictReader(io.StringIO(record.history_csv())))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert float(rows[1]["train_accuracy"]) == 92.0
    assert "histograms" not in rows[0]
    assert RunConfig(**json.loads(record.config_json())) == fake.CONFIG


def test_a_run_stopped_in_its_first_epoch_is_valid_without_weights(store):
    writer = begun(store)
    writer.finish(fake.result(fake.CONFIG, "stopped", [], torch.zeros(1)))
    record = store.load("run-1")
    assert (record.status, record.history, record.epochs_done) == ("stopped", [], 0)
    with pytest.raises(RunError, match="no weights"):
        record.weights()
    with pytest.raises(RunError, match="no test results"):
        record.test_logits()
    assert record.history_csv().count("\n") == 1
    assert replay(record)[-1] == Stopped(summary=record.summary)


def test_a_failed_run_keeps_its_history_and_its_reason(store):
    begun(store, epochs=1).fail("Too hot.", "Traceback ...")
    record = store.load("run-1")
    assert (record.status, record.error) == ("failed", {"message": "Too hot.", "traceback": "Traceback ..."})
    events = replay(record)
    assert events == [fake.started_event(), fake.epoch_event(1), Failed(message="Too hot.", traceback="Traceback ...")]


def test_replay_tells_a_finished_run_and_leaves_the_end_of_a_running_one_open(store):
    record = finished(store)
    assert [type(event) for event in replay(record)] == [Started, Epoch, Epoch, Finished]
    writer = begun(store, "run-2", epochs=1)
    assert [type(event) for event in replay(store.load("run-2"))] == [Started, Epoch]
    writer.close()


def test_a_resumed_run_goes_on_from_its_checkpoint(store):
    begun(store, epochs=2, owner_hash=OWNER, name="Mine").close()
    writer, saved = RunWriter.resume(store.root, "run-1")
    assert (saved.epoch, saved.seconds, len(saved.history)) == (2, 2 / 3, 2)
    assert (saved.training_seconds, saved.evaluating_seconds) == (2 / 7, 2 / 9)
    assert torch.equal(saved.tensors["model.weight"], torch.full((2,), 2.0))
    assert saved.tensors["optimizer.step"].dtype == torch.int64
    writer.epoch(fake.epoch_event(3))
    writer.finish(fake.result(fake.CONFIG, "finished", writer.record.history, torch.zeros(1)))
    record = store.load("run-1")
    assert [line["epoch"] for line in record.history] == [1, 2, 3]
    assert (record.name, record.owner_hash) == ("Mine", OWNER)
    assert [entry["after_epoch"] for entry in record.timings["resumed"]] == [2]


def test_a_checkpoint_from_before_the_parts_of_the_time_were_kept_is_gone_on_with(store):
    writer = begun(store, epochs=1)
    metadata = {"epoch": "1", "seconds": "2.5"}
    save_file(checkpoint(1).tensors, writer.record.folder / "checkpoint.safetensors", metadata)
    writer.close()
    writer, saved = RunWriter.resume(store.root, "run-1")
    writer.close()
    assert (saved.epoch, saved.seconds, saved.training_seconds, saved.evaluating_seconds) == (1, 2.5, 0.0, 0.0)


@pytest.mark.parametrize("torn", ['{"epoch": 3, "tra', ""])
def test_what_was_written_after_the_checkpoint_is_cut(store, torn):
    writer = begun(store, epochs=1)
    writer.epoch(fake.epoch_event(2))
    with (writer.record.folder / "history.jsonl").open("a") as file:
        file.write(torn)
    writer.close()
    assert store.load("run-1").epochs_done == 2
    writer, saved = RunWriter.resume(store.root, "run-1")
    assert saved.epoch == 1
    writer.epoch(fake.epoch_event(2))
    writer.close()
    assert [line["epoch"] for line in store.load("run-1").history] == [1, 2]


def test_a_checkpoint_brings_its_epoch_with_it(store):
    lines = [asdict(fake.epoch_event(number)) for number in (1, 2)]
    writer = begun(store)
    writer.checkpoint(replace(checkpoint(1), history=lines[:1]))
    writer.epoch(fake.epoch_event(1))
    writer.checkpoint(replace(checkpoint(2), history=lines))  # and here the process is killed
    writer.close()
    writer, saved = RunWriter.resume(store.root, "run-1")
    writer.close()
    assert (saved.epoch, saved.history) == (2, lines)
    assert store.load("run-1").history == lines


def test_a_run_killed_in_its_first_epoch_starts_anew(store):
    begun(store).close()
    writer, saved = RunWriter.resume(store.root, "run-1")
    assert saved is None
    writer.epoch(fake.epoch_event(1))
    writer.close()


def test_only_an_interrupted_run_can_be_resumed(store):
    finished(store)
    with pytest.raises(RunError, match="no interrupted run run-1"):
        RunWriter.resume(store.root, "run-1")
    writer = begun(store, "run-2")
    with pytest.raises(RunError, match="still running"):
        RunWriter.resume(store.root, "run-2")
    writer.close()
    writer, _ = RunWriter.resume(store.root, "run-2")
    writer.close()


def test_a_run_killed_between_its_end_and_its_renaming_has_ended(store):
    record = finished(store)
    record.folder.rename(store.root / "run-1.part")
    assert store.load("run-1").status == "finished"
    assert [run.status for run in store.list()] == ["finished"]
    assert torch.equal(store.load("run-1").weights()["weight"], torch.tensor([1.5, -2.0]))
    with pytest.raises(RunError, match="nothing left to resume"):
        RunWriter.resume(store.root, "run-1")


def test_a_folder_that_cannot_be_renamed_at_the_end_costs_nothing(store, monkeypatch):
    monkeypatch.setattr("mnist_lab.runs.writer.time.sleep", lambda seconds: None)
    writer = begun(store, epochs=1)

    def refuse(self, target):
        raise PermissionError(13, "in use", str(self))

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.rename", refuse)
        writer.finish(fake.result(fake.CONFIG, "finished", writer.record.history, torch.ones(1)))
    assert store.load("run-1").status == "finished"
    assert writer.record.folder.name == "run-1.part"
    store.delete("run-1")
    assert store.list() == []


def test_an_id_is_never_taken_twice(store):
    finished(store)
    with pytest.raises(RunError, match="already a run"):
        RunWriter.create(store.root, "run-1", fake.CONFIG)
    writer = begun(store, "run-2")
    with pytest.raises(RunError, match="still running"):
        RunWriter.create(store.root, "run-2", fake.CONFIG)
    writer.close()


def test_epochs_out_of_turn_are_refused(store):
    writer = begun(store, epochs=1)
    with pytest.raises(RunError, match="Epoch 3 cannot follow epoch 1"):
        writer.epoch(fake.epoch_event(3))
    writer.close()
    assert store.load("run-1").status == INTERRUPTED


def test_a_kill_in_the_middle_of_a_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "run.json"
    write_atomically(path, b"old")

    def die(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", die)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, b"new and longer")
    assert path.read_bytes() == b"old"


def test_a_moment_of_somebody_else_reading_does_not_lose_a_write(tmp_path, monkeypatch):
    import os

    failures = iter([PermissionError(13, "in use"), PermissionError(13, "in use")])
    real = os.replace

    def sometimes(*arguments):
        for error in failures:
            raise error
        real(*arguments)

    monkeypatch.setattr("os.replace", sometimes)
    write_atomically(tmp_path / "run.json", b"new")
    assert (tmp_path / "run.json").read_bytes() == b"new"


@pytest.mark.parametrize("name", ["weights.safetensors", "test_logits.npz"])
@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x03\x04" + b"x" * 40])
def test_damaged_arrays_are_refused_with_a_reason(store, name, content):
    record = finished(store)
    (record.folder / name).write_bytes(content)
    with pytest.raises(RunError, match="damaged"):
        record.weights() if name.startswith("weights") else record.test_logits()


def test_arrays_that_need_pickle_are_refused(store):
    record = finished(store)
    np.savez(record.folder / "test_logits.npz", indices=np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(RunError, match="damaged"):
        record.test_logits()


@pytest.mark.parametrize("line", ["{", "[]", '"x"', '{"epoch": 2}', json.dumps({"epoch": 1} | {"x": 1})])
def test_a_damaged_history_is_refused_with_its_line(store, line):
    record = finished(store)
    path = record.folder / "history.jsonl"
    path.write_text(path.read_text().splitlines()[0] + f"\n{line}\n")
    with pytest.raises(RunError, match=r"Line 2 of its history\.jsonl"):
        store.load("run-1")


def test_a_history_with_a_gap_is_refused(store):
    record = finished(store)
    path = record.folder / "history.jsonl"
    path.write_text(path.read_text().splitlines()[1] + "\n")
    with pytest.raises(RunError, match="does not hold epoch 1"):
        store.load("run-1")


def test_a_checkpoint_ahead_of_the_history_is_refused_and_the_run_let_go(store):
    writer = begun(store, epochs=2)
    writer.close()
    (writer.record.folder / "history.jsonl").unlink()
    errors = []
    for _ in range(2):
        with pytest.raises(RunError, match="ends with epoch 0") as caught:
            RunWriter.resume(store.root, "run-1")
        errors.append(caught)  # and with it all that the failed call held, so that nothing is freed by chance
