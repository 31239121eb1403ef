"""What people should know of a data set whose clips are listed and split: each remark one sentence."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from tvnsearch.data.catalog.names import parts_of_one_file, some_of
from tvnsearch.data.dataset import Clip

USES = ("train with", "validate with", "test with")


def of_classes(classes: Sequence[str], splits: Sequence[Sequence[Clip]]) -> Iterator[str]:
    """The classes that a split has no clip of."""
    shown = [{label for clip in clips for label in clip.labels} for clips in splits]
    for use, labels in zip(USES, shown, strict=True):
        missing = [name for number, name in enumerate(classes) if number not in labels]
        if missing:
            yield f"{len(missing)} of {len(classes)} classes have no clip to {use}: {some_of(missing)}"


def of_recordings(splits: Sequence[Sequence[Clip]]) -> Iterator[str]:
    """Recordings that given splits share: a network may then be scored for recognising one."""
    seen: defaultdict[str, set[int]] = defaultdict(set)
    for number, clips in enumerate(splits):
        for clip in clips:
            if clip.recording:
                seen[clip.recording].add(number)
    shared = sorted(recording for recording, numbers in seen.items() if len(numbers) > 1)
    if shared:
        yield (
            f"{len(shared)} recordings have clips in several splits ({some_of(shared, 3)}): a score may come "
            "of knowing a recording again"
        )


def of_parts(clips: Sequence[Clip]) -> Iterator[str]:
    """Clips without a recording whose names look like parts of one, where a split takes them apart."""
    groups = parts_of_one_file(clip.path for clip in clips if not clip.recording)
    if groups:
        count = sum(map(len, groups))
        yield (
            f"{count} clips are named like parts of {len(groups)} {'files' if len(groups) > 1 else 'file'} "
            f"({some_of(groups[0], 2)}), and the split takes each for a recording of its own; name their "
            "recordings in a list (`path,label,recording`)"
        )
