"""Whether a transport stream, which does not say how long it is, was cut off."""

from __future__ import annotations

from pathlib import Path

import numpy as np

SYNC = 0x47
PACKETS = {188: 0, 192: 4, 204: 0}
"""Bytes of a packet of a transport stream, and where in it its first byte that never changes is."""

LOOKED_AT, ENOUGH = 8, 5
"""Packets at the beginning of a file; how many of them tell how long each is."""


def breaks_off(path: Path) -> bool:
    """Whether it ends in the middle of a packet."""
    with path.open("rb") as file:
        head = np.frombuffer(file.read(LOOKED_AT * max(PACKETS)), np.uint8)
    for packet_bytes, sync_at in PACKETS.items():
        for begin in range(packet_bytes):
            syncs = head[begin + sync_at :: packet_bytes]
            if len(syncs) >= ENOUGH and (syncs == SYNC).all():
                return (path.stat().st_size - begin) % packet_bytes > 0
    return False
