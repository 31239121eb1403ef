"""Another budget, answered from what a run knows, and handed over where that is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from msgspec.structs import replace

from tvnsearch.api.open_run import open_settings_device
from tvnsearch.api.watching import SILENT, Watch
from tvnsearch.errors import UserError
from tvnsearch.files import copy_whole, writing
from tvnsearch.search.budget import Budget
from tvnsearch.search.journal.writer import Journal
from tvnsearch.search.outcome.rebudget import Kept, Pick, keeping_budget, picked
from tvnsearch.search.outcome.rebudget import pick as pick_within
from tvnsearch.search.outcome.winner import Contest
from tvnsearch.search.plan import SearchPlan
from tvnsearch.search.records import Individual, Winner


def pick(
    run: str | Path,
    *,
    max_ms: float,
    max_params: int | None = None,
    max_gflops: float | None = None,
    max_mb: float | None = None,
    others_max_ms: Mapping[str, float] | None = None,
    out: str | Path | None = None,
    watch: Watch = SILENT,
) -> Pick:
    """Pick the fittest trained network of ``run`` that keeps another budget, as it was really measured.

    On devices of ``others_max_ms`` it is predicted to keep it, as the search predicted. With a folder ``out``
    it is measured once more, in several processes, and written there as a trained network: the fittest that
    keeps the budget then, of those whose training has ended and whose weights the run still has.

    Raises:
        UserError: none keeps it, there is no run that this version can read, the folder has a network
            already, or this is not the device of the run.
    """
    folder = Path(run)
    budget = Budget(max_ms, max_params, max_gflops, max_mb, others_max_ms=dict(others_max_ms or {}))
    return pick_within(folder, budget) if out is None else _hand_over(folder, budget, Path(out), watch)


def _hand_over(run: Path, budget: Budget, out: Path, watch: Watch) -> Pick:
    from tvnsearch.api.trained_model import CARD, WEIGHTS, ModelCard, precision_of, write_model

    if (out / CARD).exists():
        raise UserError(f"expected a folder without a network, but {out} has one; give another --out")
    with Journal.read(run) as journal:
        plan = journal.plan
    choice = keeping_budget(run, budget)
    whole = {
        kept.individual.number: kept
        for kept in choice.keeping
        if kept.weights is not None and not kept.individual.fitness.stopped
    }
    if not whole:
        raise UserError(
            f"expected the weights of a network that keeps {budget.max_ms:g} ms in {run}, but those of all "
            f"{len(choice.keeping)} were dropped, or their training is paused; train the best whole with "
            f"`tvnsearch finalists {run}`"
        )
    winner = _promised(plan, run, [kept.individual for kept in whole.values()], budget, watch)
    best = whole[winner.individual.number]
    assert best.weights is not None
    try:
        copy_whole(best.weights, out / WEIGHTS)
    except OSError as error:
        raise UserError(
            f"expected to copy {best.weights} to {out}, but that failed ({error.strerror}); a search that "
            "goes on drops weights: try again, or give another --out"
        ) from None
    is_multi_label = best.individual.fitness.mean_average_precision is not None
    card = ModelCard(
        plan.class_names,
        is_multi_label,
        data=plan.clips,
        split_seed=plan.training.split_seed,
        precision=precision_of(plan.device),
        device=replace(plan.device, db=None),
        max_ms=budget.max_ms,
    )
    with writing(out, "or give another --out"):
        write_model(out, best.individual.genome, card)
    measured = Kept(replace(best.individual, measurement=winner.measurement), out / WEIGHTS)
    return picked(run, choice, measured)


def _promised(
    plan: SearchPlan, run: Path, individuals: list[Individual], budget: Budget, watch: Watch
) -> Winner:
    """The fittest of ``individuals`` that keeps the budget when it is measured once more."""
    from tvnsearch.api.device_latency import Promises
    from tvnsearch.devices.device import fingerprint_digest
    from tvnsearch.devices.meter import Meter

    device = open_settings_device(plan.device)
    with Meter(device, plan.classes) as meter:
        digest = fingerprint_digest(meter.fingerprint)
    if digest != plan.device_digest:
        raise UserError(
            f"expected the device {plan.device_digest} that the run {run} was measured on, but this is "
            f"{digest}; pick there, or leave out --out"
        )
    watch.say(f"measuring the fittest of {len(individuals)} once more")
    winner = Contest(budget.max_ms, Promises(device, plan.classes, watch), watch.say).winner_of(individuals)
    if winner is None:
        raise UserError(
            f"expected a network of {run} that keeps {budget.max_ms:g} ms when it is measured once more, but "
            f"none of {len(individuals)} does; raise --max-ms"
        )
    if not winner.measurement.decides(budget.max_ms):
        watch.say(
            f"that individual {winner.individual.number} keeps {budget.max_ms:g} ms is no promise: "
            f"{winner.measurement.reason}"
        )
    return winner
