"""The search: draw, judge, train, until the plan is done; a process may end at any moment, another go on.

Candidate number i is drawn with its own random numbers, from the seed and i, and from the population as it
is when its turn comes. Candidates are drawn and screened many at a time, since most are rejected and a
predictor is fast in batches; as soon as one of a batch is accepted and trained the rest of it, drawn from a
population that is no more, is dropped and drawn anew. So every decision is the one that judging them one by
one would have made, whatever the batches were, and wherever a process was killed in between.
"""

from __future__ import annotations

import math
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from tvnsearch.errors import UserError
from tvnsearch.genome.identity import genome_id
from tvnsearch.search.budget import given_options
from tvnsearch.search.events import EventKind, SearchEvent, counts_of
from tvnsearch.search.feasibility import check_reachable
from tvnsearch.search.gate import BudgetGate, Screening
from tvnsearch.search.individual import Candidate, Individual, Verdict, Winner, individual_of, rank
from tvnsearch.search.journal import Journal, Streak
from tvnsearch.search.protocols import FitnessFunction, LatencyModel, MeasuredGenome, TrainingFailed
from tvnsearch.search.run_folder import keep_weights, weights_path
from tvnsearch.search.strategies import Proposal, make_strategy, proposal_of
from tvnsearch.search.winner import choose_winner

FIRST_BATCH = 16
LARGEST_BATCH = 256

PATIENCE_CANDIDATES = 20_000
"""After so many candidates without a new one to measure, the search asks whether there is any left."""

HOPELESS_CANDIDATES = 10 * PATIENCE_CANDIDATES
"""After so many candidates without a new one to measure, and none ever accepted, the search gives up."""

PATIENCE_MEASUREMENTS = 100
"""After so many measurements over the budget, and none ever within it, the search gives up."""


def run_search(
    journal: Journal,
    latency: LatencyModel,
    fitness: FitnessFunction,
    on_event: Callable[[SearchEvent], None],
    clock: Callable[[], float] = time.monotonic,
) -> Winner | None:
    """Carry out the plan of ``journal`` from where it stands, and choose the winner.

    Returns None when nothing was trained, or nothing trained keeps the budget in a fresh measurement.
    ``clock`` counts seconds. What was judged or trained before an exception, KeyboardInterrupt included, is
    in the journal.

    Raises:
        UserError: nothing in the search space keeps the budget.
    """
    search = _Search(journal, latency, fitness, on_event, clock)
    search.run()
    return search.finish()


