"""`tvnsearch classify`: what a found network sees in videos and streams."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

import tvnsearch
from cli.arguments import JsonOption, ModelArgument

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tvnsearch.api.classify import Classification, Moment

SAID_EVERY_S = 10.0
"""Of a stream: how often it is said again that frames are dropped."""

FAILURE = 1
"""The exit code where a video could not be labelled; the others are."""


def classify(
    model: ModelArgument,
    videos: Annotated[
        list[str],
        typer.Argument(
            metavar="VIDEO",
            help="Video files, or folders of them; or one stream: a camera (0 or /dev/video0), an address "
            "(rtsp://, http://, https://), or - for stdin.",
        ),
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

    With a trained network or a run's winner. Exit code 1 says that a video could not be labelled.
    """
    from cli.output import print_json
    from tvnsearch.api.classify import is_stream
    from tvnsearch.errors import UserError

    live = [video for video in videos if is_stream(video)]
    if live and len(videos) > 1:
        raise UserError(f"expected one stream alone, got {len(videos)} videos and among them {live[0]}")
    if live:
        _follow(tvnsearch.classify_stream(model, live[0], every_s=every), as_json)
        return
    if as_json:
        results = list(tvnsearch.classify(model, videos, every_s=every))
        print_json(results)
    else:
        results = []
        for result in tvnsearch.classify(
            model, videos, every_s=every, on_moment=lambda moment: _write(_line(moment))
        ):
            _print(result)
            results.append(result)
    if any(result.broken for result in results):
        raise typer.Exit(FAILURE)


def _print(result: Classification) -> None:
    from cli.output import print_table

    if result.broken:
        _write(result.broken)
        return
    print_table(
        f"{result.video} ({result.milliseconds:.0f} ms for decoding and network)",
        ["label", "probability"],
        [[label.label, f"{label.probability:.3f}"] for label in result.labels],
    )


def _follow(stream: Iterable[Moment], as_json: bool) -> None:
    """A line for each window as it comes, until the stream ends, or Ctrl-C, or nobody reads any more."""
    from cli.output import say
    from tvnsearch.json_text import json_of

    count = dropped = 0
    said_s = -SAID_EVERY_S
    with suppress(KeyboardInterrupt):
        try:
            for moment in stream:
                _write(json_of(moment) if as_json else _line(moment))
                count += 1
                if moment.dropped > dropped and moment.end_s - said_s >= SAID_EVERY_S:
                    said_s = moment.end_s
                    say(
                        f"this device does not keep up: {moment.dropped} frames dropped in "
                        f"{moment.end_s:.0f} s"
                    )
                dropped = moment.dropped
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    say(f"{count} windows, {dropped or 'no'} frames dropped")


def _line(moment: Moment) -> str:
    labels = ", ".join(f"{label.label} {label.probability:.3f}" for label in moment.labels)
    return f"{moment.start_s:.2f} to {moment.end_s:.2f} s: {labels}"


def _write(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()  # a pipe's reader waits for it
