"""The store of runs: a folder with a folder a run. List, load, rename, delete; who may change what."""

from __future__ import annotations

import contextlib
import hmac
import os
import re
import secrets
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from mnist_lab.config import RunConfig
from mnist_lab.config_forms import title
from mnist_lab.runs.record import (
    HISTORY,
    INTERRUPTED,
    PART,
    RUN,
    BadRun,
    RunError,
    RunRecord,
    RunSummary,
    read_history,
    read_summary,
)
from mnist_lab.runs.writer import acquire, forget, is_live, remove_folder, write_summary

MAX_NAME = 80
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,119}")
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"  # nothing that is mistaken for something else when read aloud


def default_root() -> Path:
    """Where runs are kept: MNIST_LAB_RUNS, else `runs` beside app.py."""
    chosen = os.environ.get("MNIST_LAB_RUNS", "").strip()
    return Path(chosen).expanduser() if chosen else Path(__file__).parents[2] / "runs"


class RunStore:
    """The runs in one folder, which need not exist yet. Threads and processes may share a folder.

    `leave_out` names folders in it that are known to be something else.
    """

    def __init__(self, root: Path | str | None = None, leave_out: tuple[str, ...] = ()):
        self.root = Path(root) if root is not None else default_root()
        self._leave_out = leave_out
        self._cache: dict[str, tuple[tuple[int, ...], RunSummary]] = {}
        self._cache_lock = threading.Lock()

    def list(self) -> list[RunSummary | BadRun]:
        """Every run, newest first, then the folders that cannot be read. Reads only what changed since last time."""
        ids = dict.fromkeys(folder.name.removesuffix(PART) for folder in self._folders())
        found = {id: entry for id in ids if (entry := self._entry(id))}
        with self._cache_lock:
            self._cache = {id: cached for id, cached in self._cache.items() if id in found}
        runs = [entry for entry in found.values() if isinstance(entry, RunSummary)]
        bad = [entry for entry in found.values() if isinstance(entry, BadRun)]
        newest_first = sorted(runs, key=lambda run: (run.timings["started"], run.id), reverse=True)
        return [*newest_first, *sorted(bad, key=lambda run: run.id)]

    def interrupted(self) -> list[RunSummary]:
        """The runs that were killed and can be resumed, newest first."""
        return [run for run in self.list() if run.status == INTERRUPTED]

    def load(self, id: str) -> RunRecord:
        """The run with its history. Raises `RunError` if there is none, or it cannot be read."""
        for _ in range(2):  # it may be renamed, from `<id>.part`, between two reads
            folder = self._folder(id)
            with contextlib.suppress(FileNotFoundError):
                summary = read_summary(folder)  # before the history, which is then complete if the run has ended
                history = read_history(folder)
                return RunRecord(**vars(self._with_liveness(summary, len(history))), history=history)
        raise _no_such(id)

    def exists(self, id: str) -> bool:
        """Whether a run of that id is on disk, readable or not."""
        return bool(_ID.fullmatch(id)) and any((self.root / name).exists() for name in (f"{id}{PART}", id))

    def new_id(self, config: RunConfig, preset: str | None = None) -> str:
        """An id that no run on disk has: time (UTC), what it is, and four random characters."""
        words = preset or title(config).removeprefix("Network ")
        slug = re.sub(r"[^a-z0-9]+", "-", words.lower())[:40].strip("-")
        while True:
            tail = "".join(secrets.choice(_ALPHABET) for _ in range(4))
            id = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{slug}-{tail}"
            if not self.exists(id):
                return id

    def rename(self, id: str, name: str) -> None:
        """Change the name shown, not the folder. Raises `RunError` for an empty name or a run that is running."""
        shown = tidy_name(name)
        with self._claimed(id) as folder:
            write_summary(folder, replace(read_summary(folder), name=shown))

    def delete(self, id: str) -> None:
        """Delete a run. Raises `RunError` while it is running, and for a folder that is not a run."""
        with self._claimed(id) as folder:
            read_summary(folder)
            remove_folder(folder)

    def owner_hash(self, id: str) -> str | None:
        """The hash of the token of the browser that started the run; None if no browser did. Raises `RunError`."""
        return self.load(id).owner_hash

    def may_change(self, id: str, owner_hash: str | None) -> bool:
        """Whether the browser with that token's hash may stop, rename or delete the run.

        Its own may; anyone may if it was made on the command line; nobody may if it cannot be read.
        """
        entry = self._entry(id)
        return isinstance(entry, RunSummary) and may_change(entry.owner_hash, owner_hash)

    def _folders(self) -> Iterator[Path]:
        with contextlib.suppress(FileNotFoundError), os.scandir(self.root) as entries:
            for entry in entries:
                if entry.is_dir() and not entry.name.startswith(".") and entry.name not in self._leave_out:
                    yield Path(entry.path)

    def _folder(self, id: str) -> Path:
        if not _ID.fullmatch(id):
            raise RunError(f"{id!r} cannot be the id of a run.")
        # In this order: a run that ends between the two looks goes from the first to the second.
        for folder in (self.root / f"{id}{PART}", self.root / id):
            if folder.is_dir():
                return folder
        raise _no_such(id)

    def _entry(self, id: str) -> RunSummary | BadRun | None:
        """What `list` says of a run; None if it has just been deleted."""
        if not _ID.fullmatch(id):
            reason = "This is not the name of a run. If you put it there, move it elsewhere."
            return BadRun(id=id, folder=self.root / id, reason=reason)
        for _ in range(2):
            with contextlib.suppress(FileNotFoundError, RunError):
                return self._read(id, self._folder(id))
        return None

    def _read(self, id: str, folder: Path) -> RunSummary | BadRun:
        stamp = _stamp(folder / RUN)
        with self._cache_lock:
            known, entry = self._cache.get(id, (None, None))
        if stamp != known or entry.folder != folder:
            try:
                entry = read_summary(folder)
            except RunError as error:
                return BadRun(id=id, folder=folder, reason=str(error))
            with self._cache_lock:
                self._cache[id] = stamp, entry
        return self._with_liveness(entry)

    def _with_liveness(self, run: RunSummary, epochs: int | None = None) -> RunSummary:
        """A run that has not ended, as it is now: running or interrupted, after so many epochs."""
        if run.status != "running":
            return run
        if epochs is None:
            epochs = _count_lines(run.folder / HISTORY)
        live = run.folder.name.endswith(PART) and is_live(self.root, run.id)
        return replace(run, status="running" if live else INTERRUPTED, epochs_done=epochs)

    @contextlib.contextmanager
    def _claimed(self, id: str) -> Iterator[Path]:
        """The run's folder, with the assurance that nobody else is writing to it."""
        self._folder(id)
        if is_live(self.root, id):
            raise RunError(f"The run {id} is still running. Stop it first.")
        lock = acquire(self.root, id)
        try:
            yield self._folder(id)
        finally:
            if not (self.root / f"{id}{PART}").exists():
                forget(self.root, id)
            lock.release()


def tidy_name(name: str) -> str:
    """A name fit to be shown: one line, at most `MAX_NAME` characters. Raises `RunError` if nothing is left."""
    printable = "".join(letter if letter.isprintable() else " " for letter in name)
    shown = " ".join(printable.split())[:MAX_NAME].strip()
    if not shown:
        raise RunError("A run needs a name with at least one character.")
    return shown


def may_change(owner: str | None, asking: str | None) -> bool:
    """Whether the browser with the hash `asking` may change what belongs to `owner` (None: to everybody)."""
    return owner is None or (asking is not None and hmac.compare_digest(owner, asking))


def _no_such(id: str) -> RunError:
    return RunError(f"There is no run {id}. It may have been deleted.")


def _stamp(path: Path) -> tuple[int, ...]:
    """What changes whenever the file is replaced; empty if there is no file."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return ()
    return status.st_mtime_ns, status.st_size, status.st_ino


def _count_lines(path: Path) -> int:
    try:
        return path.read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0
