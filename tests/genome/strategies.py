"""Hypothesis strategies for genomes."""

from __future__ import annotations

import random

from hypothesis import strategies as st

from tvnsearch.genome import Genome
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.space import SearchSpace, load_space

PAPER = load_space("paper")
MOBILE = load_space("mobile")
DIGITS = load_space("digits")


def genomes(space: SearchSpace = DIGITS) -> st.SearchStrategy[Genome]:
    return st.integers(0, 2**32).map(lambda seed: sample_genome(space, random.Random(seed)))
