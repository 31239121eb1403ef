"""An exported file on clips of the user: whether it names what torch names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from tvnsearch.api.clips import prepare_clips
from tvnsearch.api.evaluate import clips_to_score, kept_of
from tvnsearch.api.trained_model import TrainedModel, load_network
from tvnsearch.api.watching import Watch
from tvnsearch.errors import UserError
from tvnsearch.export.formats import Format, loaded
from tvnsearch.export.options import GraphOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tvnsearch.data.cache import ClipCache
    from tvnsearch.data.catalog import Scored
    from tvnsearch.data.dataset import Clip

MOST_CLIPS = 256
"""So many bound the share that disagrees to 1.2 % where none does (95 %, rule of three)."""

CLIPS_AT_ONCE = 16


class ClipAgreement(Struct, frozen=True):
    """How a file's scores of real clips compare with those of torch in float32.

    ``top1_agreement`` is the share of the ``clips`` whose likeliest class is the same; ``max_relative_error``
    the largest difference of a score, over the largest score.
    """

    data: str
    clips: int
    top1_agreement: float
    max_relative_error: float


def verified(
    model: TrainedModel,
    folder: Path,
    exported: Path,
    file_format: Format,
    options: GraphOptions,
    data: str | None,
    watch: Watch,
) -> ClipAgreement | None:
    """As :func:`verify_on_clips`; but the clips that a run keeps may be gone, which ``watch`` is told.

    Raises:
        UserError: ``data`` has no such clips.
    """
    try:
        return verify_on_clips(model, folder, exported, file_format, options, data, watch)
    except UserError as error:
        if data is not None:
            raise
        watch.say(f"{exported.name} is not compared on the clips of {folder}: {error}")
        return None


def verify_on_clips(
    model: TrainedModel,
    folder: Path,
    exported: Path,
    file_format: Format,
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
    agreeing, error, largest = _compare(model, exported, file_format, options, cache, chosen, watch)
    return ClipAgreement(cache.dataset.address, len(chosen), agreeing / len(chosen), error / largest)


def agreement_line(agreement: ClipAgreement) -> str:
    """The same for people."""
    return (
        f"on {agreement.clips} clips of {agreement.data} it names the same class as torch in "
        f"{agreement.top1_agreement:.1%}, within {agreement.max_relative_error:.1e} of the largest score"
    )


def _compare(
    model: TrainedModel,
    exported: Path,
    file_format: Format,
    options: GraphOptions,
    cache: ClipCache,
    clips: Sequence[Clip],
    watch: Watch,
) -> tuple[int, float, float]:
    """Clips that are named alike, the largest difference of a score, and the largest score."""
    import numpy as np
    import torch

    from tvnsearch.data.sampling import look, middle_view, normalise
    from tvnsearch.export.scorer import activated
    from tvnsearch.export.write import scores_of

    network, spec = load_network(model), model.genome.input
    files = {suffix: place.read_bytes() for suffix, place in file_format.places(exported).items()}
    opened = loaded(file_format).opened(files, torch.get_num_threads())
    agreeing, error, largest = 0, 0.0, 0.0
    for start in range(0, len(clips), CLIPS_AT_ONCE):
        frames = [cache.frames(clip) for clip in clips[start : start + CLIPS_AT_ONCE]]
        pixels = np.stack([look(each, middle_view(each, spec), spec) for each in frames])
        normalised = normalise(pixels)
        with torch.inference_mode():
            expected = activated(network(torch.from_numpy(normalised)), options.output).numpy()
        taken = normalised if options.normalisation is None else pixels
        if options.layout == "NCTHW":
            taken = np.moveaxis(taken, 4, 1)
        computed = scores_of(opened, np.ascontiguousarray(taken))
        agreeing += int((computed.argmax(1) == expected.argmax(1)).sum())
        error = max(error, float(np.abs(computed - expected).max()))
        largest = max(largest, float(np.abs(expected).max()))
        watch.progress("verify", (start + len(frames)) / len(clips), "")
    return agreeing, error, largest
