"""How close predictions come to measuring: random and evolved networks, measured for real, twice.

    python benchmarks/predictor_accuracy.py --db FILE --tests FILE [--minutes 30] [--seed 1] [--random 300]
                                            [--evolved 100]

Profiles this machine's CPU for --minutes in all into --db (goes on with what is there), fits every compared
model to the same rows, and only then draws the test networks with --seed: random ones of 1 to 200 ms, and the
children of an evolution under 50 ms and 12 M parameters that prefers many multiply-adds. Each is measured,
and all of them again afterwards in new processes: that difference is the noise floor, which no predictor is
better than. Needs a machine that does nothing else. --tests keeps the networks, in no order, and what was
measured, ten at a time: an interrupted run goes on there, and a finished one is compared again, with other
models, without measuring. --again measures so many of them a second time, all unless it is said.

--families   also leaves one family out of training at a time (a layer type, resolutions above 224, frames
             above 16, widths above 512) and tests on the profiled networks that have it
"""

from __future__ import annotations

import argparse
import json
import math
import random
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
from latency_models import MODELS, FloatArray
from msgspec import Struct

from latency_db import LatencyStore, StoredProfile, profile
from latency_db.profiler import ProfileProgress
from predictors.call_table import TYPES
from predictors.evaluation import held_out_report
from predictors.fit import fit_predictor
from predictors.learner import learn_halves
from tvnsearch.devices import Meter, measure_in_processes, open_device
from tvnsearch.errors import UserError
from tvnsearch.genome import Genome, trace
from tvnsearch.genome.mutation import mutate
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.space import SearchSpace, load_space
from tvnsearch.genome.trace import MOMENTS_IN_TIME_CLASSES as CLASSES

LOWEST_MS, HIGHEST_MS = 1.0, 200.0
BUDGET_MS, BUDGET_PARAMS = 50.0, 12_000_000
PROFILE_MAX_MS = 67.0
"""A profile goes up to three times its budget: 200 ms."""

CURVE_MINUTES = (2, 5, 10, 20, 30)
MEASURE_SECONDS = 2.5
TOGETHER = 10
OBSERVED = 40
FAMILY_NETWORKS = 8
"""Families with fewer profiled networks are left out of the leave-one-out comparison."""


class Tested(Struct, frozen=True):
    """A network that no model was fitted to, and its latency; ``again_ms`` was measured minutes later."""

    group: str
    genome: Genome
    first_ms: float | None = None
    again_ms: float | None = None


def main() -> None:
    """Profile, fit, draw, measure twice, compare."""
    parser = argparse.ArgumentParser(description="How close predictions come to measuring.")
    parser.add_argument("--db", type=Path, required=True)
    parser.add_argument("--tests", type=Path, required=True, help="where the test networks are kept")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--random", type=int, default=300)
    parser.add_argument("--evolved", type=int, default=100)
    parser.add_argument("--again", type=int)
    parser.add_argument("--families", action="store_true")
    arguments = parser.parse_args()
    space = load_space("paper")
    learn = partial(learn_halves, seed=0)
    device = open_device("cpu", arguments.threads)
    with LatencyStore(arguments.db) as store, Meter(device) as meter:
        state = profile(store, meter, space, arguments.minutes, PROFILE_MAX_MS, 0, learn, _say)
        profiles = [known for known in store.profiles(meter.digest) if known.network.samples > 0]
    figures: dict[str, float] = {
        "minutes": state.minutes,
        "rows": state.rows,
        "profiled_networks": len(profiles),
        "threads": arguments.threads,
    }
    if not arguments.tests.exists():
        rng, predict = random.Random(arguments.seed), MODELS["full"](profiles, CLASSES)
        drawn = {
            "random": _random_networks(space, arguments.random, predict, rng),
            "evolved": _evolved_networks(space, arguments.evolved, predict, rng),
        }
        tests = [Tested(group, genome) for group in drawn for genome in drawn[group]]
        _keep(arguments.tests, rng.sample(tests, len(tests)))
    tested = _measured_twice(arguments.tests, arguments.threads, arguments.again)
    genomes = [one.genome for one in tested]
    predicted_ms = {name: fit(profiles, CLASSES)(genomes) for name, fit in MODELS.items()}
    predicted_ms["measured_again"] = np.array([one.again_ms or math.nan for one in tested])
    for group in ("random", "evolved", "together"):
        belongs = np.array([group in (one.group, "together") for one in tested])
        truths_ms = np.array([one.first_ms for one in tested])
        for name, values_ms in predicted_ms.items():
            known = belongs & ~np.isnan(values_ms)
            figures |= _compared(f"{group}_{name}", values_ms[known], truths_ms[known])
    figures |= _after_measuring(profiles, [one for one in tested if one.group == "evolved"])
    figures |= _learning_curve(profiles, state.minutes, tested)
    if arguments.families:
        figures |= _families(profiles)
    print(json.dumps(figures))


