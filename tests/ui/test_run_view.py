"""One run on the Train page, in every state it can be in, through the whole app."""

from __future__ import annotations

import json
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from lab import CONFIG, OTHER, OWNER, Lab, button, fake_training, query, words

from mnist_lab.config_forms import from_query
from mnist_lab.training import TrainingFailed
from mnist_lab.ui import run_ended, run_view, token


@pytest.fixture
def lab(tmp_path, monkeypatch):
    lab = Lab(tmp_path, monkeypatch)
    yield lab
    lab.close()


def charts(at) -> list:
    """What the charts on the page were sent as."""
    return [element.proto for element in at.get("vega_lite_chart")]


def downloads(at) -> list:
    return [element.proto for element in at.get("download_button")]


def test_waiting_in_line(lab):
    lab.gated()
    lab.submit()
    lab.gate.wait()
    second, third = lab.submit(), lab.submit()
    assert "Next in line: it starts when a run before it has ended." in words(lab.page(second.id))
    at = lab.page(third.id)
    assert "Number 2 in line: it starts when 2 runs before it have ended." in words(at)
    assert "Takes the run out of the line." in words(at)
    assert not charts(at) and not button(at, "Stop").disabled


def test_taken_out_of_the_line(lab):
    lab.gated()
    lab.submit()
    lab.gate.wait()
    waiting = lab.submit()
    at = lab.page(waiting.id)
    button(at, "Stop").click().run()
    assert waiting.state == "stopped" and not at.exception
    assert "Before its first epoch ended. Nothing of it is kept." in words(at) and button(at, "Stop").disabled
    assert "Appears after" not in words(at), "nothing more will appear"


def test_preparing_tells_how_far_the_download_is(lab):
    there, go_on = threading.Event(), threading.Event()

    def load_data(progress):
        progress("Downloading MNIST", 0.25)
        there.set()
        assert go_on.wait(20)
        return fake_training.DATA

    lab.use(fake_training.make_train(), load_data)
    job = lab.submit()
    assert there.wait(20)
    at = lab.page(job.id)
    go_on.set()
    assert "Downloading MNIST" in words(at)
    assert at.get("progress")[0].proto.value == 25


def test_running(lab):
    lab.gated()
    job = lab.submit()
    lab.gate.wait()
    lab.gate.let(1)
    lab.gate.wait()
    at = lab.page(job.id)
    text = words(at)
    assert "Epoch 2 of 3" in text and "1 images per second" in text and "s left" in text
    assert "9,920 parameters (9,836 of them trained" in text and "with 1 thread, in float32" in text
    assert "not comparable" in text  # the data is the bundled sample
    assert len(charts(at)) == 5
    assert at.get("progress")[0].proto.value == 33
    assert not button(at, "Stop").disabled and not downloads(at)


@pytest.mark.parametrize("browser", [OTHER, None])
def test_only_the_owner_can_stop(lab, browser):
    lab.gated()
    job = lab.submit()
    lab.gate.wait()
    stop = button(lab.page(job.id, browser=browser), "Stop")
    assert stop.disabled and "Only the browser that started this run" in stop.proto.help
    # A browser that does not heed the disabled button.
    run_view._stop(job.id, lab.queue, token.owner_hash(OTHER), False)
    assert not job.stopping


def test_stopped_by_its_owner(lab):
    lab.gated()
    job = lab.submit()
    lab.gate.wait()
    lab.gate.let(1)
    lab.gate.wait()
    at = lab.page(job.id)
    button(at, "Stop").click().run()
    assert job.join(20) and job.state == "stopped"
    at.run()
    text = words(at)
    assert "After epoch 1 of 3. The weights and the history up to there are kept." in text
    assert "Test accuracy, last epoch 92.50 %" in text
    assert button(at, "Stop").disabled


