"""Networks made larger."""

from __future__ import annotations

from pathlib import Path

import pytest

import tvnsearch
from tvnsearch.errors import UserError
from tvnsearch.genome import load_genome
from tvnsearch.genome.scaling import compound_scaled, scaled
from tvnsearch.genome.zoo import load_zoo


def test_a_scaled_network_is_the_genomes(tmp_path: Path) -> None:
    genome = load_zoo("tvn-1")
    larger = tvnsearch.scale("tvn-1", frames=8, width=2, out=tmp_path / "larger.json")
    assert larger == scaled(genome, frames=8, width=2) == load_genome(tmp_path / "larger.json")
    assert tvnsearch.scale(genome, compound=1) == compound_scaled(genome, 1)
    with pytest.raises(UserError, match="--compound alone"):
        tvnsearch.scale(genome, width=2, compound=1)
    with pytest.raises(UserError, match="choose another place"):
        tvnsearch.scale(genome, out=tmp_path / "nowhere" / "larger.json")
