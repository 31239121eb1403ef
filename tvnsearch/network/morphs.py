"""Network morphisms of single layers: a child's layer from its parent's, or a new one that changes nothing.

After Chen et al. 2016 (Net2Net) and Wei et al. 2016 (Network Morphism). Every function takes the child's
layer with fresh weights, changes them in place, and hands on how the features behind it relate to the
parent's.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from torch import nn

from tvnsearch.genome.calls import LayerCall, Shape
from tvnsearch.genome.kinds import CONVOLUTIONS, DEPTHWISE, OVER_BOTH, OVER_TIME
from tvnsearch.genome.windows import padding
from tvnsearch.network.carrying import Carrier, Features, overlap
from tvnsearch.network.channel_time_morphs import matched_channel_time
from tvnsearch.network.modules import (
    ChannelGate,
    ChannelTimeLearning,
    Convolution3d,
    ConvUnit,
    DenseLayer,
    Head,
    NonLocalBlock,
    TemporalConvolution,
)

FRESH_GATE = 0.5
"""What a gate multiplies with while its last layer is zero: sigmoid and hard sigmoid of 0."""


def matched(
    child: nn.Module,
    parent: nn.Module,
    call: LayerCall,
    parent_call: LayerCall,
    features: Features,
    carrier: Carrier,
) -> Features:
    """Carry a layer over from the parent's layer of the same type, its activation left out."""
    if call.in_shape[:3] != parent_call.in_shape[:3]:
        features = features._replace(exact=False)
    if call.type in CONVOLUTIONS:
        return _matched_convolution(_unit(child), _unit(parent), call, parent_call, features, carrier)
    if isinstance(child, DenseLayer) and isinstance(parent, DenseLayer):
        rows, exact = overlap(call.out_shape.channels, parent_call.out_shape.channels), features.complete
        weights = (child.linear.weight, parent.linear.weight)
        carrier.carry(*weights, rows, features.source, exact=exact, factor=1 / features.scale)
        assert child.linear.bias is not None and parent.linear.bias is not None
        carrier.carry(child.linear.bias, parent.linear.bias, rows, None, exact=exact)
        return Features(rows, parent_call.out_shape.channels, exact=exact)
    if isinstance(child, ChannelGate) and isinstance(parent, ChannelGate):
        same = call.mode == parent_call.mode and call.activation == parent_call.activation
        features = features._replace(exact=features.complete and same)
        return _matched_gate(child, parent, features, carrier)
    if isinstance(child, NonLocalBlock) and isinstance(parent, NonLocalBlock):
        exact = features.complete and call.mode == parent_call.mode
        return _matched_non_local(child, parent, features._replace(exact=exact), carrier)
    if isinstance(child, ChannelTimeLearning) and isinstance(parent, ChannelTimeLearning):
        return matched_channel_time(child, parent, features, carrier)
    return _matched_without_weights(call, parent_call, features)


def matched_head(child: Head, parent: Head, features: Features, carrier: Carrier) -> bool:
    """Carry the head over; whether the child's logits are the parent's."""
    rows = range(len(parent.classifier.bias))
    ours, theirs = child.classifier, parent.classifier
    factor = 1 / features.scale
    carrier.carry(ours.weight, theirs.weight, rows, features.source, exact=features.complete, factor=factor)
    carrier.carry(ours.bias, theirs.bias, rows, None, exact=features.complete)
    return features.complete


def inserted(child: nn.Module, call: LayerCall, features: Features) -> Features:
    """Make a layer that the parent does not have an identity, where it can be one; without its activation."""
    channels = call.out_shape.channels
    if call.type in CONVOLUTIONS or isinstance(child, DenseLayer):
        if call.stride > 1 or call.stride_frames > 1 or channels < len(features.source):
            source = overlap(channels, features.parent_channels)
            return Features(source, features.parent_channels, exact=False)
        _make_identity(child, call)
        new = (-1,) * (channels - len(features.source))
        return features._replace(source=features.source + new)
    if isinstance(child, ChannelGate):
        last = [layer for layer in child.gate if isinstance(layer, nn.Linear)][-1]
        nn.init.zeros_(last.weight)
        return features._replace(scale=features.scale * FRESH_GATE)
    if isinstance(child, NonLocalBlock):
        return features
    reorders = call.type in ("frame_packing", "channel_time_learning")
    source = overlap(channels, features.parent_channels) if reorders else features.source
    return features._replace(source=source, exact=False)


def silence(child: nn.Module, call: LayerCall) -> bool:
    """Make a fresh layer give nothing but zeros, whatever it gets, if it can."""
    if call.type in CONVOLUTIONS:
        norm = _unit(child).norm
        assert isinstance(norm, nn.BatchNorm2d | nn.BatchNorm3d)
        nn.init.zeros_(norm.weight)
        return True
    if isinstance(child, DenseLayer):
        nn.init.zeros_(child.linear.weight)
        return True
    if isinstance(child, ChannelTimeLearning):
        assert isinstance(child.norm, nn.BatchNorm2d)
        nn.init.zeros_(child.norm.weight)
        return True
    return False


def _unit(module: nn.Module) -> ConvUnit:
    if isinstance(module, TemporalConvolution | Convolution3d):
        return module.unit
    assert isinstance(module, ConvUnit)
    return module


class _Axis(NamedTuple):
    """One axis that a kernel runs along."""

    size: int
    kernel: int
    stride: int

    @property
    def before(self) -> int:
        return padding(*self).before


