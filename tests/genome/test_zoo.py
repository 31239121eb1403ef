from __future__ import annotations

import pytest

from tests.genome.released import NETWORKS
from tvnsearch.errors import UserError
from tvnsearch.genome import genome_from_json, genome_to_json, trace
from tvnsearch.genome.zoo import load_zoo, zoo
from tvnsearch.genome.zoo.peers import PEERS


def test_the_zoo_is_complete_and_says_so_otherwise() -> None:
    kinds = {name: entry.kind for name, entry in zoo().items()}
    assert [name for name, kind in kinds.items() if kind == "released"] == list(NETWORKS)
    assert {name for name, kind in kinds.items() if kind == "peer"} == set(PEERS)
    with pytest.raises(UserError, match=r"tvn-1.*tvn-9"):
        load_zoo("tvn-9")


@pytest.mark.parametrize("name", list(zoo()))
def test_every_network_of_the_zoo_survives_its_file_and_counts(name: str) -> None:
    genome = load_zoo(name)
    assert genome_from_json(genome_to_json(genome)) == genome
    assert trace(genome).macs > 0


def test_the_zoo_states_how_far_it_lies_from_what_is_published() -> None:
    differences = {name: entry.published() for name, entry in zoo().items()}
    tvn_1, tvn_m_2 = differences["tvn-1"], differences["tvn-m-2"]
    assert tvn_1 is not None and tvn_1.params_difference_percent == pytest.approx(137.97, abs=0.01)
    assert tvn_1.gflops_difference_percent == pytest.approx(-33.44, abs=0.01)
    assert tvn_m_2 is not None and abs(tvn_m_2.gflops_difference_percent or 100) < 1
    assert differences["tvn-1-8f"] is None


def test_variants_are_multiples_of_tvn_1() -> None:
    tvn_1 = trace(load_zoo("tvn-1"))
    macs = {name: trace(load_zoo(name)).macs / tvn_1.macs for name in zoo() if name.startswith("tvn-1-")}
    params = {name: trace(load_zoo(name)).params / tvn_1.params for name in macs}
    assert macs["tvn-1-2x-res"] == pytest.approx(4, rel=0.05)
    assert macs["tvn-1-4x-res"] == pytest.approx(16, rel=0.05)
    assert params["tvn-1-2x-res"] == params["tvn-1-4x-res"] == 1
    assert params["tvn-1-2x-wide"] == pytest.approx(4, rel=0.02)
    assert params["tvn-1-4x-wide"] == pytest.approx(16, rel=0.03)
    assert macs["tvn-1-8f"] == pytest.approx(4, rel=0.3)
    assert 1.5 < params["tvn-1-2x-deep"] < 2.5 < params["tvn-1-4x-deep"] < 5
    assert macs["tvn-1-en"] == pytest.approx(8, rel=0.25)
    assert (macs["tvn-1-hswish"], params["tvn-1-hswish"]) == (1, 1)
    assert '"activation": "relu"' not in genome_to_json(load_zoo("tvn-1-hswish"))
