"""Candidates: drawn, screened, measured, until one may be trained.

Candidate number i is drawn with its own random numbers, from the seed and i, and from the population as it
is when its turn comes. Candidates are drawn and screened many at a time, since most are rejected and a
predictor is fast in batches; as soon as the population changes the rest of a batch, drawn from a population
that is no more, is dropped and drawn anew. So every decision is the one that judging them one by one would
have made, whatever the batches were, and wherever a process was killed in between.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from tvnsearch.errors import UserError
from tvnsearch.genome.identity import genome_id
from tvnsearch.search.budget import given_options
from tvnsearch.search.candidates.budget_gate import BudgetGate, Screening
from tvnsearch.search.candidates.child_choice import ChildChooser
from tvnsearch.search.candidates.feasibility import check_reachable
from tvnsearch.search.executors import Executor
from tvnsearch.search.journal.reader import Streak
from tvnsearch.search.journal.writer import Journal
from tvnsearch.search.progress.recorder import Standing
from tvnsearch.search.protocols import LatencyModel, MeasuredGenome
from tvnsearch.search.records import Candidate
from tvnsearch.search.strategies import AskTell, Proposal

if TYPE_CHECKING:
    from tvnsearch.search.trainings.fitness_predictor import FitnessPredictor

FIRST_BATCH = 16
LARGEST_BATCH = 256

PATIENCE_CANDIDATES = 20_000
"""After so many candidates without a new one to measure, the search asks whether there is any left."""

HOPELESS_CANDIDATES = 10 * PATIENCE_CANDIDATES
"""After so many candidates without a new one to measure, and none ever accepted, the search gives up."""

PATIENCE_MEASUREMENTS = 100
"""After so many measurements over the budget, and none ever within it, the search gives up."""


class _Lessons(NamedTuple):
    """What a latency model can learn of candidates: measurements, and all that was predicted in ms."""

    measured: list[MeasuredGenome]
    predicted_ms: list[float]

    def add_measured(self, candidate: Candidate) -> None:
        """Take in a candidate's measurement, if it has one."""
        if candidate.verdict.measurement is not None:
            self.measured.append(MeasuredGenome(candidate.genome, candidate.verdict.measurement))