def _axes(call: LayerCall) -> list[_Axis]:
    shape: Shape = call.in_shape
    if call.type in OVER_TIME:
        return [_Axis(shape.frames, call.kernel, call.stride), _Axis(1, 1, 1)]
    over_space = [
        _Axis(shape.height, call.kernel, min(call.stride, shape.height)),
        _Axis(shape.width, call.kernel_width, min(call.stride, shape.width)),
    ]
    if call.type in OVER_BOTH:
        return [_Axis(shape.frames, call.kernel_frames, call.stride_frames), *over_space]
    return over_space


def _matched_convolution(
    ours: ConvUnit,
    theirs: ConvUnit,
    call: LayerCall,
    parent_call: LayerCall,
    features: Features,
    carrier: Carrier,
) -> Features:
    columns: tuple[int, ...]
    taps, exact = [], features.exact if call.type in DEPTHWISE else features.complete
    for axis, parent_axis in zip(_axes(call), _axes(parent_call), strict=True):
        shift = axis.before - parent_axis.before
        first = max(0, shift)
        end = max(first, min(axis.kernel, parent_axis.kernel + shift))
        taps.append((slice(first, end), slice(first - shift, end - shift)))
        exact = exact and axis.stride == parent_axis.stride and end - first == parent_axis.kernel
    parent_channels = parent_call.out_shape.channels
    if call.type in DEPTHWISE:
        rows, columns = features.source, (0,)
    else:
        rows, columns = overlap(call.out_shape.channels, parent_channels), features.source
    weights = (ours.conv.weight, theirs.conv.weight)
    carrier.carry(*weights, rows, columns, exact=exact, factor=1 / features.scale, taps=taps)
    carrier.carry_norm(ours.norm, theirs.norm, rows)
    return Features(rows, parent_channels, exact=exact)


def _matched_gate(ours: ChannelGate, theirs: ChannelGate, features: Features, carrier: Carrier) -> Features:
    linears = [[layer for layer in module.gate if isinstance(layer, nn.Linear)] for module in (ours, theirs)]
    columns, factor, exact = features.source, 1 / features.scale, features.exact
    for number, (linear, parent_linear) in enumerate(zip(*linears, strict=True), 1):
        last = number == len(linears[0])
        rows = features.source if last else overlap(linear.out_features, parent_linear.out_features)
        exact = exact and set(range(parent_linear.in_features)) <= set(columns)
        carrier.carry(linear.weight, parent_linear.weight, rows, columns, exact=exact, factor=factor)
        carrier.carry(linear.bias, parent_linear.bias, rows, None, exact=exact)
        columns, factor = rows, 1.0
    return features._replace(exact=exact)


def _matched_non_local(
    ours: NonLocalBlock, theirs: NonLocalBlock, features: Features, carrier: Carrier
) -> Features:
    """New inner channels are never asked for by a query and never read by the projection."""
    hidden, parent_hidden = ours.attended_shape.channels, theirs.attended_shape.channels
    exact = features.exact and hidden >= parent_hidden
    inner = overlap(hidden, parent_hidden)
    for part in range(3):
        mine = ours.embed.weight[part * hidden : (part + 1) * hidden]
        parts = theirs.embed.weight[part * parent_hidden : (part + 1) * parent_hidden]
        carrier.carry(mine, parts, inner, features.source, exact=exact, factor=1 / features.scale)
    if exact:
        ours.embed.weight[parent_hidden:hidden] = 0.0
    weights = (ours.project.conv.weight, theirs.project.conv.weight)
    carrier.carry(*weights, features.source, inner, exact=exact)
    carrier.carry_norm(ours.project.norm, theirs.project.norm, features.source, factor=features.scale)
    return features._replace(exact=exact, non_negative=False)


def _matched_without_weights(call: LayerCall, parent_call: LayerCall, features: Features) -> Features:
    alike = _same_windows(call, parent_call)
    if call.type == "frame_packing":
        return _packed(features, call, parent_call, exact=features.exact and alike)
    if call.type == "temporal_shift":
        alike = call == parent_call and features.source == tuple(range(call.in_shape.channels))
    return features._replace(exact=features.exact and alike)


def _packed(features: Features, call: LayerCall, parent_call: LayerCall, *, exact: bool) -> Features:
    """Behind packing, a channel stands for the parent's of the same frame of the group."""
    channels = features.parent_channels
    source = [
        place * channels + channel if channel >= 0 and place < parent_call.kernel_frames else -1
        for place in range(call.kernel_frames)
        for channel in features.source
    ]
    return features._replace(
        source=tuple(source), parent_channels=parent_call.kernel_frames * channels, exact=exact
    )


def _same_windows(call: LayerCall, parent_call: LayerCall) -> bool:
    names = ("kernel", "kernel_width", "stride", "kernel_frames", "mode")
    return all(getattr(call, name) == getattr(parent_call, name) for name in names)


def _make_identity(module: nn.Module, call: LayerCall) -> None:
    """The first output channels are the input channels; BatchNorm, with its fresh statistics, undone."""
    channels = call.in_shape.channels
    centre: tuple[int, ...] = (0, 0)
    if isinstance(module, DenseLayer):
        weight = module.linear.weight
    else:
        unit = _unit(module)
        weight, centre = unit.conv.weight, tuple(axis.before for axis in _axes(call))
        norm = unit.norm
        assert isinstance(norm, nn.BatchNorm2d | nn.BatchNorm3d)
        norm.weight[:channels] = math.sqrt(1 + norm.eps)
    weight[:channels] = 0.0
    for channel in range(channels):
        weight[(channel, 0 if call.type in DEPTHWISE else channel, *centre)] = 1.0
