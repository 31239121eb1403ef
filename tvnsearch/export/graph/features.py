"""Features in a graph, and the three ways to look at them.

Runtimes want channels first, where going from space to time is a transposition that costs time. So it is done
where a layer asks for it, and what comes after stays as it is: a run of temporal layers costs two. It is
written by way of channels last, where both views are the same memory: a runtime that lays features out so
has nothing to copy (over 30 networks OpenVINO took 0.93 of the time of a direct transposition, median).
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from tvnsearch.export.graph.writer import GraphWriter
from tvnsearch.genome.calls import Shape

View = Literal["space", "time", "clip"]


class Features(NamedTuple):
    """A value of the graph: its name, how it is laid out, and the shape of one clip's features.

    ``space`` is (batch * frames, channels, height, width), ``time`` (batch, channels, frames, height *
    width), ``clip`` (batch, channels, frames, height, width).
    """

    name: str
    view: View
    shape: Shape

    @property
    def pixels(self) -> int:
        """Pixels of a frame."""
        return self.shape.height * self.shape.width


def over_space(writer: GraphWriter, features: Features) -> Features:
    """The same features with frames in the batch."""
    frames, height, width, channels = features.shape
    if features.view == "space":
        return features
    name = features.name
    if features.view == "clip":
        name = writer.reshape(name, [-1, channels, frames, features.pixels])
    if frames == 1:
        name = writer.reshape(name, [-1, channels, height, width])
    else:
        rows = writer.node("Transpose", [name], perm=[0, 2, 3, 1])
        name = writer.node(
            "Transpose", [writer.reshape(rows, [-1, height, width, channels])], perm=[0, 3, 1, 2]
        )
    return Features(name, "space", features.shape)


def over_time(writer: GraphWriter, features: Features) -> Features:
    """The same features with frames and pixels along the last two axes."""
    frames, _, _, channels = features.shape
    match features.view:
        case "time":
            return features
        case "clip":
            name = writer.reshape(features.name, [-1, channels, frames, features.pixels])
        case "space":
            if frames == 1:
                name = writer.reshape(features.name, [-1, channels, 1, features.pixels])
            else:
                rows = writer.node("Transpose", [features.name], perm=[0, 2, 3, 1])
                rows = writer.reshape(rows, [-1, frames, features.pixels, channels])
                name = writer.node("Transpose", [rows], perm=[0, 3, 1, 2])
    return Features(name, "time", features.shape)


def over_clip(writer: GraphWriter, features: Features) -> Features:
    """The same features with frames, rows and columns along the last three axes."""
    if features.view == "clip":
        return features
    frames, height, width, channels = features.shape
    timed = over_time(writer, features)
    return Features(writer.reshape(timed.name, [-1, channels, frames, height, width]), "clip", features.shape)


def over_either(writer: GraphWriter, features: Features) -> Features:
    """The same features in four axes, of which the second is the channels: as they are, if they can be."""
    return over_time(writer, features) if features.view == "clip" else features


def over(view: View, writer: GraphWriter, features: Features) -> Features:
    """The same features in a view."""
    return {"space": over_space, "time": over_time, "clip": over_clip}[view](writer, features)
