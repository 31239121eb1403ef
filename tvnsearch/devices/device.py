"""Where a network runs: the device a user asks for, and the name of what was found there."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from hashlib import blake2b
from typing import Literal

import msgspec

from tvnsearch.cores import usable_cores
from tvnsearch.devices.backends import known_backends, require_packages
from tvnsearch.devices.remote.connection import ask
from tvnsearch.devices.remote.place import Whereabouts, whereabouts
from tvnsearch.errors import UserError

DEVICE_NAMES = ("cpu", "cuda")
Precision = Literal["float32", "bfloat16", "int8"]
PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16", "int8")


class Device(msgspec.Struct, frozen=True):
    """A processor and the way a network is run on it; :func:`open_device` makes one that exists here.

    ``precision`` is that of weights and features, ``batch`` the clips of one pass: latencies are of whole
    passes. Where it is somewhere else, ``place`` says how it is reached (``ssh:pi``): whatever way that is,
    the same board is the same device, so this is no part of its fingerprint.
    """

    name: str
    threads: int = 1
    backend: str = "eager"
    precision: Precision = "float32"
    batch: int = 1
    place: str = ""

    @property
    def words(self) -> str:
        """The processor and its place, as a user names them."""
        return Whereabouts(self.name, self.place).words


def open_device(
    name: str, threads: int = 1, backend: str = "eager", precision: str = "float32", batch: int = 1
) -> Device:
    """The device that the user named, and the way networks shall run on it.

    One that is somewhere else (``ssh:HOST``, ``cuda@ssh:HOST``, ``cmd:COMMAND``) is asked.

    Raises:
        UserError: there is no such device, backend or precision here, or it has fewer cores than ``threads``;
            or where it is said to be it cannot be reached.
    """
    processor, place = whereabouts(name)
    if place:
        there = {
            "name": processor,
            "threads": threads,
            "backend": backend,
            "precision": precision,
            "batch": batch,
        }
        ask(place, "open_device", there)
        return msgspec.convert(there | {"place": place}, Device)
    if name not in DEVICE_NAMES:
        raise UserError(
            f"expected the device to be cpu or cuda, or ssh:HOST for one elsewhere, but {name!r} came; "
            "say --device cpu"
        )
    if name == "cuda" and name not in devices_here():
        raise UserError(
            "expected a GPU for the device cuda, but torch sees none here; "
            "say --device cpu, or install torch with CUDA"
        )
    backends = known_backends()
    if backend not in backends:
        raise UserError(
            f"expected a backend of {', '.join(backends)}, but {backend!r} came; say --backend eager"
        )
    if name not in backends[backend].precisions:
        raise UserError(
            f"expected a backend that runs on {name}, but {backend} runs on "
            f"{', '.join(backends[backend].precisions)} only; say --backend eager"
        )
    require_packages(backend)
    cores = len(usable_cores())
    if not 1 <= threads <= cores:
        raise UserError(f"expected 1 to {cores} threads on this machine, but {threads} came; say --threads 1")
    if precision not in PRECISIONS:
        raise UserError(
            f"expected a precision of {', '.join(PRECISIONS)}, but {precision!r} came; "
            "say --precision float32"
        )
    computed = backends[backend].precisions[name]
    if precision not in computed:
        raise UserError(
            f"expected a precision that {backend} computes with on {name}, {' or '.join(computed)}, but "
            f"{precision} came; say --precision float32"
        )
    if batch < 1:
        raise UserError(f"expected a batch of 1 clip or more, but {batch} came; say --batch 1")
    return Device(name, threads, backend, precision, batch)


def as_device(device: str | Device) -> Device:
    """The device of that name with one thread and all else as usual, or the very one that was opened.

    Raises:
        UserError: there is no such device here.
    """
    return open_device(device) if isinstance(device, str) else device


def devices_here() -> list[str]:
    """The names of the devices that this machine has."""
    has_gpu = importlib.import_module("torch").cuda.is_available()
    return [name for name in DEVICE_NAMES if name != "cuda" or has_gpu]


def gpus_here() -> int:
    """How many GPUs torch sees on this machine, or of it."""
    return int(importlib.import_module("torch").cuda.device_count())


def fingerprint_digest(fingerprint: Mapping[str, str]) -> str:
    """Twelve hex digits that name a device: equal for equal fingerprints."""
    text = msgspec.json.encode(dict(sorted(fingerprint.items())))
    return blake2b(text, digest_size=6).hexdigest()
