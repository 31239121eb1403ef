from __future__ import annotations

import errno
import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from msgspec.structs import replace

from tests.genome.strategies import DIGITS
from tests.network.figures import with_figures
from tvnsearch.errors import UserError
from tvnsearch.export.write import export_network
from tvnsearch.genome import Block, Genome, square_input
from tvnsearch.genome.layers import SpatialConv, TemporalConv
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.zoo import load_zoo
from tvnsearch.network import TinyVideoNetwork, build_network


def _networks() -> list[TinyVideoNetwork]:
    torch.manual_seed(0)
    rng = random.Random(5)
    genomes = [sample_genome(DIGITS, rng) for _ in range(5)]
    tvn = load_zoo("tvn-m-2")
    genomes.append(replace(tvn, input=replace(tvn.input, height=64, width=64)))
    genomes.append(replace(genomes[0], head="per_frame"))
    return [with_figures(build_network(genome, 6)) for genome in genomes]


@pytest.fixture
def network() -> TinyVideoNetwork:
    """One that is exported quickly."""
    torch.manual_seed(0)
    genome = Genome(square_input(8, 2), (Block((SpatialConv(4, 3), TemporalConv(4, 2))),))
    return with_figures(build_network(genome, 3))


def test_onnx_runtime_computes_what_torch_computes(tmp_path: Path) -> None:
    for index, network in enumerate(_networks()):
        path = tmp_path / f"{index}.onnx"
        error = export_network(network, path, {"classes": '["a"]'})
        clip = torch.randn(1, *network.trace.in_shape)
        with torch.inference_mode():
            expected = network(clip).numpy()
        computed = onnxruntime.InferenceSession(path).run(None, {"clips": clip.numpy()})[0]
        scale = np.abs(expected).max()
        assert np.abs(computed - expected).max() / scale < 1e-3
        assert 0 <= error < 1e-3
        assert {entry.key: entry.value for entry in onnx.load(path).metadata_props}["classes"] == '["a"]'


def _strings(message: Any, place: str = "model") -> Iterator[tuple[str, str]]:
    """Every text in a protobuf message with the place where it stands, and its bytes that are short."""
    for field, value in message.ListFields():
        for each in value if isinstance(value, (list, tuple)) or hasattr(value, "append") else [value]:
            inside = f"{place}.{field.name}"
            if hasattr(each, "ListFields"):
                yield from _strings(each, inside)
            elif isinstance(each, str):
                yield inside, each
            elif isinstance(each, bytes) and field.name != "raw_data":
                yield inside, each.decode(errors="replace")


def test_the_file_tells_nothing_of_the_machine_that_wrote_it(tmp_path: Path) -> None:
    network = _networks()[-1]
    path = tmp_path / "model.onnx"
    export_network(network, path, {"classes": '["a"]'})
    model = onnx.load(path)
    told = list(_strings(model))
    notes = [(place, text) for place, text in told if "metadata_props" in place or "doc_string" in place]
    assert notes == [("model.metadata_props.key", "classes"), ("model.metadata_props.value", '["a"]')]
    for place, text in told:
        assert not any(part in text for part in ("\\", ".py", "site-packages", "/home")), (
            place,
            text,
        )
        assert not text.startswith("/"), (place, text)
    content = path.read_bytes()
    for folder in (sys.prefix, str(Path.cwd()), str(Path(torch.__file__).parent), str(tmp_path)):
        assert folder.encode() not in content
    assert all(node.name for node in model.graph.node)
    assert "head/weight" in {tensor.name for tensor in model.graph.initializer}


def _refused(network: TinyVideoNetwork, path: Path) -> str:
    """The one line that a failing export ends with."""
    with pytest.raises(UserError) as failure:
        export_network(network, path, {})
    sentence = str(failure.value)
    assert len(sentence.splitlines()) == 1
    return sentence


@pytest.fixture
def former(tmp_path: Path) -> Path:
    """A whole file where the new one is to be."""
    path = tmp_path / "model.onnx"
    path.write_bytes(b"former")
    return path


def test_a_wrong_export_is_not_written(
    network: TinyVideoNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tvnsearch.export.write.MOST_RELATIVE_ERROR", -1.0)
    assert "differs from torch" in _refused(network, tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (RuntimeError("\n\nlegs missing\nat 0x7f\n"), "RuntimeError: legs missing"),
        (KeyError("aten.odd"), "KeyError: 'aten.odd'"),
        (RecursionError(), "(RecursionError)"),
        (MemoryError(), "(MemoryError)"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
    ],
    ids=repr,
)
def test_whatever_the_exporter_raises_is_a_sentence(
    network: TinyVideoNetwork, former: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, told: str
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise error

    monkeypatch.setattr("tvnsearch.export.formats.onnx.onnx_model", fail)
    assert told in _refused(network, former)
    assert former.read_bytes() == b"former"


def test_a_layer_that_no_graph_can_hold_is_a_sentence_and_nothing_else(
    network: TinyVideoNetwork, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    network.head.classifier = torch.nn.Sequential(network.head.classifier, torch.nn.GELU())
    assert "expected to export a network for ONNX Runtime" in _refused(network, tmp_path / "model.onnx")
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []


def test_packages_that_are_missing_are_told(
    network: TinyVideoNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "tvnsearch.export.formats.onnx", raising=False)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    sentence = _refused(network, tmp_path / "model.onnx")
    assert "onnxruntime" in sentence
    assert "pip install 'tvnsearch[onnx]'" in sentence


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()], ids=repr
)
@pytest.mark.parametrize("step", ["write_bytes", "replace"])
def test_no_part_of_a_file_stays(
    network: TinyVideoNetwork, former: Path, monkeypatch: pytest.MonkeyPatch, step: str, error: BaseException
) -> None:
    written: list[Path] = []

    def fail(path: Path, *arguments: object) -> None:
        path.open("wb").write(b"half")
        written.append(path)
        raise error

    monkeypatch.setattr(Path, step, fail)
    with pytest.raises((UserError, KeyboardInterrupt)) as failure:
        export_network(network, former, {})
    if isinstance(error, OSError):
        assert "No space left on device" in str(failure.value)
        assert str(former) in str(failure.value)
    assert written
    assert list(former.parent.iterdir()) == [former]
    assert former.read_bytes() == b"former"


def test_what_a_killed_export_left_is_cleared_away_by_the_next(
    network: TinyVideoNetwork, former: Path
) -> None:
    left = former.with_name(".model.onnx.part")
    left.write_bytes(b"half")
    os.utime(left, (1e9, 1e9))
    export_network(network, former, {})
    assert list(former.parent.iterdir()) == [former]
    onnx.load(former)


def test_a_file_that_cannot_be_there_is_a_sentence(network: TinyVideoNetwork, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"kept")
    (tmp_path / "folder").mkdir()
    for place, told in (
        (tmp_path / "file" / "model.onnx", "Not a directory"),
        (tmp_path / "file" / "deeper" / "model.onnx", "Not a directory"),
        (tmp_path / ("long" * 100), "name too long"),
        (tmp_path / "folder", "is a folder"),
        (Path(), "is a folder"),
    ):
        sentence = _refused(network, place)
        assert told in sentence
        assert str(place) in sentence
    assert {path.name for path in tmp_path.iterdir()} == {"file", "folder"}
    assert (tmp_path / "file").read_bytes() == b"kept"
