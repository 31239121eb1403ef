"""Whether winners keep the budget that was promised, and what the measuring costs.

    python benchmarks/promise.py promises [--winners 32] [--work runs/promise]
    python benchmarks/promise.py demo [--minutes 3] [--work runs/promise]
    python benchmarks/promise.py busy [--processes 2] [--work runs/promise]

``promises`` runs short searches under budgets that bind: 1, 2 and 5 ms, and a batch of 32 clips in 50 ms.
They are the product's own, with its predictor and its measurements on this CPU, but for training: a network
is as fit as it has operations, so that every search leans on its budget as hard as it can. Ten minutes later
each winner is measured once more, in fresh processes, which had no part in the choice, and where that is
not to be trusted ten minutes after that again, twice at most: a stopwatch in a disturbed moment says little
of the winner. What was found is kept in ``promises.json`` in the folder: interrupted, the same command goes
on.

``demo`` evolves with real trainings for some minutes, under a budget that does not bind. It prints the share
of the time that measuring took, and how many verdicts rest on measurements that are not to be trusted. It
runs with the code of earlier versions as well, to compare.

``busy`` searches beside processes that compute all the time, and says what was promised; when these have
ended, a stopwatch tells what the winner takes.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from search_efficiency import NoProcess

import tvnsearch
from tvnsearch.api.device_latency import DeviceLatency
from tvnsearch.api.watching import Watch
from tvnsearch.devices import open_device
from tvnsearch.devices.measurement import Measurement
from tvnsearch.devices.processes import measure_in_processes
from tvnsearch.errors import UserError
from tvnsearch.genome import Genome, trace
from tvnsearch.genome.space import load_space
from tvnsearch.search import Fitness, Journal, TrainingRequest, Winner, run_search
from tvnsearch.search.executors import RemoteWorker, SerialExecutor
from tvnsearch.search.plan import plan_of
from tvnsearch.search.progress.figures import SearchProgress
from tvnsearch.search.protocols import TrainingProgress
from tvnsearch.search.settings import settings_of

CLASSES = 20
BUDGETS = ((1.0, 1), (2.0, 1), (5.0, 1), (50.0, 32))
"""Milliseconds, and clips of one pass."""

LATER_SECONDS = 600.0
LATER_MEASURE_SECONDS = 18.0
MOST_TIMES_LATER = 3
PROFILE_MINUTES = 1.5
TRAININGS, POPULATION, TOURNAMENT = 10, 5, 3


class Promised(Struct):
    """A winner, when it was promised or last measured, and what fresh processes measured later."""

    max_ms: float
    batch: int
    genome: Genome
    measurement: Measurement
    accepted_at: Measurement
    promised_at: float
    later: Measurement | None = None
    times: int = 0

    @property
    def is_to_measure(self) -> bool:
        """Whether it is not known yet what it takes later."""
        return self.later is None or (not self.later.trusted and self.times < MOST_TIMES_LATER)


class Seconds(Struct):
    """How long searches took, and how much of that measuring did, by what it was for."""

    total: float = 0.0
    judging: float = 0.0
    promising: float = 0.0
    judged: int = 0
    promises: int = 0

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count what the search in this context does."""
        counted = {"measure": ("judging", "judged"), "measure_for_promise": ("promising", "promises")}
        known = {name: getattr(DeviceLatency, name) for name in counted if hasattr(DeviceLatency, name)}
        began = time.monotonic()
        for name, method in known.items():
            setattr(DeviceLatency, name, self._timed(method, *counted[name]))
        try:
            yield
        finally:
            self.total += time.monotonic() - began
            for name, method in known.items():
                setattr(DeviceLatency, name, method)

    def _timed(self, method: Callable[..., Any], seconds: str, count: str) -> Any:
        def timed(*arguments: Any, **keywords: Any) -> Any:
            began = time.monotonic()
            try:
                return method(*arguments, **keywords)
            finally:
                setattr(self, seconds, getattr(self, seconds) + time.monotonic() - began)
                setattr(self, count, getattr(self, count) + 1)

        return timed

    def figures(self) -> dict[str, float]:
        """The shares of the time, and the mean of each."""
        return {
            "search_seconds": self.total,
            "judging_share": self.judging / max(self.total, 1e-9),
            "promising_share": self.promising / max(self.total, 1e-9),
            "seconds_a_measurement": self.judging / max(self.judged, 1),
            "seconds_a_promise": self.promising / max(self.promises, 1),
        }


class Found(Struct):
    """What searches have come to: so many, their winners, and how long they took."""

    searches: int
    winners: list[Promised]
    seconds: Seconds


