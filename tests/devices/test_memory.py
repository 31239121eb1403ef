from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

from tvnsearch.control_groups import read_container
from tvnsearch.devices import Device, memory
from tvnsearch.devices.memory import require_memory
from tvnsearch.errors import UserError
from tvnsearch.genome import Block, Genome, square_input
from tvnsearch.genome.layers import SpatialConv
from tvnsearch.workers import PINNED_ALLOCATOR

NETWORK = Genome(square_input(256, 16), (Block((SpatialConv(128, 3, 1, "relu"),)),))
"""It works on about 1.6 GB."""


@pytest.fixture
def container(tmp_path, monkeypatch):
    """The group of a container of 4 GB in which 3.8 GB are used, 3.5 GB of them by files that were read."""
    (tmp_path / "cgroup").write_text("0::/\n")
    (tmp_path / "mountinfo").write_text(f"31 23 0:28 / {tmp_path} rw - cgroup2 cgroup2 rw\n")
    monkeypatch.setattr(memory, "read_container", lambda: read_container(tmp_path))
    monkeypatch.setattr(memory, "_available_bytes", lambda: 2**40)
    monkeypatch.setattr(memory, "_freed_heap_bytes", lambda: 0)
    (tmp_path / "memory.max").write_text("4000000000\n")
    (tmp_path / "memory.current").write_text("3800000000\n")
    (tmp_path / "memory.stat").write_text("anon 300000000\ninactive_file 3500000000\nactive_file 0\n")
    return tmp_path


def test_files_that_were_read_take_no_memory_from_a_network(container):
    require_memory([NETWORK], 10, Device("cpu"))
    (container / "memory.stat").write_text("anon 3800000000\ninactive_file 0\n")
    with pytest.raises(UserError, match=r"in the 0\.2 GB of free memory"):
        require_memory([NETWORK], 10, Device("cpu"))


def test_what_this_process_freed_and_kept_is_free(container, monkeypatch):
    (container / "memory.stat").write_text("anon 3800000000\ninactive_file 0\n")
    monkeypatch.setattr(memory, "_freed_heap_bytes", lambda: 0)
    with pytest.raises(UserError, match=r"in the 0\.2 GB of free memory"):
        require_memory([NETWORK], 10, Device("cpu"))
    monkeypatch.setattr(memory, "_freed_heap_bytes", lambda: 3_500_000_000)
    require_memory([NETWORK], 10, Device("cpu"))


def test_a_container_without_a_limit_leaves_what_the_machine_has(container, monkeypatch):
    (container / "memory.max").write_text("max\n")
    require_memory([NETWORK], 10, Device("cpu"))
    monkeypatch.setattr(memory, "_available_bytes", lambda: 10**9)
    with pytest.raises(UserError, match=r"in the 1\.0 GB of free memory"):
        require_memory([NETWORK], 10, Device("cpu"))


@pytest.mark.skipif(not hasattr(memory._LIBC, "mallinfo2"), reason="this allocator does not tell")
def test_a_pinned_process_knows_what_it_freed():
    code = (
        "import torch; from tvnsearch.devices.memory import _freed_heap_bytes\n"
        "values = torch.ones(2**26)\n"
        "used = _freed_heap_bytes()\n"
        "del values\n"
        "print(_freed_heap_bytes() - used)\n"
    )
    environment = os.environ | PINNED_ALLOCATOR
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert int(done.stdout) == pytest.approx(2**28, rel=0.05)


def test_a_gpu_counts_what_torch_keeps_for_this_process(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (10**9, 2 * 10**9))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda: 5 * 10**9)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda: 10**9)
    require_memory([NETWORK], 10, Device("cuda"))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda: 10**9)
    with pytest.raises(UserError, match=r"in the 1\.0 GB of free memory"):
        require_memory([NETWORK], 10, Device("cuda"))
