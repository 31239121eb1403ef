"""`tvnsearch data`: look at clips before they are trained on, and make some to try everything on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

import tvnsearch
from cli.arguments import (
    DataArgument,
    JsonOption,
    OutFolderOption,
    SeedOption,
    SpaceOption,
    SplitSeedOption,
)

if TYPE_CHECKING:
    from tvnsearch.api.datasets import InspectedData
    from tvnsearch.data.inspection import Spread

ROWS_OF_BALANCE = 12
"""The classes shown of a data set that has more: half of them the rarest, half the most frequent."""

app = typer.Typer(help="Video clips: inspect, prepare, generate some, or clean up.", no_args_is_help=True)


@app.callback()
def _data() -> None:
    """Video clips."""


@app.command("generate")
def generate_clips(
    out: OutFolderOption,
    multi_label: Annotated[
        bool, typer.Option("--multi-label", help="Write longer clips, with several events each.")
    ] = False,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Write clips of moving digits to try everything on.

    Handwritten digits that move over textures, as real H.264 mp4 files.
    """
    from cli.output import print_json, say, watching

    with watching() as watch:
        dataset = tvnsearch.generate_data(out, multi_label=multi_label, seed=seed, watch=watch)
    clips = {split: len(clips) for split, clips in dataset.splits.items()}
    if as_json:
        print_json({"classes": len(dataset.classes), "clips": clips, "broken": 0})
        return
    say(
        f"{out}: {len(dataset.classes)} classes, {clips['train']} clips to train on, {clips['validation']} "
        f"to select on, {clips['test']} that no search sees"
    )


