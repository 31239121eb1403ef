"""A network with the input and the output that its exported file has, in torch."""

from __future__ import annotations

from torch import Generator, Tensor, nn, randint, randn, tensor, uint8

from tvnsearch.export.options import GraphOptions, Output
from tvnsearch.network.build import TinyVideoNetwork

BYTE = 255


class Scorer(nn.Module):
    """Takes clips as the options say, five axes, and gives scores, (batch, classes)."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, network: TinyVideoNetwork, options: GraphOptions) -> None:
        super().__init__()
        self.network = network
        self.options = options
        if options.normalisation is not None:
            mean, deviation = options.normalisation
            self.register_buffer("mean", tensor(mean))
            self.register_buffer("deviation", tensor(deviation))

    def forward(self, clips: Tensor) -> Tensor:
        """Scores of clips."""
        if self.options.layout == "NCTHW":
            clips = clips.permute(0, 2, 3, 4, 1)
        if self.options.normalisation is not None:
            clips = (clips.float() / BYTE - self.mean) / self.deviation
        return activated(self.network(clips.contiguous()), self.options.output)

    def random_clips(self, count: int, generator: Generator) -> Tensor:
        """So many clips of noise."""
        frames, height, width, channels = self.network.trace.in_shape
        sizes = (count, frames, height, width, channels)
        if self.options.layout == "NCTHW":
            sizes = (count, channels, frames, height, width)
        if self.options.normalisation is not None:
            return randint(0, BYTE + 1, sizes, generator=generator, dtype=uint8)
        return randn(sizes, generator=generator)


def activated(logits: Tensor, output: Output) -> Tensor:
    """Logits as they are, or the probabilities of their softmax or sigmoid."""
    match output:
        case "softmax":
            return logits.softmax(1)
        case "sigmoid":
            return logits.sigmoid()
    return logits
