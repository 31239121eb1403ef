"""A trained network for a stream of frames."""

from __future__ import annotations

from math import prod
from pathlib import Path

from msgspec import Struct

from tvnsearch.api.trained_model import TrainedModel, export_metadata, load_model, load_network
from tvnsearch.errors import UserError
from tvnsearch.export.options import GraphOptions
from tvnsearch.files import check_place, writing
from tvnsearch.genome.streaming import StreamPlan, plan_stream
from tvnsearch.genome.trace import trace

SUFFIX = ".onnx"
FRAMES_A_SECOND = 30
"""What a genome's frame stride counts in."""


class ExportedStream(Struct, frozen=True):
    """The file, how it is used, what a run costs beside a whole clip, and what was checked.

    A run takes ``step_frames``, each ``frame_interval_s`` after the one before; its logits are those of the
    clip that ended ``delay_frames`` ago. ``running_means`` names the layers that in a clip weigh frames by
    the whole of it, and here by what came until then: with any, ``clip_relative_error`` is no rounding.
    """

    path: str
    step_frames: int
    clip_frames: int
    delay_frames: int
    frame_interval_s: float
    running_means: list[str]
    state_bytes: int
    step_gflops: float
    clip_gflops: float
    max_relative_error: float
    clip_relative_error: float

    @property
    def delay_s(self) -> float:
        """The delay in seconds of the stream."""
        return self.delay_frames * self.frame_interval_s


def _metadata(model: TrainedModel) -> dict[str, str]:
    """As of a clip's file, but for its input, which is none of clips."""
    told = export_metadata(model.genome, model.card, GraphOptions())
    return {key: value for key, value in told.items() if key != "input"}


def export_streaming(model: str | Path, out: str | Path, *, step_frames: int | None = None) -> ExportedStream:
    """Export the network trained in the folder ``model``, or a run's winner, for a stream of frames, as ONNX.

    A run of the file takes ``step_frames`` and its states: by default as few as the strides over time allow,
    or a multiple of that.

    Raises:
        UserError: there is no such model, it cannot run over a stream (the sentence names the layer) or not
            in such steps, it cannot be exported, or ``out`` is no name for such a file, or not be written.
    """
    path = Path(out)
    with writing(path):
        check_place(path)
    if path.suffix.lower() != SUFFIX:
        raise UserError(
            f"expected a file name that ends in {SUFFIX}, as streaming networks are written as ONNX, but got "
            f"{path}; say --out {path.with_suffix(SUFFIX)}"
        )
    trained = load_model(model)
    walked = trace(trained.genome, len(trained.card.classes))
    plan = plan_stream(walked)
    step_frames = _checked(step_frames, plan)

    from tvnsearch.export import streaming

    card, errors = streaming.export_streaming(
        load_network(trained), plan, step_frames, path, _metadata(trained)
    )
    return ExportedStream(
        path=str(out),
        step_frames=step_frames,
        clip_frames=card.clip_frames,
        delay_frames=card.delay_frames,
        frame_interval_s=trained.genome.input.frame_stride / FRAMES_A_SECOND,
        running_means=list(card.running_means),
        state_bytes=sum(4 * prod(state.shape) for state in card.states),
        step_gflops=2e-9 * plan.macs_of_step(step_frames),
        clip_gflops=2e-9 * walked.macs,
        max_relative_error=errors.to_torch,
        clip_relative_error=errors.to_clip,
    )


def _checked(step_frames: int | None, plan: StreamPlan) -> int:
    """So many frames as a run can take.

    Raises:
        UserError: the network's strides over time do not allow it.
    """
    if step_frames is None:
        return plan.smallest_step
    if step_frames < 1 or step_frames % plan.smallest_step:
        raise UserError(
            f"expected --step-frames to be a multiple of {plan.smallest_step}, as its strides over "
            f"time ask, but got {step_frames}"
        )
    return step_frames


def streamed_lines(exported: ExportedStream) -> list[str]:
    """What was written, how it is to be used and what it costs; for people."""
    share = exported.step_gflops / exported.clip_gflops
    lines = [
        f"{exported.path} written; run by run, ONNX Runtime agrees with torch within "
        f"{exported.max_relative_error:.1e} of the largest logit",
        f"a run takes {exported.step_frames} frame(s), {exported.frame_interval_s:.3g} s apart, and "
        f"{exported.state_bytes / 1e6:.3g} MB of states, and costs {exported.step_gflops:.3g} GFLOPs, "
        f"{share:.1%} of a clip of {exported.clip_frames} frames ({exported.clip_gflops:.3g} GFLOPs)",
        f"its logits are those of the clip that ended {exported.delay_frames} frame(s) ago "
        f"({exported.delay_s:.3g} s)",
    ]
    if exported.running_means:
        lines.append(
            f"{len(exported.running_means)} layer(s) weigh frames by what came until then, not by the whole "
            f"clip ({', '.join(exported.running_means)}): on a clip of random frames the logits are "
            f"{exported.clip_relative_error:.1%} of the largest away from those of the network for clips"
        )
    return lines
