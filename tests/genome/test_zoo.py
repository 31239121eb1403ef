from __future__ import annotations

from importlib import resources
from pathlib import Path

import msgspec
import pytest

from tests.genome.released import NETWORKS
from tvnsearch.errors import UserError
from tvnsearch.genome import genome_from_json, genome_to_json, trace
from tvnsearch.genome.scaling import scaled
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


TIMES_AND_TOP1 = {
    "tvn-1": (37, 10, 23.1),
    "tvn-2": (65, 13, 24.2),
    "tvn-3": (85, 16, 25.4),
    "tvn-4": (402, 19, 27.8),
    "tvn-m-1": (43, None, 21.95),
    "tvn-m-2": (75, None, 21.96),
    "tvn-1-hswish": (39, None, 24.8),
    "tvn-1-8f": (140, 28, 23.4),
    "tvn-1-16f": (200, 45, 23.5),
    "tvn-1-2x-res": (140, 28, 23.5),
    "tvn-1-4x-res": (200, 45, 24.1),
    "tvn-1-2x-wide": (130, 38, 23.8),
    "tvn-1-4x-wide": (275, 60, 24.2),
    "tvn-1-2x-deep": (181, 44, 23.7),
    "tvn-1-4x-deep": (270, 65, 23.9),
    "tvn-1-en": (305, 92, 28.2),
    "one-frame": (32, None, 20.2),
    "r2plus1d-18": (2120, 105, 21.1),
    "r2plus1d-34": (2256, 110, 24.2),
    "r2plus1d-50": (3022, 125, 28.1),
    "r2plus1d-101": (3750, 140, 30.2),
    "i3d": (1865, None, None),
    "s3d-g": (None, None, None),
    "mobilenetv3-large-1f": (42, None, 18.8),
    "mobilenetv3-large-2f": (58, None, 19.3),
    "mobilenetv3-large": (280, None, 20.8),
}
"""CPU and GPU ms and top-1 % on Moments in Time: tables 1, 2, 5 to 9, section A.4.1."""

GFLOPS = {
    "tvn-1": 13,
    "tvn-2": 17,
    "tvn-3": 69,
    "tvn-4": 106,
    "tvn-m-1": 10.0,
    "tvn-m-2": 10.1,
    "tvn-1-hswish": 13.0,
    "one-frame": 8,
    "r2plus1d-18": 38,
    "r2plus1d-34": 50,
    "r2plus1d-50": 124,
    "r2plus1d-101": 245,
    "i3d": 216,
}
"""Tables 1, 3 and 5, section A.4.1."""

MLB_CHARADES_HMDB = {
    "tvn-1": (44.2, 32.2, 72.1),
    "tvn-2": (48.2, 32.5, 73.5),
    "tvn-3": (46.5, 33.5, 71.8),
    "tvn-4": (52.3, 35.4, 74.7),
    "i3d": (48.3, 32.9, 74.8),
    "s3d-g": (None, None, 75.9),
}
"""mAP on MLB-YouTube (table 2) and Charades (table 3), top-1 on HMDB (table 4), in %."""


def test_the_papers_figures_are_the_printed_ones() -> None:
    papers = {name: entry.paper for name, entry in zoo().items() if entry.paper is not None}
    assert {
        name: (paper.cpu_ms, paper.gpu_ms, paper.top1_percent) for name, paper in papers.items()
    } == TIMES_AND_TOP1
    assert {name: paper.gflops for name, paper in papers.items() if paper.gflops is not None} == GFLOPS
    assert {
        name: (paper.mlb_map_percent, paper.charades_map_percent, paper.hmdb_top1_percent)
        for name, paper in papers.items()
        if paper.hmdb_top1_percent is not None
    } == MLB_CHARADES_HMDB


def test_every_printed_figure_belongs_to_a_network_of_the_zoo() -> None:
    text = resources.files("tvnsearch.genome.zoo").joinpath("paper.json").read_bytes()
    assert set(msgspec.json.decode(text)) <= set(zoo())


def test_what_the_paper_ran_is_named_where_it_is_another_network() -> None:
    noted = {name for name, entry in zoo().items() if entry.paper is not None and entry.paper.note}
    printed = {name for name, entry in zoo().items() if entry.paper is not None}
    assert noted == {name for name in printed if zoo()[name].kind in ("peer", "searched")}


def test_the_one_frame_network_is_not_compared_with_the_papers() -> None:
    assert zoo()["one-frame"].published() is None


def test_the_documented_figures_of_the_paper_are_the_printed_ones() -> None:
    document = (Path(__file__).parents[2] / "docs" / "networks.md").read_text().splitlines()
    for name in set(TIMES_AND_TOP1) - {name for name in zoo() if zoo()[name].kind == "variant"}:
        [row] = [line.strip("| ").split(" | ") for line in document if line.startswith(f"| {name} |")]
        mlb, charades, hmdb = MLB_CHARADES_HMDB.get(name, (None, None, None))
        figures = (GFLOPS.get(name), *TIMES_AND_TOP1[name], hmdb, charades, mlb)
        assert row[1:] == ["-" if figure is None else f"{figure:,g}" for figure in figures]


@pytest.mark.parametrize("frames", [1, 2])
def test_mobilenetv3_on_fewer_frames_is_the_same_network(frames: int) -> None:
    assert load_zoo(f"mobilenetv3-large-{frames}f") == scaled(load_zoo("mobilenetv3-large"), frames=frames)
