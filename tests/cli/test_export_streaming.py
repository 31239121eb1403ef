"""`tvnsearch export --streaming`, and the program of its document, which runs what it wrote."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
import torch
from msgspec.structs import replace

from tests.cli.running import refused, run, run_json
from tests.network.plain_stream import logits_over_stream
from tests.network.test_streaming import trained
from tests.test_documents import python_blocks, run_blocks
from tvnsearch.api.trained_model import ModelCard, write_model
from tvnsearch.data.moving_digits import ClipsPerClass, generate
from tvnsearch.genome import Block, Genome, square_input
from tvnsearch.genome.layers import SpatialConv, SqueezeExcite, TemporalConv, TemporalPool
from tvnsearch.training.weights import save_weights

ROOT = Path(__file__).parent.parent.parent
CLASSES = ("a", "b", "c", "d", "e")
LAYERS = (SpatialConv(4, 3, 4, "relu"), TemporalConv(4, 3), TemporalPool("max", 2, 2))
GENOME = Genome(square_input(16, 6, 3), (Block(LAYERS),))


def _write(folder: Path, genome: Genome) -> Path:
    save_weights(trained(genome), folder / "weights.safetensors")
    write_model(folder, genome, ModelCard(CLASSES, multi_label=False))
    return folder


@pytest.fixture
def net(tmp_path: Path) -> Path:
    """The folder of a trained network whose logits come two frames late."""
    return _write(tmp_path / "net", GENOME)


def test_a_streaming_file_is_written_and_its_cost_is_told(net: Path, tmp_path: Path) -> None:
    out = tmp_path / "stream.onnx"
    told = run_json("export", net, "--streaming", "--out", out)
    assert out.is_file()
    assert (told["step_frames"], told["clip_frames"], told["delay_frames"]) == (2, 6, 2)
    assert (told["frame_interval_s"], told["running_means"]) == (0.1, [])
    assert max(told["max_relative_error"], told["clip_relative_error"]) < 1e-3
    # 16 pixels of 27 taps, of three frames of 4 channels; each run two of six frames, and the classifier
    pixels = 16 * 4 * (27 + 12)
    assert told["step_gflops"] == pytest.approx(2e-9 * (2 * pixels + 20))
    assert told["clip_gflops"] == pytest.approx(2e-9 * (6 * pixels + 20))
    said = " ".join(run("export", net, "--streaming", "--step-frames", 4, "--out", out).stderr.split())
    assert "a run takes 4 frame(s), 0.1 s apart" in said
    assert "the clip that ended 2 frame(s) ago (0.2 s)" in said


def test_layers_with_running_means_are_named(tmp_path: Path) -> None:
    genome = replace(GENOME, blocks=(Block((*LAYERS, SqueezeExcite(0.5))),))
    net, out = _write(tmp_path / "net", genome), tmp_path / "stream.onnx"
    assert "block1.repeat1.4.squeeze_excite" in run("export", net, "--streaming", "--out", out).stderr
    assert run_json("export", net, "--streaming", "--out", out)["clip_relative_error"] > 1e-3


def test_what_cannot_be_streamed_is_one_line_and_nothing_is_written(net: Path, tmp_path: Path) -> None:
    out = tmp_path / "stream.onnx"
    assert "multiple of 2, as its strides over time ask, but got 3" in refused(
        "export", net, "--streaming", "--step-frames", 3, "--out", out
    )
    assert "expected --streaming with --step-frames 2" in refused(
        "export", net, "--step-frames", 2, "--out", out
    )
    single = _write(tmp_path / "single", replace(GENOME, input=square_input(16, 1)))
    assert "have one frame" in refused("export", single, "--streaming", "--out", out)
    assert "ends in .onnx" in refused("export", net, "--streaming", "--out", tmp_path / "stream.pt")
    assert {path.name for path in tmp_path.iterdir()} == {"net", "single"}


def test_the_document_shows_a_program_that_classifies_a_video(
    net: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    generate(Path("clips"), ClipsPerClass(1, 1, 1), digits=[0])
    next(Path("clips").rglob("*.mp4")).rename("clip.mp4")
    for step_frames in (2, 4):
        run_json("export", net, "--streaming", "--step-frames", step_frames, "--out", "stream.onnx")
        [block] = python_blocks(ROOT / "docs" / "streaming.md")
        names = run_blocks(ROOT / "docs" / "streaming.md", [block])
        with av.open("clip.mp4") as video:
            decoded = [frame for frame in video.decode(video=0) if round(frame.time * 30) % 3 == 0]
        assert names["taken"] == len(decoded) > 6
        frames = torch.from_numpy(np.stack([names["prepared"](frame) for frame in decoded]))
        with torch.inference_mode():
            expected = logits_over_stream(trained(GENOME), frames)[-1].numpy()
        assert names["logits"] == pytest.approx(expected, abs=1e-3)
        assert capsys.readouterr().out.endswith(f"in the end: {CLASSES[expected.argmax()]}\n")
