"""The clips of a search that was given none: generated here, with a plan that suits them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import platformdirs

from tvnsearch.api.watching import Watch
from tvnsearch.search.settings import Settings
from tvnsearch.user_folders import user_folder_or_temporary

CLASSES = 40
"""Ten digits in four directions; known before a clip is generated."""

SPACE, MINUTES = "digits", 9.0
"""The paper's networks of 224 pixels and more would be trained for weeks on clips of 64."""

OTHER_PLANS = ("minutes", "trainings", "iterations")
"""Settings by which a user says himself how long a search takes."""


def with_plan_of_built_in_clips(tables: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Settings in their groups, with the space and the minutes that suit built-in clips where they are used.

    A space that was given stays, and the minutes are left to whoever said how long the search takes.
    """
    search, training = dict(tables.get("search", {})), tables.get("training", {})
    if training.get("data") is None:
        search.setdefault("space", SPACE)
        if not any(option in {**search, **training} for option in OTHER_PLANS):
            search["minutes"] = MINUTES
    return {**tables, "search": search}


def say_plan_of_built_in_clips(settings: Settings, watch: Watch) -> None:
    """Say what a search that was given no clips takes instead, and how to have it otherwise."""
    if settings.training.data is not None:
        return
    minutes = settings.search.minutes
    told = "" if minutes is None else f" for {minutes:g} minutes"
    watch.say(
        f"no --data given: built-in clips, moving digits, searched in the space {settings.search.space}"
        f"{told}; --data, --space and --minutes say otherwise"
    )


def built_in_clips(watch: Watch) -> Path:
    """The folder of the built-in clips, which are generated unless they are there.

    Raises:
        UserError: they cannot be written.
    """
    from tvnsearch.data.moving_digits import generate

    data = user_folder_or_temporary(platformdirs.user_data_path, "moving-digits")
    watch.say(f"the built-in clips are generated mp4 files in {data}")
    generate(data, seed=0, on_progress=lambda done, total: watch.progress("encode clips", done / total, ""))
    return data
