"""The networks that a search starts from: found where they are named, kept in the run, judged first."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.api.equipment import Opened
from tests.cli.running import run_json
from tests.search.fakes import FakeFitness, FakeLatency, all_trained, decisions, in_process, make_plan
from tvnsearch.api.evolve import evolve, resume
from tvnsearch.api.start_from import starting_genomes
from tvnsearch.api.watching import SILENT, Watch
from tvnsearch.errors import UserError
from tvnsearch.genome import Block, Genome, genome_id, square_input, trace
from tvnsearch.genome.genome import genome_to_json
from tvnsearch.genome.layers import NonLocal, SpatialConv
from tvnsearch.genome.membership import outside
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.space import load_space
from tvnsearch.genome.zoo import load_zoo, zoo
from tvnsearch.search import Journal, run_search
from tvnsearch.search.settings import settings_of

DIGITS, MOBILE = load_space("digits"), load_space("mobile")


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 20 trainings."""
    run = tmp_path_factory.mktemp("earlier") / "run"
    with Journal.create(run, make_plan(trainings=20)) as journal:
        run_search(journal, FakeLatency(), FakeFitness(fails=False), in_process(), lambda event: None)
    return run


def small_genomes(count: int) -> list[Genome]:
    """Some that keep the budget of the searches here."""
    rng, latency = random.Random(5), FakeLatency()
    drawn = [sample_genome(DIGITS, rng) for _ in range(200)]
    found = [
        genome
        for genome in drawn
        if trace(genome, 2).params < 100_000
        and latency.estimate([genome])[0].upper_ms < 1.5
        and genome_id(genome)[-1] not in "01f"
    ]
    return found[:count]


def test_the_zoo_is_all_that_the_space_holds_and_the_rest_is_named_with_the_reason() -> None:
    said: list[str] = []
    found = starting_genomes("zoo", MOBILE, Watch(said.append))
    inside = [name for name in zoo() if not outside(load_zoo(name), MOBILE)]
    assert {"tvn-1", "tvn-m-1", "tvn-m-2"} <= set(inside)
    assert [(start.name, start.genome) for start in found] == [(name, load_zoo(name)) for name in inside]
    assert len(said) == len(zoo()) - len(inside)
    [line] = [line for line in said if " s3d " in line]
    more = len(outside(load_zoo("s3d"), MOBILE)) - 1
    assert f"does not hold: {outside(load_zoo('s3d'), MOBILE)[0]} and {more} more" in line


def test_of_a_run_its_ten_fittest_are_started_from(earlier: Path) -> None:
    with Journal.read(earlier) as journal:
        trained = all_trained(journal)
    values = sorted((individual.fitness.value for individual in trained), reverse=True)[:10]
    by_value = {individual.fitness.value: individual for individual in trained}
    found = starting_genomes(str(earlier), DIGITS, SILENT)
    assert [start.genome for start in found] == [by_value[value].genome for value in values]
    assert found[0].name == f"{earlier} individual {by_value[values[0]].number}"


def test_a_genome_comes_once_and_what_cannot_be_built_does_not(earlier: Path, tmp_path: Path) -> None:
    said: list[str] = []
    best = starting_genomes(str(earlier), DIGITS, SILENT)[0]
    (tmp_path / "same.json").write_text(genome_to_json(best.genome))
    attends = Genome(square_input(320, 16, 1), (Block((SpatialConv(32), NonLocal(4, "embedded_gaussian"))),))
    (tmp_path / "attends.json").write_text(genome_to_json(attends))
    assert starting_genomes(f"{earlier}, {tmp_path / 'same.json'}", DIGITS, Watch(said.append))[0] == best
    assert said == [
        f"left out of what the search starts from: {tmp_path / 'same.json'} is the same network as "
        f"{best.name}"
    ]
    said.clear()
    assert len(starting_genomes(f"{tmp_path / 'attends.json'},tvn-1", MOBILE, Watch(said.append))) == 1
    assert "attends.json cannot be built: " in said[0]
    assert "positions" in said[0]


@pytest.mark.parametrize(
    ("start_from", "sentence"),
    [
        ("tvn-1,s3d", "all 2 of --start-from tvn-1,s3d are left out .tvn-1 has what .* resolution 224"),
        ("tvn-9", "expected a zoo network .* got 'tvn-9'"),
        ("tvn-1,,zoo", "with commas between to start from, but got 'tvn-1,,zoo'"),
    ],
)
def test_what_nothing_can_be_started_from_is_refused(start_from: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        starting_genomes(start_from, DIGITS, SILENT)


def test_a_run_without_a_trained_network_is_refused(tmp_path: Path) -> None:
    Journal.create(tmp_path / "run", make_plan()).close()
    with pytest.raises(UserError, match="it has none yet; see how it stands"):
        starting_genomes(str(tmp_path / "run"), DIGITS, SILENT)


def test_names_stay_names_and_paths_are_from_the_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tvn-1").mkdir()
    monkeypatch.chdir(tmp_path)
    settings = settings_of({"max_ms": 1.0, "start_from": "zoo,tvn-1, runs/mine,./zoo"})
    assert settings.search.start_from == f"zoo,tvn-1,{tmp_path}/runs/mine,{tmp_path}/zoo"


def test_a_search_judges_them_first_and_goes_on_alike_when_their_files_are_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, genomes = Opened(tmp_path, monkeypatch), small_genomes(3)
    files = [tmp_path / f"{place}.json" for place in range(3)]
    for file, genome in zip(files, genomes, strict=True):
        file.write_text(genome_to_json(genome))
    options = opened.options(start_from=",".join(map(str, files)), trainings=6)
    said: list[str] = []
    evolve(run=tmp_path / "whole", watch=Watch(said.append), **options)
    assert f"judged first, before random networks: {', '.join(map(str, files))}" in said
    judged = [one for one in decisions(tmp_path / "whole") if hasattr(one, "verdict")]
    assert [(one.number, one.genome) for one in judged[:3]] == list(enumerate(genomes))
    evolve(run=tmp_path / "short", **(options | {"trainings": 2}))
    for file in files:
        file.unlink()
    resume(tmp_path / "short", trainings=6)
    again = [one for one in decisions(tmp_path / "short") if hasattr(one, "verdict")]
    assert again == judged
    evolve(run=tmp_path / "whole", **options)  # the same command: it is the same run still
    with pytest.raises(UserError, match=r"start_from was .*0\.json"):
        evolve(run=tmp_path / "whole", **(options | {"start_from": "zoo"}))


def test_a_plan_names_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = Opened(tmp_path, monkeypatch).options(space="mobile", max_params=None)
    given = [
        part
        for name, value in options.items()
        if value is not None
        for part in (f"--{name.replace('_', '-')}", value)
    ]
    told = run_json("evolve", *given, "--start-from", "tvn-m-1,tvn-1", "--dry-run")
    assert told["start_from"] == ["tvn-m-1", "tvn-1"]
