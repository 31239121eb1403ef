"""What a device is made of, as far as it changes latencies. Says what is true of the process that asks."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

import torch

from tvnsearch.devices.backends import load_backend
from tvnsearch.devices.core_lock import timed_cores
from tvnsearch.devices.device import Device
from tvnsearch.devices.processor import cache_sizes, core_kind, processor_family, processor_model
from tvnsearch.network.deploy import DEPLOYMENT
from tvnsearch.workers import PINNED_ALLOCATOR

UNKNOWN = "unknown"

INSTRUCTIONS = (
    "ATEN_CPU_CAPABILITY",
    "DNNL_DEFAULT_FPMATH_MODE",
    "DNNL_MAX_CPU_ISA",
    "MKL_CBWR",
    "MKL_ENABLE_INSTRUCTIONS",
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "ONEDNN_MAX_CPU_ISA",
)
PLACES = ("GOMP_CPU_AFFINITY", "KMP_AFFINITY", "OMP_PLACES", "OMP_PROC_BIND")
"""Variables of the environment that decide what instructions libraries use, and where threads run."""


def fingerprint(device: Device) -> dict[str, str]:
    """Processor, threads, backend, deployment, libraries, allocator: figures compare where all are equal.

    Virtual machines call unlike processors alike: their family and caches tell them apart. Where a machine
    has several kinds of cores, that of those which are timed; and of the environment what is set of
    ``INSTRUCTIONS`` and ``PLACES``.
    """
    found = {
        "device": device.name,
        "processor": _processor(device),
        "cores": str(os.cpu_count()),
        "threads": str(device.threads),
        "backend": device.backend,
        "precision": device.precision,
        "batch": str(device.batch),
        "deployment": str(DEPLOYMENT),
        "torch": str(torch.__version__),
        "onednn": _onednn_version(),
        "allocator": _allocator(),
        "governor": _first_line(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")),
    }
    hidden = {"family": processor_family(), "caches": cache_sizes()}
    found |= {name: value for name, value in hidden.items() if value is not None}
    found |= load_backend(device.backend).versions()
    kind = core_kind(timed_cores(device)) if device.name == "cpu" else None
    if kind is not None:
        found["kind of core"] = kind
    found |= {name: os.environ[name] for name in (*INSTRUCTIONS, *PLACES) if os.environ.get(name)}
    if device.name == "cuda":
        found["cuda"] = str(torch.version.cuda)
        found["cudnn"] = str(torch.backends.cudnn.version())  # type: ignore[no-untyped-call]
    return found


def _processor(device: Device) -> str:
    if device.name == "cuda":
        return str(torch.cuda.get_device_name())
    model = processor_model()
    if model is not None:
        return f"{model} ({torch.backends.cpu.get_cpu_capability()})"
    return platform.processor() or platform.machine()


def _onednn_version() -> str:
    version = re.search(r"MKL-DNN v(\S+)", torch.__config__.show())
    return version[1] if version else "none"


def _allocator() -> str:
    if "LD_PRELOAD" in os.environ:
        return "preloaded " + " ".join(Path(path).name for path in os.environ["LD_PRELOAD"].split())
    pinned = all(os.environ.get(name) == value for name, value in PINNED_ALLOCATOR.items())
    return "pinned" if pinned else "default"


def _first_line(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return UNKNOWN
