"""What a network sees in videos: labels with their times, of files and of streams without end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from tvnsearch.api.genomes import listed
from tvnsearch.api.trained_model import TrainedModel, load_model, logits_of
from tvnsearch.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from tvnsearch.data.streaming import Window

MOST_LABELS = 5


class Label(Struct, frozen=True):
    """A class, and how sure the network is of it."""

    label: str
    probability: float


class Moment(Struct, frozen=True):
    """The likeliest labels of a window, from `start_s` to `end_s` seconds after the first frame.

    ``delay_ms`` went by from the arrival of its last frame until it was told; ``dropped`` frames were left
    out of the stream so far, because this device does not keep up.
    """

    start_s: float
    end_s: float
    labels: list[Label]
    delay_ms: float
    dropped: int


class Classification(Struct, frozen=True):
    """The likeliest labels of a whole video (the mean over its windows), and of each window.

    ``milliseconds`` include the decoding. ``broken`` is a sentence that says why a video has no labels, None
    where it has.
    """

    video: str
    labels: list[Label]
    windows: list[Moment]
    milliseconds: float
    broken: str | None = None


def classify(
    model: str | Path,
    videos: str | Path | Sequence[str | Path],
    *,
    every_s: float = 1.0,
    on_moment: Callable[[Moment], None] = lambda moment: None,
) -> Iterator[Classification]:
    """Label each of ``videos``, by the network trained in the folder ``model`` or a run's winner.

    A folder among them stands for all videos below it, in the order of their names. Windows begin every
    ``every_s`` seconds of a video; ``on_moment`` is told of each as it comes. One that cannot be decoded is
    ``broken``, and the others are labelled all the same.

    Raises:
        UserError: there is no such model, or no video in a folder.
    """
    classifier = _Classifier(load_model(model), every_s)
    asked: Sequence[str | Path] = listed(videos)
    found = [video for source in asked for video in _videos_of(str(source))]
    return (classifier.classify(video, on_moment) for video in found)


def classify_stream(model: str | Path, source: str | Path, *, every_s: float = 1.0) -> Iterator[Moment]:
    """Labels of a stream or a video file as they come, by the network in the folder ``model``.

    A stream is a camera (``/dev/video0`` or its number), an address of RTSP, http or https, or ``-``, stdin.
    Of a source that keeps to the clock they are told ``every_s`` after their last frame, always: a network
    that is faster waits, so that the delay is fixed.

    Raises:
        UserError: there is no such model; or, at the first moment, the source cannot be decoded.
    """
    classifier = _Classifier(load_model(model), every_s)
    return (moment for moment, _ in classifier.looks(str(source)))


def is_stream(source: str) -> bool:
    """Whether frames come from there in their own time, as from a camera, an address, or stdin."""
    from tvnsearch.data.streaming import FILE, pace_of

    return pace_of(source) != FILE


def _videos_of(source: str) -> list[str]:
    """The videos below a folder; any other source is itself one, and so is a folder of a video's frames."""
    from tvnsearch.data.catalog.names import is_video

    folder = Path(source)
    if is_stream(source) or not folder.is_dir() or (folder / f"{folder.name}-000001.jpg").is_file():
        return [source]
    found = sorted(str(path) for path in folder.rglob("*") if is_video(path.name) and path.is_file())
    if not found:
        raise UserError(f"expected videos in the folder {folder}, but it has none; give another one")
    return found


class _Classifier:
    """A trained network, ready to look at videos; labels are told every ``every_s`` seconds of a video."""

    def __init__(self, model: TrainedModel, every_s: float) -> None:
        self._model, self._every_s = model, every_s
        self._logits = logits_of(model)

    def classify(self, source: str, on_moment: Callable[[Moment], None]) -> Classification:
        """Label a whole video, reporting each window as it comes."""
        import numpy as np

        began_s = time.perf_counter()
        moments, all_probabilities = [], []
        try:
            for moment, probabilities in self.looks(source):
                moments.append(moment)
                all_probabilities.append(probabilities)
                on_moment(moment)
        except UserError as error:
            return Classification(source, [], [], (time.perf_counter() - began_s) * 1000, broken=str(error))
        labels = self._labels(np.mean(all_probabilities, axis=0))
        return Classification(source, labels, moments, (time.perf_counter() - began_s) * 1000)

    def looks(self, source: str) -> Iterator[tuple[Moment, npt.NDArray[np.float32]]]:
        """Each window as it comes, and the probabilities of all classes in it."""
        from tvnsearch.data.streaming import arrivals, sliding_windows

        spec = self._model.genome.input
        live = is_stream(source)
        # While a label is held back until its time, the frames of the next window wait.
        with closing(arrivals(source, spec.long_side, 2 * self._every_s)) as frames:
            for window in sliding_windows(frames, spec, self._every_s):
                probabilities = self._probabilities(window)
                if live and window.keeps_time:  # a file that is piped has no clock to keep
                    time.sleep(max(0.0, window.arrived_s + self._every_s - time.monotonic()))
                delay_ms = (time.monotonic() - window.arrived_s) * 1000
                labels = self._labels(probabilities)
                yield Moment(window.start_s, window.end_s, labels, delay_ms, window.dropped), probabilities

    def _probabilities(self, window: Window) -> npt.NDArray[np.float32]:
        import torch

        from tvnsearch.data.sampling import middle_crop, normalise, resize

        spec = self._model.genome.input
        rows, columns = window.pixels.shape[1:3]
        top, left, height, width = middle_crop(rows, columns, spec)
        pixels = resize(window.pixels[:, top : top + height, left : left + width], spec)
        logits = torch.from_numpy(self._logits(normalise(pixels)[None]))[0]
        shares = logits.sigmoid() if self._model.card.multi_label else logits.softmax(0)
        probabilities: npt.NDArray[np.float32] = shares.numpy()
        return probabilities

    def _labels(self, probabilities: npt.NDArray[np.float32]) -> list[Label]:
        """The likeliest of all classes, the likeliest first."""
        classes = self._model.card.classes
        likeliest = (-probabilities).argsort(kind="stable")[:MOST_LABELS]
        return [Label(classes[index], float(probabilities[index])) for index in likeliest]
