"""One torch module for each type of layer call, all in one memory layout.

Every module takes and returns the layout of :mod:`tvnsearch.network.layout`, and is built for the one input
shape of its call: only the batch may vary. Time is folded away, except in the 3-D convolutions that only the
peers' networks have.
"""

from tvnsearch.network.modules.activation import Activation
from tvnsearch.network.modules.channel_time import ChannelTimeLearning
from tvnsearch.network.modules.convolution import (
    Convolution3d,
    ConvUnit,
    DenseLayer,
    SpatialConvolution,
    TemporalConvolution,
)
from tvnsearch.network.modules.gating import ChannelGate, NonLocalBlock
from tvnsearch.network.modules.head import Head
from tvnsearch.network.modules.joining import Add, Concatenate, FramePacking, TemporalShifting
from tvnsearch.network.modules.pooling import SpatialPooling, TemporalPooling

__all__ = [
    "Activation",
    "Add",
    "ChannelGate",
    "ChannelTimeLearning",
    "Concatenate",
    "ConvUnit",
    "Convolution3d",
    "DenseLayer",
    "FramePacking",
    "Head",
    "NonLocalBlock",
    "SpatialConvolution",
    "SpatialPooling",
    "TemporalConvolution",
    "TemporalPooling",
    "TemporalShifting",
]
