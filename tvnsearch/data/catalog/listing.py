"""What a format reads, before its classes are numbered and its splits completed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import Struct

from tvnsearch.data.catalog.names import Split
from tvnsearch.data.dataset import Protocol


class NamedClip(Struct, frozen=True):
    """A clip as its data set lists it: its labels by name, and its split (None: it comes without one).

    The other fields are those of `Clip`.
    """

    path: Path
    labels: tuple[str, ...]
    split: Split | None = None
    start_s: float = 0.0
    end_s: float | None = None
    recording: str = ""


class Listing(Struct, frozen=True):
    """What a format reads: the clips, and what is known of the data set beyond them.

    `classes` are in the data set's own order; None: the labels that occur, in the order of their names.
    `multi_label` None: it is if any clip has several labels. `mirrorable`, `protocol`, `left_out` and `notes`
    are as in `Dataset`.
    """

    clips: Sequence[NamedClip]
    classes: tuple[str, ...] | None = None
    multi_label: bool | None = None
    mirrorable: bool = False
    protocol: Protocol = "standard"
    left_out: dict[str, int] = {}
    notes: tuple[str, ...] = ()


class Format(Struct, frozen=True):
    """How a data set lies on disk: how it is recognised, and how it is read.

    Both functions are given the path that the user gave; `read` also the number of the split to read, from 1
    to `splits`. It raises UserError where the data are not as they should be.
    """

    name: str
    recognises: Callable[[Path], bool]
    read: Callable[[Path, int], Listing]
    splits: int = 1


def of_known_classes(
    clips: Sequence[NamedClip], classes: tuple[str, ...], named_in: str, *, mirrorable: bool
) -> Listing:
    """A listing of clips of one label each, of which those of other classes than the known ones are left out.

    So a part of a data set can be made by taking classes out of the file that names them, `named_in`.
    """
    known = frozenset(classes)
    kept = [clip for clip in clips if known.issuperset(clip.labels)]
    left_out = {f"clips of classes that {named_in} does not have": len(clips) - len(kept)}
    return Listing(kept, classes, multi_label=False, mirrorable=mirrorable, left_out=left_out)
