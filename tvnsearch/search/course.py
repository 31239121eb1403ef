"""The course of a training: what it begins with."""

from __future__ import annotations

import random

from tvnsearch.genome.genome import Genome
from tvnsearch.search.individual import Candidate, Individual
from tvnsearch.search.journal import Journal
from tvnsearch.search.protocols import Origin, TrainingRequest
from tvnsearch.search.run_folder import weights_path


class TrainingCourse:
    """Says how candidates are trained, by the plan of ``journal`` and what was trained before."""

    def __init__(self, journal: Journal) -> None:
        self._plan = journal.plan
        self._run = journal.run
        self._genomes: dict[int, Genome] = {}
        for individual in journal.individuals():
            self.take_in(individual)

    def request(self, candidate: Candidate) -> TrainingRequest:
        """What a worker is asked to train."""
        number = candidate.number
        return TrainingRequest(
            number=number,
            parent=candidate.parent,
            genome=candidate.genome,
            seed=random.Random(f"{self._plan.seed}/{number}/training").getrandbits(31),
            weights=weights_path(self._run, number),
            origin=self._origin(candidate.parent),
        )

    def take_in(self, individual: Individual) -> None:
        """An individual was trained, and may become a parent."""
        if self._plan.inherit:
            self._genomes[individual.number] = individual.genome

    def _origin(self, parent: int | None) -> Origin | None:
        if parent is None or parent not in self._genomes:
            return None
        weights = weights_path(self._run, parent)
        return Origin(self._genomes[parent], weights) if weights.is_file() else None
