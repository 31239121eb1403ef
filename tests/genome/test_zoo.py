from __future__ import annotations

import pytest

from tvnsearch.errors import UserError
from tvnsearch.genome import trace
from tvnsearch.genome.zoo import load_zoo, zoo

RELEASED = {
    "tvn-1": (26_414_721, 4_326_160_640),
    "tvn-2": (109_438_487, 34_613_795_640),
    "tvn-3": (67_709_221, 53_639_220_992),
    "tvn-4": (43_669_005, 25_918_137_344),
    "tvn-m-1": (7_352_607, 5_349_648_768),
    "tvn-m-2": (5_528_460, 5_032_828_800),
}
"""Parameters and MACs at 339 classes, counted twice and independently from the released specification."""


@pytest.mark.parametrize("name", RELEASED)
def test_released_networks_count_exactly(name: str) -> None:
    network = trace(load_zoo(name), classes=339)
    assert (network.params, network.macs) == RELEASED[name]


def test_the_zoo_is_complete_and_says_so_otherwise() -> None:
    assert list(zoo()) == list(RELEASED)
    with pytest.raises(UserError, match=r"tvn-1.*tvn-9"):
        load_zoo("tvn-9")
