"""What a video shows: ``python demo.py clip.mp4``. It needs torch and PyAV (``pip install av``)."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import av
import torch
import torch.nn.functional as F  # noqa: N812
from model import FRAMES, HEIGHT, SECONDS_APART, SEVERAL_LABELS, WIDTH, load  # type: ignore[import-not-found]
from torch import Tensor

SHOWN = 5


def clip_of(video: str) -> Tensor:
    """The middle of a video as the network takes it: uint8 (1, FRAMES, HEIGHT, WIDTH, 3)."""
    with av.open(video) as container:
        decoded = [
            (frame.time or 0.0, frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)
        ]
    times_s = torch.tensor([time_s for time_s, _ in decoded])
    length_s = (FRAMES - 1) * SECONDS_APART
    start_s = times_s[0] + max(0.0, float(times_s[-1] - times_s[0]) - length_s) / 2
    wanted_s = start_s + SECONDS_APART * torch.arange(FRAMES)
    nearest = (times_s[None] - wanted_s[:, None]).abs().argmin(1)
    frames = torch.stack([torch.from_numpy(decoded[int(index)][1]) for index in nearest])
    rows, columns = frames.shape[1:3]
    scale = min(rows / HEIGHT, columns / WIDTH)
    height, width = round(HEIGHT * scale), round(WIDTH * scale)
    top, left = (rows - height) // 2, (columns - width) // 2
    middle = frames[:, top : top + height, left : left + width].permute(0, 3, 1, 2)
    resized = F.interpolate(middle, (HEIGHT, WIDTH), mode="bilinear", antialias=True)
    return resized.permute(0, 2, 3, 1)[None]


def main() -> None:
    """Print the likeliest classes."""
    labels = json.loads(Path(__file__).with_name("labels.json").read_text())
    with torch.inference_mode():
        [logits] = load()(clip_of(sys.argv[1]))
    probabilities = logits.sigmoid() if SEVERAL_LABELS else logits.softmax(0)
    for probability, index in zip(*probabilities.topk(min(SHOWN, len(labels))), strict=True):
        print(f"{probability:6.1%}  {labels[index]}")  # noqa: T201


if __name__ == "__main__":
    main()
