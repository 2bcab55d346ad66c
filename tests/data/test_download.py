"""Downloads through the real torchvision, from a mirror on loopback that behaves badly in every way."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import socket
import threading
from pathlib import Path

import pytest

from mnist_lab.data import download, fetch, files
from mnist_lab.data.download import download_mnist, fetch_test_set
from mnist_lab.data.files import DataError, data_status
from mnist_lab.data.mnist import load_mnist, load_test_set

IMAGES = "train-images-idx3-ubyte"
NAMES = [spec.name for spec in files.FILES]


def left_in(folder: Path) -> set[str]:
    """Every file and folder below, but for the lock and torchvision's two folders."""
    return {path.name for path in folder.rglob("*")} - {".download.lock", "MNIST", "raw"}


@pytest.fixture(scope="module", autouse=True)
def children(tmp_path_factory, start_mirror, start_asker, content):
    """Whole processes, which import torchvision for seconds: they run while the other tests do."""
    base = tmp_path_factory.mktemp("children")
    mirror = start_mirror(content)
    raw = base / "shared" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    (raw / IMAGES).write_bytes(content[IMAGES][:-1])
    (raw / "t10k-labels-idx1-ubyte").write_bytes(b"wrong")
    (base / "shared" / ".download-killed").mkdir()
    askers = {
        "first": start_asker(base / "shared", mirror.url("first-whole"), base / "first.json"),
        "second": start_asker(base / "shared", mirror.url("second-whole"), base / "second.json"),
        "stalls": start_asker(base / "stalls", mirror.url("one-stalls"), base / "stalls.json"),
    }

    def outcome(name: str) -> dict:
        assert askers[name].wait(150) == 0
        return json.loads((base / f"{name}.json").read_text())

    return base, mirror, askers, outcome


@pytest.fixture
def in_process(monkeypatch):
    """torchvision's download in this process, with half a second of patience instead of ten."""
    from torchvision.datasets import MNIST

    monkeypatch.setattr(download, "SOCKET_SECONDS", 0.5)
    before = MNIST.mirrors, MNIST.resources

    def run(mirror: str, temporary: Path, wanted: download.Specs, progress: download.Progress) -> str:
        try:
            fetch.main(download._child_command(mirror, temporary, wanted)[3:])
        except Exception as error:
            return " ".join(f"{type(error).__name__}: {error}".split())
        finally:
            MNIST.mirrors, MNIST.resources = before  # what `fetch` sets for its own process alone
        return ""

    monkeypatch.setattr(download, "_run_child", run)
    yield
    socket.setdefaulttimeout(None)


# --- no network ---


def test_name_servers_that_hang_are_not_waited_for(small, monkeypatch):
    answer = threading.Event()
    monkeypatch.setattr(download, "PROBE_SECONDS", 0.4)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: answer.wait(60) and [])
    with pytest.raises(DataError, match=r"no answer within 0\.4 seconds.*Connect to the network"):
        download_mnist(small)
    answer.set()


def test_a_failure_is_remembered_until_asked_again(small, monkeypatch):
    asked = []
    monkeypatch.setattr(download, "_probe", lambda mirror: asked.append(mirror) or "no route")
    assert load_mnist(root=small).is_sample
    assert "no route" in load_mnist(root=small).note
    assert len(asked) == len(download.MIRRORS)
    load_mnist(root=small, refresh=True)
    assert len(asked) == 2 * len(download.MIRRORS)
    with pytest.raises(DataError):
        download_mnist(small)
    assert len(asked) == 3 * len(download.MIRRORS)
    monkeypatch.setattr(download, "REMEMBER_SECONDS", 0.0)
    load_mnist(root=small)
    assert len(asked) == 4 * len(download.MIRRORS)


@pytest.mark.parametrize(
    ("url", "reason"),
    [("ftp://mirror/", "starts with http"), ("http://127.0.0.1:x/", "port"), ("http://[/", "IPv6")],
)
def test_a_mirror_that_cannot_be_one_is_explained(small, monkeypatch, url, reason):
    monkeypatch.setenv("MNIST_LAB_MIRROR", url)
    with pytest.raises(DataError, match=reason):
        download_mnist(small)


def test_the_password_of_a_mirror_is_not_shown(small, monkeypatch):
    monkeypatch.setenv("MNIST_LAB_MIRROR", "http://user:secret@127.0.0.1/mnist")
    with pytest.raises(DataError, match="user name or password") as caught:
        download_mnist(small)
    assert "secret" not in str(caught.value)


