"""Charades: half-minute videos of several actions each, listed with their times."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tvnsearch.data.catalog.listing import Format, Listing, NamedClip
from tvnsearch.data.catalog.reading import (
    csv_records,
    find_file,
    find_folder,
    malformed,
    required_file,
    text_lines,
)
from tvnsearch.data.catalog.segments import Action, segment_clips

CLASSES, TRAIN, TEST = "Charades_v1_classes.txt", "Charades_v1_train.csv", "Charades_v1_test.csv"
LIST_FOLDERS = ("Charades", "annotations")
VIDEO_FOLDERS = ("Charades_v1_480", "Charades_v1", "Charades_v1_rgb", "videos")


def read(root: Path, _split: int) -> Listing:
    """Read the classes and both lists; a video is `<id>.mp4` or a folder `<id>` of frames.

    A clip to train with is the time of one action, with every action of that time; a clip to test with is a
    whole video with all of its actions. A video without any action is a clip that shows none. Actions of
    other classes than those that are named are left out, and so are videos of these alone: so a part of the
    data set can be made by taking classes out.

    Raises UserError when a file is missing or a line malformed.
    """
    names = _classes(required_file(root, LIST_FOLDERS, CLASSES))
    videos = find_folder(root, VIDEO_FOLDERS)
    clips: list[NamedClip] = []
    left_out: Counter[str] = Counter()
    for path, video, actions in _videos(required_file(root, LIST_FOLDERS, TRAIN), videos, names, left_out):
        if actions:
            clips.extend(segment_clips(path, actions, "train", video))
        else:
            clips.append(NamedClip(path, (), "train", recording=video))
    for path, video, actions in _videos(required_file(root, LIST_FOLDERS, TEST), videos, names, left_out):
        labels = tuple(sorted({action.label for action in actions}))
        clips.append(NamedClip(path, labels, "test", recording=video))
    return Listing(
        clips,
        tuple(names.values()),
        multi_label=True,
        mirrorable=True,
        protocol="charades",
        left_out=left_out,
    )


def _classes(path: Path) -> dict[str, str]:
    names = {}
    for line, text in text_lines(path):
        code, _, name = text.partition(" ")
        if not name:
            raise malformed(path, line, "`c000 name of the class`", f"is '{text}'")
        names[code] = name.strip()
    return dict(sorted(names.items()))


def _videos(
    path: Path, videos: Path, names: dict[str, str], left_out: Counter[str]
) -> Iterator[tuple[Path, str, list[Action]]]:
    """File, id and actions of each video in a list, but those of which all actions are of other classes."""
    for line, record in csv_records(path, ("id", "actions")):
        video = record["id"]
        frames = videos / video
        listed = [_action(path, line, text) for text in record["actions"].split(";") if text.strip()]
        actions = [
            Action(names[each.label], each.start_s, each.end_s) for each in listed if each.label in names
        ]
        left_out[f"actions of classes that {CLASSES} does not have"] += len(listed) - len(actions)
        if listed and not actions:
            left_out[f"videos of such actions alone in {path.name}"] += 1
        else:
            yield frames if frames.is_dir() else videos / f"{video}.mp4", video, actions


def _action(path: Path, line: int, text: str) -> Action:
    """An action as it is listed, by the code of its class."""
    expected = "actions `c092 11.90 21.20;...`"
    match text.split():
        case [code, start, end]:
            try:
                return Action(code, float(start), float(end))
            except ValueError:
                raise malformed(path, line, expected, f"has the times '{start} {end}'") from None
        case _:
            raise malformed(path, line, expected, f"has '{text.strip()}'")


FORMAT = Format("charades", lambda root: find_file(root, LIST_FOLDERS, CLASSES) is not None, read)
