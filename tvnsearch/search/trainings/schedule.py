"""The schedule of trainings: which candidate is trained next, with what, how far, and what becomes of it."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tvnsearch.genome.genome import Genome
from tvnsearch.search.events import (
    Begun,
    Controlled,
    Event,
    Failed,
    Judged,
    Opened,
    Paused,
    Promoted,
    Remeasured,
    Returned,
    RungPassed,
    Trained,
)
from tvnsearch.search.exchange import Exchange
from tvnsearch.search.plan import SearchPlan
from tvnsearch.search.protocols import Fitness, ParentWeights, TrainingRequest
from tvnsearch.search.records import Candidate
from tvnsearch.search.run_folder import checkpoints_path, control_path, weights_path
from tvnsearch.search.strategies.objectives import Costs, costs_of
from tvnsearch.search.trainings.queues import Queues, first
from tvnsearch.search.trainings.results import Observation, RungResult

if TYPE_CHECKING:
    from tvnsearch.search.trainings.early_stopping import EarlyStopping
    from tvnsearch.search.trainings.fitness_predictor import FitnessPredictor
    from tvnsearch.search.trainings.inheritance import Inheritance


class TrainingSchedule:
    """Says how the candidates of a run are trained, by its plan and the events that it was given.

    With early stopping a training is given to a worker once for each rung and once for the rest, and goes on
    from its checkpoint: nothing waits for a decision, and a worker may be another each time.
    """

    def __init__(self, plan: SearchPlan, exchange: Exchange) -> None:
        self._plan = plan
        self._exchange = exchange
        self._queues = Queues()
        self._genomes: dict[int, Genome] = {}
        """Of the individuals whose weights may be inherited."""
        self._ends: tuple[int, ...] = (plan.training.iterations,)
        self.predictor: FitnessPredictor | None = None
        self._early_stopping: EarlyStopping | None = None
        self._inheritance: Inheritance | None = None
        self._open_accelerations()

    def _open_accelerations(self) -> None:
        """Import only what the plan has: SciPy takes a second."""
        iterations, wanted = self._plan.training.iterations, self._plan.accelerations
        if wanted.early_stopping:
            from tvnsearch.search.trainings.early_stopping import EarlyStopping, rungs_of  # noqa: PLC0415

            rungs = rungs_of(iterations)
            self._early_stopping = EarlyStopping(rungs, iterations)
            self._ends = (*rungs, iterations)
        if wanted.fitness_predictor:
            from tvnsearch.search.trainings.fitness_predictor import FitnessPredictor  # noqa: PLC0415

            self.predictor = FitnessPredictor(self._plan.classes)
        if wanted.inherit:
            from tvnsearch.search.trainings.inheritance import Inheritance  # noqa: PLC0415

            self._inheritance = Inheritance()

    @property
    def ready(self) -> int:
        """How many accepted candidates wait for their training."""
        return len(self._queues.ready)

    @property
    def unfinished(self) -> int:
        """How many candidates have no fitness yet: they are in training, go on, or are still to begin."""
        return self._queues.unfinished

    @property
    def needed(self) -> Iterable[Candidate]:
        """The candidates whose training may still begin or go on: parents' weights and checkpoints stay."""
        return self._queues.needed

    @property
    def controls(self) -> Iterable[int]:
        """The numbers of those whose training from scratch may still begin or end."""
        return self._queues.all_controls

    def at_rung(self) -> list[Candidate]:
        """The candidates that have passed a rung and go on."""
        return list(self._queues.at_rung.values())

    def next_ready(self) -> Candidate | None:
        """The candidate that has waited longest for its training, or else one that has had it in vain."""
        return self._queues.next_ready()

    def next_promoted(self) -> Candidate | None:
        """A candidate whose training was paused and is to go on."""
        return first(self._queues.promoted)

    def next_control(self) -> Candidate | None:
        """A candidate that has ended with inherited weights and is to be trained from scratch as well."""
        if self._inheritance is None or not self._inheritance.active:
            return None
        return first(self._queues.controls)

    def worth_promoting(self) -> int | None:
        """The individual whose training is paused and is worth going on with by now."""
        number = self._early_stopping.next_promotion() if self._early_stopping else None
        return number if number in self._queues.paused else None

    def request(self, candidate: Candidate) -> TrainingRequest:
        """What a worker is asked to train next of a candidate."""
        number = candidate.number
        return TrainingRequest(
            number=number,
            parent=candidate.parent,
            genome=candidate.genome,
            seed=random.Random(f"{self._plan.search.seed}/{number}/training").getrandbits(31),
            weights=weights_path(self._exchange.folder, number),
            checkpoints=checkpoints_path(self._exchange.folder, number),
            origin=self._origin(candidate),
            until_share=self._next_end(number) / self._plan.training.iterations,
        )

    def control_request(self, candidate: Candidate) -> TrainingRequest:
        """What a worker is asked to train of it: a whole training, beside the weights that the run keeps."""
        number = candidate.number
        folder = control_path(self._exchange.folder, number)
        return TrainingRequest(
            number=number,
            parent=None,
            genome=candidate.genome,
            seed=random.Random(f"{self._plan.search.seed}/{number}/control").getrandbits(31),
            weights=folder / "weights.safetensors",
            checkpoints=folder / "checkpoints",
        )

    def outcome(self, number: int, fitness: Fitness, seconds: float) -> RungPassed | Paused | Trained:
        """What has happened when a request ends with ``fitness``, after ``seconds`` more."""
        looks = self._queues.looks(number)
        seconds += looks[-1].seconds if looks else 0.0
        iterations = self._next_end(number)
        if self._early_stopping is None or iterations == self._plan.training.iterations:
            return Trained(number, fitness, seconds)
        result = RungResult(number, iterations, fitness.value, self._costs(self._queues.candidates[number]))
        if not self._early_stopping.is_hopeless(result):
            return RungPassed(number, fitness, seconds)
        prospect = self._early_stopping.prospect(result)
        assert prospect is not None
        foretold = replace(fitness, value=prospect.mean, stopped=True, reached=fitness.value)
        return Paused(number, foretold, seconds)

    def apply(self, event: Event) -> list[str]:
        """Take in what has happened; sentences on accelerations that were found to mislead."""
        match event:
            case Opened():
                self._queues.cut_off()
            case Judged(measured=Candidate() as candidate) | Remeasured(measured=candidate):
                self._judged(candidate)
            case Begun():
                self._queues.begin(event)
            case RungPassed() | Paused() | Trained():
                return self._looked_at(event)
            case Promoted():
                self._promoted_by(event.number)
            case Failed():
                self._queues.end(event.number)
            case Returned():
                self._queues.give_back(event)
            case Controlled():
                return self._controlled(event)
            case _:
                pass
        return []

    def _judged(self, candidate: Candidate) -> None:
        if candidate.verdict.kind == "accepted":
            self._queues.accept(candidate)
            if self.predictor:
                self.predictor.expect(candidate.number, candidate.predicted_fitness)

    def _looked_at(self, event: RungPassed | Paused | Trained) -> list[str]:
        number = event.number
        candidate = self._queues.succeed(number)
        reached = event.fitness.reached if isinstance(event, Paused) else event.fitness.value
        assert reached is not None
        said = self._report(candidate, reached)
        if not isinstance(event, RungPassed) and self._inheritance:
            self._genomes[number] = candidate.genome
        if isinstance(event, Trained):
            self._trained(candidate, event.fitness)
            return said
        self._queues.look(event)
        if isinstance(event, RungPassed):
            self._queues.at_rung[number] = candidate
        else:
            self._pause(candidate)
        return said

    def _report(self, candidate: Candidate, value: float) -> list[str]:
        """Let the accelerations see the fitness that a candidate has come to."""
        said: list[str | None] = []
        number, iterations = candidate.number, self._next_end(candidate.number)
        costs = self._costs(candidate)
        if self._early_stopping:
            said.append(self._early_stopping.report(RungResult(number, iterations, value, costs)))
        if self.predictor:
            share = iterations / self._plan.training.iterations
            said.append(self.predictor.observe(Observation(number, candidate.genome, share, value, costs)))
        return [line for line in said if line is not None]

    def _trained(self, candidate: Candidate, fitness: Fitness) -> None:
        """Let a whole training that began with inherited weights be held against one from scratch."""
        if self._inheritance is None or fitness.inherited_share is None:
            return
        if self._inheritance.take_in(candidate.number, fitness.value):
            self._queues.controls[candidate.number] = candidate

    def _pause(self, candidate: Candidate) -> None:
        assert self._early_stopping is not None
        self._early_stopping.pause(candidate.number)
        paused = self._queues.paused
        paused[candidate.number] = candidate
        for given_up in paused.keys() - self._early_stopping.paused:
            del paused[given_up]

    def _promoted_by(self, number: int) -> None:
        assert self._early_stopping is not None
        self._early_stopping.promote(number)
        self._queues.promote(number)

    def _controlled(self, event: Controlled) -> list[str]:
        assert self._inheritance is not None
        self._queues.end_control(event.number)
        said = self._inheritance.compare(event)
        return [] if said is None else [said]

    def _costs(self, candidate: Candidate) -> Costs:
        verdict = candidate.verdict
        assert verdict.measurement is not None
        return costs_of(self._plan.search.strategy, verdict.measurement.latency_ms, verdict.params)

    def _next_end(self, number: int) -> int:
        """Up to how many iterations a candidate is trained before it is looked at again."""
        return self._ends[len(self._queues.looks(number))]

    def _origin(self, candidate: Candidate) -> ParentWeights | None:
        parent = candidate.parent
        if parent is None or parent not in self._genomes:
            return None
        if self._inheritance is None or not self._inheritance.may_inherit(candidate.number):
            return None
        weights = weights_path(self._exchange.run, parent)
        return ParentWeights(self._genomes[parent], weights) if weights.is_file() else None