def _say(progress: ProfileProgress) -> None:
    if progress.genomes % 50 == 0:
        error = progress.heldout_error_percent
        print(
            f"profile: {progress.minutes:.1f} minutes, {progress.genomes} networks, {progress.rows} rows, "
            f"held-out error {'unknown' if error is None else f'{error:.1f} %'}",
            flush=True,
        )


def _random_networks(
    space: SearchSpace, count: int, predict: Callable[[Sequence[Genome]], FloatArray], rng: random.Random
) -> list[Genome]:
    """Drawn as they come, even in the logarithm of the predicted latency between the two ends."""
    genomes: list[Genome] = []
    while len(genomes) < count:
        aim_ms = LOWEST_MS * (HIGHEST_MS / LOWEST_MS) ** ((len(genomes) + rng.random()) / count)
        drawn = [sample_genome(space, rng) for _ in range(100)]
        gaps = np.abs(np.log(predict(drawn) / aim_ms))
        genomes.append(drawn[int(np.argmin(gaps))])
    return genomes


def _evolved_networks(
    space: SearchSpace, count: int, predict: Callable[[Sequence[Genome]], FloatArray], rng: random.Random
) -> list[Genome]:
    """Children that joined a tournament evolution, early and late; fitness is multiply-adds."""

    def keeps_budgets(genome: Genome, latency_ms: float) -> bool:
        return LOWEST_MS < latency_ms < BUDGET_MS and trace(genome).params <= BUDGET_PARAMS

    population: list[Genome] = []
    while len(population) < count:
        drawn = [sample_genome(space, rng) for _ in range(100)]
        population += [
            genome for genome, ms in zip(drawn, predict(drawn), strict=True) if keeps_budgets(genome, ms)
        ]
    population = population[:count]
    joined: list[Genome] = []
    while len(joined) < 10 * count:
        parent = max(rng.sample(population, min(25, count)), key=lambda genome: trace(genome).macs)
        child = mutate(parent, space, rng)
        if keeps_budgets(child, float(predict([child])[0])) and child not in (*population, *joined):
            weakest = min(rng.sample(population, min(25, count)), key=lambda genome: trace(genome).macs)
            population[population.index(weakest)] = child
            joined.append(child)
    return rng.sample(joined, count)


def _measured_twice(file: Path, threads: int, again: int | None) -> list[Tested]:
    """Fill in what ``file`` lacks, all once before the first ``again`` again; those that were measured."""
    tested = msgspec.json.decode(file.read_bytes(), type=list[Tested])
    for field, wanted in (("first_ms", len(tested)), ("again_ms", len(tested) if again is None else again)):
        missing = [place for place, one in enumerate(tested[:wanted]) if getattr(one, field) is None]
        for start in range(0, len(missing), TOGETHER):
            places = missing[start : start + TOGETHER]
            measured_ms = _measured([tested[place].genome for place in places], threads)
            for place, latency_ms in zip(places, measured_ms, strict=True):
                tested[place] = msgspec.structs.replace(tested[place], **{field: latency_ms})
            _keep(file, tested)
            print(f"{field}: {start + len(places)} of {len(missing)} networks", flush=True)
    return [one for one in tested if one.first_ms is not None]


def _keep(file: Path, tested: Sequence[Tested]) -> None:
    half_written = file.with_suffix(".part")
    half_written.write_bytes(msgspec.json.encode(tested))
    half_written.replace(file)


