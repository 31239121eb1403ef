"""What stands for a genome in every function of the API."""

from __future__ import annotations

from pathlib import Path

import pytest

from tvnsearch.api.genomes import listed, name_of, resolve_genome
from tvnsearch.errors import UserError
from tvnsearch.genome import genome_id, genome_to_json
from tvnsearch.genome.zoo import load_zoo


def test_names_files_folders_and_genomes_are_alike(tmp_path: Path) -> None:
    genome = load_zoo("tvn-m-2")
    (tmp_path / "genome.json").write_text(genome_to_json(genome))
    for named in ("tvn-m-2", tmp_path / "genome.json", str(tmp_path / "genome.json"), tmp_path, genome):
        assert resolve_genome(named) == genome


def test_what_has_no_name_is_named_by_its_identity() -> None:
    genome = load_zoo("tvn-m-2")
    assert [name_of(named) for named in ("tvn-m-2", Path("a/b.json"), genome)] == [
        "tvn-m-2",
        "a/b.json",
        genome_id(genome),
    ]


def test_what_stands_for_no_genome_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="got 'tvn-9'"):
        resolve_genome("tvn-9")
    with pytest.raises(UserError, match="expected a run with a winner"):
        resolve_genome(tmp_path)


def test_a_name_alone_is_one_network_and_no_sequence_of_letters(tmp_path: Path) -> None:
    genome = load_zoo("tvn-m-2")
    for one in ("tvn-1", tmp_path, genome):
        assert listed(one) == [one]
    for several in (["tvn-1", genome], ("tvn-1",), []):
        assert listed(several) is several
