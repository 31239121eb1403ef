"""The head (paper, section A.3), and the one for long videos of many labels."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from tvnsearch.genome.calls import LayerCall
from tvnsearch.network.layout import over_positions

DROPOUT = 0.5


class Head(nn.Module):
    """``head``: average pooling, dropout, one linear layer.

    Averages are over the clip; or over each frame, and then frames are pooled after the linear layer: the sum
    of a class's logits, weighted by a softmax over time of the logits over the square root of their number.
    """

    def __init__(self, call: LayerCall) -> None:
        super().__init__()
        self.per_frame = call.mode == "per_frame"
        self.frames = call.in_shape.frames
        self.pooled_shape = call.in_shape._replace(frames=1) if self.per_frame else call.in_shape
        self.dropout = nn.Dropout(DROPOUT)
        self.classifier = nn.Linear(call.in_shape.channels, call.out_shape.channels)
        with torch.no_grad():  # nn.init.normal_ draws the same, and on meta tensors imports a compiler
            self.classifier.weight.normal_(std=0.01)
        nn.init.zeros_(self.classifier.bias)

    def forward(self, features: Tensor) -> Tensor:
        means = over_positions(features, self.pooled_shape).mean(dim=1)
        logits: Tensor = self.classifier(self.dropout(means))
        if self.per_frame:
            logits = logits.reshape(-1, self.frames, logits.shape[1])
            weights = (logits / math.sqrt(self.frames)).softmax(dim=1)
            logits = (weights * logits).sum(dim=1)
        return logits
