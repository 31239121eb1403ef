"""The networks that one would otherwise pick, written from their papers as genomes."""

from __future__ import annotations

from tvnsearch.genome.zoo.peers.inception import INCEPTION
from tvnsearch.genome.zoo.peers.mobilenet import MOBILENET
from tvnsearch.genome.zoo.peers.movinet import MOVINET
from tvnsearch.genome.zoo.peers.peer import Peer
from tvnsearch.genome.zoo.peers.r2plus1d import R2PLUS1D
from tvnsearch.genome.zoo.peers.squeezetime import SQUEEZETIME
from tvnsearch.genome.zoo.peers.x3d import X3D

PEERS: dict[str, Peer] = {**R2PLUS1D, **INCEPTION, **X3D, **MOVINET, **MOBILENET, **SQUEEZETIME}
"""All peers by the name that commands know them by."""

__all__ = ["PEERS", "Peer"]
