"""Genomes drawn as the seed decides."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

import tvnsearch
from tvnsearch.api import sample as sample_module
from tvnsearch.errors import UserError
from tvnsearch.genome import load_genome, trace
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.space import load_space


def test_a_sample_is_what_the_seed_draws(tmp_path: Path) -> None:
    rng = random.Random(4)
    expected = [sample_genome(load_space("digits"), rng) for _ in range(3)]
    drawn = tvnsearch.sample(3, space="digits", seed=4, classes=10)
    assert [one.genome for one in drawn] == expected
    assert [one.params for one in drawn] == [trace(genome, 10).params for genome in expected]
    assert {one.file for one in drawn} == {None}
    written = tvnsearch.sample(3, space="digits", seed=4, classes=10, out=tmp_path / "g")
    assert [load_genome(Path(one.file or "")) for one in written] == expected


def test_a_sample_is_small_enough_or_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    assert max(one.params for one in tvnsearch.sample(5, space="digits", max_params=50_000)) <= 50_000
    monkeypatch.setattr(sample_module, "MOST_DRAWS_FOR_ONE", 20)
    with pytest.raises(UserError, match="at most 10 parameters in the space 'digits'"):
        tvnsearch.sample(1, space="digits", max_params=10)