@pytest.mark.parametrize("setting", [{"validation": True}, {"eval_every": 2}])
def test_the_last_test_of_a_stopped_run_is_left_out_by_a_second_press(lab, setting):
    told, held, release = [], threading.Event(), threading.Event()

    def on_step(epoch, step, should_stop):  # does not listen, as if it were testing
        held.set()
        release.wait(30)

    lab.use(fake_training.noting_hurry(fake_training.make_train(on_step=on_step), told))
    job = lab.submit(config=CONFIG.replace(**setting))
    assert held.wait(20)
    at = lab.page(job.id)
    assert "the last of them is tested" in words(at)
    button(at, "Stop").click().run()
    assert job.stopping and not job.in_a_hurry and "is being tested" in words(at)
    button(at, "Stop at once").click().run()
    assert job.in_a_hurry and button(at, "Stop").disabled
    release.set()
    assert job.join(20) and told == [True]


def test_stopped_before_its_first_epoch_ended(lab):
    lab.gated()
    job = lab.submit()
    lab.gate.wait()
    job.request_stop()
    assert job.join(20)
    text = words(lab.page(job.id))
    assert "Before its first epoch ended. Only its settings are kept." in text
    assert "Appears after" not in text, "nothing more will appear"


def test_a_run_on_the_sample_says_why(lab, monkeypatch):
    monkeypatch.setattr(fake_training.DATA, "note", "There was *no network*.")
    at = lab.page(lab.ended())
    assert any("not comparable with runs on MNIST." in warning.value for warning in at.warning)
    (why,) = [box for box in at.expander if box.label.startswith("Why the sample")]
    assert why.markdown[0].value == "There was \\*no network\\*\\."
    monkeypatch.setattr(fake_training.DATA, "source", "folder")
    assert "not comparable" not in words(lab.page(lab.ended()))


def test_finished(lab):
    at = lab.page(lab.ended())
    text = words(at)
    assert "All 3 epochs are done." in text
    assert "Test accuracy, last epoch 92.50 %" in text and "Train accuracy, last epoch 93.00 %" in text
    assert "Parameters 9,920" in text
    assert at.get("progress")[0].proto.value == 100
    table = at.table[0].value
    assert list(table.columns) == ["Epoch", "Train loss", "Train accuracy", "Test loss", "Test accuracy"]
    assert list(table["Train accuracy"]) == ["91.00 %", "92.00 %", "93.00 %"]
    assert [select.label for select in at.selectbox if select.key == "run_layer"] == ["Layer"]
    assert len(charts(at)) == 6


def test_the_best_epoch_is_only_shown_with_the_warning(lab, monkeypatch):
    event = fake_training.epoch_event
    monkeypatch.setattr(fake_training, "epoch_event", lambda epoch, weight: replace(
        event(epoch, weight), eval_accuracy=99.0 - epoch))
    text = words(lab.page(lab.ended()))
    (line,) = [line for line in text.splitlines() if "98.00" in line]
    assert "after epoch 1, chosen on the test set" in line
    assert "Test accuracy, last epoch 96.00 %" in text


def test_the_table_has_the_last_five_epochs(lab):
    table = lab.page(lab.ended(config=CONFIG.replace(epochs=8))).table[0].value
    assert list(table["Epoch"]) == ["4", "5", "6", "7", "8"]


def test_epochs_without_a_test_have_a_dash(lab, monkeypatch):
    event, untested = fake_training.epoch_event, {"eval_loss": None, "eval_accuracy": None}
    monkeypatch.setattr(fake_training, "epoch_event", lambda epoch, weight: replace(
        event(epoch, weight), **(untested if epoch < 3 else {})))
    at = lab.page(lab.ended())
    table = at.table[0].value
    assert list(table["Test accuracy"]) == ["–", "–", "92.50 %"] and list(table["Test loss"])[:2] == ["–", "–"]
    assert "Test accuracy, last epoch 92.50 %" in words(at) and not at.exception


def test_headline_table_and_takeaways_of_a_run_stopped_between_tests_agree(lab, monkeypatch):
    event, result = fake_training.epoch_event, fake_training.result
    untested, tested = {"eval_loss": None, "eval_accuracy": None}, {"test_loss": 2.25, "test_accuracy": 30.03}
    monkeypatch.setattr(fake_training, "epoch_event", lambda *given: replace(event(*given), **untested))
    monkeypatch.setattr(fake_training, "result", lambda *given: replace(
        ended := result(*given), summary=ended.summary | tested))
    lab.gated()
    job = lab.submit(config=CONFIG.replace(eval_every=4, epochs=8))
    lab.gate.wait()
    lab.gate.let(1)
    lab.gate.wait()
    assert "has not been tested yet" in words(lab.page(job.id))
    job.request_stop()
    assert job.join(20) and job.state == "stopped"
    for _ in ("in this process", "from the disk, after a restart"):
        at = lab.page(job.id)
        text = words(at)
        assert "Test accuracy, last epoch 30.03 %" in text and "has not been tested yet" not in text
        assert "test accuracy 30.0 %" in text and "the test loss 2.25" in text
        assert "every 4th epoch and the last are tested on 20 test images" in text
        (accuracy,) = at.table[0].value["Test accuracy"]
        assert accuracy == "30.03 %"
        lab.use(fake_training.make_train())


