"""The embedded data set: handwritten digits moving over textured backgrounds, as real H.264 mp4 files.

A class is a digit together with a motion, such as `3-left`. The digit starts anywhere and leaves the frame on
one side to enter it on the other, so at any time it is equally likely to be anywhere, whatever its motion: a
single frame says nothing about the motion, and a network that cannot see motion cannot win.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import av
import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Struct
from sklearn.datasets import load_digits

from tvnsearch.cores import usable_threads
from tvnsearch.data.catalog import CSV_NAME
from tvnsearch.errors import UserError
from tvnsearch.files import write_whole, writing

MOTIONS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
"""Direction of each motion as (x, y), y downwards."""

SIDE = 64
"""Width and height of a frame, pixels."""

DIGIT_SIDE = 32
"""Width and height of a digit, pixels: the 8 x 8 images, four times as large."""

FRAMES_PER_EVENT = 24
EVENTS_PER_CLIP = 3
"""Events strung into a clip of the multi-label variant; a clip of the other has one."""

FRAMES_PER_SECOND = 30
"""So that a stride of one is one frame."""

SLOWEST, FASTEST = 1.0, 2.0
"""Speed, pixels a frame: eight frames move a digit by a quarter of the frame at most, so that no stride
in use makes one direction look like another."""

IMAGE_SHARES = {"train": 0.7, "validation": 0.15, "test": 0.15}
"""How the digit images are dealt out: no image is in two splits."""

DESCRIPTION = "dataset.json"

_Floats = npt.NDArray[np.float32]


class ClipsPerClass(Struct, frozen=True):
    """Clips of each class in each split (multi-label: clips of a split, divided by the number of classes)."""

    train: int = 28
    validation: int = 6
    test: int = 6


DEFAULT_CLIPS_PER_CLASS = ClipsPerClass()


class Parameters(Struct, frozen=True):
    """What the generated files depend on, and nothing else."""

    clips_per_class: ClipsPerClass
    digits: tuple[int, ...]
    multi_label: bool
    seed: int

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names, digit by digit."""
        return tuple(f"{digit}-{motion}" for digit in self.digits for motion in MOTIONS)


class _Description(Struct, frozen=True):
    name: str
    parameters: Parameters
    finished: bool


class _Job(Struct, frozen=True):
    """One file to write: its path below the root, the classes that it shows in their order, and its seed."""

    file: str
    split: str
    events: tuple[str, ...]
    seed: tuple[int, ...]


