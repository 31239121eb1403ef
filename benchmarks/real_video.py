"""Searched networks beside those that one would take from the shelf, on real clips, at equal milliseconds.

    python benchmarks/real_video.py CLIPS [--minutes 60] [--seeds 0 1 2] [--budgets cameras sensor]
        [--peers NAME ...] [--work runs/real-video]

CLIPS is a data set with a split of its own, whose test clips show people that no training saw. For every
budget and seed there is a search of so many minutes, final training included, and one at random of as many.
The winner, and what the run knows of a half, a quarter and an eighth of its budget, trained on for a quarter
of the minutes, are its front. Peers see eight frames of 64 pixels over as many seconds as searched networks
may look at; each is trained for the minutes of a whole search, at the learning rate that is best for it after
a twentieth of them. Then all are measured, in turns, in every runtime that is here, and each has the
milliseconds of its best one.

Budgets: `cameras` are 50 ms for a batch of 32 clips, eager; `sensor` is one clip in 0.5 ms, in OpenVINO.

Every step is kept in the folder: interrupted, the same command goes on. Nothing else may run meanwhile. The
last line is JSON: accuracy on the test clips with intervals, milliseconds, and which peers are beaten.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from scipy.stats import t as student

import tvnsearch
from tvnsearch.api.genomes import GENOME
from tvnsearch.api.trained_model import CARD
from tvnsearch.errors import UserError
from tvnsearch.genome.genome import Block, Genome, load_genome, square_input
from tvnsearch.genome.layers import SpatialConv, TemporalConv
from tvnsearch.genome.trace import trace
from tvnsearch.genome.zoo import load_zoo
from tvnsearch.search.run_folder import winner_folder
from tvnsearch.training.recipe import Recipe

SPACE = Path(__file__).with_suffix(".toml")
PEERS = (
    "mobilenetv3-small",
    "mobilenetv3-large",
    "tsm-mobilenetv2",
    "x3d-xs",
    "movinet-a0",
    "tvn-m-2",
    "by-hand",
)
SIDE, FRAMES, FRAME_STRIDE = 64, 8, 6
RATES = (1e-2, 3e-3, 1e-3)
RATES_SHARE, FRONT_SHARE = 1 / 20, 1 / 4
PARTS_OF_BUDGET = (1, 2, 4, 8)
PROFILE_MINUTES = 10.0
ENDLESS = 10_000_000
RUNTIMES = ("eager", "onnxruntime", "openvino")
SECONDS_A_NETWORK = 6.0


class Setting(Struct, frozen=True):
    """A budget: so many milliseconds for a batch in a backend."""

    backend: str
    batch: int
    max_ms: float


BUDGETS = {"cameras": Setting("eager", 32, 50.0), "sensor": Setting("openvino", 1, 0.5)}


class Entry(Struct, frozen=True):
    """A trained network: what it is one of several seeds of, its folder, and its scores on the test clips."""

    name: str
    seed: int
    folder: str
    genome: Genome
    clips: int
    top1: float
    low: float
    high: float


def main() -> None:
    """Search, train the peers, measure all in turns, and compare."""
    parser = argparse.ArgumentParser(description="Searched networks and peers on real clips.")
    parser.add_argument("clips")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--budgets", nargs="+", choices=BUDGETS, default=list(BUDGETS))
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=list(PEERS))
    parser.add_argument("--work", type=Path, default=Path("runs/real-video"))
    arguments = parser.parse_args()
    seeds, budgets, peers = len(arguments.seeds), len(arguments.budgets), len(arguments.peers)
    trained = 1 + len(RATES) * RATES_SHARE
    searched = 2 + FRONT_SHARE * (len(PARTS_OF_BUDGET) - 1)
    hours = seeds * (budgets * searched + peers * trained) * arguments.minutes / 60
    print(f"about {hours:.1f} hours, and {PROFILE_MINUTES:g} minutes of profile a budget", flush=True)
    arguments.work.mkdir(parents=True, exist_ok=True)
    work = Work(arguments.clips, arguments.minutes, arguments.work)
    entries: dict[str, list[Entry]] = {}
    for budget in arguments.budgets:
        for seed in arguments.seeds:
            entries.setdefault(budget, []).extend(work.searched(budget, seed))
    shelf = [work.peer(name, seed) for name in arguments.peers for seed in arguments.seeds]
    figures: dict[str, Any] = {"minutes": arguments.minutes, "seeds": arguments.seeds}
    for budget, found in entries.items():
        figures[budget] = compared(budget, [*found, *shelf], work)
    print(json.dumps(figures))


class Work:
    """What was searched and trained so far, in a folder."""

    def __init__(self, clips: str, minutes: float, folder: Path) -> None:
        self._clips, self._minutes, self.folder = clips, minutes, folder

    def searched(self, budget: str, seed: int) -> Iterator[Entry]:
        """The front of a search, and the winner of one at random, of equal minutes."""
        setting = BUDGETS[budget]
        db = self.folder / f"{budget}.sqlite"
        device: dict[str, Any] = {"backend": setting.backend, "batch": setting.batch}
        tvnsearch.profile(
            tvnsearch.open_device("cpu", **device),
            minutes=PROFILE_MINUTES,
            space=str(SPACE),
            max_ms=setting.max_ms,
            db=db,
        )
        for strategy in ("tournament", "random"):
            run = self.folder / f"{budget}-{strategy}-{seed}"
            report = tvnsearch.evolve(
                run=run,
                max_ms=setting.max_ms,
                **device,
                space=str(SPACE),
                strategy=strategy,
                minutes=self._minutes,
                seed=seed,
                data=self._clips,
                db=str(db),
                workers=2,
                train_threads=1,
                inherit=strategy == "tournament",
                early_stopping=strategy == "tournament",
                fitness_predictor=strategy == "tournament",
            )
            assert report.winner is not None
            name = "searched" if strategy == "tournament" else "random search"
            yield self._scored(name, seed, winner_folder(run), report.winner.genome)
            if strategy == "tournament":
                yield from self._front(budget, seed, run)

    def _front(self, budget: str, seed: int, run: Path) -> Iterator[Entry]:
        """What the run knows of smaller budgets, trained on."""
        for part in PARTS_OF_BUDGET[1:]:
            picked = self.folder / f"{run.name}-by-{part}"
            if not picked.exists():
                try:
                    tvnsearch.pick(run, max_ms=BUDGETS[budget].max_ms / part, out=picked)
                except UserError as error:
                    print(f"{budget}, seed {seed}, 1/{part} of the budget: {error}", flush=True)
                    continue
            genome = load_genome(picked / GENOME)
            out = self.folder / f"{run.name}-by-{part}-trained"
            recipe = Recipe(ENDLESS, seed=seed, max_seconds=60 * self._minutes * FRONT_SHARE, dropout=0.2)
            self._train(genome, recipe, out, weights=picked)
            yield self._scored(f"searched, 1/{part} of the budget", seed, out, genome)

    def peer(self, name: str, seed: int) -> Entry:
        """A network from the shelf, trained for as long as a search, by the recipe that suits it best."""
        genome = by_hand() if name == "by-hand" else load_zoo(name)
        genome = replace(genome, input=square_input(SIDE, FRAMES, FRAME_STRIDE))
        tried = {rate: self._rate(name, genome, rate) for rate in RATES}
        best = max(tried, key=lambda rate: tried[rate])
        recipe = Recipe(ENDLESS, seed=seed, max_seconds=60 * self._minutes, dropout=0.2, learning_rate=best)
        out = self.folder / f"{name}-{seed}"
        self._train(genome, recipe, out)
        return self._scored(name, seed, out, genome)

    def _rate(self, name: str, genome: Genome, rate: float) -> float:
        """Top-1 on the validation clips after a short training at a learning rate."""
        seconds = 60 * self._minutes * RATES_SHARE
        recipe = Recipe(ENDLESS, max_seconds=seconds, dropout=0.2, learning_rate=rate)
        out = self.folder / f"{name}-rate-{rate:g}"
        self._train(genome, recipe, out)
        return self._scored(f"{name} at {rate:g}", 0, out, genome, "validation").top1

    def _train(self, genome: Genome, recipe: Recipe, out: Path, weights: Path | None = None) -> None:
        if (out / CARD).exists():
            return
        print(f"training {out.name}", flush=True)
        tvnsearch.train(genome, self._clips, recipe=recipe, out=out, weights=weights)

    def _scored(self, name: str, seed: int, model: Path, genome: Genome, split: str = "test") -> Entry:
        """Scores of a trained network, kept beside it."""
        kept = self.folder / f"{model.parent.name}-{model.name}.{split}.json"
        if kept.exists():
            return msgspec.json.decode(kept.read_bytes(), type=Entry)
        [scored] = tvnsearch.evaluate(model, data=self._clips, split=split).models
        interval, top1 = scored.report.intervals["top1"], scored.report.scores.top1
        assert top1 is not None
        clips = sum(row.clips for row in scored.report.classes)
        entry = Entry(name, seed, str(model), genome, clips, top1, interval.low, interval.high)
        kept.write_bytes(msgspec.json.encode(entry))
        print(f"{name}, seed {seed}: top-1 {100 * top1:.1f} % on {split} clips", flush=True)
        return entry


def by_hand() -> Genome:
    """A small (2+1)D network as an engineer would write it: 16, 32 and 64 filters, strides of two."""
    widths = (16, 32, 64)
    blocks = [
        Block(
            (
                SpatialConv(filters=width, kernel=3, stride=2, activation="relu"),
                TemporalConv(filters=width, kernel=3, stride=1, activation="relu"),
            )
        )
        for width in widths
    ]
    return Genome(square_input(SIDE, FRAMES, FRAME_STRIDE), tuple(blocks))


def compared(budget: str, entries: list[Entry], work: Work) -> dict[str, Any]:
    """Print all networks of a budget, the most accurate first, and say which are beaten by a searched one."""
    names = list(dict.fromkeys(entry.name for entry in entries))
    latency_ms = _measured(budget, entries)
    rows: dict[str, dict[str, Any]] = {}
    for name in names:
        own = [entry for entry in entries if entry.name == name]
        top1, low, high = _over_seeds(own)
        rows[name] = {
            "top1": round(top1, 4),
            "top1_low": round(low, 4),
            "top1_high": round(high, 4),
            "top1_by_seed": [round(entry.top1, 4) for entry in own],
            "ms_by_seed": [round(latency_ms[entry.folder][1], 4) for entry in own],
            "ms": round(statistics.median(latency_ms[entry.folder][1] for entry in own), 4),
            "runtime": [latency_ms[entry.folder][0] for entry in own],
            "params": [trace(entry.genome).params for entry in own],
        }
    searched = [row for name, row in rows.items() if name.startswith("searched")]
    print(f"\n{budget}: {BUDGETS[budget]}")
    print("| network | ms | runtime | parameters | top-1 | beaten |\n|---|---|---|---|---|---|")
    for name, row in sorted(rows.items(), key=lambda item: -item[1]["top1"]):
        if not name.startswith("searched"):
            row["beaten"] = any(
                mine["top1_low"] > row["top1_high"] and mine["ms"] <= row["ms"] for mine in searched
            )
        print(
            f"| {name} | {row['ms']:.3g} | {', '.join(sorted(set(row['runtime'])))} "
            f"| {statistics.median(row['params']):,.0f} | {100 * row['top1']:.1f} % "
            f"({100 * row['top1_low']:.1f} to {100 * row['top1_high']:.1f}) | {row.get('beaten', '')} |",
            flush=True,
        )
    return rows


def _over_seeds(entries: list[Entry]) -> tuple[float, float, float]:
    """Mean top-1 with an interval over clips and seeds: the mean's own over clips, and the seeds' spread."""
    mean = statistics.mean(entry.top1 for entry in entries)
    clips_error = math.sqrt(max(mean * (1 - mean), 1e-9) / entries[0].clips)
    if len(entries) == 1:
        return mean, entries[0].low, entries[0].high
    seeds_error = statistics.stdev(entry.top1 for entry in entries) / math.sqrt(len(entries))
    half = math.hypot(1.96 * clips_error, float(student.ppf(0.975, len(entries) - 1)) * seeds_error)
    return mean, mean - half, mean + half


def _measured(budget: str, entries: list[Entry]) -> dict[str, tuple[str, float]]:
    """The best runtime of each network, and its milliseconds there; all in turns."""
    batch = BUDGETS[budget].batch
    by_runtime: dict[str, list[float]] = {}
    for backend in RUNTIMES:
        device = tvnsearch.open_device("cpu", backend=backend, batch=batch)
        measured = tvnsearch.measure(
            [entry.folder for entry in entries], device, max_seconds=SECONDS_A_NETWORK
        )
        by_runtime[backend] = [row.latency_ms for row in measured]
    best: dict[str, tuple[str, float]] = {}
    for place, entry in enumerate(entries):
        own = {backend: taken_ms[place] for backend, taken_ms in by_runtime.items()}
        backend = min(own, key=lambda name: own[name])
        best[entry.folder] = (backend, own[backend])
    return best


if __name__ == "__main__":
    main()
