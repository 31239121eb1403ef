"""A search without clips of the user's own: the built-in ones, with a plan that suits them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.api.equipment import Opened
from tvnsearch.api.evolve import evolve
from tvnsearch.api.recipes import asked_settings
from tvnsearch.api.watching import Watch


@pytest.mark.parametrize(
    ("given", "space", "minutes"),
    [
        ({}, "digits", 9.0),
        ({"space": "mobile"}, "mobile", 9.0),
        ({"minutes": 60.0}, "digits", 60.0),
        ({"trainings": 40}, "digits", None),
        ({"iterations": 100}, "digits", None),
        ({"recipe": "quick"}, "digits", 9.0),
        ({"data": "my_clips"}, "paper", None),
        ({"data": "my_clips", "minutes": 600.0}, "paper", 600.0),
    ],
)
def test_only_what_was_not_given_is_fitted_to_the_built_in_clips(
    given: dict[str, Any], space: str, minutes: float | None
) -> None:
    search = asked_settings({"max_ms": 50.0, **given}).search
    assert (search.space, search.minutes) == (space, minutes)


def test_what_a_file_gives_holds(tmp_path: Path) -> None:
    file = tmp_path / "plan.toml"
    file.write_text('[budget]\nmax_ms = 50.0\n[search]\nspace = "mobile"\nminutes = 30.0\n')
    search = asked_settings({}, file).search
    assert (search.space, search.minutes) == ("mobile", 30.0)
    file.write_text('[budget]\nmax_ms = 50.0\n[training]\ndata = "my_clips"\n')
    search = asked_settings({}, file).search
    assert (search.space, search.minutes) == ("paper", None)


def test_the_plan_is_said_before_a_clip_is_generated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tvnsearch.data import moving_digits

    said: list[str] = []
    opened = Opened(tmp_path, monkeypatch)
    monkeypatch.setattr(moving_digits, "generate", lambda path, seed, on_progress: said.append("generated"))
    options = opened.options(minutes=0.01)
    del options["data"], options["space"]
    evolve(run=tmp_path / "run", watch=Watch(said.append), **options)
    assert said[0] == (
        "no --data given: built-in clips, moving digits, searched in the space digits for 0.01 minutes; "
        "--data, --space and --minutes say otherwise"
    )
    assert (
        said.index("generated")
        == next(place for place, line in enumerate(said) if line.startswith("the built-in clips are")) + 1
    )
    said.clear()
    evolve(run=tmp_path / "own", watch=Watch(said.append), **opened.options())
    assert not any("built-in" in line for line in said)
