"""Candidates: drawn, screened, measured, until one may be trained.

The first candidates are the genomes that the plan starts from. Any other, number i, is drawn with its own
random numbers, from the seed and i, and from the population as it is when its turn comes. Candidates are
drawn and screened many at a time, since most are rejected and a predictor is fast in batches; as soon as the
population changes the rest of a batch, drawn from a population that is no more, is left out and drawn anew.
So every decision is the one that judging them one by one would have made, whatever the batches were, and
wherever a process was killed in between.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tvnsearch.errors import UserError
from tvnsearch.genome.identity import genome_id
from tvnsearch.search.budget import given_options
from tvnsearch.search.candidates.budget_gate import BudgetGate, Screening
from tvnsearch.search.candidates.child_choice import ChildChooser
from tvnsearch.search.candidates.feasibility import check_reachable
from tvnsearch.search.events import Event, Judged, Noted, Opened, Remeasured
from tvnsearch.search.executors import Executor, undisturbed
from tvnsearch.search.history import History
from tvnsearch.search.plan import SearchPlan
from tvnsearch.search.protocols import LatencyModel, MeasuredGenome
from tvnsearch.search.records import Candidate, Rejected, VerdictKind
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

MOST_AGAIN = 2
"""So many times an undecided candidate is measured again later, before others are drawn instead."""

PATIENCE_UNDECIDED = 40
"""After so many measurements in a row that decide nothing, the search stops until there is more quiet."""


class Streak(Struct, frozen=True):
    """How long a search has gone without success, at its latest candidate.

    ``unmeasured`` candidates were drawn since one was last measured, ``duplicates`` of them known already;
    ``measured_over`` of the latest measurements were over the budget and none within it, and the latest
    ``undecided`` ones decided nothing.
    """

    unmeasured: int = 0
    duplicates: int = 0
    measured_over: int = 0
    undecided: int = 0

    def after(self, kind: VerdictKind) -> Streak:
        """The streak after another candidate."""
        if kind == "accepted":
            return Streak()
        if kind == "rejected_measured":
            return Streak(measured_over=self.measured_over + 1)
        if kind == "undecided":
            return Streak(measured_over=self.measured_over, undecided=self.undecided + 1)
        return replace(
            self, unmeasured=self.unmeasured + 1, duplicates=self.duplicates + (kind == "duplicate")
        )

    @property
    def is_exhausting(self) -> bool:
        """Whether so many candidates brought nothing new that there seems to be nothing left."""
        return self.unmeasured >= PATIENCE_CANDIDATES and self.duplicates > 0


class _Waiting(Struct):
    """An undecided candidate that is to be measured ``again`` so many times at most, once that is due.

    That is when another one was measured: a slow phase may be over by then.
    """

    candidate: Candidate
    again: int = MOST_AGAIN
    is_due: bool = False


class Judge:
    """Draws candidates of a strategy and judges them; workers stand still while this machine measures."""

    def __init__(
        self,
        plan: SearchPlan,
        history: History,
        strategy: AskTell,
        latency: LatencyModel,
        executor: Executor,
        predictor: FitnessPredictor | None = None,
    ) -> None:
        self._plan = plan
        self._history = history
        self._strategy = strategy
        self._latency = latency
        self._executor = executor
        self._gate = BudgetGate(plan.budget, plan.classes, latency)
        self._chooser = (
            None if predictor is None else ChildChooser(predictor, strategy, self._gate, plan, latency)
        )
        self._measured_ids: set[str] = set()
        self._waiting: dict[int, _Waiting] = {}
        self._streak = Streak()
        self._lessons: list[MeasuredGenome] = []
        self._predicted_ms: list[float] = []
        # What may be chosen among depends on what was measured: then nothing is drawn ahead.
        self._largest_batch = LARGEST_BATCH if self._chooser is None else 1
        self._batch_size = min(FIRST_BATCH, self._largest_batch)

    @property
    def is_exhausted(self) -> bool:
        """Whether so many candidates brought nothing new that there seems to be nothing left."""
        return self._streak.is_exhausting

    @property
    def unmeasured(self) -> int:
        """How many candidates were drawn since one was last measured."""
        return self._streak.unmeasured

    def judge_batch(self, record: Callable[[Event], None], has_to_stop: Callable[[], bool]) -> None:
        """Judge the next candidates, up to the first accepted one, and ``record`` what they met.

        ``has_to_stop`` is asked after each. One that was left undecided comes first, if it is time for it.

        Raises:
            UserError: nothing in the search space keeps the budget, or no measurement can be trusted.
        """
        if self._streak.undecided >= PATIENCE_UNDECIDED:
            raise UserError(self._why_nothing_was_decided())
        if self._is_impatient(self._streak):
            self._check_budget_again(record)
        due = next((waiting.candidate for waiting in self._waiting.values() if waiting.is_due), None)
        if due is not None:
            with undisturbed(self._executor, self._plan.device.is_here):
                verdict = self._gate.confirm_again(due.genome, due.verdict)
            record(Remeasured(replace(due, verdict=verdict)))
            return
        first = self._history.next_number
        numbers = range(first, first + self._batch_size)
        proposals, predicted = self._propose(numbers)
        screenings = self._gate.screen([proposal.genome for proposal in proposals])
        self._batch_size = min(2 * self._batch_size, self._largest_batch)
        streak, rejected = self._streak, list[Rejected]()
        drawn = zip(numbers, proposals, predicted, screenings, strict=True)
        for number, proposal, predicted_fitness, screening in drawn:
            judged = self._judge(number, proposal, screening)
            streak = streak.after(judged.verdict.kind)
            if isinstance(judged, Rejected):
                rejected.append(judged)
            else:
                record(Judged(tuple(rejected), replace(judged, predicted_fitness=predicted_fitness)))
                rejected.clear()
            # Where a candidate is undecided, or waits to be measured again, a batch ends with a measurement:
            # a search that is interrupted goes on with the same candidate then.
            ends = judged.verdict.kind == "accepted" or (
                isinstance(judged, Candidate) and bool(self._waiting)
            )
            if ends or streak.is_exhausting or self._is_impatient(streak) or has_to_stop():
                break
        if rejected:
            record(Judged(tuple(rejected)))

    def apply(self, event: Event) -> tuple[str, ...]:
        """Take in what has happened; a sentence where predictions were found to have drifted."""
        match event:
            case Opened():
                self._streak = replace(self._streak, undecided=0)
            case Judged():
                for rejected in event.rejected:
                    self._take_in(rejected)
                if event.measured is not None:
                    self._take_in(event.measured)
                    return self._take_in_measured(event.measured)
            case Remeasured():
                self._streak = self._streak.after(event.measured.verdict.kind)
                return self._take_in_measured(event.measured)
            case _:
                pass
        return ()

    def _propose(self, numbers: range) -> tuple[list[Proposal], list[float | None]]:
        """The proposals of these numbers, and what is predicted for each, where children are chosen."""
        proposed = [self._propose_one(number) for number in numbers]
        return [proposal for proposal, _ in proposed], [predicted for _, predicted in proposed]

    def _propose_one(self, number: int) -> tuple[Proposal, float | None]:
        if number < len(self._plan.start):
            return Proposal(self._plan.start[number].genome, parent=None), None
        rng = random.Random(f"{self._plan.search.seed}/{number}")
        proposal = self._strategy.ask(rng)
        if self._chooser is None:
            return proposal, None
        return self._chooser.choose(proposal, rng, self._measured_ids)

    def _judge(self, number: int, proposal: Proposal, screening: Screening) -> Rejected | Candidate:
        if screening.rejection is not None:
            return Rejected(number, proposal.parent, screening.verdict(screening.rejection))
        identity = genome_id(proposal.genome)
        if identity in self._measured_ids:
            return Rejected(number, proposal.parent, screening.verdict("duplicate"), identity)
        with undisturbed(self._executor, self._plan.device.is_here):
            verdict = self._gate.confirm(proposal.genome, screening)
        return Candidate(number, proposal.parent, proposal.genome, identity, verdict)

    def _take_in(self, judged: Rejected | Candidate) -> None:
        self._streak = self._streak.after(judged.verdict.kind)
        if judged.verdict.estimate is not None:
            self._predicted_ms.append(judged.verdict.estimate.latency_ms)

    def _take_in_measured(self, candidate: Candidate) -> tuple[str, ...]:
        """Let measurements and predictions count in what is rejected, once a candidate is accepted.

        The rest of its batch is screened already: only where a batch ends for sure do an interrupted search
        and an uninterrupted one know the same.
        """
        self._measured_ids.add(candidate.genome_id)
        for waiting in self._waiting.values():
            waiting.is_due = True
        if candidate.verdict.kind == "undecided":
            self._keep_waiting(candidate)
            return ()
        self._waiting.pop(candidate.number, None)
        measurement = candidate.verdict.measurement
        if measurement is not None and measurement.trusted:
            self._lessons.append(MeasuredGenome(candidate.genome, measurement))
        if candidate.verdict.kind != "accepted":
            return ()
        self._batch_size = min(FIRST_BATCH, self._largest_batch)
        said = self._latency.learn(self._lessons, self._predicted_ms)
        self._lessons, self._predicted_ms = [], []
        return () if said is None else (said,)

    def _keep_waiting(self, candidate: Candidate) -> None:
        """Have an undecided candidate measured again, but for the last time: then it may be drawn again."""
        waiting = self._waiting.pop(candidate.number, None)
        again = MOST_AGAIN if waiting is None else waiting.again - 1
        if again:
            self._waiting[candidate.number] = _Waiting(candidate, again)
        else:
            self._measured_ids.discard(candidate.genome_id)

    def _why_nothing_was_decided(self) -> str:
        reason = self._history.measured[-1].verdict.reason
        return (
            f"expected measurements on {self._plan.device.name} that can be trusted, but none of the latest "
            f"{self._streak.undecided} can (of the latest {reason}); go on with `tvnsearch resume` when the "
            "machine does nothing else"
        )

    def _is_impatient(self, streak: Streak) -> bool:
        if streak.unmeasured:
            return streak.unmeasured % PATIENCE_CANDIDATES == 0
        return (
            not self._history.accepted
            and streak.measured_over > 0
            and streak.measured_over % PATIENCE_MEASUREMENTS == 0
        )

    def _check_budget_again(self, record: Callable[[Event], None]) -> None:
        """Refuse the budget if it is impossible, or so tight that nothing was ever found to keep it."""
        unmeasured, budget = self._streak.unmeasured, self._plan.budget
        if not unmeasured:
            raise UserError(self._why_nothing_was_accepted())
        check_reachable(self._plan, self._latency, attempt=unmeasured)
        if not self._history.accepted and unmeasured >= HOPELESS_CANDIDATES:
            raise UserError(
                "expected random networks of this space to keep the budget now and then, but none of "
                f"{unmeasured:,} did; raise {given_options(budget)}, or search a space of smaller networks"
            )
        if not self.is_exhausted:
            said = f"the last {unmeasured:,} candidates were all over the budget; the search goes on"
            record(Noted(said))

    def _why_nothing_was_accepted(self) -> str:
        """The sentence on a search that has measured many networks, none of which keeps the budget."""
        measured, budget, device = self._streak.measured_over, self._plan.budget, self._plan.device.name
        reasons = self._history.failed_measurements
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
