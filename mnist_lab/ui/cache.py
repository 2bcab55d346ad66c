"""What the process has one of, whoever asks: the runs, the queue, and torch, warmed up."""

from __future__ import annotations

import atexit
import gc
import sys
import threading

import streamlit as st

from mnist_lab.classroom.limits import is_on
from mnist_lab.classroom.room import Classroom
from mnist_lab.config import ConfigError, RunConfig
from mnist_lab.runs.job import explain
from mnist_lab.runs.library import Library
from mnist_lab.runs.queue import RunQueue
from mnist_lab.runs.record import RunError
from mnist_lab.runs.store import RunStore

EXIT_SECONDS = 30.0  # an import cannot be interrupted, and one that the exit cuts short aborts the process
# After every operation of PyTorch a training thread wants Python's lock back. While a page is being drawn it would wait
# for all of Python's usual 5 ms each time, which is longer than most of these operations take.
SWITCH_SECONDS = 0.0005

_warm_up_lock = threading.Lock()
_warm_up_thread: threading.Thread | None = None
_ready = threading.Event()
_problem: list[str] = []


@st.cache_resource(show_spinner=False)
def store() -> RunStore:
    """The runs on disk."""
    return RunStore()


@st.cache_resource(show_spinner=False)
def library() -> Library:
    """Those runs and the pretrained variants."""
    return Library(store())


@st.cache_resource(show_spinner=False)
def classroom() -> Classroom | None:
    """The class of this server; None without class mode. Raises `RunError` when its variables cannot be used."""
    return Classroom(store()) if is_on() else None


@st.cache_resource(show_spinner=False, on_release=RunQueue.shutdown)
def queue() -> RunQueue:
    """The queue that every session's runs go through; clearing the cache stops its runs and keeps their records.

    Raises `RunError` when MNIST_LAB_WORKERS cannot be used.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    room = classroom()
    return RunQueue(store(), admit=room.admit if room else None)


def settings_problem() -> str | None:
    """What is wrong with the variables that the server was started with; None when all can be used."""
    try:
        classroom()
        queue()
    except RunError as error:
        return str(error)
    return None


def warm_up() -> None:
    """Load torch and the training code in the background, once per process. Returns at once."""
    global _warm_up_thread
    with _warm_up_lock:
        if _warm_up_thread is None:
            _warm_up_thread = threading.Thread(target=_warm_up, name="warm-up", daemon=True)
            # In reverse order: what the thread freezes after the end has begun is to be unfrozen, too.
            atexit.register(gc.unfreeze)
            atexit.register(_warm_up_thread.join, EXIT_SECONDS)
            _warm_up_thread.start()


def engine_ready() -> bool:
    """Whether torch is loaded, so that using it costs no waiting."""
    return _ready.is_set()


def missing_device(config: RunConfig) -> dict[str, str]:
    """Why the device of these settings cannot be used, by knob; empty if it can, or while PyTorch is not there yet."""
    if not engine_ready():
        return {}
    from mnist_lab.device import resolve_device

    try:
        resolve_device(config.device)
    except ConfigError as error:
        return dict(error.problems)
    return {}


def engine_problem() -> str | None:
    """Why torch could not be loaded, for the page to say; None while all is well."""
    return _problem[0] if _problem else None


def _warm_up() -> None:
    try:
        _one_step()
        from mnist_lab.device import freeze_loaded
    except Exception as error:
        _problem.append(explain(error))
        raise
    freeze_loaded()
    _ready.set()


def _one_step() -> None:
    """Import what a run needs and take one optimizer step: the first one is slow."""
    import torch

    import mnist_lab.training  # noqa: F401
    from mnist_lab.nn.networks import IMAGE_SHAPE, build_network

    network = build_network(RunConfig(dropout=0.1))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    images, labels = torch.zeros(16, *IMAGE_SHAPE), torch.zeros(16, dtype=torch.long)
    torch.nn.functional.cross_entropy(network(images), labels).backward()
    optimizer.step()