class _Search:
    def __init__(
        self,
        journal: Journal,
        latency: LatencyModel,
        fitness: FitnessFunction,
        on_event: Callable[[SearchEvent], None],
        clock: Callable[[], float],
    ) -> None:
        self._journal = journal
        self._plan = plan = journal.plan
        self._latency = latency
        self._fitness = fitness
        self._on_event = on_event
        self._clock = clock
        self._began = clock() - journal.elapsed_seconds
        self._gate = BudgetGate(plan.budget, plan.classes, latency)
        self._strategy = make_strategy(plan)
        individuals = journal.individuals()
        self._pending = journal.pending()
        self._strategy.restore(individuals, [proposal_of(candidate) for candidate in self._pending])
        self._best: Individual | None = max(individuals, key=rank, default=None)
        self._next_number = journal.next_number
        self._verdicts = Counter(journal.verdict_counts())
        self._training_seconds = journal.training_seconds()
        self._failed = len(journal.failures())
        self._measured_ids = journal.measured_ids()
        self._streak = journal.streak()
        self._batch_size = FIRST_BATCH
        self._unlearnt: list[MeasuredGenome] = []
        for candidate in journal.measured():
            self._learn(candidate)

    def run(self) -> None:
        """Judge and train until the plan is done, its time is up, or nothing new is left."""
        self._keep_weights()
        self._emit("started", "" if self._next_number == 0 else f"goes on at candidate {self._next_number}")
        if not self._verdicts["accepted"]:
            check_reachable(self._plan, self._latency)
        while not self._is_done():
            if self._pending:
                self._train(self._pending.pop(0))
            else:
                self._judge_batch()
        if self._is_exhausted():
            self._note(
                f"the last {self._streak.unmeasured:,} candidates brought nothing new within the budget: the "
                "search ends before its plan, with all that it can reach"
            )

    def finish(self) -> Winner | None:
        """The winner of all that was trained, chosen anew unless nothing was trained since it was chosen."""
        winner = self._journal.winner() if self._journal.winner_is_final() else None
        if winner is None:
            finalists = {member.number: member for member in self._strategy.members}
            if self._best is not None:
                finalists[self._best.number] = self._best
            winner = choose_winner(finalists.values(), self._plan.budget, self._latency, self._note)
            if winner is not None:
                self._journal.record_winner(winner, self._elapsed_seconds())
        self._emit("finished", "", winner.individual.number if winner else None)
        return winner

    def _judge_batch(self) -> None:
        """Judge the next candidates, up to the first accepted one, which is pending then."""
        numbers = range(self._next_number, self._next_number + self._batch_size)
        proposals = [self._strategy.ask(random.Random(f"{self._plan.seed}/{number}")) for number in numbers]
        screenings = self._gate.screen([proposal.genome for proposal in proposals])
        self._batch_size = min(2 * self._batch_size, LARGEST_BATCH)
        accepted: Proposal | None = None
        unrecorded: list[Candidate] = []
        for number, proposal, screening in zip(numbers, proposals, screenings, strict=True):
            candidate = self._judge(number, proposal, screening)
            unrecorded.append(candidate)
            self._count(candidate)
            if candidate.verdict.kind in ("accepted", "rejected_measured"):
                self._record(unrecorded)
                unrecorded = []
                if said := self._learn(candidate):
                    self._note(said)
            if candidate.verdict.kind == "accepted":
                accepted = proposal
                self._batch_size = FIRST_BATCH
                self._pending.append(candidate)
            if accepted or self._is_done() or self._is_impatient():
                break
        self._record(unrecorded)
        for proposal in proposals:
            if proposal is not accepted:
                self._strategy.drop(proposal)
        if self._is_impatient():
            self._check_budget_again()

    def _judge(self, number: int, proposal: Proposal, screening: Screening) -> Candidate:
        if screening.rejection is not None:
            return Candidate(number, proposal.parent, proposal.genome, "", screening.rejection)
        identity = genome_id(proposal.genome)
        if identity in self._measured_ids:
            verdict = Verdict("duplicate", screening.params, screening.macs, screening.estimate)
        else:
            verdict = self._gate.confirm(proposal.genome, screening)
        return Candidate(number, proposal.parent, proposal.genome, identity, verdict)

    def _learn(self, candidate: Candidate) -> str | None:
        """Let a measured candidate count in estimates, once the next one is accepted.

        The rest of its batch is screened already: only where a batch ends for sure do an interrupted search
        and an uninterrupted one know the same.
        """
        if candidate.verdict.measurement is not None:
            self._unlearnt.append(MeasuredGenome(candidate.genome, candidate.verdict.measurement))
        if candidate.verdict.kind != "accepted":
            return None
        measured, self._unlearnt = self._unlearnt, []
        return self._latency.learn(measured)

    def _count(self, candidate: Candidate) -> None:
        kind = candidate.verdict.kind
        self._next_number = candidate.number + 1
        self._verdicts[kind] += 1
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

    def _train(self, candidate: Candidate) -> None:
        number = candidate.number
        self._emit("training", f"training individual {number}", number)
        began = self._clock()
        try:
            fitness = self._fitness(
                candidate.genome,
                random.Random(f"{self._plan.seed}/{number}/training").getrandbits(31),
                weights_path(self._journal.run, number),
                lambda training: self._emit("training", "", number, training),
            )
            if not math.isfinite(fitness.value):
                raise TrainingFailed(f"its fitness is {fitness.value}")
        except TrainingFailed as error:
            self._journal.record_failed(number, str(error), self._clock() - began, self._elapsed_seconds())
            self._strategy.drop(proposal_of(candidate))
            self._failed += 1
            self._keep_weights()
            self._emit("failed", f"individual {number} could not be trained: {error}", number)
            return
        seconds = self._clock() - began
        self._journal.record_trained(number, fitness, seconds, self._elapsed_seconds())
        self._training_seconds.append(seconds)
        individual = individual_of(candidate, fitness)
        self._strategy.tell(individual)
        self._best = individual if self._best is None else max(self._best, individual, key=rank)
        self._keep_weights()
        self._emit("trained", f"individual {number} has fitness {fitness.value:.4g}", number)

    def _is_done(self) -> bool:
        return self._trainings_left() <= 0 or self._is_out_of_time() or self._is_exhausted()

    def _trainings_left(self) -> int:
        return self._plan.trainings - len(self._training_seconds) - self._failed

    def _is_out_of_time(self) -> bool:
        """Whether a training begun now would, by the average, end too late."""
        if self._plan.minutes is None:
            return False
        return self._elapsed_seconds() + self._mean_training_seconds() >= self._plan.minutes * 60

    def _is_exhausted(self) -> bool:
        return self._streak.unmeasured >= PATIENCE_CANDIDATES and self._streak.duplicates > 0

    def _is_impatient(self) -> bool:
        streak = self._streak
        if streak.unmeasured:
            return streak.unmeasured % PATIENCE_CANDIDATES == 0
        return (
            not self._verdicts["accepted"]
            and streak.measured_over > 0
            and streak.measured_over % PATIENCE_MEASUREMENTS == 0
        )

    def _check_budget_again(self) -> None:
        """Refuse the budget if it is impossible, or so tight that nothing was ever found to keep it."""
        unmeasured, budget = self._streak.unmeasured, self._plan.budget
        if not unmeasured:
            raise UserError(
                f"expected some network to keep {budget.max_ms:g} ms on {self._plan.device}, but all of "
                f"{self._streak.measured_over} that were predicted to keep it took longer when measured; "
                "raise --max-ms, or profile the device again if it has changed"
            )
        check_reachable(self._plan, self._latency, attempt=unmeasured)
        if not self._verdicts["accepted"] and unmeasured >= HOPELESS_CANDIDATES:
            raise UserError(
                "expected random networks of this space to keep the budget now and then, but none of "
                f"{unmeasured:,} did; raise {given_options(budget)}, or search a space of smaller networks"
            )
        self._note(f"the last {unmeasured:,} candidates were all over the budget; the search goes on")

    def _mean_training_seconds(self) -> float:
        return sum(self._training_seconds) / max(1, len(self._training_seconds))

    def _elapsed_seconds(self) -> float:
        return self._clock() - self._began

    def _eta_seconds(self) -> float | None:
        done = len(self._training_seconds) + self._failed
        if not done:
            return None
        elapsed = self._elapsed_seconds()
        eta = max(0, self._trainings_left()) * elapsed / done
        return eta if self._plan.minutes is None else max(0.0, min(eta, self._plan.minutes * 60 - elapsed))

    def _record(self, candidates: Sequence[Candidate]) -> None:
        if candidates:
            self._journal.record_candidates(candidates, self._elapsed_seconds())
            self._emit("judged", "")

    def _keep_weights(self) -> None:
        kept = {member.number for member in self._strategy.members}
        if self._best is not None:
            kept.add(self._best.number)
        keep_weights(self._journal.run, kept)

    def _note(self, text: str) -> None:
        self._journal.record_line(text, self._elapsed_seconds())
        self._emit("noted", text)

    def _emit(
        self, kind: EventKind, text: str, number: int | None = None, training: dict[str, Any] | None = None
    ) -> None:
        self._on_event(
            SearchEvent(
                kind=kind,
                text=text,
                counts=counts_of(self._verdicts, len(self._training_seconds), self._failed),
                trainings=self._plan.trainings,
                best_fitness=None if self._best is None else self._best.fitness.value,
                elapsed_seconds=self._elapsed_seconds(),
                eta_seconds=self._eta_seconds(),
                number=number,
                training=training,
            )
        )
