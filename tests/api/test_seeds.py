"""Seeds that no generator takes are refused by every verb that takes one, before it begins."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import tvnsearch
from tvnsearch.errors import UserError

VERBS: dict[str, Callable[[Path, int], object]] = {
    "evolve": lambda folder, seed: tvnsearch.evolve(max_ms=50.0, seed=seed, run=folder / "made"),
    "plan_search": lambda folder, seed: tvnsearch.plan_search(max_ms=50.0, seed=seed),
    "profile": lambda folder, seed: tvnsearch.profile(seed=seed, db=folder / "made"),
    "fit": lambda folder, seed: tvnsearch.fit(seed=seed, db=folder / "made"),
    "sample": lambda folder, seed: tvnsearch.sample(seed=seed, out=folder / "made"),
    "train": lambda folder, seed: tvnsearch.train("tvn-1", folder, seed=seed, out=folder / "made"),
    "generate_data": lambda folder, seed: tvnsearch.generate_data(folder / "made", seed=seed),
}


@pytest.mark.parametrize("seed", [-1, 2**32])
@pytest.mark.parametrize("verb", VERBS)
def test_a_seed_beyond_32_bits_is_one_sentence(verb: str, seed: int, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"expected --seed of 0 to 4294967295, but got {seed}; give another"):
        VERBS[verb](tmp_path, seed)
    assert not list(tmp_path.iterdir())


OF_SPLITS: dict[str, Callable[[Path, int], object]] = {
    "plan_search": lambda folder, seed: tvnsearch.plan_search(max_ms=50.0, split_seed=seed),
    "train": lambda folder, seed: tvnsearch.train("tvn-1", folder, split_seed=seed, out=folder / "made"),
    "evaluate": lambda folder, seed: tvnsearch.evaluate([folder], split_seed=seed),
    "inspect_data": lambda folder, seed: tvnsearch.inspect_data(folder, split_seed=seed),
}


@pytest.mark.parametrize("seed", [-1, 2**32])
@pytest.mark.parametrize("verb", OF_SPLITS)
def test_a_seed_of_a_split_beyond_32_bits_is_one_sentence(verb: str, seed: int, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"expected --split-seed of 0 to 4294967295, but got {seed}; give"):
        OF_SPLITS[verb](tmp_path, seed)
    assert not list(tmp_path.iterdir())
