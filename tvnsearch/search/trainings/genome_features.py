"""A genome as numbers that may tell its fitness: counts of its trace, and what it can see, unrun."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tvnsearch.genome.calls import LayerCall, Shape
from tvnsearch.genome.genome import Genome
from tvnsearch.genome.kinds import CONVOLUTIONS, KINDS, OVER_BOTH, OVER_TIME
from tvnsearch.genome.trace import Trace, trace

TEMPORAL = OVER_TIME | OVER_BOTH | {"temporal_shift", "frame_packing"}
"""Types in which frames meet."""

COUNTED = tuple(name for name in KINDS if name not in ("activation", "concat", "head"))


def genome_features(genome: Genome, classes: int) -> dict[str, float]:
    """Features by name: sizes as logarithms, counts of layers, receptive fields in pixels and frames.

    The receptive fields, and where along the depth motion is first looked at and on how many pixels, are
    proxies that cost a walk of the genome and no run of the network.
    """
    traced = trace(genome, classes)
    calls = [call for call in traced.calls if call.type != "head"]
    spec, last = genome.input, traced.calls[-1].in_shape
    features = {
        "resolution": _side(traced.in_shape),
        "frames": float(spec.frames),
        "frame_stride": float(spec.frame_stride if spec.frames > 1 else 0),
        "seen_frames": float((spec.frames - 1) * spec.frame_stride + 1),
        "log_macs": math.log1p(traced.macs),
        "log_params": math.log1p(traced.params),
        "log_bytes_moved": math.log1p(traced.bytes_moved),
        "depth": float(sum(call.type in CONVOLUTIONS for call in calls)),
        "activations": float(sum(call.activation != "none" for call in calls)),
        "last_channels": float(last.channels),
        "last_frames": float(last.frames),
        "last_side": _side(last),
    }
    features |= {f"count_{kind}": float(sum(call.type == kind for call in calls)) for kind in COUNTED}
    return features | _widths(calls) | _kernels(calls) | _fields(traced, calls) | _motion(traced, calls)


def _widths(calls: Sequence[LayerCall]) -> dict[str, float]:
    widths = [call.out_shape.channels for call in calls if call.type in CONVOLUTIONS] or [0]
    return {
        "first_width": float(widths[0]),
        "widest": float(max(widths)),
        "narrowest": float(min(widths)),
        "mean_log_width": sum(math.log1p(width) for width in widths) / len(widths),
    }


def _kernels(calls: Sequence[LayerCall]) -> dict[str, float]:
    """The mean kernel over pixels and over frames, 0 where there is none."""
    over_space = [pixels for call in calls if (pixels := _kernel_pixels(call)) > 1]
    over_time = [call.kernel for call in calls if call.kernel > 1 and call.type in OVER_TIME]
    over_time += [call.kernel_frames for call in calls if call.kernel_frames > 1]
    return {
        "mean_kernel_pixels": sum(over_space) / max(1, len(over_space)),
        "mean_kernel_frames": sum(over_time) / max(1, len(over_time)),
    }


def _fields(traced: Trace, calls: Sequence[LayerCall]) -> dict[str, float]:
    """How many pixels and frames a value behind all layers depends on, branches one after the other."""
    pixels = frames = 1.0
    for call in calls:
        if call.type not in OVER_TIME:
            pixels += (_kernel_pixels(call) - 1) * _side(traced.in_shape) / _side(call.in_shape)
        frames += (_kernel_frames(call) - 1) * traced.in_shape.frames / call.in_shape.frames
    return {"field_pixels": pixels, "field_frames": min(frames, float(traced.in_shape.frames))}


def _side(shape: Shape) -> float:
    """Pixels along a side of a map, on average."""
    return math.sqrt(shape.height * shape.width)


def _kernel_pixels(call: LayerCall) -> float:
    return 1.0 if call.type in OVER_TIME else math.sqrt(call.kernel * call.kernel_width)


def _kernel_frames(call: LayerCall) -> int:
    if call.type in OVER_TIME:
        return call.kernel
    return 3 if call.type == "temporal_shift" else call.kernel_frames


def _motion(traced: Trace, calls: Sequence[LayerCall]) -> dict[str, float]:
    """Where motion is looked at: the share of the work, how deep, and on how fine a map, first and last."""
    over_time = [place for place, call in enumerate(calls) if call.type in TEMPORAL]
    if not over_time:
        return {
            "temporal_macs_share": 0.0,
            "first_temporal_depth": -1.0,
            "last_temporal_depth": -1.0,
            "first_temporal_side": 0.0,
            "first_temporal_channels": 0.0,
            "first_temporal_kernel": 0.0,
        }
    first = calls[over_time[0]]
    macs = sum(calls[place].macs for place in over_time)
    return {
        "temporal_macs_share": macs / max(1, traced.macs),
        "first_temporal_depth": float(over_time[0]),
        "last_temporal_depth": float(over_time[-1]),
        "first_temporal_side": _side(first.in_shape),
        "first_temporal_channels": float(first.in_shape.channels),
        "first_temporal_kernel": float(_kernel_frames(first)),
    }