class Judge:
    """Draws candidates of a strategy and judges them; the workers of ``executor`` stand still meanwhile."""

    def __init__(
        self,
        journal: Journal,
        standing: Standing,
        strategy: AskTell,
        latency: LatencyModel,
        executor: Executor,
        predictor: FitnessPredictor | None = None,
    ) -> None:
        self._journal = journal
        self._plan = plan = journal.plan
        self._standing = standing
        self._strategy = strategy
        self._latency = latency
        self._executor = executor
        self._gate = BudgetGate(plan.budget, plan.classes, latency)
        self._predictor = predictor
        self._chooser = (
            None if predictor is None else ChildChooser(predictor, strategy, self._gate, plan.space)
        )
        self._measured_ids = journal.measured_ids()
        self._streak = journal.streak()
        # What may be chosen among depends on what was measured: then nothing is drawn ahead.
        self._largest_batch = LARGEST_BATCH if self._chooser is None else 1
        self._batch_size = min(FIRST_BATCH, self._largest_batch)
        self._unlearnt = _Lessons([], [])
        self.next_number = journal.next_number
        self._learn_again()

    @property
    def is_exhausted(self) -> bool:
        """Whether so many candidates brought nothing new that there seems to be nothing left."""
        return self._streak.unmeasured >= PATIENCE_CANDIDATES and self._streak.duplicates > 0

    @property
    def unmeasured(self) -> int:
        """How many candidates were drawn since one was last measured."""
        return self._streak.unmeasured

    def judge_batch(self, has_to_stop: Callable[[], bool]) -> Candidate | None:
        """Judge the next candidates, up to the first accepted one, which is returned.

        ``has_to_stop`` is asked after each.

        Raises:
            UserError: nothing in the search space keeps the budget.
        """
        numbers = range(self.next_number, self.next_number + self._batch_size)
        proposals, predicted = self._propose(numbers)
        screenings = self._gate.screen([proposal.genome for proposal in proposals])
        self._batch_size = min(2 * self._batch_size, self._largest_batch)
        accepted: Candidate | None = None
        unrecorded: list[Candidate] = []
        drawn = zip(numbers, proposals, predicted, screenings, strict=True)
        for number, proposal, predicted_fitness, screening in drawn:
            candidate = self._judge(number, proposal, screening)
            candidate = replace(candidate, predicted_fitness=predicted_fitness)
            unrecorded.append(candidate)
            self._count(candidate)
            if candidate.verdict.kind in ("accepted", "rejected_measured"):
                self._standing.record_candidates(unrecorded)
                unrecorded = []
            if said := self._learn(candidate):
                self._standing.note(said)
            if candidate.verdict.kind == "accepted":
                accepted = candidate
                self._batch_size = min(FIRST_BATCH, self._largest_batch)
                if self._predictor:
                    self._predictor.expect(candidate.number, candidate.predicted_fitness)
                proposals.remove(proposal)
            if accepted or self._is_impatient() or has_to_stop():
                break
        self._standing.record_candidates(unrecorded)
        for proposal in proposals:
            self._strategy.drop(proposal)
        if self._is_impatient():
            self._check_budget_again()
        return accepted

    def _propose(self, numbers: range) -> tuple[list[Proposal], list[float | None]]:
        """The proposals of these numbers, and what is predicted for each, where children are chosen."""
        rngs = [random.Random(f"{self._plan.search.seed}/{number}") for number in numbers]
        proposals = [self._strategy.ask(rng) for rng in rngs]
        if self._chooser is None:
            return proposals, [None] * len(proposals)
        chosen = [
            self._chooser.choose(proposal, rng, self._measured_ids)
            for proposal, rng in zip(proposals, rngs, strict=True)
        ]
        return [proposal for proposal, _ in chosen], [predicted for _, predicted in chosen]

    def _judge(self, number: int, proposal: Proposal, screening: Screening) -> Candidate:
        if screening.rejection is not None:
            verdict = screening.verdict(screening.rejection)
            return Candidate(number, proposal.parent, proposal.genome, "", verdict)
        identity = genome_id(proposal.genome)
        if identity in self._measured_ids:
            verdict = screening.verdict("duplicate")
        else:
            with self._executor.standing_still():
                verdict = self._gate.confirm(proposal.genome, screening)
        return Candidate(number, proposal.parent, proposal.genome, identity, verdict)

    def _learn_again(self) -> None:
        """Take in what an earlier process of the same run had learnt, and what it had yet to learn."""
        measured = self._journal.measured()
        last = max((one.number for one in measured if one.verdict.kind == "accepted"), default=-1)
        learnt = _Lessons([], [])
        for candidate in measured:
            (learnt if candidate.number <= last else self._unlearnt).add_measured(candidate)
        for number, predicted_ms in self._journal.predictions():
            (learnt if number <= last else self._unlearnt).predicted_ms.append(predicted_ms)
        self._latency.learn(*learnt)

    def _learn(self, candidate: Candidate) -> str | None:
        """Let a candidate count in what is rejected, once the next one is accepted.

        The rest of its batch is screened already: only where a batch ends for sure do an interrupted search
        and an uninterrupted one know the same.
        """
        self._unlearnt.add_measured(candidate)
        if candidate.verdict.estimate is not None:
            self._unlearnt.predicted_ms.append(candidate.verdict.estimate.latency_ms)
        if candidate.verdict.kind != "accepted":
            return None
        lessons, self._unlearnt = self._unlearnt, _Lessons([], [])
        return self._latency.learn(*lessons)

    def _count(self, candidate: Candidate) -> None:
        kind = candidate.verdict.kind
        self.next_number = candidate.number + 1
        self._standing.verdicts[kind] += 1
        if kind in ("accepted", "rejected_measured"):
            self._measured_ids.add(candidate.genome_id)
            measured_over = self._streak.measured_over + 1 if kind == "rejected_measured" else 0
            self._streak = Streak(unmeasured=0, duplicates=0, measured_over=measured_over)
        else:
            self._streak = Streak(
                unmeasured=self._streak.unmeasured + 1,
                duplicates=self._streak.duplicates + (kind == "duplicate"),
                measured_over=self._streak.measured_over,
            )

    def _is_impatient(self) -> bool:
        streak = self._streak
        if streak.unmeasured:
            return streak.unmeasured % PATIENCE_CANDIDATES == 0
        return (
            not self._standing.verdicts["accepted"]
            and streak.measured_over > 0
            and streak.measured_over % PATIENCE_MEASUREMENTS == 0
        )

    def _check_budget_again(self) -> None:
        """Refuse the budget if it is impossible, or so tight that nothing was ever found to keep it."""
        unmeasured, budget = self._streak.unmeasured, self._plan.budget
        if not unmeasured:
            raise UserError(self._why_nothing_was_accepted())
        check_reachable(self._plan, self._latency, attempt=unmeasured)
        if not self._standing.verdicts["accepted"] and unmeasured >= HOPELESS_CANDIDATES:
            raise UserError(
                "expected random networks of this space to keep the budget now and then, but none of "
                f"{unmeasured:,} did; raise {given_options(budget)}, or search a space of smaller networks"
            )
        if not self.is_exhausted:
            self._standing.note(
                f"the last {unmeasured:,} candidates were all over the budget; the search goes on"
            )

    def _why_nothing_was_accepted(self) -> str:
        """The sentence on a search that has measured many networks, none of which keeps the budget."""
        measured, budget, device = self._streak.measured_over, self._plan.budget, self._plan.device.name
        reasons = self._journal.failed_measurements()
        if len(reasons) == measured:
            return (
                f"expected networks to run on {device}, but none of {measured} could be measured, the latest "
                f"because of: {reasons[-1]}; mend that (`tvnsearch doctor`), or search for another --backend"
            )
        found = f"all of {measured} that were predicted to keep it took longer when measured"
        if reasons:
            found = (
                f"of {measured} that were predicted to keep it {measured - len(reasons)} took longer when "
                f"measured, and {len(reasons)} could not be measured (the latest because of: {reasons[-1]})"
            )
        return (
            f"expected some network to keep {budget.max_ms:g} ms on {device}, but {found}; raise --max-ms, "
            "or profile the device again if it has changed"
        )
