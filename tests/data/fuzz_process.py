"""Decodes mutilated videos in a process of its own, which may be killed by what it is to withstand.

`python -m tests.data.fuzz_process FOLDER COUNT SEED` prints, as JSON, how many decoded, how many were found
broken, and the process's memory in MB: after a tenth of the files, at the end, and the most that it was.
"""

from __future__ import annotations

import json
import random
import sys
from collections import Counter
from pathlib import Path

from tests.data.videos import write_live_webm, write_video
from tvnsearch.data.decode import decode_clip
from tvnsearch.data.inspection import look_at
from tvnsearch.data.video import BrokenClip


def sources(folder):
    """Small whole videos of every container, with and without sound, duration and key frames in between."""
    paths = [
        write_video(folder / "a.mp4", frames=24, key_frame_every=6),
        write_video(folder / "sound.mp4", sound=True),
        write_video(folder / "a.webm", frames=16),
        write_live_webm(folder / "live.webm", frames=16),
        write_video(folder / "a.avi", frames=24, key_frame_every=6),
        write_video(folder / "a.mkv", frames=24),
    ]
    return [(path.suffix, path.read_bytes()) for path in paths]


def mutilated(content, rng):
    """The same file cut, holed, stretched, shuffled, or with some of its bytes changed."""
    data = bytearray(content)
    for _ in range(rng.choice([1, 1, 2, 4])):
        at = rng.randrange(len(data))
        length = rng.choice([1, 8, 100, len(data) // 4])
        match rng.randrange(8):
            case 0:
                del data[at:]
            case 1:
                del data[at : at + length]
            case 2:
                data[at : at + length] = bytes(len(data[at : at + length]))
            case 3:
                data[at:at] = rng.randbytes(length)
            case 4:
                data[at:at] = data[rng.randrange(len(data)) :][:length]
            case 5:  # sizes, counts and times are in the head or, in mp4, at the end
                at = rng.choice(
                    [rng.randrange(min(1200, len(data))), -1 - rng.randrange(min(1200, len(data)))]
                )
                data[at] = rng.choice([0, 1, 127, 128, 255, rng.randrange(256)])
            case _:
                for _ in range(rng.choice([1, 5, 50])):
                    data[rng.randrange(len(data))] = rng.randrange(256)
        if not data:
            return b""
    return bytes(data)


def memory_mb(name="VmRSS"):
    """A line of the kernel's account. (getrusage counts what its parent held, too.)"""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(f"{name}:"))


def decode_small(path):
    return decode_clip(path, 16)


def main(folder, count, seed):
    whole = sources(folder)
    counts = Counter()
    early_mb = 0.0
    for number in range(count):
        rng = random.Random(seed + number)
        suffix, content = rng.choice(whole)
        path = folder / f"mutilated{suffix}"
        path.write_bytes(mutilated(content, rng))
        for read in (look_at, decode_small):
            try:
                seen = read(path)
            except BrokenClip as failure:
                assert failure.path == path
                assert failure.reason
                counts["broken"] += 1
            else:
                assert getattr(seen, "shape", (1, 16, 16, 3))[3] == 3
                counts["read"] += 1
        if number == count // 10:
            early_mb = memory_mb()
    told = {
        **counts,
        "early_mb": early_mb,
        "late_mb": memory_mb(),
        "peak_mb": memory_mb("VmHWM"),
    }
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
