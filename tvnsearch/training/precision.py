"""Which numbers a training computes with."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import torch

from tvnsearch.genome.kinds import DEPTHWISE
from tvnsearch.genome.trace import Trace
from tvnsearch.training.recipe import Precision

DTYPES: dict[Precision, torch.dtype] = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}

FAST_FROM_CAPABILITY: tuple[tuple[tuple[int, int], Precision], ...] = (
    ((8, 0), "bfloat16"),  # Ampere
    ((7, 0), "float16"),  # Volta and Turing, such as V100 and T4
)
"""What NVIDIA's tensor cores multiply, and from which compute capability on; the latest first."""

FAST_INSTRUCTIONS = frozenset({"avx512_bf16", "amx_bf16"})
"""Instructions of CPUs that multiply bfloat16; without any it is emulated, and slower than float32."""

MOST_DEPTHWISE_SHARE = 0.03
"""Of a network's multiply-adds: CPUs run depthwise convolutions slower in bfloat16. With
avx512_bf16, iterations of 15 networks below this share took 0.58 to 1.05 times as long as in float32 (median
0.71), those of 4 networks above it 1.06 to 2.6 times."""


def choose_precision(
    asked: Literal["auto", "float32", "bfloat16", "float16"], device: str, network: Trace
) -> Precision:
    """What to train a network in on `device`: what was asked for, or where that is "auto" what pays there.

    Capability and counts decide, not a measurement, so that the same seed gives the same result again.
    """
    if asked != "auto":
        return asked
    if torch.device(device).type == "cuda":
        capability = torch.cuda.get_device_capability(device)
        return next((fast for first, fast in FAST_FROM_CAPABILITY if capability >= first), "float32")
    depthwise = sum(call.macs for call in network.calls if call.type in DEPTHWISE)
    fast = bool(FAST_INSTRUCTIONS & cpu_flags()) and depthwise < MOST_DEPTHWISE_SHARE * network.macs
    return "bfloat16" if fast else "float32"


def cpu_flags() -> frozenset[str]:
    """What the processor is able to, as Linux names it; nothing where that is not known."""
    cpuinfo = Path("/proc/cpuinfo")
    flags = re.search(r"^flags\s*:(.*)$", cpuinfo.read_text(), re.MULTILINE) if cpuinfo.exists() else None
    return frozenset(flags[1].split()) if flags else frozenset()
