"""The split of clips that come without one: seeded, stratified, independent of the order on disk."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Sequence

from tvnsearch.data.dataset import Clip

VALIDATION_SHARE = 0.15
TEST_SHARE = 0.15

NOTHING = -1
"""The class that a recording without any label counts as."""


def split_clips(clips: Sequence[Clip], shares: Sequence[float], seed: int) -> list[tuple[Clip, ...]]:
    """Cut `clips` into the remainder (first) and one part for each of `shares`, class by class.

    Clips of one recording stay together. Of a class with n recordings each part gets round(share * n) but at
    least one, as long as one is left for the remainder; earlier parts are served first. A recording with
    several labels counts as one of its rarest.
    """
    frequency = Counter(label for clip in clips for label in clip.labels)
    recordings: defaultdict[str, list[Clip]] = defaultdict(list)
    for clip in sorted(clips, key=lambda clip: (clip.path.as_posix(), clip.start_s, clip.end_s or 0.0)):
        recordings[clip.source or clip.path.as_posix()].append(clip)
    by_class: defaultdict[int, list[list[Clip]]] = defaultdict(list)
    for recording in recordings.values():
        labels = {label for clip in recording for label in clip.labels}
        by_class[min(labels, key=lambda label: (frequency[label], label), default=NOTHING)].append(recording)

    parts: list[list[Clip]] = [[] for _ in range(len(shares) + 1)]
    rng = random.Random(seed)
    for _, members in sorted(by_class.items()):
        rng.shuffle(members)
        left = len(members)
        for part, share in zip(parts[1:], shares, strict=True):
            size = min(max(1, round(share * len(members))), left - 1)
            part.extend(clip for recording in members[left - size : left] for clip in recording)
            left -= size
        parts[0].extend(clip for recording in members[:left] for clip in recording)
    return [tuple(part) for part in parts]
