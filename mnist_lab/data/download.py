"""Fetching MNIST: which mirror answers, torchvision's download in a child process, files moved when verified.

Imports no torch. Nothing is put in its place before it is whole and verified, so that a download that dies
at any moment leaves nothing that looks complete. Processes that ask at once wait for the first.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from mnist_lab.data import files
from mnist_lab.data.files import DataError

Progress = Callable[[str, float], None]
Specs = tuple[files.IdxFile, ...]

# torchvision.datasets.MNIST.mirrors, repeated here because torchvision takes seconds to import.
MIRRORS = ("https://ossci-datasets.s3.amazonaws.com/mnist/", "http://yann.lecun.com/exdb/mnist/")
DOWNLOAD_SIZE = 11_594_722  # bytes of the four archives
TEST_SET_SIZE = 1_653_419  # of the two with the test set

# All in seconds. Without a network the answer is promised within 10: the rest is for a slow machine.
PROBE_SECONDS = 4.0
START_SECONDS = 90.0  # until the child has imported torchvision, on a slow disk
SOCKET_SECONDS = 10.0  # torchvision's wait for the next bytes
STALL_SECONDS = 15.0  # without one new byte, after which it is ended
POLL_SECONDS = 0.2
REMEMBER_SECONDS = 120.0  # a failure is not tried again before, unless asked to

_failures: dict[Path, tuple[float, str]] = {}


def download_mnist(root: Path | str | None = None, *, progress: Progress | None = None, retry: bool = True) -> bool:
    """Make sure that the four files are in the data folder, downloading what is missing or wrong.

    The mirrors are torchvision's, or MNIST_LAB_MIRROR (a URL) instead. `progress(message, fraction)` is
    called a few times a second; an exception that it raises ends the download and is passed on. With
    `retry=False`, a failure of the last two minutes is repeated without asking the network again.

    Returns whether this call downloaded (False: the files were there, or another process fetched them).

    Raises:
        DataError: saying why it was not possible, naming a file that came truncated or wrong, and what to do.
    """
    folder = files.data_folder(root)
    if _is_complete(folder, files.FILES):
        return False
    failed_at, reason = _failures.get(folder, (-REMEMBER_SECONDS, ""))
    if not retry and time.monotonic() - failed_at < REMEMBER_SECONDS:
        raise DataError(reason)
    try:
        fetched = _download(folder, files.FILES, progress or _silent)
    except DataError as error:
        _failures[folder] = (time.monotonic(), str(error))
        raise
    _failures.pop(folder, None)
    return fetched


def fetch_test_set(root: Path | str | None = None, *, progress: Progress | None = None) -> bool:
    """Make sure that the test images and their labels are in the data folder, downloading these two files alone.

    Otherwise as `download_mnist` with `retry`: they are verified, put in place whole, and fetched once when several
    ask at a time.
    """
    folder, wanted = files.data_folder(root), files.test_set_files()
    return not _is_complete(folder, wanted) and _download(folder, wanted, progress or _silent)


def _silent(message: str, fraction: float) -> None:
    pass


def _download(folder: Path, wanted: Specs, progress: Progress) -> bool:
    before = files.describe(files.check_folder(folder, wanted), folder)
    advice = files.what_to_do(folder, wanted)
    if not files.is_writable(folder):
        raise DataError(f"{before} The folder cannot be written to. {advice}")
    # Asked before the lock is taken: without a network nobody waits for anybody.
    mirrors, failures = _answering_mirrors(_mirrors(), progress)
    try:
        if mirrors:
            folder.mkdir(parents=True, exist_ok=True)
            with _locked(folder, progress):
                if _is_complete(folder, wanted):
                    return False
                _remove_abandoned(folder)
                for mirror in mirrors:
                    reason = _try_mirror(mirror, folder, wanted, progress)
                    if not reason:
                        return True
                    failures.append(f"{_host(mirror)}: {reason}")
    except OSError as error:
        raise DataError(f"{before} It cannot be saved there: {error}. {advice}") from error
    raise DataError(f"{before} Downloading it failed ({'; '.join(failures)}). {advice}")


def _is_complete(folder: Path, wanted: Specs) -> bool:
    return all(check.state == "ok" for check in files.check_folder(folder, wanted))


def _mirrors() -> tuple[str, ...]:
    own = os.environ.get("MNIST_LAB_MIRROR", "").strip()
    if not own:
        return MIRRORS
    if not own.startswith(("http://", "https://")):
        raise DataError("MNIST_LAB_MIRROR must be an address that starts with http:// or https://.")
    if "@" in own:  # urllib would take the password for a port, and show it in its message
        raise DataError("MNIST_LAB_MIRROR cannot hold a user name or password.")
    return (own.rstrip("/") + "/",)


def _answering_mirrors(mirrors: tuple[str, ...], progress: Progress) -> tuple[list[str], list[str]]:
    """Which mirrors serve the archives, in their order, and why the others do not."""
    answers: queue.Queue[tuple[str, str]] = queue.Queue()
    for mirror in mirrors:
        # Daemons: a name server that never answers cannot be interrupted, and must not hold up the exit.
        threading.Thread(target=lambda url=mirror: answers.put((url, _probe(url))), daemon=True).start()
    reasons: dict[str, str] = {}
    deadline = time.monotonic() + PROBE_SECONDS
    while len(reasons) < len(mirrors) and time.monotonic() < deadline:
        progress("Looking for the MNIST data set on the network", 0.0)
        with contextlib.suppress(queue.Empty):
            reasons.update([answers.get(timeout=POLL_SECONDS)])
    silent = f"no answer within {PROBE_SECONDS:g} seconds"
    reasons = {mirror: reasons.get(mirror, silent) for mirror in mirrors}
    failures = [f"{_host(mirror)}: {reason}" for mirror, reason in reasons.items() if reason]
    return [mirror for mirror in mirrors if not reasons[mirror]], failures


def _host(mirror: str) -> str:
    return mirror.split("/")[2]


def _probe(mirror: str) -> str:
    """Ask for the smallest archive's first bytes. Returns "" or why that failed."""
    try:
        request = urllib.request.Request(f"{mirror}{files.FILES[3].name}.gz", headers={"User-Agent": "MNIST Lab"})
        with urllib.request.urlopen(request, timeout=PROBE_SECONDS) as response:
            start = response.read(2)
    except (OSError, ValueError, http.client.HTTPException) as error:  # ValueError: not a possible address
        return str(error).removeprefix("<urlopen error ").removesuffix(">")
    # The sign-in page of a guest network answers everything with 200.
    return "" if start == b"\x1f\x8b" else "the answer is not an MNIST file (is there a sign-in page?)"


