"""What is around a device on its machine: limits, who else times there, what is installed."""

from __future__ import annotations

from importlib.util import find_spec

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tvnsearch.control_groups import Container, read_container
from tvnsearch.devices.backends import backends_of
from tvnsearch.devices.core_lock import LockState, lock_names, lock_state
from tvnsearch.devices.device import Device, devices_here
from tvnsearch.devices.remote.connection import ask

EXTRAS = {
    "openvino": ("onnx", "onnxruntime", "openvino"),
    "onnx": ("onnx", "onnxscript", "onnxruntime"),
    "parquet": ("pyarrow",),
    "ray": ("ray",),
    "tensorboard": ("tensorboard",),
    "yaml": ("yaml",),
}
"""The modules of each extra of the installation."""


class Surroundings(Struct, frozen=True):
    """The limits, the locks of the cores or the GPU, and of the installation backends and ``extras``."""

    container: Container
    locks: list[LockState]
    backends: list[str]
    extras: dict[str, bool]


def surroundings_of(device: Device) -> Surroundings:
    """What is around ``device`` right now, wherever that is.

    Raises:
        UserError: it is somewhere else, and cannot be reached.
    """
    if device.place:
        there = {"device": msgspec.to_builtins(replace(device, place=""))}
        return msgspec.convert(ask(device.place, "surroundings", there), Surroundings)
    return Surroundings(
        container=read_container(),
        locks=[lock_state(name) for name in lock_names(device)],
        backends=backends_of(devices_here()),
        extras={name: all(map(find_spec, modules)) for name, modules in EXTRAS.items()},
    )
