"""Which settings of a search were given on the command line, where they win over a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import typer

from cli.numbers import parse_count, parse_max_ms
from tvnsearch.api.search_options import SearchOptions
from tvnsearch.search.settings import OPTIONS, settings_of

ANY_MS = 1.0


def given_options(context: typer.Context, config: Path | None) -> SearchOptions:
    """The settings among a command's options that the user gave; ``config`` is the file beside them.

    Raises:
        UserError: one of them cannot be read.
    """
    given: dict[str, Any] = {
        name: str(value) if isinstance(value, Path) else value
        for name, value in context.params.items()
        if name in OPTIONS and _was_given(context, name)
    }
    if "max_params" in given:
        given["max_params"] = parse_count(given["max_params"], "--max-params")
    if "max_ms" in given:
        device = settings_of({**_device(given), "max_ms": ANY_MS}, config).device.name
        given["max_ms"], given["others_max_ms"] = parse_max_ms(given["max_ms"], device)
    return cast(SearchOptions, given)


def _was_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name not in ("DEFAULT", "DEFAULT_MAP")


def _device(given: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if name == "device"}
