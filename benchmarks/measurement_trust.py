"""Can a latency be trusted: measured again, against its layers, under load, in another order; and how fast.

    python benchmarks/measurement_trust.py [--share 1.0] [--apart-minutes 10]

Needs a machine that does nothing else; takes half an hour or more (``--share 0.1``: a tenth of
the networks).

repeatability  60 random networks of 1 to 200 ms, measured, and again in new processes ten minutes later
additivity     200 random networks: the sum of their layers' rows against the network's own latency, both from
               passes in turns, stamped and not (`tvnsearch measure --layers`); against the same latency the
               few passes just before it that `tvnsearch profile` takes, and, for some, each layer timed alone
disturbance    30 of the first networks again, with two busy processes on the same cores
twins          40 pairs of networks with two blocks of one shape in either order
yield          layer rows a minute, in context and alone
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import random
import statistics
import sys
import time
from collections.abc import Sequence

import layers_alone

from latency_db.rough_cost import RoughCost
from tvnsearch.devices import Meter, measure_in_processes, open_device
from tvnsearch.devices.measurement import Measurement
from tvnsearch.errors import UserError
from tvnsearch.genome import Block, Genome, square_input, trace
from tvnsearch.genome.layers import Layer, SpatialConv
from tvnsearch.genome.sampling import sample_genome, sample_layer
from tvnsearch.genome.space import SearchSpace, load_space
from tvnsearch.workers import PINNED_ALLOCATOR

LOWEST_MS, HIGHEST_MS = 1.0, 200.0
CLASSES = 100
REPEATED, ADDED, ADDED_ALONE, DISTURBED, TWINS = 60, 200, 20, 30, 40
MEASURE_SECONDS = 9.0
ADDED_SECONDS = 8.0
TOGETHER = 10
"""Networks that are measured interleaved: few enough to fit in memory side by side."""


def main() -> None:
    """Run all five and print their figures."""
    parser = argparse.ArgumentParser(description="Can a latency be trusted? Five answers on this machine.")
    parser.add_argument("--share", type=float, default=1.0, help="of the networks of each part")
    parser.add_argument(
        "--apart-minutes", type=float, default=10.0, help="between a network's two measurements"
    )
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    space, rng = load_space("paper"), random.Random(arguments.seed)

    def number(whole: int) -> int:
        return max(2, round(whole * float(arguments.share)))

    genomes = _genomes(space, number(REPEATED), rng)
    figures: dict[str, float] = {"networks": len(genomes)}
    began = time.monotonic()
    first = _measured(genomes)
    figures |= _additivity(_genomes(space, number(ADDED), rng), number(ADDED_ALONE))
    figures |= _twins(space, number(TWINS), rng)
    while time.monotonic() - began < 60 * arguments.apart_minutes:
        time.sleep(1.0)
    figures |= _repeatability(first, _measured(genomes))
    figures |= _disturbance(genomes[: number(DISTURBED)], first)
    print(json.dumps({name: None if math.isnan(figure) else figure for name, figure in figures.items()}))


def _genomes(space: SearchSpace, count: int, rng: random.Random) -> list[Genome]:
    """Random genomes whose latencies are guessed evenly, in their logarithm, between the two ends."""
    cost = RoughCost()
    genomes: list[Genome] = []
    while len(genomes) < count:
        aim_ms = LOWEST_MS * (HIGHEST_MS / LOWEST_MS) ** ((len(genomes) + 0.5) / count)
        drawn = [sample_genome(space, rng) for _ in range(400)]
        genomes.append(min(drawn, key=lambda genome: abs(math.log(cost.estimate_ms(trace(genome)) / aim_ms))))
    rng.shuffle(genomes)
    return genomes


def _measured(genomes: Sequence[Genome]) -> list[Measurement]:
    """As `tvnsearch measure` does, a few interleaved."""
    results: list[Measurement] = []
    for start in range(0, len(genomes), TOGETHER):
        together = genomes[start : start + TOGETHER]
        results += measure_in_processes(open_device("cpu"), together, CLASSES, MEASURE_SECONDS)
    return results


def _repeatability(first: Sequence[Measurement], again: Sequence[Measurement]) -> dict[str, float]:
    pairs = [(one, other) for one, other in zip(first, again, strict=True) if one.trusted and other.trusted]
    differences = _differences([one for one, _ in pairs], [other for _, other in pairs])
    all_differences = _differences(first, again)
    print(f"repeatability: {len(pairs)} of {len(first)} networks trusted both times")
    _say("  difference, trusted", differences)
    _say("  difference, all", all_differences)
    return {
        "repeat_trusted_both": len(pairs),
        **_spread("repeat_percent", differences),
        **_spread("repeat_all_percent", all_differences),
    }


def _additivity(genomes: Sequence[Genome], alone: int) -> dict[str, float]:
    errors: dict[str, list[float]] = {"in_context": [], "profiled": [], "alone": []}
    rows = rows_alone = 0
    seconds = seconds_alone = 0.0
    timer = layers_alone.AloneTimer()
    with Meter(open_device("cpu"), CLASSES) as meter:
        for number, genome in enumerate(genomes):
            try:
                start = time.monotonic()
                profile = meter.profile(genome)
                seconds += time.monotonic() - start
                rows += len(profile.latencies_ms)
                timed = meter.time_layers(genome, ADDED_SECONDS)
            except UserError as error:
                print(f"  left out: {error}")
                continue
            sums_ms = {"in_context": sum(timed.latencies_ms), "profiled": sum(profile.latencies_ms)}
            if number < alone:
                start = time.monotonic()
                alone_ms = [timer.latency_ms(call) for call in trace(genome, CLASSES).calls]
                seconds_alone += time.monotonic() - start
                rows_alone += len(alone_ms)
                sums_ms["alone"] = sum(alone_ms)
            for label, sum_ms in sums_ms.items():
                errors[label].append(100 * abs(sum_ms / timed.network.latency_ms - 1))
    figures: dict[str, float] = {"additivity_networks": len(errors["in_context"])}
    for label, found in errors.items():
        for percent in (5, 10):
            share = 100 * statistics.mean(error <= percent for error in found) if found else math.nan
            figures[f"additivity_{label}_within_{percent}_percent"] = share
            print(f"additivity, {label}: {share:.1f} % of {len(found)} networks within {percent} %")
    figures["rows_per_minute_in_context"] = 60 * rows / seconds
    figures["rows_per_minute_alone"] = 60 * rows_alone / seconds_alone if seconds_alone else math.nan
    print(f"yield: {figures['rows_per_minute_in_context']:.0f} rows a minute in context, ", end="")
    print(f"{figures['rows_per_minute_alone']:.0f} alone")
    return figures


def _disturbance(genomes: Sequence[Genome], quiet: Sequence[Measurement]) -> dict[str, float]:
    stop = multiprocessing.Event()
    busy = [multiprocessing.Process(target=_spin, args=(stop,), daemon=True) for _ in range(2)]
    for process in busy:
        process.start()
    try:
        loaded = _measured(genomes)
    finally:
        stop.set()
        for process in busy:
            process.join()
    differences = [
        100 * abs(busy_result.latency_ms / quiet_result.latency_ms - 1)
        for busy_result, quiet_result in zip(loaded, quiet, strict=False)
        if busy_result.trusted
    ]
    wrong = sum(difference > 5 for difference in differences)
    print(f"disturbance: {len(differences)} of {len(loaded)} trusted under load, {wrong} off by over 5 %")
    _say("  difference from quiet, trusted", differences)
    return {
        "disturbed_networks": len(loaded),
        "disturbed_trusted_share": len(differences) / len(loaded),
        "disturbed_trusted_wrong": wrong,
        **_spread("disturbed_percent", differences),
    }


def _twins(space: SearchSpace, count: int, rng: random.Random) -> dict[str, float]:
    """Two blocks that keep their shape, in either order, behind a convolution that fixes it."""
    differences = []
    with Meter(open_device("cpu"), CLASSES) as meter:
        for _ in range(count):
            channels = rng.choice((32, 64, 128))
            stem = Block((SpatialConv(channels, 3, 2, "relu"),))
            blocks = [_keeping_block(space, channels, rng) for _ in range(2)]
            spec = square_input(rng.choice((64, 96, 128)), rng.choice((2, 4)))
            pair = [Genome(spec, (stem, *blocks)), Genome(spec, (stem, *reversed(blocks)))]
            one, other = meter.measure(pair, MEASURE_SECONDS)
            differences.append(100 * abs(one.latency_ms / other.latency_ms - 1))
    _say(f"twins: difference in {count} pairs", differences)
    return _spread("twins_percent", differences)


def _keeping_block(space: SearchSpace, channels: int, rng: random.Random) -> Block:
    layers: list[Layer] = []
    while len(layers) < 2:
        layer = sample_layer(space, rng)
        if getattr(layer, "stride", 1) == 1 and not hasattr(layer, "filters"):
            layers.append(layer)
    return Block((*layers, SpatialConv(channels, rng.choice((1, 3)), 1, "relu")), repeats=rng.choice((1, 2)))


def _spin(stop: multiprocessing.synchronize.Event) -> None:
    while not stop.is_set():
        sum(range(100_000))


def _differences(first: Sequence[Measurement], again: Sequence[Measurement]) -> list[float]:
    return [100 * abs(other.latency_ms / one.latency_ms - 1) for one, other in zip(first, again, strict=True)]


def _spread(name: str, values: Sequence[float]) -> dict[str, float]:
    if not values:
        return {f"{name}_median": math.nan, f"{name}_p95": math.nan}
    ordered = sorted(values)
    return {
        f"{name}_median": statistics.median(ordered),
        f"{name}_p95": ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))],
    }


def _say(label: str, values: Sequence[float]) -> None:
    spread = list(_spread("", values).values())
    print(f"{label}: median {spread[0]:.2f} %, 95th percentile {spread[1]:.2f} %")


if __name__ == "__main__":
    if not PINNED_ALLOCATOR.items() <= os.environ.items():  # only a process that starts with it has it
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **PINNED_ALLOCATOR})
    main()