def generate(
    out_dir: Path,
    clips_per_class: ClipsPerClass = DEFAULT_CLIPS_PER_CLASS,
    *,
    digits: Sequence[int] = range(10),
    multi_label: bool = False,
    seed: int = 0,
    on_progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write the data set to `out_dir` and return that, to be opened with `open_dataset`.

    Written as `<split>/<class>/<n>.mp4`, or for the multi-label variant as `clips/<split>/<n>.mp4` and a list
    `clips.csv`. The clips depend on the arguments alone. `dataset.json` keeps these: once it is finished, a
    second call with the same arguments does nothing; after an interruption it writes what is missing.
    Progress is (clips done, clips in all).

    Raises UserError when `out_dir` holds anything else, or the same with other arguments, or cannot be
    written.
    """
    parameters = Parameters(clips_per_class, tuple(digits), multi_label, seed)
    with writing(out_dir, "and give the same command again, which goes on with what is missing"):
        return _generated(out_dir, parameters, on_progress)


def _generated(out_dir: Path, parameters: Parameters, on_progress: Callable[[int, int], None] | None) -> Path:
    if _begin(out_dir, parameters):
        return out_dir
    jobs = list(_jobs(parameters))
    missing = [job for job in jobs if not (out_dir / job.file).exists()]
    for folder in {(out_dir / job.file).parent for job in missing}:
        folder.mkdir(parents=True, exist_ok=True)
    images = _images_by_split(parameters.seed)
    pool = ThreadPoolExecutor(max_workers=min(8, usable_threads()))
    try:
        writes = pool.map(lambda job: _write_clip(out_dir / job.file, _render(job, images)), missing)
        for done, _ in enumerate(writes, start=len(jobs) - len(missing) + 1):
            if on_progress:
                on_progress(done, len(jobs))
    finally:
        pool.shutdown(cancel_futures=True)
    if parameters.multi_label:
        _write_list(out_dir / CSV_NAME, jobs)
    _describe(out_dir, _Description("moving digits", parameters, finished=True))
    return out_dir


def _begin(out_dir: Path, parameters: Parameters) -> bool:
    """Claim the folder for these parameters; whether it is finished already."""
    out_dir.mkdir(parents=True, exist_ok=True)
    path = out_dir / DESCRIPTION
    if not path.exists():
        if any(out_dir.iterdir()):
            raise UserError(
                f"expected an empty folder for moving digits, but {out_dir} holds other files; name another"
            )
        _describe(out_dir, _Description("moving digits", parameters, finished=False))
        return False
    try:
        there = msgspec.json.decode(path.read_bytes(), type=_Description)
    except msgspec.DecodeError as error:
        raise UserError(
            f"expected {path} to describe moving digits, but it does not ({error}); name another folder"
        ) from error
    if there.parameters != parameters:
        raise UserError(
            f"expected moving digits with the same parameters in {out_dir}, but those there were made with "
            f"{msgspec.json.encode(there.parameters).decode()}; give another folder or remove that one"
        )
    return there.finished


def _describe(out_dir: Path, description: _Description) -> None:
    write_whole(out_dir / DESCRIPTION, msgspec.json.format(msgspec.json.encode(description)))


def _jobs(parameters: Parameters) -> Iterator[_Job]:
    """Every clip with a seed of its own, so that it does not matter which of them are there already."""
    classes = parameters.classes
    for split_number, (split, count) in enumerate(msgspec.structs.asdict(parameters.clips_per_class).items()):
        for class_number, name in enumerate(classes):
            for number in range(count):
                seed = (parameters.seed, split_number, class_number, number)
                if parameters.multi_label:
                    others = np.random.default_rng(seed).choice(classes, EVENTS_PER_CLIP - 1)
                    file = f"clips/{split}/{class_number * count + number:05d}.mp4"
                    yield _Job(file, split, (*map(str, others), name), seed)
                else:
                    yield _Job(f"{split}/{name}/{number:04d}.mp4", split, (name,), seed)


def _images_by_split(seed: int) -> dict[tuple[str, int], _Floats]:
    """The 8 x 8 images of each split and digit, values 0 to 1."""
    pixels, targets = load_digits(return_X_y=True)
    rng = np.random.default_rng(seed)
    images: dict[tuple[str, int], _Floats] = {}
    for digit in range(10):
        members = rng.permutation((pixels[targets == digit] / 16).astype(np.float32).reshape(-1, 8, 8))
        ends = np.cumsum([round(share * len(members)) for share in IMAGE_SHARES.values()])
        for split, part in zip(IMAGE_SHARES, np.split(members, ends[:-1]), strict=True):
            images[split, digit] = part
    return images


def _render(job: _Job, images: dict[tuple[str, int], _Floats]) -> npt.NDArray[np.uint8]:
    """The frames of a clip, uint8 (frames, SIDE, SIDE, 3): its events in a row over one background."""
    rng = np.random.default_rng((*job.seed, 1))
    background = _texture(rng)
    colour = rng.uniform(0.75, 1.0, size=3).astype(np.float32)
    frames = []
    for event in job.events:
        digit, motion = event.split("-")
        candidates = images[job.split, int(digit)]
        mask = np.zeros((SIDE, SIDE), np.float32)
        mask[:DIGIT_SIDE, :DIGIT_SIDE] = _enlarged(candidates[rng.integers(len(candidates))], DIGIT_SIDE)
        start = rng.uniform(0, SIDE, size=2)
        step = rng.uniform(SLOWEST, FASTEST) * np.array(MOTIONS[motion])
        for frame in range(FRAMES_PER_EVENT):
            x, y = np.round(start + frame * step).astype(int)
            moved = np.roll(mask, (y, x), axis=(0, 1))[..., None]
            frames.append(background * (1 - moved) + colour * moved)
    return np.round(255 * np.stack(frames)).astype(np.uint8)


def _texture(rng: np.random.Generator) -> _Floats:
    """A dim, smooth, coloured pattern (SIDE, SIDE, 3) of two scales, values 0 to 0.4."""
    coarse, fine = (
        np.stack([_enlarged(channel, SIDE) for channel in rng.uniform(size=(3, cells, cells))], axis=-1)
        for cells in (4, 16)
    )
    texture: _Floats = (0.25 * coarse + 0.15 * fine).astype(np.float32)
    return texture


def _enlarged(image: npt.NDArray[np.floating], side: int) -> _Floats:
    """A square image resized to side x side by linear interpolation along each axis."""
    small = len(image)
    positions = np.clip((np.arange(side) + 0.5) * small / side - 0.5, 0, small - 1)
    weights = np.maximum(0, 1 - np.abs(positions[:, None] - np.arange(small)))
    enlarged: _Floats = (weights @ image @ weights.T).astype(np.float32)
    return enlarged


def _write_clip(path: Path, frames: npt.NDArray[np.uint8]) -> None:
    """Encode to H.264 in mp4, under a temporary name until it is whole.

    It can be made again, so it does not wait for the disk.
    """
    encoded = io.BytesIO()
    with av.open(encoded, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=FRAMES_PER_SECOND)
        stream.width, stream.height, stream.pix_fmt = SIDE, SIDE, "yuv420p"
        stream.codec_context.thread_count = 1
        stream.options = {"preset": "ultrafast", "crf": "18"}
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame)))
        container.mux(stream.encode())
    part = path.with_suffix(".part")
    try:
        part.write_bytes(encoded.getvalue())
        part.replace(path)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise


def _write_list(path: Path, jobs: Sequence[_Job]) -> None:
    text = io.StringIO(newline="")
    rows = csv.writer(text)
    rows.writerow(["path", "label", "split"])
    rows.writerows((job.file, ";".join(sorted(set(job.events))), job.split) for job in jobs)
    write_whole(path, text.getvalue().encode())
