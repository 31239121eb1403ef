"""A folded network as lines of Python and tensors: one definition and one line a layer call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from torch import Tensor, nn

from tvnsearch.network.build import Chain, Fork, TinyVideoNetwork
from tvnsearch.network.modules import (
    Activation,
    Add,
    ChannelGate,
    ChannelTimeLearning,
    Concatenate,
    Convolution3d,
    ConvUnit,
    DenseLayer,
    FramePacking,
    NonLocalBlock,
    SpatialConvolution,
    SpatialPooling,
    TemporalConvolution,
    TemporalPooling,
    TemporalShifting,
)
from tvnsearch.network.modules.pooling import AxisPool

ACTIVATIONS: dict[type[nn.Module], str | None] = {
    nn.Identity: None,
    nn.ReLU: "F.relu",
    nn.ReLU6: "F.relu6",
    nn.SiLU: "F.silu",
    nn.Hardswish: "F.hardswish",
    nn.Sigmoid: "torch.sigmoid",
    nn.Hardsigmoid: "F.hardsigmoid",
}

SPACE, TIME, CLIP = (1, 2), (0,), (0, 1, 2)
"""The axes of (frames, rows, columns) that a window has."""


class Source(NamedTuple):
    """The body of ``__init__``, that of ``forward``, and the weights by their names there."""

    definitions: list[str]
    steps: list[str]
    weights: dict[str, Tensor]


class _Expression(NamedTuple):
    """What constructs a layer, and its weights."""

    text: str
    weights: dict[str, Tensor]

    def inside(self, name: str) -> dict[str, Tensor]:
        return {f"{name}.{key}": value for key, value in self.weights.items()}


def source_of(network: TinyVideoNetwork) -> Source:
    """The source of a folded network, from its features (batch, 3, frames, rows, columns) to its logits."""
    source = Source([], [], {})
    names = (name.replace(".", "_") for name, _ in network.trace.named_calls())
    for repeat in network.repeats:
        assert isinstance(repeat, Chain)
        _chain(source, repeat, "x", names)
    classifier, name = network.head.classifier, next(names)
    head = f"Head({classifier.in_features}, {classifier.out_features}, per_frame={network.head.per_frame})"
    _define(source, name, _Expression(head, {"weight": classifier.weight, "bias": classifier.bias}))
    source.steps.append(f"return self.{name}(x)")
    return source


def _define(source: Source, name: str, expression: _Expression) -> None:
    source.definitions.append(f"self.{name} = {expression.text}")
    source.weights.update(expression.inside(name))


def _chain(source: Source, chain: Chain, variable: str, names: Iterator[str]) -> None:
    """Steps that take ``variable`` to what the chain makes of it."""
    for node in chain.nodes:
        if isinstance(node, Fork):
            _fork(source, node, variable, names)
            continue
        name = next(names)
        if isinstance(node, Activation):
            source.steps.append(f"{variable} = {_activated(node.activation, variable)}  # {name}")
            continue
        _define(source, name, EXPRESSIONS[type(node)](node))
        source.steps.append(f"{variable} = self.{name}({variable})")


def _fork(source: Source, fork: Fork, variable: str, names: Iterator[str]) -> None:
    ends = [f"{variable}{number}" for number in range(1, len(fork.branches) + 1)]
    for end, branch in zip(ends, fork.branches, strict=True):
        assert isinstance(branch, Chain)
        source.steps.append(f"{end} = {variable}")
        _chain(source, branch, end, names)
    name = next(names)
    if isinstance(fork.join, Add):
        joined = _activated(fork.join.activation, " + ".join(ends))
    else:
        assert isinstance(fork.join, Concatenate)
        joined = f"torch.cat(({', '.join(ends)}), 1)"
    source.steps.append(f"{variable} = {joined}  # {name}")


def _activated(module: nn.Module, text: str) -> str:
    function = ACTIVATIONS[type(module)]
    return text if function is None else f"{function}({text})"


def _call(name: str, *positional: object, **named: object) -> str:
    given = [str(value) for value in positional]
    given += [f"{key}={value}" for key, value in named.items() if value is not None]
    return f"{name}({', '.join(given)})"


def _triple(values: Sequence[int], axes: Sequence[int], filler: int) -> tuple[int, ...]:
    """Sizes along some of the three axes; any other has the ``filler``."""
    known = dict(zip(axes, values, strict=False))
    return tuple(known.get(axis, filler) for axis in range(3))


def _pad(
    symmetric: Sequence[int], explicit: Sequence[int] | None, axes: Sequence[int]
) -> tuple[int, ...] | None:
    """Zeros before and behind as torch pads, the last axis first; None where there are none."""
    before = list(symmetric) if explicit is None else list(explicit[-2::-2])
    behind = list(symmetric) if explicit is None else list(explicit[::-2])
    ends = zip(_triple(before, axes, 0), _triple(behind, axes, 0), strict=True)
    pad = tuple(size for pair in reversed(list(ends)) for size in pair)
    return pad if any(pad) else None


def _convolution(
    conv: nn.Conv2d | nn.Conv3d,
    axes: Sequence[int],
    activation: nn.Module | None = None,
    explicit: Sequence[int] | None = None,
) -> _Expression:
    kernel, stride = _triple(conv.kernel_size, axes, 1), _triple(conv.stride, axes, 1)
    assert not isinstance(conv.padding, str)
    text = _call(
        "Conv",
        conv.in_channels,
        conv.out_channels,
        kernel=kernel if set(kernel) != {1} else None,
        stride=stride if set(stride) != {1} else None,
        groups=conv.groups if conv.groups > 1 else None,
        pad=_pad(conv.padding, explicit, axes),
        bias=False if conv.bias is None else None,
        activation=None if activation is None else ACTIVATIONS[type(activation)],
    )
    weights = {"weight": conv.weight.reshape(*conv.weight.shape[:2], *kernel)}
    return _Expression(text, weights if conv.bias is None else weights | {"bias": conv.bias})


def _unit(module: ConvUnit, axes: Sequence[int]) -> _Expression:
    assert isinstance(module.norm, nn.Identity), "norms are folded before a network is written"
    return _convolution(module.conv, axes, module.activation, module.explicit_padding)


def _pool(module: AxisPool, axes: Sequence[int]) -> str:
    mode = module.mode if module.kernel != (1, 1) else "max"
    kernel, stride = _triple(module.kernel, axes, 1), _triple(module.stride, axes, 1)
    return _call(
        "Pool", repr(mode), kernel, stride, _pad(module.padding, module.explicit_padding, axes) or (0,) * 6
    )


def _spatial_pooling(module: SpatialPooling) -> _Expression:
    pools = [_pool(each, SPACE) for each in module if isinstance(each, AxisPool)]
    return _Expression(pools[0] if len(pools) == 1 else f"nn.Sequential({', '.join(pools)})", {})


def _gate(module: ChannelGate) -> _Expression:
    layers: list[_Expression] = []
    modules = list(module.gate)
    for place, layer in enumerate(modules):
        if isinstance(layer, nn.Linear):
            following = modules[place + 1] if place + 1 < len(modules) else nn.Identity()
            text = _call(
                "Conv", layer.in_features, layer.out_features, activation=ACTIVATIONS[type(following)]
            )
            weight = layer.weight[:, :, None, None, None]
            layers.append(_Expression(text, {"weight": weight, "bias": layer.bias}))
    weights: dict[str, Tensor] = {}
    for place, each in enumerate(layers):
        weights |= each.inside(f"layers.{place}")
    per_frame = module.pooled_shape.frames != module.shape.frames
    return _Expression(_call("Gate", per_frame, *(each.text for each in layers)), weights)


def _parts(name: str, parts: dict[str, _Expression], **others: object) -> _Expression:
    """A layer of several convolutions."""
    weights: dict[str, Tensor] = {}
    for part, each in parts.items():
        weights |= each.inside(part)
    return _Expression(_call(name, **{part: each.text for part, each in parts.items()}, **others), weights)


def _non_local(module: NonLocalBlock) -> _Expression:
    parts = {"embed": _convolution(module.embed, SPACE), "project": _unit(module.project, SPACE)}
    return _parts("NonLocal", parts, softmax=module.by_softmax)


def _channel_time_learning(module: ChannelTimeLearning) -> _Expression:
    plain = {
        name: _convolution(getattr(module, name), SPACE) for name in ("excite", "focus", "near", "restore")
    }
    units = {name: _unit(getattr(module, name), SPACE) for name in ("squeeze", "reduce", "far")}
    positions = module.positions[:, :, None]
    activation = ACTIVATIONS[type(module.activation)] or "None"
    found = _parts(
        "ChannelTimeLearning", plain | units, positions=tuple(positions.shape), activation=activation
    )
    return found._replace(weights=found.weights | {"positions": positions})


EXPRESSIONS: dict[type[nn.Module], Callable[[Any], _Expression]] = {
    SpatialConvolution: lambda module: _unit(module, SPACE),
    TemporalConvolution: lambda module: _unit(module.unit, TIME),
    Convolution3d: lambda module: _unit(module.unit, CLIP),
    DenseLayer: lambda module: _convolution(module.linear, SPACE, module.activation),
    SpatialPooling: _spatial_pooling,
    TemporalPooling: lambda module: _Expression(_pool(module.pool, TIME), {}),
    TemporalShifting: lambda module: _Expression(_call("Shift", module.shifted), {}),
    FramePacking: lambda module: _Expression(_call("PackFrames", module.packed, module.missing), {}),
    ChannelGate: _gate,
    NonLocalBlock: _non_local,
    ChannelTimeLearning: _channel_time_learning,
}
