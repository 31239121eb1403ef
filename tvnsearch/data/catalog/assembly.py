"""What every format ends in: clips with named labels, with or without a split, made into a `Dataset`."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from tvnsearch.data.catalog.listing import Listing, NamedClip
from tvnsearch.data.catalog.names import Scored, Split, class_key, recording_named
from tvnsearch.data.catalog.remarks import of_classes, of_parts, of_recordings
from tvnsearch.data.dataset import Clip, Dataset
from tvnsearch.data.splits import TEST_SHARE, VALIDATION_SHARE, split_clips
from tvnsearch.errors import UserError

Splits = dict[Split | None, list[Clip]]
"""The clips by their split; None: they came without one."""


def assemble(
    root: Path, format_name: str, listing: Listing, seed: int, scored: Scored | None = None
) -> Dataset:
    """Number the classes, complete the splits, and note what people should know.

    Three given splits are kept. With train and one other, the other is the test, and validation is split off
    train; with train alone, or no split at all, validation and test both are (`split_clips`). Labels that
    differ in case alone are one class. In multi-label data, what is listed of one clip is put together.

    Where clips are only to be `scored` one class will do, and no other split than that need have clips;
    "all" are in `test`, and nowhere else.

    Raises UserError when there are fewer than two classes, a split would be empty, splits share a clip, or a
    clip of single-label data has two labels.
    """
    classes, index, notes = _classes(root, listing, fewest=2 if scored is None else 1)
    multi_label = listing.multi_label
    if multi_label is None:
        multi_label = any(len(clip.labels) > 1 for clip in listing.clips)
    left_out = Counter(listing.left_out)
    splits = _clips(root, listing.clips, index, multi_label, left_out)
    train, validation, test = _three_splits(splits, seed, root if root.is_dir() else root.parent)
    if scored == "all":
        train, validation, test = (), (), tuple(clip for part in splits.values() for clip in part)
    counted = {reason: count for reason, count in left_out.items() if count}
    if scored is None and not (train and validation and test):
        raise _too_few(root, train, validation, counted)
    if scored is not None and not {"train": train, "validation": validation}.get(scored, test):
        raise UserError(
            f"expected clips in the {scored} split of {root}, but there are none; score those of another "
            "split, or --split all"
        )
    cut = not (splits["validation"] and splits["test"])
    parts = of_parts(splits["train"] or splits[None]) if cut and listing.classes is None else ()
    return Dataset(
        root,
        format_name,
        classes,
        multi_label,
        listing.mirrorable,
        train,
        validation,
        test,
        listing.protocol,
        counted,
        (
            *listing.notes,
            *notes,
            *(of_classes(classes, (train, validation, test)) if scored is None else ()),
            *of_recordings((train, validation, test)),
            *parts,
        ),
    )


def _classes(root: Path, listing: Listing, fewest: int) -> tuple[tuple[str, ...], dict[str, int], list[str]]:
    """The classes, the number of each label, and what is to be said of labels that are one class."""
    spellings: defaultdict[str, set[str]] = defaultdict(set)
    if listing.classes is None:
        for label in {label for clip in listing.clips for label in clip.labels}:
            spellings[class_key(label)].add(label)
    known = {min(spelled): sorted(spelled) for spelled in spellings.values()}
    numbers = all(name.isdecimal() for name in known)
    classes = listing.classes or tuple(sorted(known, key=lambda name: (int(name) if numbers else 0, name)))
    if len(classes) < fewest:
        found = f"only '{classes[0]}'" if classes else "none"
        raise UserError(
            f"expected clips of at least {fewest} classes in {root}, but found {found}; "
            "check that the clips of each class are there"
        )
    index = {label: number for number, name in enumerate(classes) for label in (name, *known.get(name, ()))}
    notes = [
        f"{' and '.join(repr(label) for label in spelled)} are read as one class, '{name}'"
        for name, spelled in sorted(known.items())
        if len(spelled) > 1
    ]
    return classes, index, notes


def _clips(
    root: Path, listed: Sequence[NamedClip], index: dict[str, int], multi_label: bool, left_out: Counter[str]
) -> Splits:
    """Each clip once, with its labels by number."""
    first_of: dict[tuple[str, float, float | None], NamedClip] = {}
    labels_of: dict[tuple[str, float, float | None], set[int]] = {}
    for clip in listed:
        key = (str(clip.path), clip.start_s, clip.end_s)
        labels = {index[label] for label in clip.labels}
        first = first_of.setdefault(key, clip)
        if first is clip:
            labels_of[key] = labels
            continue
        if first.split != clip.split:
            raise UserError(
                f"expected every clip of {root} in one split, but {clip.path} is in {first.split} and "
                f"{clip.split}; take it out of one of them"
            )
        if not multi_label and labels_of[key] != labels:
            one, other = first.labels[0], clip.labels[0]
            raise UserError(
                f"expected one class for each clip of {root}, but {clip.path} is listed as '{one}' and as "
                f"'{other}'; take one of them out, or, if clips may show several, list it as `{one};{other}`"
            )
        left_out["clips that are listed again"] += labels_of[key] >= labels
        labels_of[key] |= labels
    splits: Splits = {"train": [], "validation": [], "test": [], None: []}
    for key, clip in first_of.items():
        recording = clip.recording or recording_named(clip.path.name)
        splits[clip.split].append(
            Clip(clip.path, tuple(sorted(labels_of[key])), clip.start_s, clip.end_s, recording)
        )
    return splits


def _three_splits(splits: Splits, seed: int, folder: Path) -> tuple[tuple[Clip, ...], ...]:
    train = tuple(splits["train"] or splits[None])
    others = [tuple(splits[name]) for name in ("validation", "test") if splits[name]]
    if len(others) == 2 or not train:
        return train, tuple(splits["validation"]), tuple(splits["test"])
    if others:
        train, validation = split_clips(train, [VALIDATION_SHARE], seed, folder)
        return train, validation, others[0]
    train, validation, test = split_clips(train, [VALIDATION_SHARE, TEST_SHARE], seed, folder)
    return train, validation, test


def _too_few(
    root: Path, train: Sequence[Clip], validation: Sequence[Clip], left_out: dict[str, int]
) -> UserError:
    missing = "train" if not train else "test" if validation else "validation"
    without = ", ".join(f"{reason} ({count})" for reason, count in left_out.items())
    return UserError(
        f"expected clips to train, to validate and to test with in {root}, but none is left for the "
        f"{missing} split{without and f' without {without}'}; add clips, at least 3 a class, from 3 "
        "recordings, where no split is given"
    )
