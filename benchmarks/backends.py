"""One network in every runtime: how quick, how near the machine's arithmetic, and what eager misjudges.

    python benchmarks/backends.py [networks] [ranks] [predictors] [--seconds 6] [--count 60] [--minutes 3]

networks    released TVN-1 and TVN-M-2, peers and small networks of `digits`, each in every backend and
            precision in turns: milliseconds, their ratio to eager in the same round, and to what the
            multiply-adds alone would take at the speed of this core's largest matrix product in the same run
ranks       --count random networks of `digits` and of `paper`, each in every float32 backend in turns, twice:
            Kendall's tau between backends, beside that of a backend with itself (the noise floor)
predictors  profiles --minutes of `digits` in each of these backends, and predicts those networks: mean
            absolute error, Spearman's rho, beside the difference between the two measurements

All on one thread. Needs a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from statistics import median

import numpy as np
import torch
from scipy.stats import kendalltau, spearmanr

import tvnsearch
from tvnsearch.devices import Device, Meter
from tvnsearch.genome import Genome, trace
from tvnsearch.genome.trace import MOMENTS_IN_TIME_CLASSES as CLASSES
from tvnsearch.genome.zoo import load_zoo

RELEASED = ("tvn-1", "tvn-m-2", "mobilenetv3-large-2f", "x3d-xs", "movinet-a0")
SMALL_NETWORKS, SMALL_MS, SMALLEST_MS = 3, 3.0, 0.5
RANKED = ("eager", "onnxruntime", "openvino")
RANKED_MS = {"digits": (0.0, 50.0), "paper": (1.0, 200.0)}
RANK_SECONDS = 0.4
PEAK_SIZE, PEAK_ROUNDS = 1536, 15


def main() -> None:
    """Run what was asked for and print the figures."""
    parser = argparse.ArgumentParser(description="One network in every runtime.")
    parser.add_argument("parts", nargs="*", default=["networks", "ranks", "predictors"])
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    figures: dict[str, float] = {}
    if "networks" in arguments.parts:
        figures |= _networks(arguments.seconds, arguments.seed)
    for space in RANKED_MS if {"ranks", "predictors"} & set(arguments.parts) else ():
        genomes = _drawn(space, arguments.count, arguments.seed + 100)
        rounds = [_measured(genomes) for _ in range(2)]
        if "ranks" in arguments.parts:
            figures |= _ranks(space, rounds)
        if "predictors" in arguments.parts and space == "digits":
            figures |= _predictors(genomes, rounds, arguments.minutes)
    print(json.dumps(figures))


def _networks(seconds: float, seed: int) -> dict[str, float]:
    figures: dict[str, float] = {}
    small = _small_networks(seed)
    ratios: dict[str, list[float]] = {}
    for name, genome in {**{name: load_zoo(name) for name in RELEASED}, **small}.items():
        peak = _peak_gflops_a_second()
        benched = tvnsearch.bench(genome, ["eager", "onnxruntime", "openvino"], max_seconds=seconds)
        floor_ms = 1e3 * benched.gflops / peak
        print(
            f"{name}: {benched.gflops:.3g} GFLOPs, floor {floor_ms:.3f} ms at {peak:.0f} GFLOP/s", flush=True
        )
        for row in benched.runtimes:
            key = f"{name}_{row.backend}_{row.precision}"
            figures[f"{key}_ms"] = round(row.latency_ms, 4)
            figures[f"{key}_to_eager"] = round(row.to_eager or 0, 3)
            figures[f"{key}_to_floor"] = round(row.latency_ms / floor_ms, 2)
            figures[f"{key}_trusted"] = float(row.trusted)
            if name in small:
                ratios.setdefault(f"{row.backend}_{row.precision}", []).append(row.to_eager or 0)
            print(
                f"    {row.backend:12} {row.precision:9} {row.latency_ms:9.3f} ms "
                f"({_written(row.ci_low_ms)} to {_written(row.ci_high_ms)}), "
                f"{row.to_eager or 0:.2f} of eager, {row.latency_ms / floor_ms:.2f} of the floor"
                f"{'' if row.trusted else ', not trusted: ' + row.reason}",
                flush=True,
            )
        for name_left, reason in benched.left_out.items():
            print(f"    {name_left}: {reason}", flush=True)
    figures |= {f"small_{name}_to_eager": round(median(values), 3) for name, values in ratios.items()}
    return figures


def _written(value_ms: float | None) -> str:
    return "?" if value_ms is None else f"{value_ms:.3f}"


def _small_networks(seed: int) -> dict[str, Genome]:
    """The first random networks of `digits` that take less than 3 ms eager, but not next to nothing."""
    small: dict[str, Genome] = {}
    with Meter(Device("cpu"), CLASSES) as meter:
        for drawn in tvnsearch.sample(100, space="digits", seed=seed):
            latency_ms = meter.measure([drawn.genome], 0.3)[0].latency_ms
            if SMALLEST_MS < latency_ms < SMALL_MS:
                small[f"digits_{len(small) + 1}"] = drawn.genome
            if len(small) == SMALL_NETWORKS:
                break
    return small


def _peak_gflops_a_second() -> float:
    """The largest matrix product's best speed on one thread."""
    torch.set_num_threads(1)
    square = torch.randn(PEAK_SIZE, PEAK_SIZE)
    product = torch.empty_like(square)
    taken_s = []
    for _ in range(PEAK_ROUNDS):
        start = time.perf_counter()
        torch.mm(square, square, out=product)
        taken_s.append(time.perf_counter() - start)
    return 2 * PEAK_SIZE**3 / min(taken_s) / 1e9


