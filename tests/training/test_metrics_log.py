from __future__ import annotations

import json

import pytest

from tests.disks import fill, small_disk
from tests.training.killing import KilledError, until
from tvnsearch.training.checkpoint import Checkpoints
from tvnsearch.training.recipe import Recipe
from tvnsearch.training.trainer import train
from tvnsearch.training.validation import Validation

RECIPE = Recipe(iterations=9, batch_size=8)
TIMES = {"seconds"}


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def without_times(path):
    return [{name: value for name, value in line.items() if name not in TIMES} for line in lines(path)]


def test_every_iteration_has_a_line_and_the_end_its_scores(cache, genome, tmp_path):
    heard, seen = [], []
    result = train(
        genome,
        cache,
        RECIPE,
        tmp_path / "weights",
        metrics=tmp_path / "deep" / "metrics.jsonl",
        on_metrics=heard.append,
        on_progress=seen.append,
    )
    *steps, end = lines(tmp_path / "deep" / "metrics.jsonl")
    assert heard == [*steps, end]
    assert [line["iteration"] for line in steps] == list(range(1, 10))
    assert [line["loss"] for line in steps] == [state.loss for state in seen]
    clips = len(cache.dataset.train)
    assert [line["epoch"] for line in steps] == [number * 8 / clips for number in range(1, 10)]
    rates = [line["learning_rate"] for line in steps]
    assert max(rates) == pytest.approx(0.01, rel=0.05)
    assert rates[-1] < 0.1 * max(rates)
    seconds = [line["seconds"] for line in steps]
    assert seconds == sorted(seconds)
    assert seconds[-1] == end["seconds"] == result.fitting_seconds
    assert (end["iteration"], end["validation_clips"]) == (9, len(cache.dataset.validation))
    scores = (end["validation_fitness"], end["validation_top1"], end["validation_top5"])
    assert scores == (result.fitness, result.top1, result.top5)
    assert "validation_mean_average_precision" not in end


def test_no_line_is_lost_or_doubled_by_kills(cache, genome, tmp_path):
    """A checkpoint that is older than the kill, one of each iteration, and one that is only half scored."""
    validation, whole, path = Validation(every=2), tmp_path / "whole.jsonl", tmp_path / "metrics.jsonl"
    train(genome, cache, RECIPE, tmp_path / "whole", validation=validation, metrics=whole)
    assert [line["iteration"] for line in lines(whole)] == [1, 2, 2, 3, 4, 4, 5, 6, 6, 7, 8, 8, 9, 9]

    def go_on(every, **more):
        checkpoints = Checkpoints(tmp_path / "checkpoints", every)
        arguments = {"validation": validation, "metrics": path, "checkpoints": checkpoints}
        return train(genome, cache, RECIPE, tmp_path / "w", **arguments, **more)

    with pytest.raises(KilledError):
        go_on(0.0, on_progress=until(3))
    with pytest.raises(KilledError):
        go_on(1e9, on_progress=until(7))
    with path.open("ab") as file:
        file.write(b'{"iteration": 8, "epo')

    def kill(line):
        if line["iteration"] == 8 and "loss" not in line:
            raise KilledError

    with pytest.raises(KilledError):
        go_on(0.0, on_metrics=kill)
    go_on(0.0)
    again = go_on(0.0)  # all is done: it is scored again, and that is in the file already
    assert without_times(path) == without_times(whole)
    assert lines(path)[-1]["validation_fitness"] == again.fitness
    assert (tmp_path / "w").read_bytes() == (tmp_path / "whole").read_bytes()


def test_a_training_that_begins_afresh_begins_its_lines_afresh(cache, genome, tmp_path):
    path, folder = tmp_path / "metrics.jsonl", tmp_path / "checkpoints"
    with pytest.raises(KilledError):
        train(
            genome,
            cache,
            RECIPE,
            tmp_path / "w",
            checkpoints=Checkpoints(folder, 0.0),
            metrics=path,
            on_progress=until(4),
        )
    (folder / "checkpoint.json").write_bytes(b"")
    train(genome, cache, RECIPE, tmp_path / "w", checkpoints=Checkpoints(folder), metrics=path)
    assert [line["iteration"] for line in lines(path)] == [*range(1, 10), 9]


def test_a_file_that_was_taken_away_is_begun_where_the_training_is(cache, genome, tmp_path):
    path, folder = tmp_path / "metrics.jsonl", tmp_path / "checkpoints"
    with pytest.raises(KilledError):
        train(
            genome,
            cache,
            RECIPE,
            tmp_path / "w",
            checkpoints=Checkpoints(folder, 0.0),
            metrics=path,
            on_progress=until(4),
        )
    path.unlink()
    train(genome, cache, RECIPE, tmp_path / "w", checkpoints=Checkpoints(folder), metrics=path)
    assert [line["iteration"] for line in lines(path)] == [5, 6, 7, 8, 9, 9]


def test_a_disk_that_is_full_ends_a_training_and_its_lines_are_whole_when_it_goes_on(cache, genome, tmp_path):
    with small_disk(tmp_path / "disk", 64) as disk:
        path = disk / "metrics.jsonl"
        path.touch()
        filler = fill(disk)
        with pytest.raises(OSError, match="No space left"):
            train(genome, cache, RECIPE, tmp_path / "w", metrics=path)
        filler.unlink()
        train(genome, cache, RECIPE, tmp_path / "w", metrics=path)
        assert [line["iteration"] for line in lines(path)] == [*range(1, 10), 9]


def test_multi_label_scores_are_told_by_their_name(multi_label_cache, genome, tmp_path):
    path = tmp_path / "metrics.jsonl"
    result = train(genome, multi_label_cache, RECIPE, tmp_path / "w", metrics=path)
    end = lines(path)[-1]
    assert end["validation_mean_average_precision"] == result.mean_average_precision
    assert "validation_top1" not in end
