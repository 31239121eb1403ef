"""An exported file on clips of the user: whether it names what torch names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import Struct

from tvnsearch.api.clips import prepare_clips
from tvnsearch.api.evaluate import clips_to_score, kept_of
from tvnsearch.api.trained_model import TrainedModel, load_network
from tvnsearch.api.watching import Watch
from tvnsearch.errors import UserError
from tvnsearch.export.formats import open_export
from tvnsearch.export.options import GraphOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from tvnsearch.data.cache import ClipCache
    from tvnsearch.data.catalog import Scored
    from tvnsearch.data.dataset import Clip

MOST_CLIPS = 256
"""So many bound the share that disagrees to 1.2 % where none does (95 %, rule of three)."""

CLIPS_AT_ONCE = 16
CALIBRATION_CLIPS = 128


class ClipAgreement(Struct, frozen=True):
    """How a file's scores of real clips compare with those of torch in float32.

    ``top1_agreement`` is the share of the ``clips`` whose likeliest class is the same; ``max_relative_error``
    the largest difference of a score, over the largest score. ``top1`` is the share that the file names
    rightly, ``torch_top1`` that of torch; None where clips have several labels.
    """

    data: str
    clips: int
    top1_agreement: float
    max_relative_error: float
    top1: float | None = None
    torch_top1: float | None = None


def verified(
    model: TrainedModel,
    folder: Path,
    exported: Path,
    options: GraphOptions,
    data: str | None,
    watch: Watch,
) -> ClipAgreement | None:
    """As :func:`verify_on_clips`; but the clips that a run keeps may be gone, which ``watch`` is told.

    Raises:
        UserError: ``data`` has no such clips.
    """
    try:
        return verify_on_clips(model, folder, exported, options, data, watch)
    except UserError as error:
        if data is not None:
            raise
        watch.say(f"{exported.name} is not compared on the clips of {folder}: {error}")
        return None


def verify_on_clips(
    model: TrainedModel,
    folder: Path,
    exported: Path,
    options: GraphOptions,
    data: str | None,
    watch: Watch,
) -> ClipAgreement | None:
    """Compare the file ``exported`` with the network in ``folder`` on clips of ``data``, 256 at most.

    Without ``data`` they are the validation clips that its run or training keeps; None where it keeps none.

    Raises:
        UserError: there are no such clips, they show other classes, or they cannot be decoded.
    """
    from tvnsearch.data.splits import stratified_subset

    kept = None if data else kept_of(folder)
    if not data and kept is None:
        return None
    split: Scored = "all" if data else "validation"
    part = "test" if data else "validation"
    cache = clips_to_score(model, data or model.card.data, kept, split, model.card.split_seed)
    prepare_clips(cache, watch, reads=1, use="to verify the exported file on", splits=(part,))
    clips = cache.usable(cache.dataset.splits[part])
    chosen = stratified_subset(clips, MOST_CLIPS, seed=0)
    if not chosen:
        raise UserError(
            f"expected clips to verify the exported file on in {cache.dataset.address}, but none can be "
            "decoded; give others by --verify-on"
        )
    compared = _compare(model, exported, options, cache, chosen, watch)
    count, several = len(chosen), model.card.multi_label
    return ClipAgreement(
        cache.dataset.address,
        count,
        compared.agreeing / count,
        compared.error / compared.largest,
        None if several else compared.right / count,
        None if several else compared.torch_right / count,
    )


def agreement_line(agreement: ClipAgreement) -> str:
    """The same for people."""
    return (
        f"on {agreement.clips} clips of {agreement.data} it names the same class as torch in "
        f"{agreement.top1_agreement:.1%}, within {agreement.max_relative_error:.1e} of the largest score"
        f"{_lost(agreement)}"
    )


def _lost(agreement: ClipAgreement) -> str:
    """What the file's precision cost, where it cost anything."""
    if agreement.top1 is None or agreement.torch_top1 is None or agreement.top1 == agreement.torch_top1:
        return ""
    points = 100 * (agreement.torch_top1 - agreement.top1)
    change = f"loses {points:.1f}" if points > 0 else f"gains {-points:.1f}"
    return f"; its top-1 {change} points, {agreement.top1:.1%} against {agreement.torch_top1:.1%}"


