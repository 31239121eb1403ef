"""Which blocks a deeper network repeats more often, so that its MACs grow about as its repeats do.

What is multiplied is the repeats of each stage: a block that changes the shape, and the blocks after it that
keep it. A stage grows by those that keep the shape, because one more repeat of them costs what they cost; one
more repeat of a block that strides or widens can cost ten times as much as the block, or a tenth.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from tvnsearch.genome.genome import Genome
from tvnsearch.genome.trace import trace, trace_block

ALIKE = 2.5
"""Blocks cost alike up to this ratio of their MACs.

TVN-1's block between two stages, which the paper repeats, differs from one more repeat of itself by 2.0; the
stems of the peers' networks differ by 2.7 to 21, their heads by 2.8 to 50.
"""


class _Unit(Struct, frozen=True):
    """A block, its MACs a repeat, and what its stage grows by where it is repeated once more."""

    place: int
    repeats: int
    macs: float
    further_macs: int
    keeps_shape: bool


class _Claim(Struct, frozen=True):
    """A claim to repeats in proportion to ``weight``, each costing ``excess`` MACs more than the mean one."""

    weight: int
    least: int = 1
    excess: float = 0.0


_Stage = tuple[list[_Unit], list[_Unit]]
"""Blocks in a row that are deepened together, and those of them that are then repeated more often."""


def deepened_repeats(genome: Genome, depth: float) -> list[int]:
    """The repeats of each block of ``genome`` when it is ``depth`` times as deep.

    They add up to its repeats times ``depth``, rounded, or to one a block if that is more. No block's fall
    while ``depth`` rises. Stems, heads and global pools keep one repeat where other blocks can have more.
    """
    repeats = [block.repeats for block in genome.blocks]
    units = _units(genome)
    stages = _stages(units)
    mean_macs = sum(unit.macs * unit.repeats for unit in units) / sum(repeats)
    fixed = sum(repeats) - sum(_repeats(stage) for stage, _ in stages)
    shares = _apportioned(
        max(round(sum(repeats) * depth), len(repeats)) - fixed,
        [
            _Claim(_repeats(stage), len(stage), _mean_further_macs(growing) - mean_macs)
            for stage, growing in stages
        ],
    )
    for (stage, growing), share in zip(stages, shares, strict=True):
        unchanged = len(stage) - len(growing)
        parts = _apportioned(share - unchanged, [_Claim(unit.repeats) for unit in growing])
        for unit, part in zip(growing, parts, strict=True):
            repeats[unit.place] = part
    return repeats


def _units(genome: Genome) -> list[_Unit]:
    shape, non_negative = trace(genome).in_shape, False
    units = []
    for place, block in enumerate(genome.blocks):
        once, walked, more = (
            trace_block(replace(block, repeats=repeats), shape, non_negative)
            for repeats in (1, block.repeats, block.repeats + 1)
        )
        macs, further_macs = walked.macs / block.repeats, more.macs - walked.macs
        units.append(_Unit(place, block.repeats, macs, further_macs, once.out_shape == shape))
        shape, non_negative = walked.out_shape, walked.non_negative
    return units


def _stages(units: Sequence[_Unit]) -> list[_Stage]:
    """The stages that can be deepened; if none can, every block is one."""
    runs: list[list[_Unit]] = []
    for unit in units:
        if runs and unit.keeps_shape:
            runs[-1].append(unit)
        else:
            runs.append([unit])
    stages = [stage for run in runs if (stage := _stage(run)) is not None]
    return stages or [([unit], [unit]) for unit in units]


def _stage(run: list[_Unit]) -> _Stage | None:
    # A block that is written with several repeats keeps the shape from the second one on.
    growing = [unit for unit in run if unit.repeats > 1 or (unit.keeps_shape and unit.further_macs > 0)]
    first = run[0]
    if not growing:
        return (run, [first]) if _alike(first.macs, first.further_macs) else None
    is_stem = (
        first.place == 0 and first not in growing and not _alike(first.macs, _mean_further_macs(growing))
    )
    return (run[1:] if is_stem else run), growing


def _alike(macs: float, others: float) -> bool:
    return 0 < max(macs, others) <= ALIKE * min(macs, others)


def _repeats(stage: Sequence[_Unit]) -> int:
    return sum(unit.repeats for unit in stage)


def _mean_further_macs(units: Sequence[_Unit]) -> float:
    return sum(unit.further_macs for unit in units) / len(units)


def _apportioned(total: int, claims: Sequence[_Claim]) -> list[int]:
    """``total`` in parts about in proportion to the claims' weights, exactly so where that makes whole parts.

    Each further repeat goes to a claim that has less than its share so far, and among these to the one that
    keeps the MACs closest to the mean. So no part falls as ``total`` rises.
    """
    weights = sum(claim.weight for claim in claims)
    multiple = total // weights
    parts = [max(claim.least, multiple * claim.weight) for claim in claims]
    excess = sum((part - claim.weight) * claim.excess for part, claim in zip(parts, claims, strict=True))
    for count in range(sum(parts) + 1, total + 1):
        short = [place for place, claim in enumerate(claims) if parts[place] * weights < claim.weight * count]
        chosen = min(short, key=lambda place: abs(excess + claims[place].excess))
        parts[chosen] += 1
        excess += claims[chosen].excess
    return parts