def _measured(genomes: Sequence[Genome], threads: int) -> list[float | None]:
    """As `tvnsearch measure` does, interleaved; None for what does not run or was never undisturbed."""
    try:
        measured = measure_in_processes(open_device("cpu", threads), genomes, CLASSES, MEASURE_SECONDS)
    except UserError as error:
        print(f"left out: {error}")
        return [None] * len(genomes)
    return [one.latency_ms if one.samples else None for one in measured]


def _compared(name: str, predicted_ms: FloatArray, truths_ms: FloatArray) -> dict[str, float]:
    if len(truths_ms) < 2:
        return {}
    report = held_out_report(predicted_ms, truths_ms)
    bias_percent = 100 * (math.exp(float(np.median(np.log(predicted_ms / truths_ms)))) - 1)
    print(
        f"{name:32s} {100 * report.within_5_percent:5.1f} % within 5 %, "
        f"{100 * report.within_10_percent:5.1f} % within 10 %, MAPE {report.mape_percent:5.1f} %, "
        f"bias {bias_percent:+5.1f} %, Spearman {report.spearman:.4f}, Kendall {report.kendall:.4f} "
        f"({report.networks})",
        flush=True,
    )
    return {
        f"{name}_within_5_percent": 100 * report.within_5_percent,
        f"{name}_within_10_percent": 100 * report.within_10_percent,
        f"{name}_mape_percent": report.mape_percent,
        f"{name}_rmspe_percent": report.rmspe_percent,
        f"{name}_bias_percent": bias_percent,
        f"{name}_spearman": report.spearman,
        f"{name}_kendall": report.kendall,
        f"{name}_networks": report.networks,
    }


def _after_measuring(profiles: Sequence[StoredProfile], evolved: Sequence[Tested]) -> dict[str, float]:
    """The full model on networks of an evolution, once it was told of some of them, as searches tell it."""
    predictor = fit_predictor(profiles, {"device": "benchmark"})
    for one in evolved[:OBSERVED]:
        assert one.first_ms is not None
        predictor.observe(one.genome, one.first_ms, CLASSES)
    others = evolved[OBSERVED:]
    estimates = predictor.estimate([one.genome for one in others], CLASSES)
    predicted_ms = np.array([estimate.latency_ms for estimate in estimates])
    truths_ms = np.array([one.first_ms for one in others])
    return _compared(f"evolved_after_{OBSERVED}_measured", predicted_ms, truths_ms)


def _learning_curve(
    profiles: Sequence[StoredProfile], minutes: float, tested: Sequence[Tested]
) -> dict[str, float]:
    """The full model after the first networks of the profile, as many as the minutes are worth."""
    truths_ms = np.array([one.first_ms for one in tested])
    figures: dict[str, float] = {}
    for wanted in CURVE_MINUTES:
        if wanted >= minutes:
            break
        few = profiles[: round(len(profiles) * wanted / minutes)]
        predicted_ms = MODELS["full"](few, CLASSES)([one.genome for one in tested])
        figures |= _compared(f"after_{wanted}_minutes", predicted_ms, truths_ms)
    return figures


def _families(profiles: Sequence[StoredProfile]) -> dict[str, float]:
    families: dict[str, Callable[[StoredProfile], bool]] = {
        **{f"type_{kind}": lambda known, kind=kind: _has_type(known, kind) for kind in TYPES},  # type: ignore[misc]
        "resolution_above_224": lambda known: known.genome.input.short_side > 224,
        "frames_above_16": lambda known: known.genome.input.frames > 16,
        "width_above_512": lambda known: any(
            call.out_shape.channels > 512 for call in trace(known.genome).calls
        ),
    }
    figures: dict[str, float] = {}
    for name, belongs in families.items():
        left_out = [known for known in profiles if belongs(known)]
        rest = [known for known in profiles if not belongs(known)]
        if min(len(left_out), len(rest)) < FAMILY_NETWORKS:
            continue
        truths_ms = np.array([known.network.latency_ms for known in left_out])
        for model in ("prior", "full"):
            predicted_ms = MODELS[model](rest, CLASSES)([known.genome for known in left_out])
            figures |= _compared(f"without_{name}_{model}", predicted_ms, truths_ms)
    return figures


def _has_type(known: StoredProfile, kind: str) -> bool:
    return any(call.type == kind for call in trace(known.genome).calls)


if __name__ == "__main__":
    main()