def test_a_sign_in_page_is_no_mirror(small, monkeypatch, start_mirror, content):
    mirror = start_mirror(content)
    mirror.archives = dict.fromkeys(mirror.archives, b"<html>Please sign in</html>")
    monkeypatch.setenv("MNIST_LAB_MIRROR", mirror.url("page-whole"))
    with pytest.raises(DataError, match="sign-in page"):
        download_mnist(small)


def test_a_folder_that_cannot_be_written_to_is_explained(small, monkeypatch, write_files, content):
    write_files(small, {IMAGES: content[IMAGES][:1000]})
    monkeypatch.setattr(files, "is_writable", lambda folder: False)
    note = load_mnist(root=small).note
    assert f"{IMAGES} is truncated (1,000 of" in note
    assert "cannot be written to" in note
    assert "Connect" not in note


def test_a_folder_that_cannot_be_made_is_explained(small, monkeypatch):
    small.write_text("a file, not a folder")
    monkeypatch.setattr(files, "is_writable", lambda folder: True)
    monkeypatch.setattr(download, "_probe", lambda mirror: "")
    with pytest.raises(DataError, match="cannot be saved there"):
        download_mnist(small)


def test_mirrors_are_those_of_torchvision():
    """Read from its source, as importing it takes seconds."""
    source = Path(importlib.util.find_spec("torchvision").origin).parent / "datasets" / "mnist.py"
    classes = [node for node in ast.parse(source.read_text()).body if isinstance(node, ast.ClassDef)]
    body = next(node for node in classes if node.name == "MNIST").body
    values = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in body
        if isinstance(node, ast.Assign) and node.targets[0].id in ("mirrors", "resources")
    }
    assert tuple(values["mirrors"]) == download.MIRRORS
    assert [name for name, _ in values["resources"]] == [f"{name}.gz" for name in NAMES]
    assert all(re.fullmatch("[0-9a-f]{32}", md5) for _, md5 in values["resources"])


# --- torchvision, in this process ---


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("truncated", "EOFError"),
        ("dies", "EOFError"),
        ("stalls", "timed out"),
        ("changed", "is not the original MNIST file"),
    ],
)
def test_a_bad_file_is_named_and_nothing_is_left(
    small, monkeypatch, start_mirror, content, in_process, behaviour, reason
):
    monkeypatch.setenv("MNIST_LAB_MIRROR", start_mirror(content).url(f"one-{behaviour}"))
    with pytest.raises(DataError, match=reason) as caught:
        download_mnist(small)
    failure = str(caught.value).partition("Downloading it failed")[2].partition("Connect to")[0]
    assert IMAGES in failure
    assert left_in(small) == set()


def test_torchvisions_own_mirrors_are_held_to_its_md5(small, monkeypatch, start_mirror, content, in_process):
    """Our archives are not LeCun's byte for byte: a mirror of the user's may serve them, torchvision's not."""
    monkeypatch.setattr(download, "MIRRORS", (start_mirror(content).url("md5-whole"),))
    with pytest.raises(DataError, match=r"RuntimeError: .*corrupted"):
        download_mnist(small)
    assert left_in(small) == set()


def test_the_next_mirror_serves_when_the_first_is_bad(small, monkeypatch, start_mirror, content, in_process):
    mirror = start_mirror(content)
    urls = (mirror.url("one-dies"), mirror.url("two-whole"))
    monkeypatch.setattr(download, "_mirrors", lambda: urls)
    assert load_mnist(root=small).source == "download"
    assert left_in(small) == set(NAMES)


def test_the_real_files_come_through_torchvision(real_folder, tmp_path, monkeypatch, start_mirror, in_process):
    raw = files.raw_folder(real_folder)
    mirror = start_mirror({name: (raw / name).read_bytes() for name in NAMES})
    monkeypatch.setenv("MNIST_LAB_MIRROR", mirror.url("real-whole"))
    data = load_mnist(root=tmp_path)
    assert (data.source, data.train_images.shape) == ("download", (60_000, 28, 28))
    assert data.checksum == load_mnist(root=real_folder).checksum


# --- the test set alone ---


TEST_SET = {"t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"}


def test_the_test_set_is_fetched_alone(small, monkeypatch, start_mirror, content, in_process):
    mirror = start_mirror(content)
    monkeypatch.setenv("MNIST_LAB_MIRROR", mirror.url("alone-whole"))
    assert load_test_set(small) is None
    assert fetch_test_set(small)
    assert left_in(small) == TEST_SET
    assert {name for _, name, agent in mirror.requests if agent == "pytorch/vision"} == {f"{n}.gz" for n in TEST_SET}
    found = load_test_set(small)
    assert found.images.tobytes() == content["t10k-images-idx3-ubyte"][16:]
    assert found.labels.tolist() == list(content["t10k-labels-idx1-ubyte"][8:])
    assert not fetch_test_set(small) and load_test_set(small) is found
    assert not data_status(small)["complete"] and load_mnist(root=small, download=False).is_sample
    assert download_mnist(small) and left_in(small) == set(NAMES)  # the rest may come later