def _drawn(space: str, count: int, seed: int) -> list[Genome]:
    """Random networks, each about as likely to be quick as slow; what takes far too long is left out."""
    low_ms, high_ms = RANKED_MS[space]
    genomes: list[Genome] = []
    with Meter(Device("cpu"), CLASSES) as meter:
        for drawn in tvnsearch.sample(4 * count, space=space, seed=seed):
            if trace(drawn.genome).macs > 4e9 or len(genomes) == count:
                continue
            if low_ms <= meter.measure([drawn.genome], 0.1)[0].latency_ms <= high_ms:
                genomes.append(drawn.genome)
    return genomes


def _measured(genomes: Sequence[Genome]) -> dict[str, list[float]]:
    """Each network in each backend, one after the other, so that a slow phase meets all alike."""
    meters = {name: Meter(Device("cpu", backend=name), CLASSES) for name in RANKED}
    taken_ms: dict[str, list[float]] = {name: [] for name in RANKED}
    for genome in genomes:
        for name, meter in meters.items():
            taken_ms[name].append(meter.measure([genome], RANK_SECONDS)[0].latency_ms)
    for meter in meters.values():
        meter.close()
    return taken_ms


def _ranks(space: str, rounds: Sequence[dict[str, list[float]]]) -> dict[str, float]:
    figures: dict[str, float] = {}
    first, again = rounds
    for one, other in combinations(RANKED, 2):
        figures[f"{space}_kendall_{one}_{other}"] = round(kendalltau(first[one], first[other]).statistic, 3)
    for name in RANKED:
        figures[f"{space}_kendall_{name}_again"] = round(kendalltau(first[name], again[name]).statistic, 3)
        ratios = np.array(first[name]) / np.array(first["eager"])
        for share in (10, 50, 90):
            figures[f"{space}_{name}_to_eager_p{share}"] = round(float(np.percentile(ratios, share)), 3)
    print(json.dumps(figures), flush=True)
    return figures


def _predictors(
    genomes: Sequence[Genome], rounds: Sequence[dict[str, list[float]]], minutes: float
) -> dict[str, float]:
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in RANKED:
            device, db = Device("cpu", backend=name), Path(folder) / "latency.sqlite"
            profiled = tvnsearch.profile(device, minutes=minutes, space="digits", max_ms=17.0, db=db)
            predicted = [row.latency_ms for row in tvnsearch.predict(genomes, device, classes=CLASSES, db=db)]
            measured_ms, again_ms = np.array(rounds[0][name]), np.array(rounds[1][name])
            errors = 100 * np.abs(np.array(predicted) / measured_ms - 1)
            figures |= {
                f"{name}_profiled_networks": profiled.genomes,
                f"{name}_rows": profiled.rows,
                f"{name}_mape_percent": round(float(errors.mean()), 2),
                f"{name}_median_error_percent": round(float(np.median(errors)), 2),
                f"{name}_within_10_percent": round(float((errors <= 10).mean()), 3),
                f"{name}_spearman": round(float(spearmanr(predicted, measured_ms).statistic), 4),
                f"{name}_floor_mape_percent": round(
                    float(100 * np.abs(again_ms / measured_ms - 1).mean()), 2
                ),
            }
            print(
                json.dumps({key: value for key, value in figures.items() if key.startswith(name)}), flush=True
            )
    return figures


if __name__ == "__main__":
    main()
