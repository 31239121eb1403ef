"""What channel-time learning executes (Zhai et al. 2024): three paths over maps whose channels hold time."""

from __future__ import annotations

from tvnsearch.genome.calls import LayerCall, Shape, moved
from tvnsearch.genome.layers import ChannelTimeLearning
from tvnsearch.genome.windows import live_kernel

NEAR_KERNEL = 3
"""Of the convolution over the map itself, and of those into and out of the narrow interaction."""

FAR_KERNEL = 7
"""Of the convolution in the narrow interaction."""

INTERACTION_WIDTH = 16
"""Channels of the interaction: one for each frame that the original packs."""


def live_window(kernel: int, shape: Shape) -> tuple[int, int]:
    """What is live of a square kernel without a stride, over rows and over columns."""
    return live_kernel(shape.height, kernel, 1), live_kernel(shape.width, kernel, 1)


def channel_time_call(layer: ChannelTimeLearning, shape: Shape, strided: bool) -> LayerCall:
    """The call of the layer; its kernel is that of the interaction, its ``hidden`` the channels there."""
    frames, height, width, channels = shape
    filters, hidden = layer.filters, INTERACTION_WIDTH
    near_rows, near_columns = live_window(NEAR_KERNEL, shape)
    far_rows, far_columns = live_window(FAR_KERNEL, shape)
    near_taps, far_taps = near_rows * near_columns, far_rows * far_columns

    weighing = 2 * channels * channels
    focus, near = channels * filters, near_taps * channels * filters
    interaction = near_taps * channels * hidden + far_taps * hidden * hidden + near_taps * hidden * filters
    norms = 2 * (channels + 2 * hidden + filters)
    biases, positions = 2 * filters, hidden * height * width
    params = weighing + focus + near + interaction + norms + biases + positions

    out = shape._replace(channels=filters)
    hidden_values = shape.positions * hidden
    return LayerCall(
        "channel_time_learning",
        shape,
        out,
        kernel=far_rows,
        kernel_width=far_columns,
        hidden=hidden,
        activation=layer.activation,
        params=params,
        macs=frames * weighing + shape.positions * (focus + near + interaction),
        # The input is read for its means, to be weighed and by the near convolution, what was weighed by two
        # more; three convolutions write maps of all filters, which are read once and become one.
        bytes_moved=moved(
            5 * shape.values + 3 * hidden_values + 3 * out.values,
            shape.values + 3 * hidden_values + 4 * out.values,
            params,
        ),
    )