def test_a_run_of_another_process_is_followed_but_not_stopped(lab):
    queue = lab.gated()
    job = lab.submit()
    lab.gate.wait()
    lab.gate.let(1)
    lab.gate.wait()
    lab.use(fake_training.make_train())  # this process knows nothing of that queue
    at = lab.page(job.id)
    assert "Epoch 2 of 3" in words(at) and len(charts(at)) == 5
    stop = button(at, "Stop")
    assert stop.disabled and "outside the app" in stop.proto.help
    assert queue.job(job.id).state == "running"


@pytest.fixture
def dead(monkeypatch):
    """Every epoch is that of a network which gives the same answer to every image."""
    event, started = fake_training.epoch_event, fake_training.started_event
    numbers = dict(
        train_loss=2.3026, eval_loss=2.3026, train_accuracy=10.0, train_accuracy_true=10.0, eval_accuracy=9.8,
        weight_norm=40.0,
    )
    monkeypatch.setattr(fake_training, "epoch_event", lambda *given: replace(event(*given), **numbers))
    monkeypatch.setattr(fake_training, "started_event", lambda *given: replace(started(*given), steps_per_epoch=469))


def hints(at) -> list[str]:
    return [warning.value for warning in at.warning if "not learning" in warning.value]


def test_a_dead_network_comes_with_what_to_try(lab, dead):
    lab.gated()
    job = lab.submit(config=CONFIG.replace(norm="none", learning_rate=0.3))
    lab.gate.wait()
    at = lab.page(job.id)
    assert not hints(at), "no epoch has ended"
    lab.gate.let(1)
    lab.gate.wait()
    at.run()
    (live,) = hints(at)
    assert "9.8 % of the test digits after epoch 1" in live and "Choose batch norm" in live
    lab.gate.open()
    assert job.join(20)
    at.run()
    (ended,) = hints(at)
    assert "after epoch 3" in ended and "a lower learning rate, such as 0.03 instead of 0.3" in ended


def test_a_network_that_learns_comes_without_hints(lab):
    assert not hints(lab.page(lab.ended()))


def fail(epoch, step, should_stop):
    if epoch == 2:
        raise TrainingFailed("The loss grew: try a *lower* learning rate.")


def test_failed(lab):
    lab.use(fake_training.make_train(on_step=fail))
    at = lab.page(lab.ended())
    assert [error.value.replace("\\", "") for error in at.error] == ["The loss grew: try a *lower* learning rate."]
    assert "\\*lower\\*" in at.error[0].value  # as it is, not in italics
    assert "TrainingFailed" in at.code[0].value and any("Technical details" in box.label for box in at.expander)
    assert "After epoch 1 of 3. The history up to there is kept." in words(at)


def test_interrupted_and_resumed_by_its_owner(lab):
    at = lab.page(lab.interrupted())
    assert "After epoch 2 of 3" in words(at) and "can go on from there" in words(at)
    assert "This run is not going on." in words(at) and "This run has ended." not in words(at)
    lab.gated()
    run = query(at)["run"]
    button(at, "Resume").click().run()
    assert lab.queue.job(run) and not at.exception
    lab.gate.open()
    assert lab.queue.job(run).join(20)
    at.run()
    assert "All 3 epochs are done." in words(at)


def test_only_the_owner_can_resume(lab):
    run = lab.interrupted()
    assert button(lab.page(run, browser=OTHER), "Resume").disabled
    assert not button(lab.page(run), "Resume").disabled