@contextlib.contextmanager
def _locked(folder: Path, progress: Progress) -> Iterator[None]:
    lock = FileLock(folder / ".download.lock")
    while True:
        try:
            lock.acquire(timeout=POLL_SECONDS)
            break
        except Timeout:
            progress("Waiting for another download of MNIST", 0.0)
    try:
        yield
    finally:
        lock.release()


def _remove_abandoned(folder: Path) -> None:
    """Remove what a killed download left. Whoever holds the lock may: nobody else can be using them."""
    for left in folder.glob(".download-*"):
        shutil.rmtree(left)


def _try_mirror(mirror: str, folder: Path, wanted: Specs, progress: Progress) -> str:
    """Download from one mirror, verify, move in place. Returns "" or why that failed."""
    # In the same folder, so that moving a file is one step that either happened or did not.
    temporary = Path(tempfile.mkdtemp(prefix=".download-", dir=folder))
    try:
        reason = _run_child(mirror, temporary, wanted, progress)
        arrived = files.check_folder(temporary, wanted)
        bad = [check.problem for check in arrived if check.state != "ok"]
        if reason or bad:
            return ", ".join(part for part in (bad[0] if bad else "", reason) if part)
        progress("Putting the files in place", 1.0)
        _move(arrived, folder, wanted)
        return ""
    finally:
        shutil.rmtree(temporary)


def _move(arrived: list[files.FileCheck], folder: Path, wanted: Specs) -> None:
    target = files.raw_folder(folder)
    target.mkdir(parents=True, exist_ok=True)
    for check, present in zip(arrived, files.check_folder(folder, wanted), strict=True):
        if present.state != "ok":
            check.path.replace(target / check.path.name)


def _run_child(mirror: str, temporary: Path, wanted: Specs, progress: Progress) -> str:
    """Run torchvision's download to its end. Returns "" or why it failed; never leaves the child running."""
    log = temporary / "log.txt"
    with log.open("wb") as output:
        child = subprocess.Popen(
            _child_command(mirror, temporary, wanted),
            cwd=files.PROJECT,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        reason = _watch(child, files.raw_folder(temporary), wanted, progress)
    finally:
        child.kill()
        child.wait()
        child.stdin.close()
    return reason or ("" if child.returncode == 0 else _last_line(log))


def _child_command(mirror: str, temporary: Path, wanted: Specs) -> list[str]:
    command = [sys.executable, "-m", "mnist_lab.data.fetch", str(temporary), mirror, str(SOCKET_SECONDS)]
    # torchvision knows the checksum of each archive on its own mirrors; a school's mirror packs its own.
    packing = [] if mirror in MIRRORS else ["--any-archive"]
    return command + packing + (["--test-set"] if wanted == files.test_set_files() else [])


def _watch(child: subprocess.Popen, raw: Path, wanted: Specs, progress: Progress) -> str:
    """Report progress until the child ends. Returns "" or, when nothing came for too long, that."""
    whole = TEST_SET_SIZE if wanted == files.test_set_files() else DOWNLOAD_SIZE
    last_size, last_change = None, time.monotonic()
    while child.poll() is None:
        size = _received(raw)
        if size != last_size:
            last_size, last_change = size, time.monotonic()
        patience = START_SECONDS if size is None else STALL_SECONDS
        if time.monotonic() - last_change > patience:
            return f"nothing arrived for {patience:g} seconds"
        done = min((size or 0) / whole, 1.0)
        progress(f"Downloading MNIST ({done:.0%} of {whole / 1e6:.1f} MB)", done)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(POLL_SECONDS)
    return ""


def _received(raw: Path) -> int | None:
    """Bytes of the archives so far; None until torchvision is imported and has made its folder."""
    return sum(path.stat().st_size for path in raw.glob("*.gz")) if raw.is_dir() else None


def _last_line(log: Path) -> str:
    """The end of the child's output: with a traceback, the exception."""
    lines = log.read_text("utf-8", errors="replace").replace("\r", "\n").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "it ended without a word")
