"""The recipe that a search trains by: read when it is asked for, kept in its plan as data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import asdict, replace

from tvnsearch.api.built_in_clips import with_plan_of_built_in_clips
from tvnsearch.errors import UserError
from tvnsearch.search.plan import SearchPlan
from tvnsearch.search.settings import Settings, TrainingSettings, given_tables, settings_in
from tvnsearch.training.recipe import Recipe, load_recipe

RecipeLike = str | Path | Mapping[str, Any] | Recipe
"""A recipe, or its name, file or record."""


def asked_settings(options: Mapping[str, Any], config: str | Path | None = None) -> Settings:
    """The settings in the TOML file ``config`` and in ``options``, which win, with their recipe as data.

    A recipe says for how many iterations each network is trained, unless the settings do. Without clips the
    space and the minutes are those that suit the built-in ones, as far as they are not given.

    Raises:
        UserError: a file is none, or a setting is unknown, missing or no good.
    """
    given = given_tables(options, None if config is None else Path(config))
    tables = with_plan_of_built_in_clips(given)
    training = tables.get("training", {})
    if training.get("recipe") is None:
        return settings_in(tables)
    recipe = read_recipe(training["recipe"])
    read = {"iterations": recipe.iterations, **training, "recipe": _record(recipe)}
    return settings_in({**tables, "training": read})


def read_recipe(recipe: RecipeLike) -> Recipe:
    """The recipe by that name, in that file or record.

    Raises:
        UserError: there is none, or it is no recipe.
    """
    if isinstance(recipe, Recipe):
        return recipe
    if not isinstance(recipe, Mapping):
        return load_recipe(str(recipe))
    try:
        return msgspec.convert(recipe, Recipe)
    except msgspec.ValidationError as error:
        raise UserError(f"expected the keys of a recipe, but: {error}; docs/training.md lists them") from None


def planned_recipe(plan: SearchPlan) -> Recipe:
    """What each network of a search is trained by, whole, with a seed of its own to come."""
    given = plan.training.recipe
    recipe = Recipe() if given is None else read_recipe(given)
    return replace(recipe, iterations=plan.training.iterations, max_seconds=None, seed=0)


def final_recipe(plan: SearchPlan, recipe: RecipeLike | None, iterations: int | None) -> Recipe:
    """What finalists are trained by: the search's recipe at its whole length, or what is given instead.

    A recipe that is given brings its own iterations, unless those are given as well.

    Raises:
        UserError: there is no such recipe.
    """
    chosen = planned_recipe(plan) if recipe is None else read_recipe(recipe)
    whole = replace(chosen, max_seconds=None, seed=0)
    return whole if iterations is None else replace(whole, iterations=iterations)


def other_than_planned(recipe: Recipe, plan: SearchPlan) -> dict[str, Any] | None:
    """A recipe as data, None where it is the plan's own."""
    return None if recipe == planned_recipe(plan) else asdict(recipe)


def said_of_recipe(training: TrainingSettings) -> str | None:
    """A sentence on the recipe that a search was given, None where that is the paper's."""
    if training.recipe is None:
        return None
    recipe = read_recipe(training.recipe)
    said = f"by the recipe that was given: {written_recipe(recipe)}"
    if recipe.iterations == training.iterations:
        said += f"; it gives the {recipe.iterations:,} iterations"
    else:
        said += f"; its {recipe.iterations:,} iterations give way to the {training.iterations:,} asked for"
    left_out = [name for name in ("max_seconds", "seed") if getattr(recipe, name) != getattr(Recipe(), name)]
    if left_out:
        said += f"; its {' and '.join(left_out)} are left out, as the search has its own"
    return said


def written_recipe(recipe: Recipe) -> str:
    """Where a recipe differs from the paper's in more than its length, for people."""
    ours = asdict(Recipe())
    own = {
        name: value
        for name, value in asdict(recipe).items()
        if value != ours[name] and name not in ("iterations", "max_seconds", "seed")
    }
    return ", ".join(f"{name} {value}" for name, value in own.items()) or "that of the paper"


def _record(recipe: Recipe) -> dict[str, Any] | None:
    return None if recipe == Recipe() else asdict(recipe)
