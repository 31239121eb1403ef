"""`tvnsearch classify`: what a found network sees in videos and streams."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from cli.arguments import JsonOption, ModelArgument

if TYPE_CHECKING:
    from tvnsearch.api.classify import Classifier, Moment

SAID_EVERY_S = 10.0
"""Of a stream: how often it is said again that frames are dropped."""


def classify(
    model: ModelArgument,
    videos: Annotated[
        list[str],
        typer.Argument(metavar="VIDEO", help="Video files; or one camera (/dev/video0), or - for stdin."),
    ],
    every: Annotated[
        float,
        typer.Option(
            "--every", metavar="SECONDS", min=0.01, help="Seconds of a video from one label to the next."
        ),
    ] = 1.0,
    as_json: JsonOption = False,
) -> None:
    """Label videos, or a stream while it comes.

    With a trained network or a run's winner.
    """
    from cli.output import print_json, print_table
    from tvnsearch.api.classify import Classifier
    from tvnsearch.api.trained_model import load_model
    from tvnsearch.data.streaming import FILE, pace_of
    from tvnsearch.errors import UserError

    live = [video for video in videos if pace_of(video) != FILE]
    if live and len(videos) > 1:
        raise UserError(f"expected one stream alone, got {len(videos)} videos and among them {live[0]}")
    classifier = Classifier(load_model(model), every)
    if live:
        _follow(classifier, live[0], as_json)
        return
    if as_json:
        print_json([classifier.classify(video) for video in videos])
        return
    for video in videos:
        result = classifier.classify(video, lambda moment: _write(_line(moment)))
        print_table(
            f"{result.video} ({result.milliseconds:.0f} ms for decoding and network)",
            ["label", "probability"],
            [[label.label, f"{label.probability:.3f}"] for label in result.labels],
        )


def _follow(classifier: Classifier, source: str, as_json: bool) -> None:
    """A line for each window as it comes, until the stream ends, or Ctrl-C, or nobody reads any more."""
    import msgspec

    from cli.output import say

    moments = dropped = 0
    said_s = -SAID_EVERY_S
    with suppress(KeyboardInterrupt):
        try:
            for moment in classifier.moments(source):
                _write(msgspec.json.encode(moment).decode() if as_json else _line(moment))
                moments += 1
                if moment.dropped > dropped and moment.end_s - said_s >= SAID_EVERY_S:
                    said_s = moment.end_s
                    count = moment.dropped
                    say(f"this device does not keep up: {count} frames dropped in {moment.end_s:.0f} s")
                dropped = moment.dropped
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    say(f"{moments} windows, {dropped or 'no'} frames dropped")


def _line(moment: Moment) -> str:
    labels = ", ".join(f"{label.label} {label.probability:.3f}" for label in moment.labels)
    return f"{moment.start_s:.2f} to {moment.end_s:.2f} s: {labels}"


def _write(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()  # a pipe's reader waits for it
