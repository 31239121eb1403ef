"""Whose fault real errors are, of real libraries on a real full disk."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import torch

from tvnsearch.faults import is_of_environment


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with a page of room."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("only root may mount a small file system")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_is_nobodys_fault(full_disk: Path) -> None:
    with pytest.raises(OSError, match="No space left") as plain:
        (full_disk / "file").write_bytes(bytes(100_000))
    assert is_of_environment(plain.value)
    with pytest.raises(Exception) as written:
        safetensors.numpy.save_file({"weight": np.zeros(100_000)}, full_disk / "weights")
    assert is_of_environment(written.value), repr(written.value)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_machine_without_a_gpu_is_nobodys_fault() -> None:
    with pytest.raises(Exception) as moved:
        torch.zeros(1, device="cuda")
    assert is_of_environment(moved.value), repr(moved.value)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (FileNotFoundError(2, "No such file or directory"), True),
        (OSError(116, "Stale file handle"), True),
        (ModuleNotFoundError("No module named 'av'"), True),
        (ImportError("libavcodec.so.61: cannot open shared object file: No such file or directory"), True),
        (ConnectionResetError(104, "Connection reset by peer"), True),
        (RuntimeError("No CUDA GPUs are available"), True),
        (RuntimeError("CUDA error: no CUDA-capable device is detected"), True),
        (
            RuntimeError("Found no NVIDIA driver on your system. Please check"),
            True,
        ),
        (RuntimeError("The NVIDIA driver on your system is too old (found version 11040)."), True),
        (RuntimeError("CUDA error: no kernel image is available for execution on the device"), True),
        (RuntimeError("CUDA unknown error - this may be due to an incorrectly set up environment"), True),
        (AssertionError("Torch not compiled with CUDA enabled"), True),
        (RuntimeError("CUDA error: device-side assert triggered"), False),
        (RuntimeError("CUDA error: unspecified launch failure"), True),
        (OSError(12, "Cannot allocate memory"), False),
        (MemoryError(), False),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 10 bytes"), False),
        (RuntimeError("I/O error: Cannot allocate memory (os error 12)"), False),
        (RuntimeError("CUDA driver error: out of memory"), False),
        (RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"), False),
        (ValueError("a bug"), False),
    ],
)
def test_errors_of_the_work_are_told_from_those_of_its_surroundings(error: Exception, expected: bool) -> None:
    assert is_of_environment(error) is expected
