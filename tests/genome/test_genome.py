from __future__ import annotations

import re

import pytest
from hypothesis import given

from tests.genome.strategies import PAPER, genomes
from tvnsearch.errors import UserError
from tvnsearch.genome import Genome, genome_from_json, genome_to_json, load_genome


@given(genomes(PAPER))
def test_json_round_trip(genome: Genome) -> None:
    assert genome_from_json(genome_to_json(genome)) == genome


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", "a.json"),
        ("{", "a.json"),
        ('{"input": {"height": 64, "width": 64, "frames": 2}, "blocks": []}', "$.blocks"),
        (
            '{"input": {"height": 64, "width": 64, "frames": 0}, "blocks": [{"layers": '
            '[{"type": "context_gate"}]}]}',
            "frames",
        ),
        (
            '{"input": {"height": 64, "width": 64, "frames": 2}, "blocks": [{"layers": '
            '[{"type": "spatial_conv", "filters": 8, "kernel": 0}]}]}',
            "$.blocks[0].layers[0].kernel",
        ),
        (
            '{"input": {"height": 64, "width": 64, "frames": 2}, "blocks": [{"layers": '
            '[{"type": "magic"}]}]}',
            "$.blocks[0].layers[0].type",
        ),
        (
            '{"input": {"height": 64, "width": 64, "frames": 2}, "blocks": [{"layers": '
            '[{"type": "context_gate", "a": 1}]}]}',
            "unknown field",
        ),
    ],
)
def test_malformed_genomes_are_refused_by_place(text: str, names: str) -> None:
    with pytest.raises(UserError, match=re.escape(names)) as refusal:
        genome_from_json(text, "a.json")
    assert "\n" not in str(refusal.value)


def test_a_missing_file_is_one_sentence(tmp_path) -> None:
    with pytest.raises(UserError, match=r"no\.json"):
        load_genome(tmp_path / "no.json")
