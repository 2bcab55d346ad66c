"""Where a run computes and in what precision, decided by what the machine says it can do."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import functools
import gc
import platform
from collections.abc import Iterator

import torch

from mnist_lab.config import ConfigError

THREADS = torch.get_num_threads()  # before anybody shares them
# Parameters of glibc's mallopt (malloc.h).
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
MEBIBYTE = 2**20


def resolve_device(name: str) -> torch.device:
    """The device for the config's `device`: "auto" takes CUDA, then Apple's GPU, then the CPU.

    Raises `ConfigError` for a device this machine does not have.
    """
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        name = next(kind for kind, there in available.items() if there)
    if not available[name]:
        raise ConfigError({"device": f"PyTorch finds no {name} device on this machine. Choose auto or cpu."})
    return torch.device(name)


def resolve_precision(name: str, device: torch.device) -> str:
    """"float32" or "bfloat16" for the config's `precision`; "auto" takes bfloat16 where it is in hardware."""
    if name != "auto":
        return name
    return "bfloat16" if has_bfloat16(device) else "float32"


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 in hardware, by its own account."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        capabilities = torch.cpu.get_capabilities()
        return any(capabilities.get(name, False) for name in ("amx_bf16", "avx512_bf16"))
    return False


def share_threads(parts: int) -> None:
    """Have the calling thread compute with one of `parts` equal shares of the machine's threads, at least one.

    PyTorch keeps the number for each thread (OpenMP's own), and what it was last set to for threads that come later:
    so whoever starts to compute in a new thread calls this, with 1 for all of them.
    """
    use_threads(max(1, THREADS // parts))


def use_threads(count: int) -> None:
    """Have the calling thread compute with so many threads, or with all of the machine's if it has fewer."""
    torch.get_num_threads()  # has a new thread take what was set last, which it would else do after the next line
    torch.set_num_threads(min(count, THREADS))


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Have the calling thread compute alone for a while: for a single image that is faster, and much faster beside a
    training run, because threads that wait for each other at every layer wait for the run as well."""
    torch.get_num_threads()  # as in `share_threads`
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(THREADS)


@functools.cache
def keep_freed_memory() -> None:
    """Have the C library keep the buffers that a training step frees instead of returning them to the system.

    A step frees and takes some 50 MB of activations; with glibc's defaults each step gets fresh pages, and the
    system zeroes them one fault at a time (measured: 7,000 faults and a fifth of the CPU time a step). Does nothing
    where the C library is another.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(M_MMAP_THRESHOLD, 32 * MEBIBYTE)  # the largest value glibc accepts
    libc.mallopt(M_TRIM_THRESHOLD, 512 * MEBIBYTE)
    libc.mallopt(M_TOP_PAD, 64 * MEBIBYTE)


@functools.cache
def freeze_loaded() -> None:
    """Have Python's garbage collector pass over all that is there now; to be called once everything is imported.

    What is loaded stays until the end. With PyTorch that is some hundred thousand objects, and a training loop makes
    the collector go through all of them every few hundred steps (measured: up to a twentieth of the time).
    """
    gc.collect()
    gc.freeze()
    atexit.register(gc.unfreeze)  # or libraries that look for leaks at the end find all of theirs
