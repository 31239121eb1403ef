from __future__ import annotations

import os

import pytest
import torch
from safetensors.torch import load_file, save_file

from tvnsearch.errors import UserError
from tvnsearch.network.build import build_network
from tvnsearch.training.fine_tuning import Taken, read_foreign, read_start, write_start
from tvnsearch.training.weights import load_weights, save_weights

HEAD = ("head.classifier.weight", "head.classifier.bias")


@pytest.fixture
def learnt(genome):
    """A network of eight classes whose statistics are not those of a fresh one."""
    torch.manual_seed(3)
    network = build_network(genome, 8)
    network.train()(torch.randn(4, 4, 24, 24, 3))
    return network


@pytest.fixture
def source(learnt, tmp_path):
    save_weights(learnt, tmp_path / "learnt.safetensors")
    return tmp_path / "learnt.safetensors"


def parameters(network):
    return {name: value.numel() for name, value in network.named_parameters()}


def test_the_head_is_new_for_other_labels_and_all_else_is_taken(genome, learnt, source, tmp_path):
    start = tmp_path / "start.safetensors"
    taken = write_start(genome, 5, source, start, same_classes=False, seed=7)
    assert taken.new == HEAD
    network = build_network(genome, 5)
    load_weights(network, start)
    counts = parameters(network)
    head = sum(counts[name] for name in HEAD)
    assert taken.share == pytest.approx(1 - head / sum(counts.values()))
    for name, value in learnt.state_dict().items():
        if name not in HEAD:
            assert torch.equal(network.state_dict()[name], value)
    torch.manual_seed(7)
    fresh = build_network(genome, 5).state_dict()
    assert all(torch.equal(network.state_dict()[name], fresh[name]) for name in HEAD)
    assert read_start(start) == taken


@pytest.mark.parametrize(("same_classes", "new"), [(True, ()), (None, ()), (False, HEAD)])
def test_a_head_for_as_many_classes_is_taken_unless_they_are_known_to_be_others(
    genome, source, tmp_path, same_classes, new
):
    taken = write_start(genome, 8, source, tmp_path / "start", same_classes=same_classes, seed=0)
    assert taken.new == new
    assert (taken.share == 1) == (not new)


def test_a_head_is_taken_as_a_whole_or_not_at_all(genome, learnt, tmp_path):
    """Seven biases fit, the weights of a narrower network do not."""
    weights = learnt.state_dict()
    weights[HEAD[0]] = torch.zeros(8, 3)
    save_file({name: value.contiguous() for name, value in weights.items()}, tmp_path / "odd.safetensors")
    taken = write_start(
        genome, 8, tmp_path / "odd.safetensors", tmp_path / "start", same_classes=None, seed=0
    )
    assert taken.new == HEAD


def test_a_callers_random_numbers_are_left_alone(genome, source, tmp_path):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    write_start(genome, 5, source, tmp_path / "start", same_classes=False, seed=7)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("wrapped", ["plain", "state_dict", "model", "distributed"])
def test_weights_by_torch_save_are_read_however_they_are_wrapped(learnt, tmp_path, wrapped):
    weights = learnt.state_dict()
    saved = {
        "plain": weights,
        "state_dict": {"state_dict": weights, "epoch": 3},
        "model": {"model": weights, "optimizer": {"state": {}}},
        "distributed": {f"module.{name}": value for name, value in weights.items()},
    }[wrapped]
    torch.save(saved, tmp_path / "weights.pt")
    found = read_foreign(tmp_path / "weights.pt")
    assert found.keys() == weights.keys()
    assert all(torch.equal(found[name], value) for name, value in weights.items())


class Malicious:
    ran = False

    def __reduce__(self):
        return (setattr, (Malicious, "ran", True))


def test_code_in_a_file_is_not_run(tmp_path):
    torch.save({"weights": Malicious()}, tmp_path / "weights.pt")
    with pytest.raises(UserError, match=r"expected weights in .*weights\.pt"):
        read_foreign(tmp_path / "weights.pt")
    assert not Malicious.ran


def test_what_are_no_weights_is_said_in_one_line(genome, source, tmp_path):
    torch.save([1, 2], tmp_path / "list.pt")
    (tmp_path / "text.pt").write_text("weights")
    (tmp_path / "cut.safetensors").write_bytes(source.read_bytes()[:200])
    for name, words in (
        ("none.safetensors", "No such file"),
        ("list.pt", "it holds a list"),
        ("text.pt", ""),
        ("cut.safetensors", ""),
    ):
        with pytest.raises(UserError, match=f"expected weights in .*{name}.*{words}") as error:
            write_start(genome, 8, tmp_path / name, tmp_path / "start", same_classes=None, seed=0)
        assert "\n" not in str(error.value)
    assert not (tmp_path / "start").exists()


def test_names_that_are_no_utf_8(genome, source, tmp_path):
    odd = tmp_path / os.fsdecode(b"\xe9.safetensors")
    source.rename(odd)
    start = tmp_path / os.fsdecode(b"\xe8.safetensors")
    taken = write_start(genome, 8, odd, start, same_classes=True, seed=0)
    assert taken == read_start(start) == Taken(1.0, ())


def test_weights_of_another_network_are_refused(genome, tmp_path):
    save_file({"features.0.weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(UserError, match=r"none of its 1 tensors fits \(there is no repeats"):
        write_start(genome, 8, tmp_path / "other.safetensors", tmp_path / "start", same_classes=None, seed=0)


def test_a_start_that_is_not_whole_is_none(genome, source, tmp_path):
    start = tmp_path / "start.safetensors"
    assert read_start(start) is None
    write_start(genome, 8, source, start, same_classes=None, seed=0)
    assert read_start(start) == Taken(1.0, ())
    start.write_bytes(start.read_bytes()[:-10])
    assert read_start(start) is None
    save_file(load_file(source), start)
    assert read_start(start) is None
