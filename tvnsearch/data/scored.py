"""The clips that a trained network is scored on, labelled with the network's own classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from msgspec.structs import replace

from tvnsearch.data.catalog import Scored
from tvnsearch.data.dataset import Clip, Dataset
from tvnsearch.errors import UserError

SHOWN = 3


def scored_part(dataset: Dataset, scored: Scored, classes: Sequence[str], multi_label: bool) -> Dataset:
    """Of a data set opened to be scored, the clips that are; no other split, and the network's `classes`.

    Classes are known by their names, so data may have some of them only, and in another order. The clips are
    in the split that was asked for; "all" are in `test`.

    Raises UserError when a clip shows a class that the network was not trained for, or not one class where
    the network tells one.
    """
    split = "test" if scored == "all" else scored
    clips = dataset.splits[split]
    number_of = {name: number for number, name in enumerate(classes)}
    strange = Counter(
        dataset.classes[label]
        for clip in clips
        for label in clip.labels
        if dataset.classes[label] not in number_of
    )
    if strange:
        named = ", ".join(f"{name} ({count} clips)" for name, count in strange.most_common(SHOWN))
        more = f" and {len(strange) - SHOWN} more" if len(strange) > SHOWN else ""
        raise UserError(
            f"expected clips of the {len(classes)} classes that the network was trained for in "
            f"{dataset.address}, but they show others: {named}{more}; take these out, or give them the names "
            "that the network knows"
        )
    if not multi_label and (other := next((clip for clip in clips if len(clip.labels) != 1), None)):
        raise UserError(
            f"expected clips with one label each, as the network was trained on, in {dataset.address}, but "
            f"{other.path} has {len(other.labels)}; take such clips out"
        )
    parts: dict[str, tuple[Clip, ...]] = {"train": (), "validation": (), "test": ()}
    parts[split] = tuple(_with_labels(clip, dataset.classes, number_of) for clip in clips)
    return replace(dataset, classes=tuple(classes), multi_label=multi_label, **parts)


def _with_labels(clip: Clip, classes: Sequence[str], number_of: dict[str, int]) -> Clip:
    return replace(clip, labels=tuple(sorted(number_of[classes[label]] for label in clip.labels)))