def main() -> None:
    """Run one of the three."""
    parser = argparse.ArgumentParser(description="Whether winners keep the budget that was promised.")
    parser.add_argument("what", choices=("promises", "demo", "busy"))
    parser.add_argument("--winners", type=int, default=32)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--work", type=Path, default=Path("runs/promise"))
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    db = arguments.work / "latency.sqlite"
    _profile(db)
    if arguments.what == "promises":
        found = promises(db, arguments.work, arguments.winners)
    elif arguments.what == "demo":
        found = demo(db, arguments.work, arguments.minutes)
    else:
        found = busy(db, arguments.work, arguments.processes)
    print(json.dumps(found))


def _profile(db: Path) -> None:
    if db.is_file():
        return
    for batch in (1, 32):
        print(f"profiling, batch {batch}", file=sys.stderr)
        tvnsearch.profile(
            open_device("cpu", 1, "eager", "float32", batch), minutes=PROFILE_MINUTES, space="digits", db=db
        )


def promises(db: Path, work: Path, count: int) -> dict[str, Any]:
    """Searches one after the other, and their winners measured again when ten minutes are over."""
    kept = work / "promises.json"
    found = Found(0, [], Seconds())
    if kept.is_file():
        found = msgspec.json.decode(kept.read_bytes(), type=Found)
    while found.searches < count:
        max_ms, batch = BUDGETS[found.searches % len(BUDGETS)]
        with found.seconds.counted():
            winner = _search(db, work, max_ms, batch, seed=found.searches)
        found.searches += 1
        if winner is not None:
            found.winners.append(winner)
            _say_promise(winner)
        for waiting in found.winners:
            if waiting.is_to_measure and time.time() - waiting.promised_at >= LATER_SECONDS:
                _measure_later(waiting)
        kept.write_bytes(msgspec.json.encode(found))
    while any(waiting.is_to_measure for waiting in found.winners):
        for waiting in [one for one in found.winners if one.is_to_measure]:
            time.sleep(max(0.0, waiting.promised_at + LATER_SECONDS - time.time()))
            _measure_later(waiting)
            kept.write_bytes(msgspec.json.encode(found))
    without = found.searches - len(found.winners)
    return {
        "searches": found.searches,
        "without_winner": without,
        **_figures(found.winners),
        **found.seconds.figures(),
    }


def _search(db: Path, work: Path, max_ms: float, batch: int, seed: int) -> Promised | None:
    _, winner, error = _searched(db, work, max_ms, batch, seed, print)
    if error:
        print(f"{max_ms:g} ms, batch {batch}: {error}", flush=True)
    if winner is None:
        return None
    individual, measured = winner.individual, winner.measurement
    return Promised(max_ms, batch, individual.genome, measured, individual.measurement, time.time())


def _searched(
    db: Path, work: Path, max_ms: float, batch: int, seed: int, say: Callable[[str], None]
) -> tuple[Path, Winner | None, str]:
    """A search, its folder, its winner, and why it has ended without one."""
    run = work / f"run-{time.time_ns()}"
    settings = settings_of(
        {
            "max_ms": max_ms,
            "batch": batch,
            "db": str(db),
            "space": "digits",
            "trainings": TRAININGS,
            "population": POPULATION,
            "tournament": TOURNAMENT,
            "seed": seed,
        }
    )
    device = open_device("cpu", 1, "eager", "float32", batch)
    plan = plan_of(settings, load_space("digits"), CLASSES)
    watch = Watch(say=say)
    with (
        DeviceLatency.open(device, db, CLASSES, max_ms, watch=watch) as latency,
        Journal.create(run, plan) as journal,
    ):
        try:
            executor = SerialExecutor(NoProcess)
            winner = run_search(journal, latency, _operations, executor, lambda step: _tell(step, say))
        except UserError as error:
            return run, None, str(error)
    return run, winner, "" if winner else "nothing keeps the budget measured again"


def _tell(step: SearchProgress, say: Callable[[str], None]) -> None:
    if step.kind in ("judged", "noted") and step.text:
        say(step.text)


def _operations(worker: RemoteWorker, request: TrainingRequest, on_progress: TrainingProgress) -> Fitness:
    """As fit as it has operations."""
    request.weights.write_bytes(b"")
    value = math.log10(trace(request.genome, CLASSES).macs)
    return Fitness(value, None, None, None, seconds=0.0, iterations=1)


def _measure_later(promised: Promised) -> None:
    device = open_device("cpu", 1, "eager", "float32", promised.batch)
    [later] = measure_in_processes(device, [promised.genome], CLASSES, LATER_MEASURE_SECONDS)
    promised.later, promised.promised_at = later, time.time()
    promised.times += 1
    trusted = "trusted" if later.trusted else f"not to be trusted: {later.reason}"
    print(f"later: {later.latency_ms:.3f} ms of {promised.max_ms:g}, {trusted}", flush=True)


