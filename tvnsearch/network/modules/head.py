"""The fixed head (paper, section A.3)."""

from __future__ import annotations

from torch import Tensor, nn

from tvnsearch.genome.calls import LayerCall
from tvnsearch.network.layout import over_positions

DROPOUT = 0.5


class Head(nn.Module):
    """``head``: global average pooling, dropout, one linear layer."""

    def __init__(self, call: LayerCall) -> None:
        super().__init__()
        self.shape = call.in_shape
        self.dropout = nn.Dropout(DROPOUT)
        self.classifier = nn.Linear(call.in_shape.channels, call.out_shape.channels)
        nn.init.normal_(self.classifier.weight, std=0.01)
        nn.init.zeros_(self.classifier.bias)

    def forward(self, features: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.dropout(over_positions(features, self.shape).mean(dim=1)))
        return logits