def calibration_clips(
    model: TrainedModel, folder: Path, options: GraphOptions, watch: Watch
) -> list[NDArray[Any]]:
    """Training clips that the run or training in ``folder`` keeps, each as a file of ``options`` takes it.

    Raises:
        UserError: it keeps none, or none can be decoded.
    """

    from tvnsearch.data.sampling import look, middle_view, normalise
    from tvnsearch.data.splits import stratified_subset

    kept = kept_of(folder)
    if kept is None:
        raise UserError(
            f"expected --int8 of a run or a training that keeps its clips, by which ranges are found, but "
            f"{folder} keeps none; export it in float32"
        )
    cache = clips_to_score(model, model.card.data, kept, "train", model.card.split_seed)
    prepare_clips(cache, watch, reads=1, use="to find the ranges of int8 on", splits=("train",))
    chosen = stratified_subset(cache.usable(cache.dataset.train), CALIBRATION_CLIPS, seed=0)
    if not chosen:
        raise UserError(f"expected training clips of {folder} to find ranges on, but none can be decoded")
    spec = model.genome.input
    pixels = [look(frames, middle_view(frames, spec), spec)[None] for frames in map(cache.frames, chosen)]
    return [_as_taken(each, normalise(each), options) for each in pixels]


def _as_taken(
    pixels: NDArray[np.uint8], normalised: NDArray[np.float32], options: GraphOptions
) -> NDArray[Any]:
    """Clips in the type and the order of axes that a file of ``options`` takes."""
    import numpy as np

    taken: NDArray[Any] = normalised if options.normalisation is None else pixels
    return np.ascontiguousarray(np.moveaxis(taken, 4, 1) if options.layout == "NCTHW" else taken)


class _Compared(NamedTuple):
    """Clips that are named alike; rightly by the file; by torch; the largest difference and score."""

    agreeing: int
    right: int
    torch_right: int
    error: float
    largest: float


def _compare(
    model: TrainedModel,
    exported: Path,
    options: GraphOptions,
    cache: ClipCache,
    clips: Sequence[Clip],
    watch: Watch,
) -> _Compared:
    import numpy as np
    import torch

    from tvnsearch.data.sampling import look, middle_view, normalise
    from tvnsearch.export.scorer import activated
    from tvnsearch.export.write import scores_of

    network, spec = load_network(model), model.genome.input
    opened = open_export(exported, torch.get_num_threads())
    agreeing, right, torch_right, error, largest = 0, 0, 0, 0.0, 0.0
    for start in range(0, len(clips), CLIPS_AT_ONCE):
        frames = [cache.frames(clip) for clip in clips[start : start + CLIPS_AT_ONCE]]
        pixels = np.stack([look(each, middle_view(each, spec), spec) for each in frames])
        normalised = normalise(pixels)
        with torch.inference_mode():
            expected = activated(network(torch.from_numpy(normalised)), options.output).numpy()
        computed = scores_of(opened, _as_taken(pixels, normalised, options))
        labels = np.array([clip.labels[0] for clip in clips[start : start + CLIPS_AT_ONCE]])
        right += int((computed.argmax(1) == labels).sum())
        torch_right += int((expected.argmax(1) == labels).sum())
        agreeing += int((computed.argmax(1) == expected.argmax(1)).sum())
        error = max(error, float(np.abs(computed - expected).max()))
        largest = max(largest, float(np.abs(expected).max()))
        watch.progress("verify", (start + len(frames)) / len(clips), "")
    return _Compared(agreeing, right, torch_right, error, largest)
