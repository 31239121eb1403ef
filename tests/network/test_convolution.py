import pytest
import torch
from torch.nn import functional

from tests.genome.brute_force import windows
from tvnsearch.genome.calls import LayerCall, Shape
from tvnsearch.genome.windows import live_kernel
from tvnsearch.network.modules.convolution import TemporalConvolution
from tvnsearch.network.packing import pack


@pytest.mark.parametrize(
    ("frames", "kernel", "stride", "channels"),
    [
        (22, 4, 8, 1024),
        (22, 3, 5, 512),
        (22, 2, 4, 1024),
        (42, 6, 1, 1640),
        (33, 9, 6, 1640),
        (18, 6, 3, 1388),
        (7, 3, 4, 8),
        (3, 2, 8, 8),
        (1, 2, 3, 4),
        (9, 1, 4, 8),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_frames_of_a_single_pixel_are_convolved_right_whatever_memory_held_before(
    frames: int, kernel: int, stride: int, channels: int, packed: bool
) -> None:
    # by oneDNN as torch calls it the first three end the process, and the next ones give NaN
    stride = min(stride, frames)
    kernel = live_kernel(frames, kernel, stride)
    call = LayerCall(
        type="temporal_conv",
        in_shape=Shape(frames, 1, 1, channels),
        out_shape=Shape(-(-frames // stride), 1, 1, 96),
        kernel=kernel,
        stride=stride,
        params=0,
        macs=0,
    )
    layer = TemporalConvolution(call).eval()
    weight = layer.unit.conv.weight.detach().double()
    features = torch.randn(frames, channels, 1, 1).contiguous(memory_format=torch.channels_last)
    clips = features.double().view(1, frames, channels).permute(0, 2, 1).unsqueeze(-1)
    spans = windows(frames, kernel, stride)
    zeros = [0, 0, -spans[0].start, max(spans[-1].stop - frames, 0)]
    expected = functional.conv2d(functional.pad(clips, zeros), weight, stride=(stride, 1))

    if packed:
        layer.unit.norm = torch.nn.Identity()
        layer = pack(layer)
    results = []
    for _ in range(10):
        freed = [torch.full((4**power,), torch.nan) for power in range(4, 11) for _ in range(5)]
        del freed
        with torch.inference_mode():
            results.append(layer(features))

    scale = 1.0 if packed else (1 + layer.unit.norm.eps) ** -0.5  # type: ignore[operator]
    for result in results:
        clips_again = result.double().view(1, call.out_shape.frames, 96).permute(0, 2, 1).unsqueeze(-1)
        torch.testing.assert_close(clips_again, expected * scale, rtol=1e-3, atol=1e-3)
