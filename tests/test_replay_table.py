"""The replayed table is whole, and means what it says: identities and counts are those of today's genomes."""

from __future__ import annotations

import importlib.util
import random
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tvnsearch.genome.identity import genome_id
from tvnsearch.genome.mutation import mutate
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.trace import trace

PATH = Path(__file__).parent.parent / "benchmarks" / "replay_table" / "table.py"


@pytest.fixture(scope="module")
def module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("replay_table_module", PATH)
    assert spec is not None and spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = loaded
    spec.loader.exec_module(loaded)
    return loaded


def test_every_network_of_the_space_within_the_budget_is_in_it(module: ModuleType) -> None:
    table = module.load_table()
    assert len(table) == 297
    assert set(table) == {genome_id(genome) for _, genome in module.all_genomes()}
    space, rng = module.table_space(), random.Random(0)
    for _ in range(300):
        genome = sample_genome(space, rng)
        for drawn in (genome, mutate(genome, space, rng)):
            within = trace(drawn, module.CLASSES).macs <= module.MAX_MACS
            assert (genome_id(drawn) in table) == within


def test_rows_hold_what_their_networks_count(module: ModuleType) -> None:
    table = module.load_table()
    for identity, rows in table.items():
        for row in rows:
            traced = trace(row.genome, module.CLASSES)
            assert (genome_id(row.genome), traced.params, traced.macs) == (identity, row.params, row.macs)
            assert 0 <= row.top1 <= row.top5 <= 1
            assert row.fitness[-1] == pytest.approx(row.top1 + row.top5, abs=2e-4)
            assert len(row.fitness) == len(row.loss) == len(module.POINTS)
            assert row.latency_ms > 0
    assert all(rows[0].seed == 0 for rows in table.values())


def test_a_tenth_was_trained_twice(module: ModuleType) -> None:
    table = module.load_table()
    twice = [rows for rows in table.values() if len(rows) == 2]
    assert len(twice) >= len(table) / 10
    assert 0 < module.seed_noise_sd(table) < 0.2
