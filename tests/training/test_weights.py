from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from tvnsearch.errors import UserError
from tvnsearch.network.build import build_network
from tvnsearch.training.weights import load_weights, save_weights


def test_weights_come_back(genome, tmp_path):
    saved, loaded = build_network(genome, 8), build_network(genome, 8)
    save_weights(saved, tmp_path / "deep" / "weights.safetensors")
    load_weights(loaded, tmp_path / "deep" / "weights.safetensors")
    clips = torch.randn(2, 4, 24, 24, 3)
    assert torch.equal(saved.eval()(clips), loaded.eval()(clips))
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["weights.safetensors"]


def test_weights_that_do_not_fit(genome, tmp_path):
    path = tmp_path / "weights.safetensors"
    with pytest.raises(UserError, match="reading them failed"):
        load_weights(build_network(genome, 8), path)
    save_weights(build_network(genome, 7), path)
    with pytest.raises(UserError, match="do not fit"):
        load_weights(build_network(genome, 8), path)
    path.write_bytes(b"something else")
    with pytest.raises(UserError, match="do not fit"):
        load_weights(build_network(genome, 8), path)


def test_what_does_not_fit_is_named(genome, tmp_path):
    path = tmp_path / "weights.safetensors"
    network = build_network(genome, 8)
    whole = network.state_dict()
    first, *_, last = whole
    for weights, told in (
        ({name: value for name, value in whole.items() if name != first}, f"there is no {first}"),
        (whole | {"odd": torch.zeros(1)}, "there is odd, which this network has not"),
        (whole | {last: torch.zeros(9)}, rf"{last} is of shape \(9,\), not \(8,\)"),
    ):
        save_file({name: value.contiguous() for name, value in weights.items()}, path)
        with pytest.raises(UserError, match=f"{path}, but they do not fit it .{told}.; train again, or"):
            load_weights(network, path)
