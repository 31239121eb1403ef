"""The course of a training: what it begins with, how far it goes, and whether it is worth going on."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tvnsearch.genome.genome import Genome
from tvnsearch.search.individual import Candidate, CurvePoint, Individual
from tvnsearch.search.journal import Journal
from tvnsearch.search.protocols import Fitness, Origin, TrainingRequest
from tvnsearch.search.run_folder import checkpoints_path, weights_path
from tvnsearch.search.standing import Standing

if TYPE_CHECKING:
    from tvnsearch.search.acceleration import FitnessPredictor, SuccessiveHalving


class TrainingCourse:
    """Says how candidates are trained, by the plan of ``journal`` and what was trained before.

    With early stopping a training is given to a worker once for each rung and once for the rest, and goes on
    from its checkpoint: nothing waits for a decision, and a worker may be another each time. Every decision
    is in the journal before it takes effect.
    """

    def __init__(self, journal: Journal, standing: Standing) -> None:
        self._plan = plan = journal.plan
        self._run = journal.run
        self._standing = standing
        self._genomes: dict[int, Genome] = {}
        self._halving: SuccessiveHalving | None = None
        self.predictor: FitnessPredictor | None = None
        self._going_on: dict[int, list[CurvePoint]] = {}
        self._ends: tuple[int, ...] = (plan.iterations,)
        if plan.early_stopping:
            from tvnsearch.search.acceleration import (  # noqa: PLC0415 - LightGBM and SciPy take a second
                SuccessiveHalving,
                halving_rungs,
            )

            rungs = halving_rungs(plan.iterations)
            self._halving = SuccessiveHalving(rungs, plan.iterations)
            self._ends = (*rungs, plan.iterations)
        if plan.fitness_predictor:
            from tvnsearch.search.acceleration import FitnessPredictor  # noqa: PLC0415

            self.predictor = FitnessPredictor(plan.classes, plan.seed)
        self._replay(journal)

    def request(self, candidate: Candidate) -> TrainingRequest:
        """What a worker is asked to train next of a candidate."""
        number = candidate.number
        return TrainingRequest(
            number=number,
            parent=candidate.parent,
            genome=candidate.genome,
            seed=random.Random(f"{self._plan.seed}/{number}/training").getrandbits(31),
            weights=weights_path(self._run, number),
            origin=self._origin(candidate.parent),
            until_share=self._next_end(number) / self._plan.iterations,
            checkpoints=checkpoints_path(self._run, number) if self._halving else None,
        )

    def decide(self, candidate: Candidate, fitness: Fitness, seconds: float) -> CurvePoint:
        """Where a candidate stands after a request, which took ``seconds``: at its end, or it goes on.

        That it goes on is in the journal then; that it ended is for the caller to keep.
        """
        number = candidate.number
        before = self._going_on.get(number, [])
        seconds += before[-1].seconds if before else 0.0
        if self._next_end(number) == self._plan.iterations:
            return CurvePoint(number, fitness, seconds, is_end=True)
        point = CurvePoint(number, fitness, seconds, is_end=False)
        goes_on, _ = self._report(point)
        if not goes_on:
            # its end is observed when it is taken in
            return CurvePoint(number, replace(fitness, stopped=True), seconds, is_end=True)
        self._standing.record_point(point)
        self._observe(point, candidate.genome)
        self._going_on[number] = [*before, point]
        return point

    def take_in(self, individual: Individual) -> None:
        """An individual was trained, and may become a parent."""
        point = CurvePoint(individual.number, individual.fitness, 0.0, is_end=True)
        self._keep(individual)
        said = [self._observe(point, individual.genome)]
        if self._halving and not individual.fitness.stopped:
            said.append(self._report(point)[1])
        for line in filter(None, said):
            self._standing.note(line)

    def _replay(self, journal: Journal) -> None:
        """Take in what an earlier process of the same run was told, in its order."""
        for individual in journal.individuals():
            self._keep(individual)
        if self._halving is None and self.predictor is None:
            return
        measured = journal.measured()
        genomes = {candidate.number: candidate.genome for candidate in measured}
        for candidate in measured:
            if self.predictor and candidate.verdict.kind == "accepted":
                self.predictor.expect(candidate.number, candidate.predicted_fitness)
        for point in journal.points():
            if self._halving:
                self._report(point)
            self._observe(point, genomes[point.number])
            if not point.is_end:
                self._going_on.setdefault(point.number, []).append(point)

    def _keep(self, individual: Individual) -> None:
        if self._plan.inherit:
            self._genomes[individual.number] = individual.genome

    def _observe(self, point: CurvePoint, genome: Genome) -> str | None:
        """Let the predictor, if there is one, learn from a point; a line for the log, if any."""
        if self.predictor is None:
            return None
        from tvnsearch.search.acceleration.fitness_predictor import Observation  # noqa: PLC0415

        is_whole = point.is_end and not point.fitness.stopped
        share = 1.0 if is_whole else self._next_end(point.number) / self._plan.iterations
        observation = Observation(point.number, genome, share, point.fitness.value)
        return self.predictor.observe(observation)

    def _report(self, point: CurvePoint) -> tuple[bool, str | None]:
        """Whether a training is worth going on with, and a line for the log, if any."""
        from tvnsearch.search.acceleration.halving import RungResult  # noqa: PLC0415

        assert self._halving is not None
        is_whole = point.is_end and not point.fitness.stopped
        end = self._plan.iterations if is_whole else self._next_end(point.number)
        decision, said = self._halving.report(RungResult(point.number, end, point.fitness.value))
        return decision == "go on", said

    def _next_end(self, number: int) -> int:
        """Up to how many iterations a candidate is trained before it is looked at again."""
        return self._ends[len(self._going_on.get(number, []))]

    def _origin(self, parent: int | None) -> Origin | None:
        if parent is None or parent not in self._genomes:
            return None
        weights = weights_path(self._run, parent)
        return Origin(self._genomes[parent], weights) if weights.is_file() else None
