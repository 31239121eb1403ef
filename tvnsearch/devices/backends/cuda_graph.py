"""Torch on a GPU, its kernels recorded once as CUDA graphs: no launch waits for Python."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from tvnsearch.devices.backends.eager import placed
from tvnsearch.devices.device import Device
from tvnsearch.network import TinyVideoNetwork

RUNS_BEFORE_RECORDING = 3
"""Libraries choose their kernels and reserve scratch memory in the first runs; neither can be recorded."""


class CudaGraphNetwork:
    """A deployed network recorded twice: whole, and as one graph for each layer call."""

    def __init__(self, network: TinyVideoNetwork, clips: torch.Tensor) -> None:
        self._network, self._clips = network, clips
        # The default stream cannot be recorded.
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.inference_mode(), torch.cuda.stream(stream):
            for _ in range(RUNS_BEFORE_RECORDING):
                network(clips)
            torch.cuda.synchronize()
            self._whole = torch.cuda.CUDAGraph()
            self._whole.capture_begin()
            self._logits = network(clips)
            self._whole.capture_end()
            self._calls = self._recorded_calls()
        torch.cuda.current_stream().wait_stream(stream)

    def run(self) -> None:
        """One forward pass: one launch."""
        self._whole.replay()

    def run_stamped(self, stamp: Callable[[], None]) -> None:
        """The same pass, one launch and one ``stamp`` a layer call."""
        for call in self._calls:
            call.replay()
            stamp()

    def logits(self, clips: NDArray[np.float32]) -> NDArray[np.float32]:
        """The logits of clips, by the recorded pass."""
        self._clips.copy_(torch.from_numpy(clips))
        self._whole.replay()
        logits: NDArray[np.float32] = self._logits.float().cpu().numpy()
        return logits

    def _recorded_calls(self) -> list[torch.cuda.CUDAGraph]:
        """All in one memory pool, for each call reads what the one before wrote."""
        pool = torch.cuda.graph_pool_handle()
        graphs: list[torch.cuda.CUDAGraph] = []

        def begin() -> None:
            graph = torch.cuda.CUDAGraph()
            graph.capture_begin(pool=pool)
            graphs.append(graph)

        def next_call() -> None:
            graphs[-1].capture_end()
            begin()

        begin()
        self._network.forward_stamped(self._clips, next_call)
        graphs.pop().capture_end()  # nothing runs after the head
        return graphs


def prepare(network: TinyVideoNetwork, device: Device) -> CudaGraphNetwork:
    """Place and record a folded network, with fixed clips."""
    return CudaGraphNetwork(*placed(network, device))


def versions() -> dict[str, str]:
    """CUDA is in the fingerprint of every GPU."""
    return {}
