"""The split of clips that come without one: by a hash of each recording, so that others do not move it."""

from __future__ import annotations

import hashlib
import random
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import accumulate, groupby
from pathlib import Path

from tvnsearch.data.dataset import Clip

VALIDATION_SHARE = 0.15
TEST_SHARE = 0.15

NOTHING = -1
"""The class that a recording without any label counts as."""


def split_clips(
    clips: Sequence[Clip], shares: Sequence[float], seed: int, folder: Path
) -> list[tuple[Clip, ...]]:
    """Cut `clips` into the remainder (first) and one part for each of `shares`.

    A recording (a clip that names none is its own, by its path below `folder`) has a place from 0 to 1, the
    hash of the seed and its name: the last share of that line is the last part, the share above it the part
    before, and the rest the remainder. So clips that come and go move no other one, and a folder that is
    moved keeps its split. The class is no part of the hash: its path mostly holds it, a recording may show
    several, and a label that is corrected should move nothing.

    A pure hash leaves one of six classes of 15 recordings without a validation or a test. Where it does, and
    the class has a recording for every part, the borders are moved past the nearest recordings until each
    part has one; of two recordings the first part gets one, and a single one stays with the remainder. So
    three recordings a class are enough, and in such a class, alone, a new clip can move another one: back to
    the remainder, as long as two recordings of the class were there by their hash; what was learned from is
    not tested on then. A recording of several classes counts as one of its rarest.
    """
    recordings: defaultdict[str, list[Clip]] = defaultdict(list)
    inside = f"{folder}/"
    for clip in sorted(clips, key=lambda clip: (str(clip.path), clip.start_s, clip.end_s or 0.0)):
        recordings[clip.recording or str(clip.path).removeprefix(inside)].append(clip)
    labels = {name: {label for clip in cut for label in clip.labels} for name, cut in recordings.items()}
    frequency = Counter(label for shown in labels.values() for label in shown)
    of_class: defaultdict[int, list[tuple[float, str]]] = defaultdict(list)
    for name, shown in labels.items():
        rarest = min(shown, key=lambda label: (frequency[label], label), default=NOTHING)
        of_class[rarest].append((_place(name, seed), name))

    parts: list[list[Clip]] = [[] for _ in range(len(shares) + 1)]
    for _, members in sorted(of_class.items()):
        members.sort()
        ends = [*_ends([place for place, _ in members], shares[::-1]), len(members)]
        begin = 0
        for part, end in zip(reversed(parts), ends, strict=True):
            part.extend(clip for _, name in members[begin:end] for clip in recordings[name])
            begin = end
    return [tuple(part) for part in parts]


def _place(recording: str, seed: int) -> float:
    known = f"{seed}\n{recording}".encode(errors="surrogateescape")
    return int.from_bytes(hashlib.blake2b(known, digest_size=8).digest()) / 2**64


def _ends(places: Sequence[float], shares: Sequence[float]) -> list[int]:
    """How many of the sorted `places` lie below the end of each share, moved so that no part is empty."""
    ends = [bisect_left(places, border) for border in accumulate(shares)]
    for number in range(len(ends)):
        ends[number] = max(ends[number], ends[number - 1] + 1 if number else 1)
    most = len(places) - 1
    for number in reversed(range(len(ends))):
        ends[number] = min(ends[number], most)
        most = max(ends[number] - 1, 0)
    return ends


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
