"""Device and precision follow what the machine says it can do, and an explicit wish goes before it."""

from __future__ import annotations

import platform
import subprocess
import sys
import threading

import pytest
import torch

from mnist_lab import device as device_module
from mnist_lab.config import ConfigError
from mnist_lab.device import has_bfloat16, keep_freed_memory, resolve_device, resolve_precision, share_threads

CPU, CUDA, MPS = torch.device("cpu"), torch.device("cuda"), torch.device("mps")


@pytest.fixture
def machine(monkeypatch):
    """`machine(cuda=..., mps=..., cpu={...}, cuda_bfloat16=...)`: what PyTorch says about this machine from now on."""

    def say(cuda: bool = False, mps: bool = False, cpu: dict | None = None, cuda_bfloat16: bool = False) -> None:
        def is_bf16_supported(including_emulation: bool = True) -> bool:
            return cuda_bfloat16 or including_emulation  # an emulated one is slower than float32

        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: cpu or {})
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", is_bf16_supported)

    return say


@pytest.mark.parametrize(("cuda", "mps", "chosen"), [
    (False, False, "cpu"), (True, False, "cuda"), (False, True, "mps"), (True, True, "cuda"),
])
def test_auto_takes_a_gpu_where_there_is_one(machine, cuda, mps, chosen):
    machine(cuda=cuda, mps=mps)
    assert resolve_device("auto") == torch.device(chosen)


@pytest.mark.parametrize("name", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_refused_in_words(machine, name):
    machine()
    with pytest.raises(ConfigError) as caught:
        resolve_device(name)
    assert list(caught.value.problems) == ["device"]
    assert name in str(caught.value) and "Choose auto or cpu." in str(caught.value)
    machine(cuda=True, mps=True)
    assert resolve_device(name) == torch.device(name)


def test_the_cpu_is_always_there(machine):
    machine(cuda=True)
    assert resolve_device("cpu") == CPU


@pytest.mark.parametrize(("capabilities", "expected"), [
    ({}, False),
    ({"avx512_bf16": False, "amx_bf16": False, "avx2": True, "avx512_f": True}, False),
    ({"avx512_bf16": True}, True),
    ({"amx_bf16": True, "avx512_bf16": False}, True),
    ({"avx512_vnni": True, "avx512_fp16": True}, False),
])
def test_a_cpu_has_bfloat16_when_it_says_so(machine, capabilities, expected):
    machine(cpu=capabilities, cuda_bfloat16=True)
    assert has_bfloat16(CPU) is expected
    assert resolve_precision("auto", CPU) == ("bfloat16" if expected else "float32")


@pytest.mark.parametrize("supported", [False, True])
def test_a_gpu_has_bfloat16_when_it_is_not_emulated(machine, supported):
    machine(cuda=True, cuda_bfloat16=supported, cpu={"amx_bf16": True})
    assert has_bfloat16(CUDA) is supported
    assert resolve_precision("auto", CUDA) == ("bfloat16" if supported else "float32")


def test_apples_gpu_stays_with_float32(machine):
    machine(mps=True, cpu={"amx_bf16": True}, cuda_bfloat16=True)
    assert resolve_precision("auto", MPS) == "float32"


@pytest.mark.parametrize("name", ["float32", "bfloat16"])
@pytest.mark.parametrize("capable", [False, True])
def test_an_explicit_precision_is_kept(machine, name, capable):
    machine(cpu={"amx_bf16": capable})
    assert resolve_precision(name, CPU) == name


def test_the_real_machine_answers():
    assert isinstance(has_bfloat16(CPU), bool)
    assert set(torch.cpu.get_capabilities()) >= {"amx_bf16", "avx512_bf16"} or platform.machine() not in (
        "x86_64", "AMD64"
    ), "PyTorch has renamed what has_bfloat16 asks for"


def test_keeping_freed_memory_changes_no_numbers_and_can_be_asked_again():
    before = torch.ones(2_000_000).sum()
    keep_freed_memory()
    keep_freed_memory()
    keep_freed_memory.cache_clear()
    keep_freed_memory()
    for _ in range(20):
        assert torch.ones(2_000_000).sum() == before


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr(device_module.platform, "libc_ver", lambda: ("musl", "1.2"))
    monkeypatch.setattr(device_module.ctypes, "CDLL", lambda *_: pytest.fail("asked for a library"))
    keep_freed_memory.cache_clear()
    keep_freed_memory()
    keep_freed_memory.cache_clear()


def test_threads_are_shared_thread_by_thread(monkeypatch):
    monkeypatch.setattr(device_module, "THREADS", 4)
    before, seen, both = torch.get_num_threads(), {}, threading.Barrier(2)

    def compute(parts: int) -> None:
        share_threads(parts)
        both.wait(20)  # what the other has set is not for this one
        torch.ones(100).sum()
        seen[parts] = torch.get_num_threads()

    threads = [threading.Thread(target=compute, args=(parts,)) for parts in (1, 3)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        share_threads(9)
        assert (seen, torch.get_num_threads()) == ({1: 4, 3: 1}, 1)
    finally:
        torch.set_num_threads(before)


def test_what_is_loaded_is_frozen_until_the_end():
    code = """
import atexit, gc
from mnist_lab.device import freeze_loaded
atexit.register(lambda: print(gc.get_freeze_count()))  # called after what is registered later
freeze_loaded()
print(gc.get_freeze_count() > 100_000)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.stdout.split(), done.stderr) == (["True", "0"], "")
