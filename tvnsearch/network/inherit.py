"""A child's weights from its parent's: the same function where the mutation allows it.

Both networks are walked side by side. Blocks, repeats and layers that both have are carried over, wider ones
with new channels that nothing reads yet, larger kernels with zeros around the old one. Layers that are new
are made identities where they can be, new residual blocks add nothing at first. As long as all that holds,
the child's logits in evaluation mode are its parent's. From the first place on where it does not (fewer
channels, another stride, a layer less), what overlaps is inherited, shrunk and mixed with fresh weights, so
that training can leave it (Ash and Adams 2020, "On Warm-Starting Neural Network Training").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from tvnsearch.genome.calls import LayerCall
from tvnsearch.genome.genome import Genome
from tvnsearch.genome.kinds import GATES, KEEP_NON_NEGATIVE, NON_NEGATIVE, POOLS
from tvnsearch.genome.trace import Node, Parallel
from tvnsearch.network.build import Chain, Fork, TinyVideoNetwork, build_network
from tvnsearch.network.carrying import Carrier, Features, overlap
from tvnsearch.network.morphs import inserted, matched, matched_head, silence

HOMOGENEOUS = frozenset({"relu"})
"""Activations f with f(s x) = s f(x) for s >= 0."""

Part = TypeVar("Part")


class Inheritance(NamedTuple):
    """What a child got: its weights, by their names, the share of its parameters that came from its parent,
    and whether it computes what its parent does, in evaluation mode and on equal input.
    """

    weights: dict[str, Tensor]
    share: float
    preserves_function: bool


class _Step(NamedTuple):
    """A layer or a fork with its module, or, where that is None, the activation called ``kind``."""

    kind: str
    node: Node | None = None
    module: nn.Module | None = None


class _Repeat(NamedTuple):
    """One repeat of a block; without a shortcut, ``shortcut`` is None."""

    body: list[_Step]
    shortcut: list[_Step] | None
    after: list[_Step]


def inherit(
    parent: Genome, parent_weights: Mapping[str, Tensor], child: Genome, classes: int, seed: int
) -> Inheritance:
    """The weights of ``child`` that ``parent_weights``, a state dict of ``parent``, give it.

    What is new is drawn from ``seed``; torch's global generator stays as it was.

    Raises:
        RuntimeError: the weights are not those of ``parent`` with so many ``classes``.
    """
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        old, new = build_network(parent, classes), build_network(child, classes)
        old.load_state_dict(parent_weights)
        walk = _Walk()
        same_input = old.trace.in_shape == new.trace.in_shape
        features = Features(tuple(range(3)), 3, exact=same_input)
        for parent_repeat, child_repeat in _paired_repeats(parent, old, child, new):
            features = walk.repeat(parent_repeat, child_repeat, features)
        exact = matched_head(new.head, old.head, features, walk.carrier)
    total = sum(weights.numel() for weights in new.parameters())
    return Inheritance(new.state_dict(), walk.carrier.copied / total, exact)


def _paired_repeats(
    parent: Genome, old: TinyVideoNetwork, child: Genome, new: TinyVideoNetwork
) -> Iterator[tuple[_Repeat | None, _Repeat | None]]:
    olds, news = _repeats_by_block(parent, old), _repeats_by_block(child, new)
    for theirs, ours in _paired(parent.blocks, child.blocks):
        yield from zip_longest(
            [] if theirs is None else olds[theirs], [] if ours is None else news[ours], fillvalue=None
        )


def _paired(old: Sequence[Part], new: Sequence[Part]) -> Iterator[tuple[int | None, int | None]]:
    """Which part of the old is which of the new: equal ones, and between them one after the other."""
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    for _, old_from, old_to, new_from, new_to in matcher.get_opcodes():
        yield from zip_longest(range(old_from, old_to), range(new_from, new_to))


def _repeats_by_block(genome: Genome, network: TinyVideoNetwork) -> list[list[_Repeat]]:
    chains = iter(network.repeats)
    return [
        [
            _as_repeat(_steps(repeat.nodes, next(chains)), block.residual != "none")
            for repeat in traced.repeats
            if repeat.nodes
        ]
        for block, traced in zip(genome.blocks, network.trace.blocks, strict=True)
    ]


def _steps(nodes: Sequence[Node], chain: nn.Module) -> list[_Step]:
    """The layers of a chain, their activations as steps of their own."""
    assert isinstance(chain, Chain)
    steps = []
    for node, module in zip(nodes, chain.nodes, strict=True):
        call = node.join if isinstance(node, Parallel) else node
        if call.type != "activation":
            steps.append(_Step(call.type, node, module))
        if call.activation != "none" and call.type not in GATES:
            steps.append(_Step(call.activation))
    return steps


def _branches(step: _Step) -> list[list[_Step]]:
    assert isinstance(step.node, Parallel) and isinstance(step.module, Fork)
    return [
        _steps(nodes, chain) for nodes, chain in zip(step.node.branches, step.module.branches, strict=True)
    ]


def _as_repeat(steps: list[_Step], residual: bool) -> _Repeat:
    first, *after = steps
    if residual and first.kind == "add" and all(step.module is None for step in after):
        body, shortcut = _branches(first)
        return _Repeat(body, shortcut, after)
    return _Repeat(steps, None, [])


class _Walk:
    """Walks parent and child side by side."""

    def __init__(self) -> None:
        self.carrier = Carrier()

    def repeat(self, parent: _Repeat | None, child: _Repeat | None, features: Features) -> Features:
        """Go on through one repeat of a block, which one of the two may lack."""
        if child is None:
            return self._steps(_all_steps(parent), [], features)
        if parent is None:
            parent = _Repeat([], None, [])
            if child.shortcut is not None:
                return self._steps([], child.after, self._new_sum(child.body, child.shortcut, features))
        if parent.shortcut is None and child.shortcut is not None and child.after:
            parent = _with_activation_after(parent)
        if child.shortcut is None and parent.shortcut is not None and parent.after:
            child = _with_activation_after(child)
        body = self._steps(parent.body, child.body, features)
        if child.shortcut is not None:
            if parent.shortcut is not None:
                body = _summed(body, self._steps(parent.shortcut, child.shortcut, features))
            elif not _silenced(child.shortcut):
                body = body._replace(exact=False)
        elif parent.shortcut is not None:
            body = body._replace(exact=False)
        return self._steps(parent.after, child.after, body)

    def _steps(self, parent: Sequence[_Step], child: Sequence[_Step], features: Features) -> Features:
        for theirs, ours in _aligned(parent, child):
            if theirs is None and ours is not None:
                features = self._inserted(ours, features)
            elif ours is None and theirs is not None:
                features = _removed(theirs, features)
            elif ours is not None and theirs is not None:
                features = self._matched(theirs, ours, features)
        return features

    def _matched(self, parent: _Step, child: _Step, features: Features) -> Features:
        if child.module is None:
            return _activated(child.kind, features, same=True)
        if isinstance(child.node, Parallel):
            ends = [
                self._steps(theirs, ours, features)
                for theirs, ours in zip(_branches(parent), _branches(child), strict=True)
            ]
            return _summed(*ends) if child.kind == "add" else _concatenated(ends)
        assert isinstance(parent.node, LayerCall) and isinstance(child.node, LayerCall)
        assert parent.module is not None
        return matched(child.module, parent.module, child.node, parent.node, features, self.carrier)

    def _inserted(self, child: _Step, features: Features) -> Features:
        if child.module is None:
            return _activated(child.kind, features, same=False)
        if isinstance(child.node, Parallel):
            if child.kind == "add":
                body, shortcut = _branches(child)
                return self._new_sum(body, shortcut, features)
            channels = child.node.join.out_shape.channels
            source = overlap(channels, features.parent_channels)
            return Features(source, features.parent_channels, exact=False)
        assert child.node is not None
        return inserted(child.module, child.node, features)

    def _new_sum(self, body: list[_Step], shortcut: list[_Step], features: Features) -> Features:
        """A residual that adds nothing at first; where it cannot, both its branches are identities."""
        if _silenced(body):
            return self._steps([], shortcut, features)
        return _summed(self._steps([], body, features), self._steps([], shortcut, features), new=True)


def _all_steps(repeat: _Repeat | None) -> list[_Step]:
    return [] if repeat is None else [*repeat.body, *repeat.after]


def _with_activation_after(repeat: _Repeat) -> _Repeat:
    """The same where the activation that ends it comes behind a shortcut that it does not have."""
    if repeat.body and repeat.body[-1].module is None:
        return repeat._replace(body=repeat.body[:-1], after=repeat.body[-1:])
    return repeat


def _silenced(steps: Sequence[_Step]) -> bool:
    """Make fresh steps give nothing but zeros, by their last layer that can; whether there is one."""
    for step in reversed(steps):
        if isinstance(step.node, LayerCall) and step.module is not None:
            if silence(step.module, step.node):
                return True
            if step.kind not in POOLS | GATES | {"non_local", "temporal_shift", "frame_packing"}:
                return False
        elif step.module is not None:
            return False
    return False


def _aligned(parent: Sequence[_Step], child: Sequence[_Step]) -> list[tuple[_Step | None, _Step | None]]:
    """Steps of the same kind in the same order, as many and as similar as there are."""
    scores = [[0.0] * (len(child) + 1) for _ in range(len(parent) + 1)]
    for i in reversed(range(len(parent))):
        for j in reversed(range(len(child))):
            likeness = _likeness(parent[i], child[j])
            scores[i][j] = max(scores[i + 1][j], scores[i][j + 1])
            if likeness:
                scores[i][j] = max(scores[i][j], likeness + scores[i + 1][j + 1])
    pairs: list[tuple[_Step | None, _Step | None]] = []
    i = j = 0
    while i < len(parent) and j < len(child):
        likeness = _likeness(parent[i], child[j])
        if likeness and scores[i][j] == likeness + scores[i + 1][j + 1]:
            pairs.append((parent[i], child[j]))
            i, j = i + 1, j + 1
        elif scores[i][j] == scores[i + 1][j]:
            pairs.append((parent[i], None))
            i += 1
        else:
            pairs.append((None, child[j]))
            j += 1
    pairs += [(step, None) for step in parent[i:]]
    return pairs + [(None, step) for step in child[j:]]


def _likeness(parent: _Step, child: _Step) -> float:
    """0 where the two cannot stand for each other; more, the more they have in common."""
    if parent.kind != child.kind or (parent.module is None) != (child.module is None):
        return 0.0
    if parent.module is None:
        return 1.0
    if isinstance(parent.node, Parallel) or isinstance(child.node, Parallel):
        alike = isinstance(parent.node, Parallel) and isinstance(child.node, Parallel)
        return 4.0 if alike and len(_branches(parent)) == len(_branches(child)) else 0.0
    assert parent.node is not None and child.node is not None
    same: list[bool] = [
        getattr(parent.node, name) == getattr(child.node, name)
        for name in ("kernel", "stride", "out_shape", "hidden")
    ]
    return 2.0 + sum(same) / 2


def _removed(parent: _Step, features: Features) -> Features:
    """What the child's features are, compared to the parent's behind a step that the child does not have."""
    features = features._replace(exact=False)
    if parent.node is None:
        return features
    call = parent.node.join if isinstance(parent.node, Parallel) else parent.node
    channels = call.out_shape.channels
    return features._replace(source=overlap(len(features.source), channels), parent_channels=channels)


def _activated(function: str, features: Features, *, same: bool) -> Features:
    """Behind an activation of the child, which the parent has as well, or not."""
    if same:
        exact = features.exact and (features.scale == 1 or function in HOMOGENEOUS)
    else:
        exact = features.exact and function == "relu" and features.non_negative
    kept = features.non_negative and function in KEEP_NON_NEGATIVE
    return features._replace(exact=exact, non_negative=kept or function in NON_NEGATIVE)


def _summed(first: Features, second: Features, *, new: bool = False) -> Features:
    """Behind a sum; a ``new`` one adds up what in the parent is one and the same."""
    exact = first.exact and second.exact and first.source == second.source
    exact = exact and (new or first.scale == second.scale)
    return first._replace(
        scale=first.scale + second.scale if new and exact else first.scale,
        exact=exact,
        non_negative=first.non_negative and second.non_negative,
    )


def _concatenated(ends: Sequence[Features]) -> Features:
    source: list[int] = []
    offset = 0
    for end in ends:
        source += [-1 if channel < 0 else channel + offset for channel in end.source]
        offset += end.parent_channels
    return Features(
        tuple(source),
        offset,
        ends[0].scale,
        all(end.exact and end.scale == ends[0].scale for end in ends),
        all(end.non_negative for end in ends),
    )
