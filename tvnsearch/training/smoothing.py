"""The smoothing loss of GRW: what a network makes of successive frames should move steadily.

Goldman, Giryes and Satyanarayanan 2025, "Smooth regularization for efficient video recognition" (NeurIPS;
arXiv 2511.20928): the embeddings of successive frames are modelled as a Gaussian random walk whose steps, the
velocities v, change by accelerations a ~ N(0, 1). Of a window of T frames the loss is

    L_smooth = -log(p(A) / sum over orders of p(A in that order)) + alpha / 2 * sum of |v|^2,

log p(A) = -1/2 * sum of |a|^2, over all orders of the frames that leave the first one where it is: their true
order should be the smoothest, and steps should be short. The paper has alpha 0.5, a weight of 0.1 beside the
cross entropy, and windows of 5 or 6 frames, 0.5 to 1 s.

We take it as the paper does for an intermediate layer: features are averaged over each frame and normalised
by the batch, channel by channel.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import permutations
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from tvnsearch.genome.trace import Trace
from tvnsearch.network.build import TinyVideoNetwork

FEWEST_FRAMES = 3
"""Two have no acceleration."""


class SmoothedPlace(NamedTuple):
    """After which repeat (from 0) features are smoothed, how many frames they have, and those of a window."""

    repeat: int
    frames: int
    window: int


def smoothed_place(network: Trace, window: int) -> SmoothedPlace | None:
    """The last place in a network that still has the frames of a window; None where nothing can be smoothed.

    A network that has fewer anywhere is smoothed in windows of as many as it has, from three on.
    """
    repeats = (repeat for block in network.blocks for repeat in block.repeats if repeat.nodes)
    frames = [repeat.out_shape.frames for repeat in repeats]
    window = min(window, max(frames, default=0))
    if window < FEWEST_FRAMES:
        return None
    place = max(number for number, count in enumerate(frames) if count >= window)
    return SmoothedPlace(place, frames[place], window)


def smoothing_loss(embeddings: Tensor, window: int, alpha: float) -> Tensor:
    """L_smooth of embeddings (batch, frames, channels) as they are, a mean over windows of so many frames.

    Windows follow each other from the first frame on; what is left over at the end is in none.
    """
    whole = embeddings.shape[1] // window * window
    windows = embeddings[:, :whole].reshape(-1, window, embeddings.shape[2])
    # |a|^2 of an order is a sum of products of frames: no order has to be laid out in memory.
    orders, curvature = (tensor.to(windows.device) for tensor in _orders(window))
    products = windows @ windows.mT
    squared = (products[:, orders[:, :, None], orders[:, None, :]] * curvature).sum(dim=(2, 3))
    first = torch.zeros(len(windows), dtype=torch.long, device=windows.device)
    disorder = functional.cross_entropy(-squared / 2, first)
    velocities = windows.diff(dim=1).square().sum(dim=(1, 2)).mean() / 2
    return disorder + alpha * velocities


@cache
def _orders(frames: int) -> tuple[Tensor, Tensor]:
    """All orders of so many frames that begin with the first, the true one first; and D' D of D their
    second differences."""
    orders = torch.tensor([(0, *rest) for rest in permutations(range(1, frames))])
    differences = torch.eye(frames).diff(n=2, dim=0)
    return orders, differences.mT @ differences


class Smoothing:
    """The smoothing loss of a network at its place."""

    def __init__(self, network: TinyVideoNetwork, place: SmoothedPlace, alpha: float) -> None:
        self._repeat = network.repeats[place.repeat]
        self._place = place
        self._alpha = alpha
        self._features: Tensor | None = None

    @contextmanager
    def watching(self) -> Iterator[None]:
        """While the network is called: its features are kept for `loss`."""
        with self._repeat.register_forward_hook(self._keep):
            yield

    def loss(self) -> Tensor:
        """Of what the network was last called with."""
        assert self._features is not None
        features, self._features = self._features, None
        means = features.float().mean(dim=(2, 3))
        normalised = functional.batch_norm(means, None, None, training=True)
        frames = normalised.reshape(-1, self._place.frames, normalised.shape[1])
        return smoothing_loss(frames, self._place.window, self._alpha)

    def _keep(self, _module: nn.Module, _inputs: object, features: Tensor) -> None:
        self._features = features