@app.command("inspect")
def inspect_clips(
    data: DataArgument,
    split_seed: SplitSeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Show what clips there are, and which files are broken.

    Classes, splits, lengths, sizes, codecs, balance, and what a training would see.
    """
    from msgspec.structs import asdict

    from cli.output import print_json, watching

    with watching() as watch:
        inspected = tvnsearch.inspect_data(data, split_seed=split_seed, watch=watch)
    if as_json:
        dataset, found = inspected.dataset, inspected.found
        print_json(
            {
                **asdict(found),
                "data": dataset.address,
                "format": dataset.format,
                "classes": len(dataset.classes),
                "multi_label": dataset.multi_label,
                "mirrorable": dataset.mirrorable,
                "broken": len(found.broken),
                "broken_files": found.broken,
                "left_out": dataset.left_out,
                "notes": dataset.notes,
            }
        )
        return
    _print_inspection(inspected)


@app.command("prepare")
def prepare(
    data: DataArgument,
    space: SpaceOption = "paper",
    as_json: JsonOption = False,
) -> None:
    """Decode every clip once, for all trainings to come.

    As large as the networks of a search space look at them. Searches and trainings do so by themselves.
    """
    from cli.output import print_json, print_table, watching

    with watching() as watch:
        prepared = tvnsearch.prepare_data(data, space=space, watch=watch)
    dataset, done = prepared.dataset, prepared.done
    if as_json:
        print_json(
            {
                "data": dataset.address,
                "classes": len(dataset.classes),
                "clips": {split: len(clips) for split, clips in dataset.splits.items()},
                "usable": prepared.usable,
                "broken": len(done.broken),
                "broken_files": {str(failure.path): failure.reason for failure in done.broken},
                "copies": {str(copy): str(original) for copy, original in done.copies.items()},
                "decoded": done.decoded,
                "found": done.found,
                "forms": done.forms,
                "bytes": done.stored_bytes,
                "resolution": prepared.resolution,
                "directory": prepared.directory,
            }
        )
        return
    print_table(
        f"Decoded clips, short side up to {prepared.resolution} pixels",
        ["split", "clips", "usable"],
        [[split, len(clips), prepared.usable[split]] for split, clips in dataset.splits.items()],
    )


@app.command("clean")
def clean(
    unreferenced: Annotated[
        bool,
        typer.Option(
            "--unreferenced", help="Remove what no run, no training and no data set that is there refers to."
        ),
    ] = False,
    older_than: Annotated[
        float | None,
        typer.Option("--older-than", metavar="DAYS", help="Remove what nobody has opened for so many days."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Remove all decoded clips.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be removed.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what decoded clips take, and remove what nobody needs.

    Without an option nothing is removed. What a running command uses stays in any case.
    """
    from msgspec.structs import asdict

    from cli.output import print_json, print_table, say, watching

    with watching() as watch:
        cleaned = tvnsearch.clean_clips(
            unreferenced=unreferenced,
            older_than_days=older_than,
            everything=everything,
            dry_run=dry_run,
            watch=watch,
        )
    if as_json:
        print_json({**asdict(cleaned), "removed_bytes": cleaned.removed_bytes})
        return
    print_table(
        f"Decoded clips in {cleaned.directory}",
        ["data", "form", "needed", "pixels", "videos", "GB"],
        [
            [
                ", ".join(group.data) or "-",
                group.form,
                "in use" if group.in_use else "yes" if group.referred else "no",
                group.resolution,
                group.videos,
                f"{group.bytes / 1e9:,.2f}",
            ]
            for group in cleaned.held
        ],
        word_columns=3,
    )
    videos = sum(group.videos for group in cleaned.removed)
    if unreferenced or everything or older_than is not None:
        done = "would be removed" if dry_run else "removed"
        say(f"{done}: {videos} videos, {cleaned.removed_bytes / 1e9:,.2f} GB")


def _print_inspection(inspected: InspectedData) -> None:
    from cli.output import out, print_table

    dataset, found = inspected.dataset, inspected.found
    lines = [f"broken: {path}: {reason}" for path, reason in found.broken.items()]
    for line in (*lines, f"{dataset.address}: {len(dataset.classes)} classes", *dataset.notes):
        out.print(line, highlight=False, markup=False, soft_wrap=True)
    print_table(
        "Clips",
        ["split", "clips", "usable"],
        [[split, count, found.usable[split]] for split, count in found.clips.items()],
    )
    print_table(
        f"Files, {len(found.broken)} broken ones left out",
        ["what", "here"],
        [
            ["codecs", _listed(found.codecs)],
            ["resolutions", _listed(found.resolutions)],
            ["frames a second", _listed(found.frame_rates)],
            ["seconds a clip", _spread(found.seconds_per_clip)],
            ["frames a clip", _spread(found.frames_per_clip)],
        ],
        word_columns=2,
    )
    if dataset.left_out:
        rows = [[reason, count] for reason, count in dataset.left_out.items()]
        print_table("No clips of the data set", ["left out", "how many"], rows)
    balance = sorted(found.balance.items(), key=lambda item: sum(item[1].values()))
    shown = balance
    if len(balance) > ROWS_OF_BALANCE:
        shown = balance[: ROWS_OF_BALANCE // 2] + balance[-ROWS_OF_BALANCE // 2 :]
    print_table(
        "Usable clips of each class"
        + (f" (the rarest and the most frequent of {len(balance)})" if shown is not balance else ""),
        ["class", *dataset.splits],
        [[name, *counts.values()] for name, counts in shown],
    )
    usable = found.usable
    print_table(
        "What a training sees",
        ["what", "here"],
        [
            ["learns from", f"{usable['train']} clips"],
            ["a search selects on", f"{usable['validation']} clips"],
            ["the winner is scored on", f"{usable['test']} clips that neither sees"],
            ["labels of a clip", "any number" if dataset.multi_label else "one"],
            ["scored by", "mean average precision" if dataset.multi_label else "top-1 and top-5"],
            [
                "frames are taken from",
                f"the whole clip, at about {inspected.base_rate:g} a second; {found.thinned} are faster",
            ],
            ["a clip too short for a network", "holds its last frame"],
            [
                "mirrored clips",
                "show the same, and are learnt from"
                if dataset.mirrorable
                else 'may show another class, and are not learnt from without mirror = "always" in a recipe',
            ],
        ],
        word_columns=2,
    )


def _listed(counts: dict[str, int], most: int = 5) -> str:
    named = [f"{name} ({count})" for name, count in counts.items()]
    more = f" and {len(named) - most} more" if len(named) > most else ""
    return ", ".join(named[:most]) + more or "-"


def _spread(spread: Spread | None) -> str:
    if spread is None:
        return "-"
    return f"{spread.least:.4g} to {spread.most:.4g}, median {spread.median:.4g}"
