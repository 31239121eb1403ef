"""A trained network as an ONNX file that takes a few frames of a stream and its states at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import numpy as np
import torch
from msgspec import Struct
from torch import Tensor

from tvnsearch.errors import UserError, in_one_line
from tvnsearch.export.torch_exporter import translated
from tvnsearch.export.write import MOST_RELATIVE_ERROR
from tvnsearch.files import write_whole, writing
from tvnsearch.genome.streaming import StreamPlan
from tvnsearch.network.build import TinyVideoNetwork
from tvnsearch.network.streaming import StreamingNetwork

OTHER_PACKAGES = "try other versions of the packages, `pip install --upgrade 'tvnsearch[onnx]'`"

USAGE = (
    "Feed step_frames frames a run, float32 and normalised as on clips, with real = 1 for each, and every "
    "output next.NAME as the input state.NAME of the run after it; before the first frame states are zeros. "
    "The logits are those of the clip that ended delay_frames ago. To end a stream feed zeros with real = 0."
)

Step: TypeAlias = Callable[..., Sequence[Any]]
"""Takes frames, which of them are real, and the states, as arrays; gives logits and the next states."""


class State(Struct, frozen=True):
    """What is carried from run to run: the ``output`` of one is the ``input`` of the next."""

    input: str
    output: str
    shape: tuple[int, ...]


class StreamCard(Struct, frozen=True):
    """How a streaming file is used; its metadata has this as JSON under ``streaming``.

    ``steps_of_clip`` runs, the last of them on zeros, give the logits of a clip from zero states.
    ``running_means`` names the layers that weigh frames by what came until then, and not by the whole clip.
    """

    step_frames: int
    clip_frames: int
    delay_frames: int
    steps_of_clip: int
    states: tuple[State, ...]
    running_means: tuple[str, ...]
    usage: str = USAGE


class StreamErrors(Struct, frozen=True):
    """The largest differences of logits, relative to the largest logit, on random frames.

    ``to_torch`` is ONNX Runtime's from torch's, run by run; ``to_clip`` the streamed logits' at the end of a
    clip from those of the network on that clip: rounding, unless some layer takes running means.
    """

    to_torch: float
    to_clip: float


def export_streaming(
    network: TinyVideoNetwork, plan: StreamPlan, step_frames: int, path: Path, metadata: Mapping[str, str]
) -> tuple[StreamCard, StreamErrors]:
    """Write ``network`` over a stream, ``step_frames`` frames a run, to ``path``; checked in ONNX Runtime.

    Inputs are ``frames`` (step_frames, height, width, 3), ``real`` (step_frames,) and a ``state.NAME`` each;
    outputs ``logits`` (1, classes) and a ``next.NAME`` for each state, all float32.

    Raises:
        UserError: the extra packages are missing, the export fails or computes something else than torch
            does, or the file cannot be written. What was at ``path`` before is there still.
    """
    try:
        import onnx  # noqa: F401 - torch's exporter needs it, and the next one
        import onnxruntime
        import onnxscript  # noqa: F401
    except Exception as error:
        raise UserError(
            f"expected the ONNX packages for an export, but importing them failed ({in_one_line(error)}); "
            "install them with `pip install 'tvnsearch[onnx]'`"
        ) from error
    try:
        with torch.inference_mode():
            streaming = StreamingNetwork(network, plan, step_frames).eval()
            card = _card(streaming, plan)
            content = _translated(streaming, card, metadata)
            session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
            errors = _errors(network, streaming, session, card)
    except Exception as error:
        raise UserError(
            f"expected to export a network for ONNX Runtime, but that failed ({in_one_line(error)}); "
            f"{OTHER_PACKAGES}"
        ) from error
    wrong = errors.to_torch if card.running_means else max(errors.to_torch, errors.to_clip)
    if not wrong <= MOST_RELATIVE_ERROR:
        raise UserError(
            f"expected an exported network that agrees within {MOST_RELATIVE_ERROR:g} of the largest logit, "
            f"but it differs from torch by {wrong:.2g}; nothing was written, {OTHER_PACKAGES}"
        )
    with writing(path):
        write_whole(path, content)
    return card, errors


def _card(streaming: StreamingNetwork, plan: StreamPlan) -> StreamCard:
    return StreamCard(
        step_frames=streaming.step_frames,
        clip_frames=plan.clip_frames,
        delay_frames=plan.delay_frames,
        steps_of_clip=plan.steps_of_clip(streaming.step_frames),
        states=tuple(
            State(f"state.{name}", f"next.{name}", shape) for name, shape in streaming.state_shapes.items()
        ),
        running_means=tuple(plan.running_means),
    )


def _translated(streaming: StreamingNetwork, card: StreamCard, metadata: Mapping[str, str]) -> bytes:
    """The content of an ONNX file."""
    frames = torch.zeros(streaming.step_frames, *streaming.frame_shape)
    return translated(
        streaming,
        (frames, torch.ones(streaming.step_frames), *streaming.first_states()),
        ["frames", "real", *(state.input for state in card.states)],
        ["logits", *(state.output for state in card.states)],
        {**metadata, "streaming": msgspec.json.encode(card).decode()},
    )


def _errors(
    network: TinyVideoNetwork, streaming: StreamingNetwork, session: Any, card: StreamCard
) -> StreamErrors:
    """Run a clip to its end, and a stream of real frames as long and a clip longer."""
    names = [put.name for put in session.get_inputs()]

    def in_torch(*fed: Any) -> Sequence[Any]:
        return [value.numpy() for value in streaming(*map(torch.from_numpy, fed))]

    def in_onnx_runtime(*fed: Any) -> Sequence[Any]:
        given: Sequence[Any] = session.run(None, dict(zip(names, fed, strict=True)))
        return given

    draws = torch.Generator().manual_seed(0)
    steps = card.steps_of_clip - (-card.clip_frames // card.step_frames)
    endless = torch.randn(steps * card.step_frames, *streaming.frame_shape, generator=draws)
    ended = endless[: card.steps_of_clip * card.step_frames].clone()
    ended[card.clip_frames :] = 0.0
    expected = network(ended[None, : card.clip_frames]).numpy()[0]
    to_torch = []
    for frames, real_frames in ((ended, card.clip_frames), (endless, len(endless))):
        fed = list(_steps(frames, real_frames, card.step_frames))
        first = [np.zeros(state.shape, np.float32) for state in card.states]
        computed = _logits(in_onnx_runtime, fed, first)
        answers = _logits(in_torch, fed, first)
        to_torch.append(float(np.abs(computed - answers).max() / np.abs(answers).max()))
        if real_frames == card.clip_frames:
            to_clip = float(np.abs(computed[-1] - expected).max() / np.abs(expected).max())
    return StreamErrors(max(to_torch), to_clip)


def _steps(frames: Tensor, real_frames: int, step_frames: int) -> Iterator[tuple[Any, Any]]:
    """What each run is fed of ``frames``, of which the first ``real_frames`` are the stream."""
    real = (np.arange(len(frames)) < real_frames).astype(np.float32)
    for first in range(0, len(frames), step_frames):
        step = slice(first, first + step_frames)
        yield frames[step].numpy(), real[step]


def _logits(run: Step, fed: Sequence[tuple[Any, Any]], states: Sequence[Any]) -> Any:
    """The logits after each run, from these first ``states`` on."""
    all_logits = []
    for frames, real in fed:
        logits, *states = run(frames, real, *states)
        all_logits.append(logits[0])
    return np.stack(all_logits)