def _say_promise(promised: Promised) -> None:
    measured = promised.measurement
    trusted = "promised" if measured.trusted else f"not promised: {measured.reason}"
    print(
        f"{promised.max_ms:g} ms, batch {promised.batch}: {measured.latency_ms:.3f} ms, at most "
        f"{measured.ci_high_ms} ms, {trusted}",
        flush=True,
    )


def _figures(winners: Sequence[Promised]) -> dict[str, Any]:
    later = [(one, one.later) for one in winners if one.later is not None]
    exceeding = [(one, found) for one, found in later if found.latency_ms > one.max_ms]
    for one, found in exceeding:
        print(
            f"exceeds: {one.max_ms:g} ms, batch {one.batch}, promised {one.measurement.latency_ms:.3f} "
            f"(trusted {one.measurement.trusted}), later {found.latency_ms:.3f} (trusted {found.trusted}; "
            f"{found.reason})",
            flush=True,
        )
    trusted = [one for one in winners if one.measurement.trusted]
    return {
        "winners": len(winners),
        "promised": len(trusted),
        "exceeding": len(exceeding),
        "exceeding_promised": sum(one.measurement.trusted for one, _ in exceeding),
        "exceeding_promised_and_trusted_later": sum(
            one.measurement.trusted and found.trusted for one, found in exceeding
        ),
        "exceeding_not_promised": sum(not one.measurement.trusted for one, _ in exceeding),
        "used_share_of_budget": _spread([one.measurement.latency_ms / one.max_ms for one in winners]),
        "later_over_promised": _spread(
            [found.latency_ms / one.measurement.latency_ms for one, found in later]
        ),
        "disjoint_intervals": sum(_are_disjoint(one.accepted_at, one.measurement) for one in winners),
    }


def _are_disjoint(one: Measurement, other: Measurement) -> bool:
    if None in (one.ci_low_ms, one.ci_high_ms, other.ci_low_ms, other.ci_high_ms):
        return False
    return one.ci_high_ms < other.ci_low_ms or other.ci_high_ms < one.ci_low_ms  # type: ignore[operator]


def _spread(values: Sequence[float]) -> dict[str, float]:
    if not values:
        return {}
    return {"median": statistics.median(values), "lowest": min(values), "highest": max(values)}


def demo(db: Path, work: Path, minutes: float) -> dict[str, Any]:
    """A run of so many minutes: what its verdicts rest on, and how much of the time measuring took."""
    run, seconds = work / f"demo-{time.time_ns()}", Seconds()
    with seconds.counted():
        tvnsearch.evolve(max_ms=50, space="digits", minutes=minutes, db=str(db), run=run)
    return {**seconds.figures(), **_verdicts(run)}


def _verdicts(run: Path) -> dict[str, Any]:
    with Journal.read(run) as journal:
        history = journal.history()
    verdicts = [one.verdict for one in history.measured if one.verdict.measurement is not None]
    measured = [one.measurement for one in verdicts if one.measurement is not None]
    decided = [one.measurement for one in verdicts if one.measurement and one.kind != "undecided"]
    winner = history.winner
    return {
        "verdicts": len(measured),
        "decided": len(decided),
        "decided_untrusted": sum(not one.trusted for one in decided),
        "fewest_samples_that_decided": min((one.samples for one in decided), default=None),
        "trained": len(history.individuals),
        "winner_ms": winner and winner.measurement.latency_ms,
        "winner_interval_ms": winner and [winner.measurement.ci_low_ms, winner.measurement.ci_high_ms],
        "winner_trusted": winner and winner.measurement.trusted,
        "winner_reason": winner and winner.measurement.reason,
    }


def busy(db: Path, work: Path, processes: int, max_ms: float = 2.0) -> dict[str, Any]:
    """A search beside busy processes, and its winner measured once these have ended."""
    beside = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    said, seconds = [], Seconds()
    try:
        with seconds.counted():
            run, winner, error = _searched(db, work, max_ms, 1, seed=0, say=said.append)
    finally:
        for process in beside:
            process.kill()
            process.wait()
    for line in said:
        print(line)
    found = {"processes": processes, "max_ms": max_ms, "error": error, **seconds.figures(), **_verdicts(run)}
    if winner is None:
        return found
    genome = winner.individual.genome
    [later] = measure_in_processes(open_device("cpu"), [genome], CLASSES, LATER_MEASURE_SECONDS)
    return {**found, "alone_ms": later.latency_ms, "alone_trusted": later.trusted}


if __name__ == "__main__":
    main()
