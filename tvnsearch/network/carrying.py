"""A child's features next to its parent's, and how parts of the parent's weights are carried over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

SHRINK = 0.7
"""Inherited weights behind the first change count so much, fresh ones the rest (Ash and Adams 2020)."""


class Features(NamedTuple):
    """What is known of the child's features at some place, next to the parent's at the matching place.

    ``source`` gives for each channel of the child the parent's channel that it stands for, -1 for a new one.
    Where ``exact``, every such channel is ``scale`` times the parent's, in evaluation mode. ``non_negative``
    tells whether those channels are known to be >= 0.
    """

    source: tuple[int, ...]
    parent_channels: int
    scale: float = 1.0
    exact: bool = True
    non_negative: bool = False

    @property
    def complete(self) -> bool:
        """Whether the child knows all that the parent knows here: what reads this can be exact as well."""
        return self.exact and set(range(self.parent_channels)) <= set(self.source)


def overlap(channels: int, parent_channels: int) -> tuple[int, ...]:
    """As many channels as both have stand for each other, in their order; further ones are new."""
    return tuple(channel if channel < parent_channels else -1 for channel in range(channels))


class Carrier:
    """Copies parts of a parent's parameters into a child's, and counts what it copied."""

    def __init__(self) -> None:
        self.copied = 0

    def carry(
        self,
        child: Tensor,
        parent: Tensor,
        rows: Sequence[int],
        columns: Sequence[int] | None,
        *,
        exact: bool,
        factor: float = 1.0,
        taps: Sequence[tuple[slice, slice]] = (),
        parameter: bool = True,
    ) -> None:
        """Fill the child's tensor where ``rows`` and ``columns`` have a source in the parent's.

        Where ``exact``, the other columns and taps of such rows are zero, so that nothing new is heard; else
        they stay fresh, and the inherited part is shrunk and mixed with the fresh one. ``taps`` are the
        child's and the parent's part of each axis behind the columns.
        """
        into = [row for row, source in enumerate(rows) if source >= 0]
        out_of = [source for source in rows if source >= 0]
        inherited = parent[out_of] * factor
        target = child[into]
        place: tuple[Any, ...] = (slice(None),)
        if columns is not None:
            known = [column for column, source in enumerate(columns) if source >= 0]
            inherited = inherited[:, [columns[column] for column in known]]
            place = (slice(None), known, *[ours for ours, _ in taps])
            inherited = inherited[(slice(None), slice(None), *[theirs for _, theirs in taps])]
        mixed = inherited if exact or columns is None else SHRINK * inherited + (1 - SHRINK) * target[place]
        if exact and columns is not None:
            target = torch.zeros_like(target)
        target[place] = mixed
        child[into] = target
        if parameter:
            self.copied += inherited.numel()

    def carry_norm(
        self, child: nn.Module, parent: nn.Module, rows: Sequence[int], factor: float = 1.0
    ) -> None:
        """Fill a BatchNorm where ``rows`` have a source in the parent's, its statistics included."""
        learnt, seen = dict(parent.named_parameters()), dict(parent.named_buffers())
        for name, values in child.named_parameters():
            self.carry(values, learnt[name], rows, None, exact=True, factor=factor)
        for name in ("running_mean", "running_var"):
            self.carry(child.get_buffer(name), seen[name], rows, None, exact=True, parameter=False)
