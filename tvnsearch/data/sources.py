"""Videos that come from elsewhere than a file: over the network, or from a camera of this machine."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import av
from av.container import InputContainer

from tvnsearch.data.video import BrokenClip

ANSWER_S = 10.0
"""So long an address is waited for, to be opened and then for each packet: a camera may be switched off."""

CAMERA = "video4linux2"

_SCHEME = re.compile("(https?|rtsps?)://", re.IGNORECASE)

_PROTOCOLS = {"http": "http,https,httpproxy,tcp,tls", "rtsp": "rtsp,rtsps,rtp,udp,tcp,tls"}
"""What an address may be read by, and what it refers to: another server, never a file of this machine."""

_TCP_FIRST = {"rtsp_flags": "prefer_tcp"}
"""Of a camera that offers both: over UDP a packet that is lost spoils pictures."""


def is_http(source: str) -> bool:
    """Whether a source is an address on a web server."""
    return _kind(source) == "http"


def is_rtsp(source: str) -> bool:
    """Whether a source is the address of a camera in a network."""
    return _kind(source) == "rtsp"


def open_address(source: str, formats: str, options: dict[str, str]) -> InputContainer:
    """Open an address of RTSP, http or https, whose content must be in one of FFmpeg's ``formats``.

    Raises BrokenClip when nothing answers in time, or with no video, and FFmpegError for what else is wrong.
    """
    kind = _kind(source)
    whitelists = {"protocol_whitelist": _PROTOCOLS[kind], "format_whitelist": formats}
    if kind == "rtsp":
        whitelists = whitelists | _TCP_FIRST | {"format_whitelist": f"{formats},rtsp"}
    began_s = time.monotonic()
    try:
        return av.open(
            _SCHEME.sub(lambda scheme: scheme[0].lower(), source),
            "r",
            options=options | whitelists,
            timeout=(ANSWER_S, ANSWER_S),
        )
    except av.error.ArgumentError:
        raise BrokenClip(Path(source), "what comes from there is no video") from None
    except av.FFmpegError:
        if time.monotonic() - began_s < ANSWER_S:
            raise
        raise _silent(source) from None  # of RTSP FFmpeg says that the data are invalid, as none came


@contextmanager
def answering(source: str) -> Iterator[None]:
    """An address that falls silent in the course of the context is a BrokenClip."""
    try:
        yield
    except av.error.ExitError:
        raise _silent(source) from None


def _silent(source: str) -> BrokenClip:
    return BrokenClip(Path(source), f"nothing came from there for {ANSWER_S:g} s")


def camera_of(source: str) -> str | None:
    """The file of a camera: what is meant by a number, as in /dev/video0, unless a file is called so."""
    with suppress(OSError):
        if source.isdecimal() and not Path(source).exists():
            return f"/dev/video{int(source)}"
        if Path(source).is_char_device():
            return source
    return None


def open_camera(path: str) -> InputContainer:
    """Open a camera of this machine.

    Raises BrokenClip when there is none, and FFmpegError for what else is wrong.
    """
    if not Path(path).exists():
        raise BrokenClip(Path(path), f"there is no camera at {path}")
    return av.open(path, "r", format=CAMERA)


def _kind(source: str) -> str:
    scheme = _SCHEME.match(source)
    return "" if scheme is None else scheme[1].lower().removesuffix("s")