def test_a_run_made_on_the_command_line_is_anybodys(lab):
    assert not button(lab.page(lab.interrupted(owner=None), browser=OTHER), "Resume").disabled


def test_deleted_in_another_tab(lab):
    run = lab.ended()
    at = lab.page(run)
    lab.store.delete(run)
    at.run()
    assert not at.exception and "was deleted" in words(at)
    assert any(link.label == "See the runs that are kept" for link in at.get("page_link"))


@pytest.mark.parametrize("run", ["no-such-run", "../../etc", "a" * 500])
def test_any_id_in_the_url(lab, run):
    at = lab.page(run)
    assert not at.exception and not charts(at)
    assert len(at.warning) == 1, "said once"


def test_a_damaged_run_says_why(lab):
    run = lab.ended()
    lab.use(fake_training.make_train())
    (lab.store.root / run / "run.json").write_text("{")
    assert "run.json cannot be read" in words(lab.page(run))


def test_again_with_another_seed(lab):
    at = lab.page(lab.ended())
    button(at, "Run again with another seed").click().run()
    run = query(at)["run"]
    job = lab.queue.job(run)
    assert job.config == CONFIG.replace(seed=8) and job.owner_hash == token.owner_hash(OWNER)


def test_the_highest_seed_is_followed_by_the_lowest(lab):
    at = lab.page(lab.ended(config=CONFIG.replace(seed=2**31 - 1)))
    assert "seed 0" in button(at, "Run again with another seed").proto.help


def test_use_these_settings(lab):
    at = lab.page(lab.ended())
    at.query_params.update({"epochs": "9", "seed": "3"})
    at.run()
    assert from_query(query(at))[0] != CONFIG
    button(at, "Use these settings").click().run()
    assert from_query(query(at))[0] == CONFIG


def test_downloads(lab, monkeypatch):
    record = lab.store.load(lab.ended())
    files = {}
    monkeypatch.setattr(run_ended.st, "download_button", lambda _, data, name, *__, **more: files.update({name: data}))
    run_ended._downloads(record)
    csv = files[f"{record.id}.csv"]()
    assert csv.splitlines()[0].startswith("epoch,train_loss") and len(csv.splitlines()) == 4
    settings = json.loads(files[f"{record.id}.json"]())
    assert settings["config"] == CONFIG.to_dict()
    assert record.owner_hash and record.owner_hash not in json.dumps(settings) and "owner_hash" not in settings
    assert files[f"{record.id}.safetensors"]() == (record.folder / "weights.safetensors").read_bytes()


def test_a_download_that_needs_files_draws_the_page_again(lab):
    """Which says that the run was deleted, if it was: the browser's own note is gone after seconds."""
    ignoring = {proto.label: proto.ignore_rerun for proto in downloads(lab.page(lab.ended()))}
    assert ignoring == {
        "History (CSV)": True, "Settings and summary (JSON)": True, "Weights (safetensors)": False,
        "Network (ONNX)": False,
    }


def test_no_weights_no_download(lab):
    lab.use(fake_training.make_train(on_step=lambda epoch, step, should_stop: fail(2, step, should_stop)))
    at = lab.page(lab.ended())
    assert "Appears after" not in words(at), "nothing more will appear"
    disabled = {proto.label: proto.disabled for proto in downloads(at)}
    assert disabled["Weights (safetensors)"] and disabled["Network (ONNX)"] and disabled["History (CSV)"]
    assert not disabled["Settings and summary (JSON)"]


@pytest.mark.parametrize("missing", [[], ["onnxscript"]])
def test_onnx_where_its_packages_are(lab, monkeypatch, missing):
    monkeypatch.setattr(run_ended, "missing_packages", lambda: missing)
    at = lab.page(lab.ended())
    (onnx,) = [proto for proto in downloads(at) if "ONNX" in proto.label]
    assert onnx.disabled == bool(missing)
    assert ("pip install onnxscript" in words(at)) == bool(missing)


def test_names_and_messages_are_no_markdown(lab):
    at = lab.page(lab.ended(name="![x](http://example.com/x.png) **bold**"))
    (heading,) = [heading.value for heading in at.subheader if "bold" in heading.value]
    assert heading.startswith("\\!\\[x\\]\\(http\\:") and "\\*\\*bold" in heading
