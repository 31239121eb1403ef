"""A folder that runs without tvnsearch: its source, in a process that cannot import tvnsearch."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from msgspec.structs import replace

from tests.genome.strategies import DIGITS
from tests.network.figures import with_figures
from tvnsearch.api.trained_model import ModelCard, export_metadata
from tvnsearch.data.moving_digits import ClipsPerClass, generate
from tvnsearch.data.normalisation import PIXEL_MEAN, PIXEL_STD
from tvnsearch.export.formats import FORMATS, loaded
from tvnsearch.export.options import GraphOptions
from tvnsearch.export.write import export_network, scores_of
from tvnsearch.genome import Genome
from tvnsearch.genome.sampling import sample_genome
from tvnsearch.genome.scaling import scaled
from tvnsearch.genome.zoo import load_zoo
from tvnsearch.network import TinyVideoNetwork, build_network
from tvnsearch.network.deploy import deployed

OPTIONS = GraphOptions(batch=None, normalisation=((PIXEL_MEAN,) * 3, (PIXEL_STD,) * 3))
CLASSES = ("a", "b", "c", "d", "ü")
PACKAGES = Path(torch.__file__).parent.parent
ALONE = (
    "import sys; sys.path[:0] = {paths}\n"
    "try:\n    import tvnsearch\nexcept ImportError:\n    pass\nelse:\n    sys.exit('tvnsearch is here')\n"
)


def _network(genome: Genome) -> TinyVideoNetwork:
    torch.manual_seed(0)
    return with_figures(build_network(genome, len(CLASSES)))


def _expected(network: TinyVideoNetwork, pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> object:
    normalised = (pixels / 255 - PIXEL_MEAN) / PIXEL_STD
    with torch.inference_mode():
        return network(torch.from_numpy(normalised.astype(np.float32))).numpy()


def _written(genome: Genome, folder: Path) -> TinyVideoNetwork:
    network = _network(genome)
    metadata = export_metadata(genome, ModelCard(CLASSES, False), OPTIONS)
    assert export_network(network, folder, metadata, FORMATS["standalone"], OPTIONS) < 1e-3
    return network


def _alone(folder: Path, code: str) -> str:
    """What the code prints, without the packages that are installed by a link, as tvnsearch may be."""
    code = ALONE.format(paths=[str(folder), str(PACKAGES)]) + code
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_source_computes_what_the_network_does_where_there_is_no_tvnsearch(tmp_path: Path) -> None:
    network = _written(sample_genome(DIGITS, random.Random(3)), tmp_path / "net")
    frames, height, width, _ = network.trace.in_shape
    pixels = np.random.default_rng(0).integers(0, 256, (2, frames, height, width, 3), np.uint8)
    np.save(tmp_path / "net" / "clips.npy", pixels)
    told = _alone(
        tmp_path / "net",
        "import json, numpy, torch; from model import load\n"
        "clips = torch.from_numpy(numpy.load('clips.npy'))\n"
        "print(json.dumps(load()(clips).tolist()))",
    )
    assert np.array(json.loads(told)) == pytest.approx(_expected(network, pixels), abs=1e-3, rel=1e-3)
    assert json.loads((tmp_path / "net" / "labels.json").read_text()) == list(CLASSES)
    source = (tmp_path / "net" / "model.py").read_text()
    imported = set(re.findall(r"^(?:import|from) ([\w.]+)", source, re.MULTILINE))
    assert {name.split(".")[0] for name in imported} <= {"__future__", *sys.stdlib_module_names, "torch"}
    steps = source.split("def forward(self, clips")[1]
    assert all(name.replace(".", "_") in steps for name, _ in network.trace.named_calls())


def _genomes() -> list[Genome]:
    rng = random.Random(11)
    drawn = [sample_genome(DIGITS, rng) for _ in range(6)]
    return [*drawn, replace(drawn[0], head="per_frame")]


@pytest.mark.parametrize("index", range(7))
def test_what_a_space_draws_is_written(index: int) -> None:
    _compare(_genomes()[index])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["x3d-xs", "movinet-a0", "tsm-mobilenetv2", "squeezetime", "i3d", "tvn-m-1"])
def test_the_networks_of_the_zoo_are_written(name: str) -> None:
    _compare(scaled(load_zoo(name), resolution=0.3))


def _compare(genome: Genome) -> None:
    network = _network(genome)
    frames, height, width, _ = network.trace.in_shape
    pixels = np.random.default_rng(0).integers(0, 256, (2, frames, height, width, 3), np.uint8)
    metadata = export_metadata(genome, ModelCard(CLASSES, False), OPTIONS)
    runtime = loaded(FORMATS["standalone"])
    opened = runtime.opened(runtime.written(deployed(network), OPTIONS, metadata), 1)
    expected = np.asarray(_expected(network, pixels))
    assert np.abs(scores_of(opened, pixels) - expected).max() / np.abs(expected).max() < 1e-4


def test_the_demo_labels_a_video(tmp_path: Path) -> None:
    _written(sample_genome(DIGITS, random.Random(3)), tmp_path / "net")
    generate(tmp_path / "clips", ClipsPerClass(1, 1, 1), digits=[0])
    video = next((tmp_path / "clips").rglob("*.mp4"))
    told = _alone(
        tmp_path / "net",
        f"import runpy; sys.argv = ['demo.py', {str(video)!r}]\n"
        "runpy.run_path('demo.py', run_name='__main__')",
    )
    lines = [re.fullmatch(r" *([\d.]+)%  (\S+)", line) for line in told.splitlines()]
    assert sorted(line[2] for line in lines if line) == sorted(CLASSES)
    assert sum(float(line[1]) for line in lines if line) == pytest.approx(100, abs=0.5)
