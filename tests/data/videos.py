"""Small real videos, encoded with PyAV."""

from __future__ import annotations

import tempfile
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from tvnsearch.data.decode import Frame
from tvnsearch.data.stored import StoredVideo, VideoWriter

RED, BLUE, GREEN = (255, 0, 0), (0, 0, 255), (0, 255, 0)

CODECS = {
    ".mp4": "libx264",
    ".m4v": "libx264",
    ".ts": "libx264",
    ".mts": "libx264",
    ".mov": "libx264",
    ".3gp": "libx264",
    ".flv": "libx264",
    ".mpg": "mpeg1video",
    ".mpeg": "mpeg2video",
    ".wmv": "wmv2",
    ".mkv": "libx264",
    ".webm": "libvpx-vp9",
    ".avi": "mpeg4",
}


def picture(width, height, shade=255):
    """Red above blue, with a green bar outside the centred square where the picture is wide."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 2] = RED
    pixels[height // 2 :] = BLUE
    if width > height:
        pixels[:, : (width - height) // 2] = GREEN
    return (pixels * (shade / 255)).astype(np.uint8)


def write_video(
    path: Path, frames=12, width=64, height=48, pictures=None, sound=False, key_frame_every=None, rate=12
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures = pictures if pictures is not None else [picture(width, height)] * frames
    with av.open(str(path), "w") as container:
        video = container.add_stream(CODECS[path.suffix.lower()], rate=rate)
        video.height, video.width, video.pix_fmt = *pictures[0].shape[:2], "yuv420p"
        if video.codec.name == "libx264":
            video.options = {"preset": "ultrafast", "crf": "10"}
        if key_frame_every:
            video.gop_size = key_frame_every
            video.max_b_frames = 0 if path.suffix == ".webm" else 2
        if sound:
            add_sound(container)
        for pixels in pictures:
            container.mux(video.encode(av.VideoFrame.from_ndarray(pixels)))
        container.mux(video.encode())
    return path


def write_sound(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        add_sound(container)
    return path


def add_sound(container):
    codec, rate, samples, form = ("aac", 44100, 1024, "fltp")
    if container.format.name == "webm":
        codec, rate, samples, form = ("libopus", 48000, 960, "flt")
    stream = container.add_stream(codec, rate=rate)
    for _ in range(20):
        frame = av.AudioFrame.from_ndarray(np.zeros((1, samples), np.float32), format=form, layout="mono")
        frame.sample_rate = rate
        container.mux(stream.encode(frame))
    container.mux(stream.encode())


def turn_sideways(path: Path) -> Path:
    """Mark an mp4 as filmed with the camera turned by 90 degrees, as telephones do: in its `tkhd` matrix."""
    content = bytearray(path.read_bytes())
    matrix = content.index(b"tkhd") + 4 + 40
    quarter_turn = [0, 0x10000, 0, -0x10000, 0, 0, 0, 0, 0x40000000]
    content[matrix : matrix + 36] = b"".join(
        number.to_bytes(4, "big", signed=True) for number in quarter_turn
    )
    path.write_bytes(content)
    return path


def write_picture(path: Path) -> Path:
    """A JPEG."""
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = 64, 48, "yuvj420p", Fraction(1, 24)
    frame = av.VideoFrame.from_ndarray(picture(64, 48)).reformat(format="yuvj420p")
    path.write_bytes(b"".join(bytes(packet) for packet in (*encoder.encode(frame), *encoder.encode())))
    return path


def stored_frames(pixels, rate=30):
    """A clip of these uint8 pixels (frames, height, width, 3), so many a second, as a cache gives it."""
    with tempfile.NamedTemporaryFile() as file:
        writer = VideoWriter(file, "raw")
        for number, frame in enumerate(pixels):
            writer.add(Frame(number / rate, frame))
        writer.finish(len(pixels) / rate, None)
        file.flush()
        return StoredVideo(Path(file.name)).part(Path(file.name), 0.0, None)


class _Pipe:
    """A file that can only be written on, as a camera's or a browser's recording is."""

    def __init__(self):
        self.content = bytearray()

    def write(self, data):
        self.content += data
        return len(data)


def write_live_webm(path: Path, frames=12) -> Path:
    """VP9 in webm as it is recorded live: without duration, count or index."""
    pipe = _Pipe()
    with av.open(pipe, "w", format="webm", options={"live": "1"}) as container:
        video = container.add_stream("libvpx-vp9", rate=12)
        video.height, video.width, video.pix_fmt = 48, 64, "yuv420p"
        for _ in range(frames):
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture(64, 48))))
        container.mux(video.encode())
    path.write_bytes(pipe.content)
    return path
