"""What stands for a genome in every function of the API."""

from __future__ import annotations

from pathlib import Path

import pytest

from tvnsearch.api.genomes import classes_of, listed, name_of, resolve_genome
from tvnsearch.api.trained_model import ModelCard, write_model
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


def test_a_trained_network_has_the_classes_that_it_was_trained_for(tmp_path: Path) -> None:
    genome, run = load_zoo("tvn-m-2"), tmp_path / "run"
    (run / "winner").mkdir(parents=True)
    write_model(run / "winner", genome, ModelCard(("a", "b", "c"), multi_label=False))
    for named in (run, str(run), run / "winner", run / "winner" / "genome.json"):
        assert classes_of(named) == 3
        assert classes_of(named, 12) == 12
    (tmp_path / "genome.json").write_text(genome_to_json(genome))
    (run / "winner" / "other.json").write_text(genome_to_json(genome))
    for named in ("tvn-m-2", genome, tmp_path, tmp_path / "genome.json", run / "winner" / "other.json"):
        assert classes_of(named) == 339


def test_a_card_that_cannot_be_read_is_a_sentence(tmp_path: Path) -> None:
    write_model(tmp_path, load_zoo("tvn-m-2"), ModelCard(("a",), multi_label=False))
    (tmp_path / "model.json").write_text("{")
    with pytest.raises(UserError, match="expected the classes"):
        classes_of(tmp_path)
