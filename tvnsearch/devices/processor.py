"""Which processor this is, and which of its kinds of cores are timed, as Linux tells. Imports no torch."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

ROOT = Path("/")

ANOTHER_KIND = 0.9
"""Cores whose highest frequency is below this share of the fastest's are of another kind.

Cores of one kind differ by a few percent where the processor has favourite ones.
"""

_HYBRID = ("cpu_core", "cpu_atom")
_ARM_CORE = re.compile(
    r"^CPU implementer\s*:\s*(\w+)$.*?^CPU variant\s*:\s*(\w+)$.*?^CPU part\s*:\s*(\w+)$",
    re.MULTILINE | re.DOTALL,
)


def processor_model(root: Path = ROOT) -> str | None:
    """The processor's name; None where there is none. ``root`` is where ``proc`` and ``sys`` lie.

    A 64-bit ARM kernel names no model, or the same one for all: there it is the board, and the implementer,
    part and variant of each kind of core, as ``Raspberry Pi 4 Model B Rev 1.4, cores 0x41/0xd08/0x0``.
    """
    text = _text(root / "proc/cpuinfo")
    kinds = {f"{implementer}/{part}/{variant}" for implementer, variant, part in _ARM_CORE.findall(text)}
    if kinds:
        return ", ".join(filter(None, (_board(text, root), f"cores {' '.join(sorted(kinds))}")))
    return _field(text, "model name")


def processor_family(root: Path = ROOT) -> str | None:
    """Family, model and stepping of an x86 processor: a virtual machine hides the product, not these."""
    text = _text(root / "proc/cpuinfo")
    numbers = {name: _field(text, name) for name in ("cpu family", "model", "stepping")}
    if None in numbers.values():
        return None
    return "family {cpu family}, model {model}, stepping {stepping}".format_map(numbers)


def cache_sizes(root: Path = ROOT) -> str | None:
    """The data caches that the first core sees, the nearest first, as ``L1 32K, L2 512K, L3 32768K``."""
    found = {}
    for folder in (root / "sys/devices/system/cpu/cpu0/cache").glob("index[0-9]*"):
        level, kind, size = (_text(folder / file).strip() for file in ("level", "type", "size"))
        if kind in ("Data", "Unified") and size:
            found[level] = size
    return ", ".join(f"L{level} {found[level]}" for level in sorted(found)) or None


def core_kind(cores: Sequence[int], root: Path = ROOT) -> str | None:
    """The kinds of these cores, on a machine that has several; None where all its cores are alike.

    Intel's are named; other cores have a capacity, relative to the largest, or at least a highest frequency.
    """
    named = {kind: _numbers(_text(root / "sys/devices" / kind / "cpus")) for kind in _HYBRID}
    if all(named.values()):
        return _joined(kind for kind in _HYBRID if not named[kind].isdisjoint(cores))
    capacities = _of_each_core(root, "cpu_capacity")
    if len(set(capacities.values())) > 1:
        return _joined(f"capacity {capacities[core]}" for core in sorted(cores) if core in capacities)
    highest_khz = _of_each_core(root, "cpufreq/cpuinfo_max_freq")
    fastest_khz = max(highest_khz.values(), default=0)
    if min(highest_khz.values(), default=0) < ANOTHER_KIND * fastest_khz:
        return _joined(
            f"up to {highest_khz[core] / 1e3:.0f} MHz" for core in sorted(cores) if core in highest_khz
        )
    return None


def _board(cpuinfo: str, root: Path) -> str | None:
    """What the processor is on: a container sees the first, a machine without a device tree the last."""
    named = _field(cpuinfo, "Model") or _text(root / "proc/device-tree/model").strip("\0\n ")
    if named:
        return named
    firmware = root / "sys/class/dmi/id"
    return " ".join(filter(None, (_text(firmware / file).strip() for file in ("sys_vendor", "product_name"))))


def _of_each_core(root: Path, file: str) -> dict[int, int]:
    """The number in that file of each core that has one."""
    found = {}
    for folder in (root / "sys/devices/system/cpu").glob("cpu[0-9]*"):
        number = _text(folder / file).strip()
        if number.isdigit():
            found[int(folder.name.removeprefix("cpu"))] = int(number)
    return found


def _numbers(ranges: str) -> set[int]:
    """As ``0-3,8`` names them."""
    numbers: set[int] = set()
    for first, last in re.findall(r"(\d+)(?:-(\d+))?", ranges):
        numbers.update(range(int(first), int(last or first) + 1))
    return numbers


def _joined(kinds: Iterable[str]) -> str | None:
    return " and ".join(dict.fromkeys(kinds)) or None


def _field(text: str, name: str) -> str | None:
    found = re.search(rf"^{name}\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1] if found else None


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
