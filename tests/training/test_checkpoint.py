from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.disks import fill, small_disk
from tests.training.killing import KilledError, until
from tests.training.results import without_times
from tests.training.training_process import Job
from tvnsearch.data.cache import ClipCache
from tvnsearch.data.catalog import open_dataset
from tvnsearch.errors import UserError
from tvnsearch.training.checkpoint import Checkpoints
from tvnsearch.training.recipe import Recipe
from tvnsearch.training.trainer import train

RECIPES = {
    "adamw": Recipe(iterations=9, batch_size=8),
    "averaged sgd": Recipe(iterations=9, batch_size=8, optimizer="sgd", average_decay=0.9),
    "all that is random": Recipe(
        iterations=9,
        batch_size=8,
        rand_augment_operations=2,
        erasing_share=0.5,
        mixup_alpha=0.8,
        cutmix_alpha=1.0,
        sampling="classes",
        grw_weight=0.1,
    ),
}


def interrupted(genome, cache, recipe, weights, folder, *iterations, every=0.0):
    """Trained with as many interruptions as iterations are given, the last time to its end."""
    for iteration in iterations:
        with pytest.raises(KilledError):
            train(
                genome,
                cache,
                recipe,
                weights,
                checkpoints=Checkpoints(folder, every),
                on_progress=until(iteration),
            )
    return train(genome, cache, recipe, weights, checkpoints=Checkpoints(folder, every))


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_interruptions_change_no_bit_of_the_weights(cache, genome, tmp_path, recipe):
    whole = train(genome, cache, recipe, tmp_path / "whole")
    result = interrupted(genome, cache, recipe, tmp_path / "parts", tmp_path / "checkpoints", 1, 4, 9)
    assert (tmp_path / "parts").read_bytes() == (tmp_path / "whole").read_bytes()
    assert without_times(result) == without_times(whole)
    scored_again = interrupted(genome, cache, recipe, tmp_path / "again", tmp_path / "checkpoints")
    assert (scored_again.iterations, scored_again.fitness) == (9, whole.fitness)
    Checkpoints(tmp_path / "checkpoints").clear()
    assert list((tmp_path / "checkpoints").iterdir()) == []


def test_a_checkpoint_may_be_older_than_the_interruption(cache, genome, tmp_path):
    recipe = RECIPES["adamw"]
    train(genome, cache, recipe, tmp_path / "whole")
    folder = tmp_path / "checkpoints"
    with pytest.raises(KilledError):
        train(
            genome, cache, recipe, tmp_path / "w", checkpoints=Checkpoints(folder, 0.0), on_progress=until(3)
        )
    seen = []
    train(
        genome, cache, recipe, tmp_path / "w", checkpoints=Checkpoints(folder, 1e9), on_progress=seen.append
    )
    assert [state.iteration for state in seen] == list(range(4, 10))
    assert (tmp_path / "w").read_bytes() == (tmp_path / "whole").read_bytes()


def test_a_half_written_checkpoint_is_as_if_it_never_was(cache, genome, tmp_path):
    recipe, folder = RECIPES["adamw"], tmp_path / "checkpoints"
    train(genome, cache, recipe, tmp_path / "whole")
    with pytest.raises(KilledError):
        train(
            genome, cache, recipe, tmp_path / "w", checkpoints=Checkpoints(folder, 0.0), on_progress=until(3)
        )
    (folder / "checkpoint-4.safetensors").write_bytes(b"half")
    (folder / ".checkpoint.json.1.part").write_bytes(b"{")
    interrupted(genome, cache, recipe, tmp_path / "w", folder)
    assert (tmp_path / "w").read_bytes() == (tmp_path / "whole").read_bytes()
    assert {path.name for path in folder.iterdir()} == {"checkpoint.json", "checkpoint-9.safetensors"}


def test_a_checkpoint_of_another_training_is_refused(cache, genome, tmp_path):
    folder = tmp_path / "checkpoints"
    recipe = RECIPES["adamw"]
    with pytest.raises(KilledError):
        train(
            genome, cache, recipe, tmp_path / "w", checkpoints=Checkpoints(folder, 0.0), on_progress=until(2)
        )
    other = msgspec.structs.replace(recipe, seed=1)
    with pytest.raises(UserError, match="another network, recipe"):
        train(genome, cache, other, tmp_path / "w", checkpoints=Checkpoints(folder))
    whole = train(genome, cache, other, tmp_path / "whole")
    result = train(genome, cache, other, tmp_path / "w", checkpoints=Checkpoints(folder), replace_others=True)
    assert "another network, recipe, data or number of processes: the training begins" in result.begun_afresh
    assert result.fitness == whole.fitness
    assert (tmp_path / "w").read_bytes() == (tmp_path / "whole").read_bytes()


