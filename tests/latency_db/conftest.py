from __future__ import annotations

import random

import pytest

from latency_db import LatencyStore
from tests.latency_db.fakes import FINGERPRINT, layer_profile
from tvnsearch.devices import fingerprint_digest
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.space import load_space


@pytest.fixture
def store(tmp_path):
    with LatencyStore(tmp_path / "latency.sqlite") as opened:
        yield opened


@pytest.fixture
def digest():
    return fingerprint_digest(FINGERPRINT)


@pytest.fixture
def filled(store):
    """A store with eight genomes, two of which are there twice."""
    session = store.start_session(FINGERPRINT, "{}", 0, 50.0)
    rng = random.Random(3)
    genomes = [sample_genome(load_space("digits"), rng) for _ in range(6)]
    for index, genome in enumerate(genomes + genomes[:2]):
        store.add_profile(session, index, genome, 10, layer_profile(genome, 10, index), 1.5)
    return store
