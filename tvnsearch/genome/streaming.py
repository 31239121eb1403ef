"""A network over a stream of frames: what each call keeps of the past, and how late its results come.

A window over time that sees later frames delays its results until these have come, and shortcuts around it
wait (Hedegaard and Iosifidis 2022); frames that a window will see again are kept, as in stream buffers
(Kondratyuk et al. 2021). So what a network computes of a clip is computed once for each frame. A call that
makes a single frame of a clip, a mean over the clip and the head look back on the last frames, as many as a
clip has.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import lcm
from typing import Literal, NamedTuple, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from tvnsearch.errors import UserError
from tvnsearch.genome.calls import LayerCall, Shape
from tvnsearch.genome.kinds import GATES, OVER_BOTH, OVER_TIME
from tvnsearch.genome.trace import Node, Parallel, Trace
from tvnsearch.genome.windows import outputs, padding

Keeping = Literal["nothing", "window", "clip", "means"]
"""What a call looks at: its frame alone, a window that slides, the last clip, means over the last clip."""


class Flow(Struct, frozen=True):
    """How frames pass between two calls.

    There is one for every ``stride`` frames of the camera, it comes ``delay`` frames of its own kind late,
    and a clip has ``frames``. What a whole clip has become is a single frame, one in each step.
    """

    stride: int
    delay: int
    frames: int

    @property
    def delay_frames(self) -> int:
        """The delay in frames of the camera."""
        return self.delay * self.stride

    def in_step(self, step_frames: int) -> int:
        """How many frames pass in a step that takes ``step_frames`` of the camera."""
        return 1 if self.frames == 1 else step_frames // self.stride


class TimeWindow(NamedTuple):
    """What a call sees: ``taps`` frames from ``before`` ahead of every ``stride``-th on."""

    taps: int
    stride: int
    before: int


class StreamedCall(Struct, frozen=True):
    """A layer call in a stream.

    ``past`` frames of its input are kept; or, if negative, so many of the new ones are skipped.
    """

    name: str
    call: LayerCall
    keeping: Keeping
    into: Flow
    out: Flow
    window: TimeWindow = TimeWindow(1, 1, 0)
    past: int = 0


class Wait(Struct, frozen=True):
    """Results of a branch, so many ``frames`` of ``shape``, that wait for those of a later branch."""

    name: str
    frames: int
    shape: Shape


class StreamedBranches(Struct, frozen=True):
    """Branches in a stream, what waits at the end of each, and the call that joins them."""

    branches: tuple[tuple[StreamedNode, ...], ...]
    waits: tuple[Wait, ...]
    join: StreamedCall


StreamedNode: TypeAlias = StreamedCall | StreamedBranches


class StreamPlan(Struct, frozen=True):
    """A network over a stream: its repeats and its head.

    ``smallest_step`` is the number of frames that its strides over time need at least at once. ``history`` is
    for how many frames of the camera it has to be known whether they were there.
    """

    repeats: tuple[tuple[StreamedNode, ...], ...]
    head: StreamedCall
    clip_frames: int
    smallest_step: int
    history: int

    @property
    def delay_frames(self) -> int:
        """How many frames of the camera after the last one of a clip its logits are known."""
        return self.head.into.delay_frames

    @property
    def calls(self) -> list[StreamedCall]:
        """All calls, in the order of execution."""
        return [*_calls(node for nodes in self.repeats for node in nodes), self.head]

    @property
    def running_means(self) -> list[str]:
        """Calls that weigh each frame by a mean over the clip: in a stream, over the frames until then."""
        return [call.name for call in self.calls[:-1] if call.keeping == "means"]

    def steps_of_clip(self, step_frames: int) -> int:
        """How many steps from the first frame of a clip until its logits are known."""
        return outputs(self.clip_frames + self.delay_frames, step_frames)

    def macs_of_step(self, step_frames: int) -> int:
        """Multiply-adds of a step, counted as those of a clip are."""
        return sum(_macs(streamed, step_frames) for streamed in self.calls)


def plan_stream(trace: Trace) -> StreamPlan:
    """How the network of ``trace`` runs over a stream.

    Raises:
        UserError: it cannot; the sentence names the layer and says why.
    """
    frames = trace.in_shape.frames
    if frames == 1:
        raise UserError(
            "expected a network that looks at several frames, but the clips of this one have one frame: what "
            "export writes without --streaming takes frame by frame and has no state to keep"
        )
    names = (name for name, _ in trace.named_calls())
    flow = Flow(stride=1, delay=0, frames=frames)
    shape, repeats = trace.in_shape, []
    for repeat in (repeat for block in trace.blocks for repeat in block.repeats if repeat.nodes):
        nodes, flow, shape = _along(repeat.nodes, flow, shape, names)
        repeats.append(nodes)
    head = _streamed(trace.head, flow, names)
    calls = [*_calls(node for nodes in repeats for node in nodes), head]
    return StreamPlan(
        repeats=tuple(repeats),
        head=head,
        clip_frames=frames,
        smallest_step=lcm(*(call.out.stride for call in calls)),
        history=max((max(call.past, 0) + call.into.delay) * call.into.stride for call in calls),
    )


def _along(
    nodes: Sequence[Node], flow: Flow, shape: Shape, names: Iterator[str]
) -> tuple[tuple[StreamedNode, ...], Flow, Shape]:
    streamed: list[StreamedNode] = []
    for node in nodes:
        if isinstance(node, Parallel):
            ends = [_along(branch, flow, shape, names) for branch in node.branches]
            name = next(names)
            flow = _joined(name, [end for _, end, _ in ends])
            waits = tuple(
                Wait(f"{name}.branch{number}", flow.delay - end.delay if flow.frames > 1 else 0, end_shape)
                for number, (_, end, end_shape) in enumerate(ends, 1)
            )
            join = StreamedCall(name, node.join, "nothing", flow, flow)
            streamed.append(StreamedBranches(tuple(branch for branch, _, _ in ends), waits, join))
            shape = node.join.out_shape
        else:
            call = _streamed(node, flow, names)
            streamed.append(call)
            flow, shape = call.out, node.out_shape
    return tuple(streamed), flow, shape


def _joined(name: str, ends: Sequence[Flow]) -> Flow:
    """How frames pass where branches meet.

    Raises:
        UserError: frames of one branch stand for other frames of the camera than those of another one.
    """
    latest = max(ends, key=lambda end: end.delay_frames)
    if latest.frames > 1 and len(strides := sorted({end.stride for end in ends})) > 1:
        apart = " and ".join(map(str, strides))
        raise UserError(
            f"expected a network that can run over a stream, but {name} joins branches whose frames are "
            f"{apart} of the camera's apart, so that they never meet; give them equal strides over time"
        )
    if latest.frames == 1 and len(delays := sorted({end.delay_frames for end in ends})) > 1:
        late = " and ".join(map(str, delays))
        raise UserError(
            f"expected a network that can run over a stream, but {name} joins branches that make "
            f"single frames of clips which ended {late} frames ago; give them equal windows over time"
        )
    return latest


def _streamed(call: LayerCall, flow: Flow, names: Iterator[str]) -> StreamedCall:
    """A call in a stream.

    Raises:
        UserError: it cannot run over one.
    """
    name = next(names)
    if flow.frames == 1:
        return StreamedCall(name, call, "nothing", flow, flow)
    if call.type == "non_local" and call.mode == "softmax":
        raise UserError(
            f"expected a network that can run over a stream, but {name} relates each position to those of "
            f"all {flow.frames} frames of a clip by a softmax, also of later ones; use its dot_product form, "
            "or put it where a clip has become a single frame"
        )
    if call.type in ("non_local", "head") or (call.type in GATES and call.mode.startswith("clip")):
        return StreamedCall(name, call, "means", flow, flow, past=flow.frames - 1)
    window = time_window(call)
    if window is None:
        return StreamedCall(name, call, "nothing", flow, flow)
    if call.out_shape.frames == 1:
        single = replace(flow, frames=1)
        return StreamedCall(name, call, "clip", flow, single, window, past=flow.frames - 1)
    later = window.taps - 1 - window.before
    delay = (flow.delay + later) // window.stride
    out = Flow(flow.stride * window.stride, delay, call.out_shape.frames)
    past = delay * window.stride + window.before - flow.delay
    return StreamedCall(name, call, "window", flow, out, window, past)


def time_window(call: LayerCall) -> TimeWindow | None:
    """The window of a call over time; None where it sees each frame by itself, or means of all."""
    if call.type == "temporal_shift":
        return TimeWindow(taps=3, stride=1, before=1)
    if call.type == "frame_packing":
        return TimeWindow(call.kernel_frames, call.stride_frames, before=0)
    if call.type in OVER_TIME:
        taps, stride = call.kernel, call.stride
    elif call.type in OVER_BOTH:
        taps, stride = call.kernel_frames, call.stride_frames
    else:
        return None
    return TimeWindow(taps, stride, padding(call.in_shape.frames, taps, stride).before)


def _calls(nodes: Iterator[StreamedNode]) -> Iterator[StreamedCall]:
    for node in nodes:
        if isinstance(node, StreamedBranches):
            for branch in node.branches:
                yield from _calls(iter(branch))
            yield node.join
        else:
            yield node


def _macs(streamed: StreamedCall, step_frames: int) -> int:
    call, passing = streamed.call, streamed.out.in_step(step_frames)
    if call.type == "head":
        return (
            call.macs // streamed.into.frames * streamed.into.in_step(step_frames) if call.mode else call.macs
        )
    if call.type in GATES and call.mode.startswith("clip"):
        return call.macs * passing
    return call.macs * passing // call.out_shape.frames
