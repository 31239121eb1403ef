"""The zoo in numbers."""

from __future__ import annotations

import pytest

import tvnsearch
from tests.genome.released import COUNTS
from tvnsearch.errors import UserError
from tvnsearch.genome import trace
from tvnsearch.genome.zoo import load_zoo, zoo


def test_the_zoo_has_figures() -> None:
    assert [figures.name for figures in tvnsearch.zoo_figures()] == list(zoo())
    [released] = tvnsearch.zoo_figures(["tvn-1"])
    assert (released.params, released.macs) == COUNTS["tvn-1"]
    assert (released.genome, released.source, released.kind) == (load_zoo("tvn-1"), None, "released")
    [peer] = tvnsearch.zoo_figures(["x3d-s"], classes=10)
    assert peer.params == trace(load_zoo("x3d-s"), 10).params
    assert peer.published is not None
    assert peer.published.classes == 400
    assert peer.source
    with pytest.raises(UserError, match="got 'resnet'"):
        tvnsearch.zoo_figures(["resnet"])
