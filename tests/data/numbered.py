"""Small real videos whose frames show their number, each at a time of its own."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from tests.data.videos import CODECS

BITS = 8
WIDTH, HEIGHT = 8 * BITS, 32
MS = Fraction(1, 1000)


def number_picture(number):
    """White and black stripes: the bits of the number, the highest at the left."""
    bits = [number >> (BITS - 1 - place) & 1 for place in range(BITS)]
    row = np.repeat(np.array(bits, np.uint8) * 255, WIDTH // BITS)
    return np.broadcast_to(row[None, :, None], (HEIGHT, WIDTH, 3)).copy()


def numbers_in(pixels):
    """The number that each of these frames (frames, height, width, 3) shows."""
    columns = pixels.mean(axis=(1, 3)).reshape(len(pixels), BITS, -1).mean(axis=2) > 127
    return (columns @ (1 << np.arange(BITS)[::-1])).tolist()


def write_numbered(
    path: Path, stamps, time_base=MS, rate=30, key_frame_every=12, container_options=None, numbers=None
) -> Path:
    """Frames 0, 1, 2 ... (or `numbers`) shown at these stamps in units of `time_base` seconds."""
    with av.open(str(path), "w", options=container_options or {}) as container:
        stream = container.add_stream(CODECS[path.suffix], rate=rate)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.time_base = time_base
        stream.gop_size = key_frame_every
        if stream.codec.name == "libx264":
            stream.options = {"preset": "ultrafast", "crf": "10"}
            stream.max_b_frames = 2
        for number, stamp in zip(numbers or range(len(stamps)), stamps, strict=True):
            frame = av.VideoFrame.from_ndarray(number_picture(number))
            frame.pts, frame.time_base = stamp, time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def copied(path: Path, target: Path, cut_ms=0, options=None) -> Path:
    """The packets of a file from `cut_ms` on, and what they depend on, as a stream copy writes them."""
    with av.open(str(path)) as source, av.open(str(target), "w", options=options or {}) as out:
        stream = source.streams.video[0]
        copy = out.add_stream_from_template(stream)
        begin = round(cut_ms * MS / stream.time_base)
        for packet in source.demux(stream):
            if packet.dts is None:
                continue
            packet.pts, packet.dts = packet.pts - begin, packet.dts - begin
            packet.stream = copy
            out.mux(packet)
    return target


def trimmed(path: Path, lasts_ms: int) -> Path:
    """An mp4 whose edit list ends after so many milliseconds, as telephones trim."""
    content = bytearray(path.read_bytes())
    entry = content.index(b"elst") + 12
    content[entry : entry + 4] = lasts_ms.to_bytes(4, "big")  # in the file's units, which are milliseconds
    path.write_bytes(content)
    return path
