from __future__ import annotations

import pytest
import torch

from tvnsearch.genome.trace import trace
from tvnsearch.genome.zoo import load_zoo
from tvnsearch.training.precision import choose_precision

DENSE, DEPTHWISE = trace(load_zoo("tvn-1")), trace(load_zoo("x3d-xs"))


def test_what_is_asked_for_is_taken():
    assert choose_precision("bfloat16", "cpu", DEPTHWISE) == "bfloat16"
    assert choose_precision("float32", "cpu", DENSE) == "float32"


@pytest.mark.parametrize(
    ("flags", "dense"),
    [({"avx2"}, "float32"), ({"avx512_bf16"}, "bfloat16"), ({"amx_bf16", "avx2"}, "bfloat16")],
)
def test_a_cpu_trains_in_bfloat16_where_that_pays(monkeypatch, flags, dense):
    monkeypatch.setattr("tvnsearch.training.precision.cpu_flags", lambda: frozenset(flags))
    assert choose_precision("auto", "cpu", DENSE) == dense
    assert choose_precision("auto", "cpu", DEPTHWISE) == "float32"


@pytest.mark.parametrize(
    ("capability", "chosen"),
    [
        ((6, 1), "float32"),  # GTX 1080
        ((7, 0), "float16"),  # V100
        ((7, 5), "float16"),  # T4
        ((8, 0), "bfloat16"),
        ((8, 9), "bfloat16"),
        ((9, 0), "bfloat16"),
        ((12, 0), "bfloat16"),
    ],
)
def test_a_gpu_trains_in_what_its_tensor_cores_multiply(monkeypatch, capability, chosen):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert choose_precision("auto", "cuda:0", DEPTHWISE) == chosen
    assert choose_precision("float32", "cuda:0", DEPTHWISE) == "float32"
