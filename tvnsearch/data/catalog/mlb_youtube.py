"""MLB-YouTube: baseball, as clips of one pitch (segmented) or minutes of a game (continuous)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

from msgspec import Struct

from tvnsearch.data.catalog.listing import Format, Listing, NamedClip
from tvnsearch.data.catalog.names import Split
from tvnsearch.data.catalog.reading import find_file, find_folder, json_document, required_file
from tvnsearch.data.catalog.segments import Action, segment_clips

SEGMENTED, NEGATIVE = "mlb-youtube-segmented.json", "mlb-youtube-negative.json"
CONTINUOUS = "mlb-youtube-continuous.json"
LIST_FOLDERS = ("data", "annotations")
VIDEO_FOLDERS = ("videos",)

SPLITS: dict[str, Split] = {"training": "train", "testing": "test"}

_Label = Literal["ball", "swing", "strike", "hit", "foul", "in play", "bunt", "hit by pitch"]

CLASSES: tuple[str, ...] = get_args(_Label)
"""In the order of the data set's own scores."""

_Subset = Literal["training", "testing"]


class _Pitch(Struct, frozen=True):
    """An entry of the segmented list; the speed and type of the pitch, which some lack, are not read."""

    url: str
    subset: _Subset
    labels: list[_Label]


class _Negative(Struct, frozen=True):
    ytid: str


class _Annotation(Struct, frozen=True):
    segment: tuple[float, float]
    label: _Label


class _Game(Struct, frozen=True):
    url: str
    subset: _Subset
    annotations: list[_Annotation]


def read_segmented(root: Path, _split: int) -> Listing:
    """Read the pitches, and the clips that show none where their list is there; files are `<id>.mp4`.

    The latter come without a split and are trained with: nothing that is trained with may be tested with.

    Raises UserError when the list is missing or malformed.
    """
    videos = find_folder(root, VIDEO_FOLDERS)
    pitches = json_document(required_file(root, LIST_FOLDERS, SEGMENTED), dict[str, _Pitch])
    clips = [
        NamedClip(
            videos / f"{name}.mp4", tuple(pitch.labels), SPLITS[pitch.subset], recording=_video(pitch.url)
        )
        for name, pitch in pitches.items()
    ]
    negatives = find_file(root, LIST_FOLDERS, NEGATIVE)
    if negatives is not None:
        clips.extend(
            NamedClip(videos / f"{name}.mp4", (), "train", recording=negative.ytid)
            for name, negative in json_document(negatives, dict[str, _Negative]).items()
        )
    return Listing(clips, CLASSES, multi_label=True, mirrorable=True)


def read_continuous(root: Path, _split: int) -> Listing:
    """Read the activities: a clip is the time of one, with every activity of that time, from `<id>.mp4`.

    Raises UserError when the list is missing or malformed.
    """
    videos = find_folder(root, VIDEO_FOLDERS)
    games = json_document(required_file(root, LIST_FOLDERS, CONTINUOUS), dict[str, _Game])
    clips: list[NamedClip] = []
    for name, game in games.items():
        actions = [Action(each.label, *each.segment) for each in game.annotations]
        clips.extend(segment_clips(videos / f"{name}.mp4", actions, SPLITS[game.subset], _video(game.url)))
    return Listing(clips, CLASSES, multi_label=True, mirrorable=True)


def _video(url: str) -> str:
    """The id of a game's video, of which many clips are cut."""
    return url.rpartition("=")[2]


SEGMENTED_FORMAT = Format(
    "mlb-segmented", lambda root: find_file(root, LIST_FOLDERS, SEGMENTED) is not None, read_segmented
)
CONTINUOUS_FORMAT = Format(
    "mlb-continuous", lambda root: find_file(root, LIST_FOLDERS, CONTINUOUS) is not None, read_continuous
)
