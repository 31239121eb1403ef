"""The course of a training: what it begins with, how far it goes, and whether it is worth going on."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tvnsearch.genome.genome import Genome
from tvnsearch.search.journal.writer import Journal
from tvnsearch.search.progress.recorder import Standing
from tvnsearch.search.protocols import Fitness, ParentWeights, TrainingRequest
from tvnsearch.search.records import Candidate, Control, CurvePoint
from tvnsearch.search.run_folder import checkpoints_path, control_path, weights_path

if TYPE_CHECKING:
    from tvnsearch.search.trainings.early_stopping import EarlyStopping
    from tvnsearch.search.trainings.fitness_predictor import FitnessPredictor
    from tvnsearch.search.trainings.inheritance import Inheritance


class TrainingSchedule:
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
        self._inheritance: Inheritance | None = None
        self._controls: list[Candidate] = []
        self._early_stopping: EarlyStopping | None = None
        self.predictor: FitnessPredictor | None = None
        self._passed: dict[int, list[CurvePoint]] = {}
        self._paused: dict[int, Candidate] = {}
        self._ends: tuple[int, ...] = (plan.training.iterations,)
        if plan.accelerations.early_stopping:
            from tvnsearch.search.trainings.early_stopping import EarlyStopping, rungs_of  # noqa: PLC0415 - SciPy takes a second

            rungs = rungs_of(plan.training.iterations)
            self._early_stopping = EarlyStopping(rungs, plan.training.iterations)
            self._ends = (*rungs, plan.training.iterations)
        if plan.accelerations.fitness_predictor:
            from tvnsearch.search.trainings.fitness_predictor import FitnessPredictor  # noqa: PLC0415

            self.predictor = FitnessPredictor(plan.classes)
        if plan.accelerations.inherit:
            from tvnsearch.search.trainings.inheritance import Inheritance  # noqa: PLC0415

            self._inheritance = Inheritance()
        self._replay(journal)

    @property
    def paused(self) -> list[Candidate]:
        """The candidates whose training may still go on; their checkpoints are needed for that."""
        return list(self._paused.values())

    def goes_on(self, number: int) -> bool:
        """Whether a candidate was last seen at a rung, and goes on from there."""
        passed = self._passed.get(number, [])
        return bool(passed) and passed[-1].kind == "goes on"

    def request(self, candidate: Candidate) -> TrainingRequest:
        """What a worker is asked to train next of a candidate."""
        number = candidate.number
        return TrainingRequest(
            number=number,
            parent=candidate.parent,
            genome=candidate.genome,
            seed=random.Random(f"{self._plan.search.seed}/{number}/training").getrandbits(31),
            weights=weights_path(self._run, number),
            checkpoints=checkpoints_path(self._run, number),
            origin=self._origin(candidate),
            until_share=self._next_end(number) / self._plan.training.iterations,
        )

    def decide(self, candidate: Candidate, fitness: Fitness, seconds: float) -> CurvePoint:
        """Where a candidate stands after a request, which took ``seconds``: going on, paused, or ended.

        That it goes on is in the journal then; anything else is for the caller to keep, and to take in here.
        """
        number = candidate.number
        before = self._passed.get(number, [])
        seconds += before[-1].seconds if before else 0.0
        if self._early_stopping is None or self._next_end(number) == self._plan.training.iterations:
            return CurvePoint(number, fitness, seconds, "ended")
        self._look(number, fitness.value, candidate.genome)
        if self._early_stopping.is_hopeless(number):
            prospect = self._early_stopping.prospect(number)
            assert prospect is not None
            stopped = replace(fitness, value=prospect.mean, stopped=True, reached=fitness.value)
            return CurvePoint(number, stopped, seconds, "paused")
        point = CurvePoint(number, fitness, seconds, "goes on")
        self._standing.record_point(point)
        self._passed.setdefault(number, []).append(point)
        return point

    def take_in(self, candidate: Candidate, point: CurvePoint) -> None:
        """What became of a candidate is known, and in the journal: it is paused or has ended."""
        self._keep(candidate)
        if point.kind == "paused":
            self._pause(candidate, point)
            return
        self._take_in_heir(candidate, point)
        for line in self._look(candidate.number, point.fitness.value, candidate.genome):
            self._standing.note(line)

    def promote(self) -> Candidate | None:
        """A paused candidate that is worth going on with by now, which is in the journal then."""
        number = self._early_stopping.next_promotion() if self._early_stopping else None
        if number is None or number not in self._paused:
            return None
        candidate = self._paused[number]
        self.go_on(number)
        return candidate

    def go_on(self, number: int) -> None:
        """Have a paused training go on, whatever is foretold for it, which is in the journal then."""
        self._standing.record_point(replace(self._passed[number][-1], kind="promoted"))
        self._promote(number)

    def next_control(self) -> Candidate | None:
        """A candidate that has ended with inherited weights and is to be trained from scratch as well."""
        if not self._controls or self._inheritance is None or not self._inheritance.active:
            return None
        return self._controls.pop(0)

    def control_request(self, candidate: Candidate) -> TrainingRequest:
        """What a worker is asked to train of it: a whole training, beside the weights that the run keeps."""
        number = candidate.number
        folder = control_path(self._run, number)
        return TrainingRequest(
            number=number,
            parent=None,
            genome=candidate.genome,
            seed=random.Random(f"{self._plan.search.seed}/{number}/control").getrandbits(31),
            weights=folder / "weights.safetensors",
            checkpoints=folder / "checkpoints",
        )

    def take_in_control(self, control: Control) -> None:
        """What a candidate comes to from scratch is known, and in the journal."""
        assert self._inheritance is not None
        if said := self._inheritance.compare(control):
            self._standing.note(said)

    def _replay(self, journal: Journal) -> None:
        """Take in what an earlier process of the same run was told, in its order."""
        accepted = [one for one in journal.measured() if one.verdict.kind == "accepted"]
        candidates = {candidate.number: candidate for candidate in accepted}
        for candidate in accepted:
            if self.predictor:
                self.predictor.expect(candidate.number, candidate.predicted_fitness)
        for point in journal.points():
            number, candidate = point.number, candidates[point.number]
            if point.kind == "promoted":
                self._promote(number)
                continue
            reached = point.fitness.reached if point.kind == "paused" else point.fitness.value
            assert reached is not None
            self._look(number, reached, candidate.genome)
            if point.kind == "goes on":
                self._passed.setdefault(number, []).append(point)
                continue
            self._keep(candidate)
            if point.kind == "paused":
                self._pause(candidate, point)
            else:
                self._take_in_heir(candidate, point)
        for control in journal.controls():
            self._controls = [one for one in self._controls if one.number != control.number]
            assert self._inheritance is not None
            self._inheritance.compare(control)

    def _take_in_heir(self, candidate: Candidate, point: CurvePoint) -> None:
        """Let a whole training that began with inherited weights be held against one from scratch."""
        if self._inheritance is None or point.fitness.inherited_share is None:
            return
        if self._inheritance.take_in(candidate.number, point.fitness.value):
            self._controls.append(candidate)

    def _keep(self, candidate: Candidate) -> None:
        if self._plan.accelerations.inherit:
            self._genomes[candidate.number] = candidate.genome

    def _look(self, number: int, value: float, genome: Genome) -> list[str]:
        """Let the accelerations see the fitness that a candidate has come to; lines for the log."""
        said: list[str | None] = []
        iterations = self._next_end(number)
        if self._early_stopping:
            from tvnsearch.search.trainings.early_stopping import RungResult  # noqa: PLC0415

            said.append(self._early_stopping.report(RungResult(number, iterations, value)))
        if self.predictor:
            from tvnsearch.search.trainings.fitness_predictor import Observation  # noqa: PLC0415

            share = iterations / self._plan.training.iterations
            said.append(self.predictor.observe(Observation(number, genome, share, value)))
        return [line for line in said if line is not None]

    def _pause(self, candidate: Candidate, point: CurvePoint) -> None:
        assert self._early_stopping is not None
        number = candidate.number
        self._passed.setdefault(number, []).append(point)
        self._early_stopping.pause(number)
        self._paused[number] = candidate
        for given_up in self._paused.keys() - self._early_stopping.paused:
            del self._paused[given_up]

    def _promote(self, number: int) -> None:
        assert self._early_stopping is not None
        self._early_stopping.promote(number)
        self._paused.pop(number, None)

    def _next_end(self, number: int) -> int:
        """Up to how many iterations a candidate is trained before it is looked at again."""
        return self._ends[len(self._passed.get(number, []))]

    def _origin(self, candidate: Candidate) -> ParentWeights | None:
        parent = candidate.parent
        if parent is None or parent not in self._genomes:
            return None
        if self._inheritance is None or not self._inheritance.may_inherit(candidate.number):
            return None
        weights = weights_path(self._run, parent)
        return ParentWeights(self._genomes[parent], weights) if weights.is_file() else None
