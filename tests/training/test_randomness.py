from __future__ import annotations

import numpy as np
import pytest
import torch

from tvnsearch.training.randomness import forked_generators, seed_generators


@pytest.mark.parametrize("seed", [0, 7, 2**63, 2**64 - 1])
def test_a_seed_gives_the_numbers_of_torchs_own(seed):
    torch.manual_seed(seed)
    torch.randn(3)
    seed_generators("cpu", seed)
    numbers = torch.randn(5)
    torch.manual_seed(seed)
    assert torch.equal(torch.randn(5), numbers)


class Gpus:
    """Two GPUs, of which is noted what is asked of whose generator."""

    def __init__(self, monkeypatch):
        self.touched = []
        self._current = 0
        monkeypatch.setattr(torch.cuda, "device", self._device)
        monkeypatch.setattr(torch.cuda, "current_device", lambda: self._current)
        monkeypatch.setattr(torch.cuda, "manual_seed", lambda seed: self._note("seeded", self._current))
        monkeypatch.setattr(torch.cuda, "manual_seed_all", lambda seed: self._note("seeded", "all"))
        monkeypatch.setattr(torch.random, "fork_rng", self._fork)

    def _note(self, what, which):
        self.touched.append((what, which))

    def _device(self, index):
        gpus = self

        class Within:
            def __enter__(self):
                gpus._current, self._before = index, gpus._current

            def __exit__(self, *error):
                gpus._current = self._before

        return Within()

    def _fork(self, devices):
        self._note("forked", tuple(devices))
        return np.errstate()


def test_a_training_on_one_of_several_gpus_touches_its_own_generator_alone(monkeypatch):
    gpus = Gpus(monkeypatch)
    for device in ("cuda:1", "cuda", "cpu"):
        with forked_generators(device):
            seed_generators(device, 3)
    assert gpus.touched == [("forked", (1,)), ("seeded", 1), ("forked", (0,)), ("seeded", 0), ("forked", ())]
