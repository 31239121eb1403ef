"""The split of clips that come without one: seeded, stratified, independent of the order on disk."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import groupby

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


def stratified_subset(clips: Sequence[Clip], most: int, seed: int) -> tuple[Clip, ...]:
    """At most `most` of the clips, in their order, of each class as large a share as of all.

    The same seed takes the same places of a list, wherever its clips lie. A clip with several labels counts
    as one of its rarest. Classes for which a share comes to less than one clip are served by chance.
    """
    if len(clips) <= most:
        return tuple(clips)
    frequency = Counter(label for clip in clips for label in clip.labels)
    strata = [
        min(clip.labels, key=lambda label: (frequency[label], label), default=NOTHING) for clip in clips
    ]
    rng = random.Random(seed)
    order = sorted(range(len(clips)), key=lambda place: (strata[place], rng.random()))
    # Each clip gets its quantile within its class: the lowest of all are of every class alike.
    quantiles: dict[int, float] = {}
    for _, members in groupby(order, key=strata.__getitem__):
        places = list(members)
        offset = rng.random()
        quantiles |= {place: (rank + offset) / len(places) for rank, place in enumerate(places)}
    chosen = sorted(order, key=quantiles.__getitem__)[:most]
    return tuple(clips[place] for place in sorted(chosen))