def test_a_bad_test_set_is_named_and_nothing_is_left(small, monkeypatch, start_mirror, content, in_process):
    mirror = start_mirror({name: data[:-1] + b"?" for name, data in content.items()})
    monkeypatch.setenv("MNIST_LAB_MIRROR", mirror.url("alone-whole"))
    with pytest.raises(DataError, match="t10k-images-idx3-ubyte is not the original") as caught:
        fetch_test_set(small)
    assert "test set is not in" in str(caught.value) and "the two files t10k-images" in str(caught.value)
    assert left_in(small) == set() and load_test_set(small) is None


def test_the_test_set_in_the_folder_is_what_every_run_knows(real_folder):
    data = load_mnist(root=real_folder)
    found = load_test_set(real_folder)
    assert found.checksum == data.checksum
    assert (found.images == data.test_images.numpy()).all() and (found.labels == data.test_labels.numpy()).all()


# --- torchvision, in its child process ---


def test_a_child_that_never_starts_is_ended(small, monkeypatch, start_mirror, content):
    mirror = start_mirror(content)
    monkeypatch.setenv("MNIST_LAB_MIRROR", mirror.url("one-whole"))
    monkeypatch.setattr(download, "START_SECONDS", 0.1)
    with pytest.raises(DataError, match=r"nothing arrived for 0\.1 seconds"):
        download_mnist(small)
    assert left_in(small) == set()
    assert "pytorch/vision" not in [agent for _, _, agent in mirror.requests]  # it was not waited for


def test_a_child_that_fails_is_quoted(small, monkeypatch, start_mirror, content):
    monkeypatch.setenv("MNIST_LAB_MIRROR", start_mirror(content).url("one-whole"))
    monkeypatch.setattr(download, "SOCKET_SECONDS", "soon")
    with pytest.raises(DataError, match="ValueError: could not convert string to float: 'soon'"):
        download_mnist(small)
    assert left_in(small) == set()


def test_an_exception_from_progress_ends_the_download(small, monkeypatch, start_mirror, content):
    mirror = start_mirror(content)
    monkeypatch.setenv("MNIST_LAB_MIRROR", mirror.url("one-whole"))

    def stop(message: str, fraction: float) -> None:
        if message.startswith("Downloading"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download_mnist(small, progress=stop)
    assert left_in(small) == set()
    assert "pytorch/vision" not in [agent for _, _, agent in mirror.requests]  # it was not waited for


def test_two_processes_at_once_download_once(children, small, content):
    base, mirror, _, outcome = children
    outcomes = [outcome("first"), outcome("second")]
    assert sorted(o["fetched"] for o in outcomes) == [False, True]
    # torchvision asks twice for each file, first to find redirects.
    agents = [agent for folder, _, agent in mirror.requests if folder in ("first-whole", "second-whole")]
    assert agents.count("pytorch/vision") == 2 * len(NAMES)
    # The two bad files were replaced, the folder that a killed download had left is gone.
    raw = base / "shared" / "MNIST" / "raw"
    assert {name: (raw / name).read_bytes() for name in NAMES} == content
    assert left_in(base / "shared") == set(NAMES)
    assert data_status(base / "shared")["complete"]


def test_a_download_reports_its_progress_and_imports_no_torch(children):
    outcome = next(o for o in (children[3]("first"), children[3]("second")) if o["fetched"])
    messages, fractions = zip(*outcome["messages"], strict=True)
    assert any("Downloading MNIST" in message for message in messages)
    assert messages[-1] == "Putting the files in place"
    assert list(fractions) == sorted(fractions)
    assert fractions[-1] == 1.0
    assert outcome["torch"] is False


def test_a_killed_download_leaves_nothing_that_looks_complete(children, small):
    base, mirror, askers, _ = children
    assert mirror.stalled.wait(120)
    askers["stalls"].kill()
    askers["stalls"].wait()
    assert mirror.client_gone.wait(20), "the child did not end with its parent"
    assert {check.state for check in files.check_folder(base / "stalls")} == {"missing"}
    # What is left is removed by the next download: test_two_processes_at_once_download_once.
    assert len(list((base / "stalls").glob(".download-*"))) == 1
