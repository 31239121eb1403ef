"""Decodes the videos that a cache lacks: on all cores, in the form that the disk has room for.

What will hardly be read, or has room in no form, is not decoded: the times of its frames are kept, and a
reader decodes what it needs.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from itertools import islice
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import BinaryIO, NamedTuple

from tvnsearch.cores import usable_threads
from tvnsearch.data.decode import BASE_RATE, read_frames, small_size
from tvnsearch.data.on_demand import frame_times
from tvnsearch.data.preparation_plan import OnPlan, sampled, timed_plan
from tvnsearch.data.stored import Form, VideoWriter, open_stored
from tvnsearch.data.video import BrokenClip, Video, open_video, source_files
from tvnsearch.errors import UserError

SHARE_OF_FREE: dict[Form, float] = {"raw": 0.5, "jpeg": 0.9, "h264": 0.9}
"""Of the free space, what the decoded videos may take: the first form with room is taken."""

SHARE_OF_RAW: dict[Form, float] = {"raw": 1.0, "jpeg": 0.2, "h264": 0.05}
"""Bytes of a frame in a form by those of it raw, roughly."""

FEW_READS = 2.0
"""For fewer reads of each clip its frames are not stored: who stores decodes all of them, a reader a part."""

SAMPLED_VIDEOS = 64
"""Videos that are opened to guess how much room all of them need."""

LEAST_FRAME_BYTES = 20
"""Of an encoded frame: a damaged header must not announce more frames than the file could hold."""

MOST_THREADS = 16
WAITING_A_THREAD = 4
REPORT_EVERY_S = 0.25


class PreparationProgress(NamedTuple):
    """How far the decoding is: the share of its work (0 to 1), videos done and in all, and their form."""

    share: float
    videos: int
    of_videos: int
    form: Form


OnPreparation = Callable[[PreparationProgress], None]


class Decoding(NamedTuple):
    """What `decode_all` came to: broken videos with their reasons, what it decoded, and how many it knew."""

    broken: dict[Path, BrokenClip]
    decoded: frozenset[Path]
    known: int


def decode_all(
    sources: Sequence[Path],
    resolution: int,
    directory: Path,
    target_of: Callable[[Path], Path],
    keep: Callable[[Path, Path], None],
    on_progress: OnPreparation | None = None,
    on_plan: OnPlan | None = None,
    reads: float | None = None,
    timed: Collection[Path] = (),
) -> Decoding:
    """Decode each source into `target_of(source)` in `directory`, and `keep` it, with its target, as done.

    A target appears when it is whole; one that is there already is known and only kept. What many videos take
    is told before. `reads` is how often a clip will be read, about (None: very often). Of the sources that
    are `timed` the times of frames are known already: they are decoded if frames are stored, and left as they
    are if not. An interrupt ends the videos in flight at once.

    Raises UserError when the disk is full, OSError never: a source that cannot be read is broken.
    """
    if not sources:
        return Decoding({}, frozenset(), 0)
    remove_remains(directory)
    sizes = {source: source_bytes(source) for source in sources}
    work = _Work(resolution, choose_form(sizes, resolution, directory, reads), target_of, keep)
    if work.form == "source":
        sources = [source for source in sources if source not in timed]
    total_bytes, done_bytes = max(1, sum(sizes[source] for source in sources)), 0
    broken: dict[Path, BrokenClip] = {}
    threads = min(MOST_THREADS, usable_threads())
    if on_plan and work.form != "source" and len(sources) > SAMPLED_VIDEOS:
        on_plan(timed_plan(sizes, resolution, work.form, threads))
    pool = ThreadPoolExecutor(max_workers=threads)
    try:
        finished: SimpleQueue[tuple[Path, Future[BrokenClip | None]]] = SimpleQueue()

        def finish(source: Path, future: Future[BrokenClip | None]) -> None:
            finished.put((source, future))

        waiting = iter(sources)

        def submit(count: int) -> None:
            for source in islice(waiting, count):
                pool.submit(work.do, source).add_done_callback(partial(finish, source))

        submit(WAITING_A_THREAD * threads)
        videos = 0
        while videos < len(sources):
            with suppress(Empty):
                source, future = finished.get(timeout=REPORT_EVERY_S)
                submit(1)
                if failure := future.result():
                    broken[source] = failure
                videos += 1
                done_bytes += sizes[source]
                work.shares.pop(source, None)
            if on_progress:
                partly = sum(share * sizes[source] for source, share in work.shares.copy().items())
                share = min((done_bytes + partly) / total_bytes, 1.0)
                on_progress(PreparationProgress(share, videos, len(sources), work.form))
    finally:
        work.stopped.set()
        pool.shutdown(cancel_futures=True)
    decoded = frozenset(work.decoded)
    return Decoding(broken, decoded, len(sizes) - len(broken) - len(decoded))


def choose_form(sizes: Mapping[Path, int], resolution: int, directory: Path, reads: float | None) -> Form:
    """Raw frames where they leave half of the free space, else JPEG, else H.264, else the source itself.

    That is the choice for few `reads` of a clip as well. `sizes` are the bytes of each source; how many
    those of its frames are is guessed from some of the videos.
    """
    if are_few(reads):
        return "source"
    raw = read = 0
    for source in sampled(sizes, SAMPLED_VIDEOS):
        with suppress(BrokenClip), open_video(source) as video:
            raw += _raw_bytes(video, resolution, sizes[source])
            read += sizes[source]
    needed = raw * sum(sizes.values()) / read if read else 0
    free = shutil.disk_usage(directory).free
    for form, share in SHARE_OF_FREE.items():
        if SHARE_OF_RAW[form] * needed <= share * free:
            return form
    return "source"


def are_few(reads: float | None) -> bool:
    """Whether so many reads of each clip are fewer than storing its frames is worth; None are very many."""
    return reads is not None and reads < FEW_READS


def source_bytes(source: Path) -> int:
    """Bytes of a video file, or of all pictures of a folder; 0 where there is none."""
    try:
        return sum(file.stat().st_size for file in source_files(source))
    except OSError:
        return 0


def remove_remains(directory: Path) -> None:
    """Remove what killed processes had begun to write: files that nobody holds a lock on."""
    for part in directory.glob("*.part"):
        with suppress(OSError), part.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            part.unlink()


class _Work:
    """What the threads of a preparation share."""

    def __init__(
        self,
        resolution: int,
        form: Form,
        target_of: Callable[[Path], Path],
        keep: Callable[[Path, Path], None],
    ) -> None:
        self.form = form
        self.stopped = threading.Event()
        self.shares: dict[Path, float] = {}
        self.decoded: set[Path] = set()
        self._resolution, self._target_of, self._keep = resolution, target_of, keep

    def do(self, source: Path) -> BrokenClip | None:
        """Decode a video, unless its content is known, and keep it; returns what is wrong with it."""
        try:
            target = self._target_of(source)
        except OSError as error:
            missing = isinstance(error, FileNotFoundError)
            return BrokenClip(source, "no such file" if missing else str(error.strerror))
        try:
            known = open_stored(target)
            if known is None or (known.form == "source" != self.form):
                with open_video(source) as video:
                    self._write(source, video, target)
                self.decoded.add(source)
        except BrokenClip as failure:
            return failure
        with _writing_to(target.parent):
            self._keep(source, target)
        return None

    def _write(self, source: Path, video: Video, target: Path) -> None:
        whole_s = video.guessed_s
        part = target.with_name(f"{target.stem}.{os.getpid()}-{threading.get_ident()}.part")
        with _writing_to(target.parent):
            file = _locked(part)
        with file:
            try:
                writer = VideoWriter(file, self.form)
                read = frame_times if self.form == "source" else read_frames
                for frame in read(video, self._resolution):
                    if self.stopped.is_set():
                        raise CancelledError
                    with _writing_to(target.parent):
                        writer.add(frame)
                    if whole_s > 0:
                        self.shares[source] = min(1.0, frame.time_s / whole_s)
                if not writer.frames:
                    raise BrokenClip(source, "no frame of it can be decoded")
                with _writing_to(target.parent):
                    writer.finish(video.end_s, video.announced_s)
                    file.flush()
                    part.replace(target)
            except BaseException:
                part.unlink(missing_ok=True)
                raise


def _locked(part: Path) -> BinaryIO:
    """A new file, locked until it is closed; made again if it was taken for remains meanwhile."""
    while True:
        file = part.open("wb")
        fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file.fileno()).st_nlink:
            return file
        file.close()


@contextmanager
def _writing_to(directory: Path) -> Iterator[None]:
    """Tell a disk that is full from a source that is broken."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"expected to write decoded clips to {directory}, but: {error.strerror}; what was decoded is "
            "kept: make room, or set XDG_CACHE_HOME to another folder, and give the same command again"
        ) from None


def _raw_bytes(video: Video, resolution: int, source_size: int) -> int:
    codec = video.stream.codec_context
    width, height = small_size(max(1, round(codec.width * video.pixel_ratio)), codec.height, resolution)
    rate = min(video.frame_rate or BASE_RATE, BASE_RATE)
    seconds = video.guessed_s
    if seconds <= 0:
        video.packets()
        seconds = video.end_s
    frames = min(round(seconds * rate), source_size // LEAST_FRAME_BYTES)
    return 3 * width * height * frames
