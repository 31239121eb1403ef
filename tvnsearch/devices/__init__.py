"""Where a network runs, and how long that takes there. Imports no torch: timing happens in a worker."""

from tvnsearch.devices.device import Device, fingerprint_digest, open_device
from tvnsearch.devices.measurement import LayerProfile, Measurement
from tvnsearch.devices.meter import Meter
from tvnsearch.devices.processes import measure_in_processes

__all__ = [
    "Device",
    "LayerProfile",
    "Measurement",
    "Meter",
    "fingerprint_digest",
    "measure_in_processes",
    "open_device",
]
