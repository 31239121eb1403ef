"""Inherited weights as files: what a child's training starts from."""

from __future__ import annotations

from pathlib import Path

import torch
from msgspec import Struct

from tvnsearch.genome.genome import Genome
from tvnsearch.network.build import build_network
from tvnsearch.network.inherit import inherit
from tvnsearch.training.weights import load_weights, save_weights


class Inherited(Struct, frozen=True):
    """How much a child got from its parent: the share of its parameters, and whether it computes the same."""

    share: float
    preserves_function: bool


def inherit_weights(
    parent: Genome, parent_weights: Path, child: Genome, child_weights: Path, classes: int, seed: int = 0
) -> Inherited:
    """Write to ``child_weights`` what ``child`` inherits from the trained ``parent``; what is new is seeded.

    Raises:
        UserError: ``parent_weights`` are not there or not the parent's.
    """
    with torch.random.fork_rng(devices=[]):
        network = build_network(parent, classes)
        load_weights(network, parent_weights)
        inheritance = inherit(parent, network.state_dict(), child, classes, seed)
        heir = build_network(child, classes)
    heir.load_state_dict(inheritance.weights)
    save_weights(heir, child_weights)
    return Inherited(inheritance.share, inheritance.preserves_function)


def heritable_share(parent: Genome, child: Genome, classes: int) -> float:
    """The share of its parameters that ``child`` gets from ``parent``, whatever the weights are."""
    with torch.random.fork_rng(devices=[]):
        weights = build_network(parent, classes).state_dict()
    return inherit(parent, weights, child, classes, seed=0).share
