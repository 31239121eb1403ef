"""Whose fault an error is: that of the work that was asked for, or of what any work needs around it."""

from __future__ import annotations

import errno

_OF_FILES = ("No space left on device", "IoError", "I/O error", "Stale file handle", "(os error ")
"""What libraries write that raise no OSError for a file that cannot be written or read."""

_OF_DRIVERS = (
    "CUDA driver",
    "no CUDA-capable device",
    "busy or unavailable",
    "unspecified launch failure",
    "CUDA error: unknown error",
    "uncorrectable ECC",
    "cudaErrorInitializationError",
    "GPU is lost",
    "No CUDA GPUs are available",
    "NVIDIA driver",
    "CUDA unknown error",
    "cudaGetDeviceCount",
    "invalid device ordinal",
    "no kernel image is available",
    "not compiled with CUDA",
)
"""What torch writes when a GPU or its driver is gone, or when it was built for none, or for others."""


def is_of_environment(error: BaseException) -> bool:
    """Whether an error says nothing about the work: a full disk, a vanished share, a lost GPU, no module.

    Memory that does not suffice is the work's own matter, also where the system says so.
    """
    if isinstance(error, OSError):
        return error.errno != errno.ENOMEM
    if isinstance(error, ImportError):
        return True
    text = str(error)
    if "(os error 12)" in text or "out of memory" in text.lower():
        return False
    return any(words in text for words in (*_OF_FILES, *_OF_DRIVERS))
