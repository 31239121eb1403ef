"""Which numbers a training computes with."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import torch

from tvnsearch.genome.kinds import DEPTHWISE
from tvnsearch.genome.trace import Trace
from tvnsearch.training.recipe import Precision

FIRST_FAST_COMPUTE_CAPABILITY = (8, 0)
"""The first NVIDIA generation (Ampere) that multiplies bfloat16 in its tensor cores."""

FAST_INSTRUCTIONS = frozenset({"avx512_bf16", "amx_bf16"})
"""Instructions of CPUs that multiply bfloat16; without any it is emulated, and slower than float32."""

MOST_DEPTHWISE_SHARE = 0.03
"""Of a network's multiply-adds: CPUs run depthwise convolutions slower in bfloat16. With
avx512_bf16, iterations of 15 networks below this share took 0.58 to 1.05 times as long as in float32 (median
0.71), those of 4 networks above it 1.06 to 2.6 times."""


def choose_precision(asked: Literal["auto", "float32", "bfloat16"], device: str, network: Trace) -> Precision:
    """What to train a network in on `device`: what was asked for, or where that is "auto" what pays there.

    Capability and counts decide, not a measurement, so that the same seed gives the same result again.
    """
    if asked != "auto":
        return asked
    if torch.device(device).type == "cuda":
        fast = torch.cuda.get_device_capability(device) >= FIRST_FAST_COMPUTE_CAPABILITY
    else:
        depthwise = sum(call.macs for call in network.calls if call.type in DEPTHWISE)
        fast = bool(FAST_INSTRUCTIONS & cpu_flags()) and depthwise < MOST_DEPTHWISE_SHARE * network.macs
    return "bfloat16" if fast else "float32"


def cpu_flags() -> frozenset[str]:
    """What the processor is able to, as Linux names it; nothing where that is not known."""
    cpuinfo = Path("/proc/cpuinfo")
    flags = re.search(r"^flags\s*:(.*)$", cpuinfo.read_text(), re.MULTILINE) if cpuinfo.exists() else None
    return frozenset(flags[1].split()) if flags else frozenset()
