"""The command line: one JSON line for programs, words for people, and exit statuses that tell what happened."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mnist_lab import bench, cli
from mnist_lab.cli import main
from mnist_lab.runs.store import RunStore

PROJECT = Path(__file__).parents[1]
KEYS = {"run", "parameters", "epochs", "test_accuracy", "best_test_accuracy", "train_accuracy", "seconds", "device"}
QUICK = [f"--set={setting}" for setting in (
    "train_images=100", "epochs=2", "batch_size=50", "device=cpu", "precision=float32",
)]


@pytest.fixture(autouse=True)
def no_data(monkeypatch, tmp_path):
    """No MNIST on disk and, by conftest.py, none on the network: the bundled sample."""
    monkeypatch.setenv("MNIST_LAB_DATA", str(tmp_path / "no-data"))


def one_line(capsys) -> str:
    """What was said on stderr, which must be one line, with nothing on stdout."""
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("\n") == 1, printed
    assert printed.err.startswith("mnist_lab: ")
    return printed.err


def test_train_ends_with_one_json_line_and_a_record(tmp_path, capsys):
    status = main(["train", "--preset", "b-gbn", *QUICK, "--seed", "7", "--out", str(tmp_path / "out")])
    printed = capsys.readouterr()
    assert status == 0
    result = json.loads(printed.out.splitlines()[-1])
    assert set(result) == KEYS and printed.out.count("\n") == 1
    assert (result["parameters"], result["epochs"], result["device"]) == (9_920, 2, "cpu")
    assert 0 <= result["test_accuracy"] <= result["best_test_accuracy"] <= 100 and result["seconds"] > 0
    record = RunStore(tmp_path / "out").load(result["run"])
    assert record.status == "finished" and (record.config.seed, record.config.norm) == (7, "ghost")
    assert record.config.batch_size == 50 and record.config.dropout == 0.05, "the preset's, with the changes"
    assert record.summary["test_accuracy"] == result["test_accuracy"]
    assert "seed 7" in printed.err and "epoch 2: train loss" in printed.err
    assert "not comparable" in printed.err, "figures on the sample come with the banner"


def test_a_preset_and_its_alias_make_the_same_run(tmp_path, capsys):
    results = []
    for name in ("a-bn", "a-source-l2-bn"):
        quick = [*QUICK, "--set=epochs=1", "--set=network=b", "--set=rotation=0"]
        assert main(["train", "--preset", name, *quick, "--out", str(tmp_path)]) == 0
        results.append(json.loads(capsys.readouterr().out))
    assert results[0]["test_accuracy"] == results[1]["test_accuracy"] and results[0]["run"] != results[1]["run"]


def test_with_a_validation_set_there_is_no_best_test_accuracy(tmp_path, capsys):
    assert main(["train", *QUICK, "--set=epochs=1", "--set", "validation=yes", "--out", str(tmp_path)]) == 0
    result = json.loads(capsys.readouterr().out)
    assert set(result) == KEYS and result["best_test_accuracy"] is None and result["test_accuracy"] is not None


@pytest.mark.parametrize(("arguments", "words"), [
    (["--preset", "fats"], "fast"),
    (["--preset", "fast", "--preset", "best"], "one --preset. For several: python -m mnist_lab sweep --preset fast be"),
    (["--set", "learning_rat=0.1"], "Did you mean 'learning_rate'?"),
    (["--set", "epochs=many"], "Epochs must be a whole number, not 'many'."),
    (["--set", "epochs=0"], "Epochs must be between 1 and 200, not 0."),
    (["--set", "epochs"], "KEY=VALUE"),
    (["--set", "norm=ghost", "--set", "num_splits=32", "--set", "batch_size=16"], "Choose fewer splits"),
    (["--seed", "-1"], "Seed must be between 0"),
    (["--set", f"seed={'9' * 400}"], "Seed must be between 0"),
])
def test_bad_input_is_one_clear_line_and_status_2(tmp_path, capsys, arguments, words):
    assert main(["train", *arguments, "--out", str(tmp_path / "out")]) == 2
    assert words in one_line(capsys)
    assert not (tmp_path / "out").exists(), "nothing was begun"


@pytest.mark.parametrize("arguments", [[], ["trian"], ["train", "--seed", "x"], ["train", "--what"]])
def test_options_that_do_not_exist_are_status_2(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2 and "usage:" in capsys.readouterr().err


def test_divergence_is_status_1_with_the_cause(tmp_path, capsys):
    wild = ["--set=learning_rate=10", "--set=schedule=constant", "--set=batch_size=16", "--set=epochs=1"]
    assert main(["train", "--preset", "b-bn", *QUICK, *wild, "--out", str(tmp_path)]) == 1
    printed = capsys.readouterr()
    last = printed.err.splitlines()[-1]
    assert printed.out == "" and last.startswith("mnist_lab: The loss") and "such as 1 instead of 10" in last
    assert "Traceback" not in printed.err
    (run,) = RunStore(tmp_path).list()
    assert run.status == "failed"


@pytest.mark.parametrize(("settings", "words"), [
    (["train_images=60000"], "The bundled sample has 4,000 training images; 60,000 were asked for. Choose at most"),
    (["train_images=3600", "validation=yes"], "of which 500 are held out for validation; 3,600 were asked for."),
])
def test_more_images_than_the_sample_has_are_bad_input(tmp_path, capsys, settings, words):
    changes = [f"--set={setting}" for setting in settings]
    assert main(["train", *QUICK, *changes, "--out", str(tmp_path / "out")]) == 2
    printed = capsys.readouterr()
    last = printed.err.splitlines()[-1]
    assert printed.out == "" and words in last and "Downloading it failed" in last, "and why it is the sample"
    assert not (tmp_path / "out").exists(), "nothing was begun"


def test_more_images_than_mnist_leaves_are_bad_input(full_data, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("MNIST_LAB_DATA", str(full_data))
    wanted = ["--set=train_images=60000", "--set=validation=yes"]
    assert main(["train", *QUICK, *wanted, "--out", str(tmp_path / "out")]) == 2
    assert "Choose at most 55,000, or all." in one_line(capsys)


@pytest.mark.parametrize("command", [["train"], ["sweep", "--preset", "fast", "--seeds", "1", "--workers", "1"]])
def test_a_device_that_is_not_there_is_bad_input(tmp_path, capsys, monkeypatch, command):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert main([*command, *QUICK, "--set=device=cuda", "--out", str(tmp_path / "out")]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.splitlines()[-1].startswith("mnist_lab: PyTorch finds no cuda device")
    assert not (tmp_path / "out").exists(), "nothing was begun"


@pytest.mark.parametrize("command", [["train"], ["sweep", "--preset", "fast", "--seeds", "1", "--workers", "1"]])
def test_a_folder_that_cannot_be_one_is_a_failure_in_one_line(tmp_path, capsys, command):
    (tmp_path / "out").write_text("a file")
    assert main([*command, *QUICK, "--out", str(tmp_path / "out")]) == 1
    printed = capsys.readouterr()
    last = printed.err.splitlines()[-1]
    assert last.startswith("mnist_lab: A file could not be read or written: Not a directory") and printed.out == ""
    assert "Traceback" not in printed.err


def test_ctrl_c_keeps_the_record_and_is_status_130(tmp_path):
    """A process of its own, as it is started by hand; interrupted after its first epoch."""
    command = [sys.executable, "-m", "mnist_lab", "train", *QUICK, "--set", "epochs=200", "--out", str(tmp_path)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    child = subprocess.Popen(
        command, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        said = []
        for line in child.stderr:
            said.append(line)
            if "epoch 1:" in line:
                child.send_signal(signal.SIGINT)
                break
        out, err = child.communicate(timeout=120)
    finally:
        child.kill()
        child.wait()
    assert child.returncode == 130, "".join(said) + err
    result = json.loads(out.splitlines()[-1])
    assert set(result) == KEYS and 1 <= result["epochs"] < 200 and result["test_accuracy"] is not None
    assert str(tmp_path / result["run"]) in err and "Traceback" not in err
    record = RunStore(tmp_path).load(result["run"])
    assert record.status == "stopped" and len(record.history) == result["epochs"]
    assert not list(tmp_path.glob("*.part"))


def test_a_second_ctrl_c_does_not_wait():
    stopped = []
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), cli._stop_on_signals(lambda: stopped.append(1)) as came:
        signal.raise_signal(signal.SIGINT)
        assert came == [signal.SIGINT] and stopped == [1]
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_data_says_what_there_is(capsys):
    assert main(["data"]) == 0
    status = json.loads(capsys.readouterr().out)
    assert status["source"] == "sample" and "no-data" in status["note"]


def test_data_that_cannot_be_downloaded_is_status_1(capsys):
    assert main(["data", "--download"]) == 1
    printed = capsys.readouterr()
    assert "mnist_lab: " in printed.err.splitlines()[-1] and "bundled sample" in printed.err and printed.out == ""


def test_data_finds_the_full_set(full_data, monkeypatch, capsys):
    monkeypatch.setenv("MNIST_LAB_DATA", str(full_data))
    assert main(["data"]) == 0
    assert json.loads(capsys.readouterr().out)["source"] == "folder"


@pytest.mark.parametrize("options", [[], ["--time-to-accuracy"], ["--race"]])
def test_a_benchmark_on_the_sample_is_refused_before_it_takes_time(options, capsys, monkeypatch):
    monkeypatch.setattr(bench, "interleaved", lambda *_: pytest.fail("measured something"))
    monkeypatch.setattr(bench, "lab_time", lambda *_: pytest.fail("trained something"))
    monkeypatch.setattr(bench, "race_time", lambda *_: pytest.fail("raced"))
    assert main(["bench", *options]) == 2
    err = capsys.readouterr().err
    assert "The benchmark needs the full data set as files." in err.splitlines()[-1]