def damaged(folder, how):
    record, tensors = folder / "checkpoint.json", next(folder.glob("*.safetensors"))
    content = tensors.read_bytes()
    match how:
        case "no tensors":
            tensors.unlink()
        case "half the tensors":
            tensors.write_bytes(content[: len(content) // 2])
        case "empty tensors":
            tensors.write_bytes(b"")
        case "other tensors":
            tensors.write_bytes(b"not tensors")
        case "tensors of another optimizer":
            loaded = load_file(tensors)
            save_file({name: one for name, one in loaded.items() if "optimizer" not in name}, tensors)
            save_file({**load_file(tensors), "optimizer/999.step": torch.ones(1)}, tensors)
        case "no losses":
            loaded = load_file(tensors)
            save_file({name: one for name, one in loaded.items() if name != "losses"}, tensors)
        case "half the record":
            record.write_bytes(record.read_bytes()[:30])
        case "empty record":
            record.write_bytes(b"")
        case "garbage":
            record.write_bytes(b"\xff\xfe" * 40)


@pytest.mark.parametrize(
    "how",
    [
        "no tensors",
        "half the tensors",
        "empty tensors",
        "other tensors",
        "tensors of another optimizer",
        "no losses",
        "half the record",
        "empty record",
        "garbage",
    ],
)
def test_a_damaged_checkpoint_lets_the_training_begin_afresh_and_says_so(cache, genome, tmp_path, how):
    """To the bits of a training without one: nothing of what was half read is left in the network."""
    recipe, folder = RECIPES["averaged sgd"], tmp_path / "checkpoints"
    whole = train(genome, cache, recipe, tmp_path / "whole")
    assert whole.begun_afresh is None
    with pytest.raises(KilledError):
        train(
            genome, cache, recipe, tmp_path / "w", checkpoints=Checkpoints(folder, 0.0), on_progress=until(4)
        )
    damaged(folder, how)
    result = train(genome, cache, recipe, tmp_path / "w", checkpoints=Checkpoints(folder))
    assert result.begun_afresh.startswith(f"expected a checkpoint in {folder}, but it cannot be read (")
    assert result.begun_afresh.endswith("): the training begins afresh")
    assert "\n" not in result.begun_afresh
    assert without_times(result) == msgspec.structs.replace(
        without_times(whole), begun_afresh=result.begun_afresh
    )
    assert (tmp_path / "w").read_bytes() == (tmp_path / "whole").read_bytes()
    assert {path.name for path in folder.iterdir()} == {"checkpoint.json", "checkpoint-9.safetensors"}


def test_a_disk_that_fails_is_no_damaged_checkpoint(cache, genome, tmp_path, monkeypatch):
    """What it holds may be whole when the disk is back."""
    recipe, folder = RECIPES["adamw"], tmp_path / "checkpoints"
    with pytest.raises(KilledError):
        train(
            genome, cache, recipe, tmp_path / "w", checkpoints=Checkpoints(folder, 0.0), on_progress=until(3)
        )
    before = {path: path.read_bytes() for path in folder.iterdir()}
    with monkeypatch.context() as failing:

        def fail(path):
            raise OSError(errno.EIO, "Input/output error")

        failing.setattr(Path, "read_bytes", fail)
        with pytest.raises(OSError, match="Input/output error"):
            train(genome, cache, recipe, tmp_path / "w", checkpoints=Checkpoints(folder))
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_a_full_disk_ends_a_training_with_its_checkpoint_and_nothing_half(cache, genome, tmp_path):
    recipe = RECIPES["adamw"]
    train(genome, cache, recipe, tmp_path / "whole")
    with small_disk(tmp_path / "disk", 8192) as disk:
        folder = disk / "checkpoints"
        train(genome, cache, recipe, disk / "w", checkpoints=Checkpoints(folder, 0.0), until_share=3 / 9)
        before = {path.name for path in folder.iterdir()}
        (disk / "w").unlink()
        filler = fill(disk)
        with pytest.raises(OSError, match="No space left"):
            train(genome, cache, recipe, disk / "w", checkpoints=Checkpoints(folder, 0.0))
        assert {path.name for path in disk.rglob("*")} == before | {"checkpoints", "filler"}
        filler.unlink()
        result = train(genome, cache, recipe, disk / "w", checkpoints=Checkpoints(folder, 0.0))
        assert result.begun_afresh is None
        assert (disk / "w").read_bytes() == (tmp_path / "whole").read_bytes()


def test_clips_that_have_moved_together_are_gone_on_with_to_the_same_bits(cache, genome, tmp_path):
    recipe, folder = RECIPES["adamw"], tmp_path / "checkpoints"
    train(genome, cache, recipe, tmp_path / "whole")
    with pytest.raises(KilledError):
        train(
            genome, cache, recipe, tmp_path / "w", checkpoints=Checkpoints(folder, 0.0), on_progress=until(4)
        )
    shutil.copytree(cache.dataset.root, tmp_path / "elsewhere")
    moved = ClipCache(open_dataset(tmp_path / "elsewhere"), cache.resolution, tmp_path / "cache")
    moved.prepare()
    assert train(genome, moved, recipe, tmp_path / "w", checkpoints=Checkpoints(folder)).iterations == 9
    assert (tmp_path / "w").read_bytes() == (tmp_path / "whole").read_bytes()


def write_job(path: Path, cache, genome, recipe, name) -> Path:
    folder = path.parent
    job = Job(
        genome,
        cache.dataset.address,
        str(cache.directory),
        cache.resolution,
        recipe,
        str(folder / f"{name}-checkpoints"),
        str(folder / name),
    )
    path.write_bytes(msgspec.json.encode(job))
    return folder / name


def start(job: Path, *launcher: str) -> subprocess.Popen[str]:
    command = [sys.executable, *launcher, "-m", "tests.training.training_process", str(job)]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def test_a_killed_process_is_gone_on_with_to_the_same_bits(cache, genome, tmp_path):
    recipe = Recipe(iterations=40, batch_size=8)
    train(genome, cache, recipe, tmp_path / "whole")
    weights = write_job(tmp_path / "job.json", cache, genome, recipe, "killed")
    process = start(tmp_path / "job.json")
    assert process.stdout
    for line in process.stdout:
        if int(line) >= 11:
            process.kill()
            break
    process.communicate()
    assert process.returncode < 0
    assert not weights.exists()
    process = start(tmp_path / "job.json")
    numbers = [int(line) for line in process.communicate()[0].split()]
    assert process.returncode == 0
    assert numbers[0] > 10
    assert numbers[-1] == 40
    assert weights.read_bytes() == (tmp_path / "whole").read_bytes()


@pytest.mark.slow
def test_two_processes_train_one_network(cache, genome, tmp_path):
    """It learns as one process does, and goes on from a kill to the same bits."""
    recipe = Recipe(iterations=150, batch_size=16)
    alone = train(genome, cache, recipe, tmp_path / "alone")
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "--no-python")
    weights = []
    for name in ("whole", "killed"):
        weights.append(write_job(tmp_path / f"{name}.json", cache, genome, recipe, name))
        process = start(tmp_path / f"{name}.json", *launcher, sys.executable)
        if name == "killed":
            assert process.stdout
            for line in process.stdout:
                if int(line) >= 50:
                    process.terminate()
                    break
            process.communicate()
            assert not weights[-1].exists()
            process = start(tmp_path / f"{name}.json", *launcher, sys.executable)
        process.communicate()
        assert process.returncode == 0
    assert weights[0].read_bytes() == weights[1].read_bytes()
    assert weights[0].read_bytes() != (tmp_path / "alone").read_bytes()
    together = train(
        genome,
        cache,
        Recipe(iterations=1, batch_size=16, learning_rate=1e-12, weight_decay=0.0),
        tmp_path / "scored",
        initial_weights=weights[0],
    )
    assert together.top1 > 2.5 * cache.dataset.chance
    assert alone.top1 > 2.5 * cache.dataset.chance


def test_a_training_in_two_requests_ends_as_one_in_one(cache, genome, tmp_path):
    recipe = RECIPES["averaged sgd"]
    whole = train(genome, cache, recipe, tmp_path / "whole")
    folder = tmp_path / "checkpoints"
    results = [
        train(
            genome,
            cache,
            recipe,
            tmp_path / "parts",
            checkpoints=Checkpoints(folder),
            until_share=share,
        )
        for share in (1 / 9, 3 / 9, 1.0)
    ]
    assert [result.iterations for result in results] == [1, 3, 9]
    assert (tmp_path / "parts").read_bytes() == (tmp_path / "whole").read_bytes()
    assert without_times(results[-1]) == without_times(whole)


def test_a_training_goes_on_in_its_precision_where_another_one_would_be_chosen(
    cache, genome, tmp_path, monkeypatch
):
    """As on another machine, whose processor multiplies other numbers."""
    recipe, folder = RECIPES["adamw"], tmp_path / "checkpoints"
    monkeypatch.setattr("tvnsearch.training.fitting.choose_precision", lambda *asked: "bfloat16")
    whole = train(genome, cache, recipe, tmp_path / "whole")
    train(genome, cache, recipe, tmp_path / "parts", checkpoints=Checkpoints(folder), until_share=5 / 9)
    monkeypatch.setattr("tvnsearch.training.fitting.choose_precision", lambda *asked: "float32")
    result = train(genome, cache, recipe, tmp_path / "parts", checkpoints=Checkpoints(folder))
    assert result.precision == whole.precision == "bfloat16"
    assert (tmp_path / "parts").read_bytes() == (tmp_path / "whole").read_bytes()
